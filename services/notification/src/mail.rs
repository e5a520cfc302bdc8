//! How a message leaves the house.
//!
//! ```text
//! letter   what a message looks like on the wire: headers, parts, addresses
//! smtp     handed to a server
//! files    written to a folder, one file per message
//! ```
//!
//! A message has one form: the same message handed over again is the same to the byte, under
//! the same Message-ID. Whoever gets it twice can tell.

mod files;
mod letter;
mod smtp;

use engine::Timestamp;
use futures_util::future::BoxFuture;

pub(crate) use files::Files;
pub(crate) use smtp::{Smtp, SmtpOptions, Tls};

/// A message ready to go.
#[derive(Clone)]
pub(crate) struct Mail {
    /// The notification's id; the message's own is made of it.
    pub(crate) id: [u8; 16],
    /// Where it goes, as the account has it.
    pub(crate) to_address: String,
    /// Whom it goes to, if that is known.
    pub(crate) to_name: Option<String>,
    /// One line; what breaks it is cleaned away.
    pub(crate) subject: String,
    /// The part for readers of plain text.
    pub(crate) text: String,
    /// The part for everybody else.
    pub(crate) html: String,
    /// The message's date.
    pub(crate) created_at: Timestamp,
}

/// Why a message did not go. The texts are for a log and for people: they name what the
/// server answered, never the address and never the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// The server cannot be reached, or does not let itself be used at all (no connection, no
    /// TLS, no greeting, no authentication, our sender not taken, 421). That says nothing
    /// about this message: all of them wait.
    Down(String),
    /// This message not now: the server refused it for now (4xx). The others go on.
    Later(String),
    /// The server broke off or fell silent over its recipient, so it has not arrived.
    Silent(String),
    /// The server refused it for good (5xx): it is never sent.
    Never(String),
    /// No server was asked: it cannot be sent, as with an address that cannot be one.
    Unfit(String),
    /// The connection broke or hung after the body was begun, so it may have arrived. It is
    /// tried again with the same Message-ID.
    Unknown(String),
}

/// What takes messages.
pub(crate) trait Mailer: Send + Sync {
    /// Hands over one message.
    ///
    /// A future that is dropped before its end leaves behind what `NotSent::Unknown` does: the
    /// message may have arrived.
    fn send(&self, mail: &Mail) -> BoxFuture<'_, Result<(), NotSent>>;

    /// Whether it would take a message now, as far as can be known without one.
    ///
    /// # Errors
    /// Why not.
    fn knock(&self) -> BoxFuture<'_, Result<(), NotSent>>;

    /// Whether a message that is handed over twice is there twice. Then it is to be written
    /// as sent before the next one takes its place.
    fn takes_twice(&self) -> bool;

    /// Called after a round: what was handed over is to be durable.
    ///
    /// # Errors
    /// When it may not be: everything since the last `settle` is to be sent again.
    fn settle(&self) -> BoxFuture<'_, Result<(), String>>;
}
