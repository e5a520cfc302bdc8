//! `/bookings/…`

mod cancel;
mod create;
mod holds;
mod lists;
mod queue;
mod read;
mod user;
