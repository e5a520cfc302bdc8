//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use api::rate::subscriber;

/// Counts connections by address. No more addresses are known than connections are open.
#[derive(Clone)]
pub(super) struct Addresses(Arc<Inner>);

struct Inner {
    most: u32,
    // Held for a look-up, once at the beginning and once at the end of a connection.
    open: Mutex<HashMap<[u8; 16], u32>>,
}

/// A connection of an address, counted until it is dropped.
pub(super) struct Place {
    addresses: Addresses,
    key: [u8; 16],
}

impl Addresses {
    pub(super) fn new(most: u32) -> Self {
        Self(Arc::new(Inner { most, open: Mutex::default() }))
    }

    /// One more, or nothing if the address has as many as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let key = subscriber(address);
        let mut open = self.lock();
        let count = open.entry(key).or_default();
        if *count >= self.0.most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Place { addresses: self.clone(), key })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 16], u32>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.lock();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_as_many_as_it_may_and_others_theirs() {
        let addresses = Addresses::new(2);
        let of = |n: u8| addresses.enter(IpAddr::from([192, 0, 2, n]));
        let (first, second) = (of(1), of(1));
        assert!(first.is_some() && second.is_some());
        assert!(of(1).is_none());
        let other = of(2);
        assert!(other.is_some());
        drop(first);
        let third = of(1);
        assert!(third.is_some(), "there is room again");
        drop((second, other, third));
        assert!(addresses.lock().is_empty(), "nobody is remembered");
    }
}
