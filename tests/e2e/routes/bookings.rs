//! `/bookings/…`

mod cancel;
mod create;
mod holds;
mod lists;
mod read;
mod user;
