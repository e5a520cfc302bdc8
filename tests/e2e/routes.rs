//! The routes, laid out like the URLs.

mod auth;
mod bookings;
mod events;
mod health;
mod keys;
mod notifications;
mod pages;
mod tokens;
mod users;
