//! The notification service.
//!
//! ```text
//! mail           hands messages to an SMTP server, or writes them to a folder
//! ```

mod mail;
