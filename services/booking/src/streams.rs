//! How many streams are open: in this process, per event, per address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use api::{ErrorCode, Problem};
use engine::EventId;

use crate::options::Options;

/// After how many seconds somebody who was one too many may try again.
const RETRY_AFTER: u32 = 10;

/// Counts open streams.
#[derive(Default)]
pub(crate) struct Streams(Mutex<Open>);

#[derive(Default)]
struct Open {
    all: usize,
    events: HashMap<EventId, usize>,
    addresses: HashMap<IpAddr, usize>,
}

/// An open stream; counted until it is dropped.
pub(crate) struct OpenStream {
    streams: Arc<Streams>,
    event: EventId,
    address: Option<IpAddr>,
}

impl Streams {
    /// Open one more. An address that is not known is not counted.
    ///
    /// # Errors
    /// 503 if there are as many as there may be.
    pub(crate) fn open(
        self: &Arc<Self>,
        options: &Options,
        event: EventId,
        address: Option<IpAddr>,
    ) -> Result<OpenStream, Problem> {
        let mut open = self.lock();
        let at_event = open.events.get(&event).copied().unwrap_or(0);
        let from_address = address.and_then(|address| open.addresses.get(&address).copied());
        let full = if open.all >= options.streams {
            Some("Too many streams are open. Ask for the availability instead, or try again.")
        } else if at_event >= options.streams_per_event {
            Some("Too many streams are open for this event. Ask for its availability instead.")
        } else if from_address.unwrap_or(0) >= options.streams_per_address {
            Some("Too many streams are open from your address. Close some first.")
        } else {
            None
        };
        if let Some(detail) = full {
            return Err(Problem::new(ErrorCode::Overloaded, detail).retry_after(RETRY_AFTER));
        }
        open.all += 1;
        *open.events.entry(event).or_default() += 1;
        if let Some(address) = address {
            *open.addresses.entry(address).or_default() += 1;
        }
        drop(open);
        Ok(OpenStream { streams: Arc::clone(self), event, address })
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        open.all -= 1;
        take_off(&mut open.events, &self.event);
        if let Some(address) = &self.address {
            take_off(&mut open.addresses, address);
        }
    }
}

/// One less; who has none is not listed.
fn take_off<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_and_forgotten() {
        let options = Options {
            streams: 4,
            streams_per_event: 2,
            streams_per_address: 3,
            ..Options::default()
        };
        let streams = Arc::new(Streams::default());
        let (one, other) = (EventId([1; 16]), EventId([2; 16]));
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        let open = |event, address| streams.open(&options, event, address);
        let first = open(one, here).unwrap();
        let second = open(one, here).unwrap();
        assert!(open(one, None).is_err(), "the event's");
        let third = open(other, here).unwrap();
        assert!(open(other, here).is_err(), "the address'");
        let fourth = open(other, None).unwrap();
        let refusal = open(EventId([3; 16]), None).err().unwrap();
        assert_eq!(refusal.code().status(), 503, "the process'");
        drop(first);
        open(one, here).unwrap();
        drop((second, third, fourth));
        let left = streams.lock();
        assert_eq!((left.all, left.events.len(), left.addresses.len()), (0, 0, 0));
    }
}
