//! `/bookings/user/{user}/…`

mod event;
