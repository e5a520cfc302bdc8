//! What every adapter must do. One suite per port; each check gets fresh, empty stores.
//!
//! An adapter's tests call each suite with a way to make stores. A suite panics at the
//! first check that fails, with a sentence of what was expected.

use crate::Stores;

pub mod accounts;
pub mod apart;
pub mod bus;
pub mod catalog;
pub mod commit;
pub mod differential;
pub mod journal;
pub mod notices;
pub mod recovery;
pub mod sample;
pub mod sessions;
pub mod views;

/// Makes fresh, empty stores; they live at least as long as the closure.
pub type Fresh<'a> = &'a (dyn Fn() -> Stores + Sync);
