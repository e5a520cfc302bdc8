//! Permits in front of the mailbox: per event, per process, per principal.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use engine::UserId;

use crate::error::{Crowd, SubmitError};
use crate::permits::{Permit, Permits};

/// The permits that do not belong to one event.
pub(crate) struct Admission {
    process: Permits,
    principals: Arc<Principals>,
}

/// How many commands of each principal are in flight; who has none is not listed.
struct Principals {
    in_flight: DashMap<UserId, usize>,
    limit: usize,
}

/// Everything a command needs to be let in; given back when dropped.
pub(crate) struct Admitted {
    _event: Permit,
    _door: AtTheDoor,
}

/// Let in to the process, not yet to an event.
pub(crate) struct AtTheDoor {
    _process: Option<Permit>,
    principal: Option<(Arc<Principals>, UserId)>,
}

impl AtTheDoor {
    /// The system's own, which the process' bound does not count.
    pub(crate) const fn internal() -> Self {
        Self { _process: None, principal: None }
    }

    /// Let in to an event as well.
    pub(crate) fn with_event(self, event: Permit) -> Admitted {
        Admitted { _event: event, _door: self }
    }
}

impl Drop for AtTheDoor {
    fn drop(&mut self) {
        if let Some((principals, user)) = self.principal.take()
            && let Entry::Occupied(mut entry) = principals.in_flight.entry(user)
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Admission {
    pub(crate) fn new(process: usize, per_principal: usize) -> Self {
        let principals = Principals { in_flight: DashMap::new(), limit: per_principal };
        Self { process: Permits::new(process), principals: Arc::new(principals) }
    }

    /// Let a command of a principal, or a question, in.
    pub(crate) fn enter(&self, user: Option<UserId>) -> Result<AtTheDoor, SubmitError> {
        let process = self.process.try_acquire().ok_or(SubmitError::Overloaded(Crowd::Replica))?;
        let principal = match user {
            None => None,
            Some(user) => {
                let mut count = self.principals.in_flight.entry(user).or_insert(0);
                if *count >= self.principals.limit {
                    return Err(SubmitError::Overloaded(Crowd::Principal));
                }
                *count += 1;
                Some((Arc::clone(&self.principals), user))
            }
        };
        Ok(AtTheDoor { _process: Some(process), principal })
    }

    /// How many are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.process.used()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_bounded_and_forgotten() {
        let admission = Admission::new(10, 2);
        let (one, other) = (UserId([1; 16]), UserId([2; 16]));
        let first = admission.enter(Some(one)).expect("room");
        let second = admission.enter(Some(one)).expect("room");
        assert!(matches!(
            admission.enter(Some(one)),
            Err(SubmitError::Overloaded(Crowd::Principal))
        ));
        assert_eq!(admission.in_flight(), 2, "a refusal gives its process permit back");
        admission.enter(Some(other)).expect("another principal is not affected");
        drop(first);
        admission.enter(Some(one)).expect("room again");
        drop(second);
        assert_eq!(admission.in_flight(), 0);
        assert!(admission.principals.in_flight.is_empty(), "nobody is listed for ever");
    }

    #[test]
    fn the_process_is_bounded() {
        let admission = Admission::new(1, 9);
        let _in = admission.enter(None).expect("room");
        assert!(matches!(
            admission.enter(Some(UserId([1; 16]))),
            Err(SubmitError::Overloaded(Crowd::Replica))
        ));
    }
}
