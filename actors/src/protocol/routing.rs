//! Who serves a request that has landed at a replica.

use std::sync::Arc;

use storage::Epoch;

/// How often a request may be passed on.
pub const HOPS: u8 = 2;

/// Where a partition is served, as far as this replica knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Here, under this ownership.
    Here(Epoch),
    /// At another replica, which had it under this ownership.
    There {
        /// The replica's name.
        node: Arc<str>,
        /// Its ownership.
        epoch: Epoch,
    },
    /// Nowhere for the moment: its owner is gone, or it is being taken over.
    Nowhere,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Serve it under this ownership.
    Serve(Epoch),
    /// Pass it on.
    PassOn {
        /// To whom.
        node: Arc<str>,
        /// The ownership that is expected there: an owner that has an older one has not
        /// heard yet that it lost it, and must not serve.
        expected: Epoch,
        /// How often it has been passed on then.
        hops: u8,
    },
    /// It has been passed on often enough: back, with the owner known here.
    SendBack(Option<Arc<str>>),
}

/// What to do with a request that was passed on `hops` times, whose sender `expected` this
/// ownership, by what is known here.
#[must_use]
pub fn turn(route: Route, expected: Epoch, hops: u8) -> Turn {
    match route {
        Route::Here(epoch) if epoch >= expected => Turn::Serve(epoch),
        Route::There { node, epoch } if hops < HOPS => {
            Turn::PassOn { node, expected: epoch.max(expected), hops: hops + 1 }
        }
        Route::There { node, .. } => Turn::SendBack(Some(node)),
        Route::Here(_) | Route::Nowhere => Turn::SendBack(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(epoch: u64) -> Route {
        Route::There { node: Arc::from("b2"), epoch: Epoch(epoch) }
    }

    #[test]
    fn it_is_passed_on_twice_at_most() {
        let node: Arc<str> = Arc::from("b2");
        for hops in 0..HOPS {
            let expected = Turn::PassOn { node: node.clone(), expected: Epoch(5), hops: hops + 1 };
            assert_eq!(turn(there(5), Epoch(0), hops), expected);
        }
        assert_eq!(turn(there(5), Epoch(0), HOPS), Turn::SendBack(Some(node)));
        assert_eq!(turn(Route::Nowhere, Epoch(0), 0), Turn::SendBack(None));
    }

    #[test]
    fn an_owner_that_is_behind_what_others_know_serves_nothing() {
        assert_eq!(turn(Route::Here(Epoch(5)), Epoch(5), 1), Turn::Serve(Epoch(5)));
        assert_eq!(turn(Route::Here(Epoch(6)), Epoch(5), 1), Turn::Serve(Epoch(6)));
        assert_eq!(turn(Route::Here(Epoch(4)), Epoch(5), 1), Turn::SendBack(None));
    }
}
