//! `/events/…`

mod availability;
mod bookings;
mod change;
mod create;
mod delete;
mod list;
mod search;
