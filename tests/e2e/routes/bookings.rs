//! `/bookings/…`

mod cancel;
mod create;
mod lists;
mod read;
