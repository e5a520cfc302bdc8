//! Locks, counters and shared pointers of [`crate::permits`] and [`crate::slot`], gathered
//! here so that the model checker can put its own in their place.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use parking_lot::Mutex;
