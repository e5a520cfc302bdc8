//! Messages handed to an SMTP server.
//!
//! ```text
//! options     what is configured, and what of it is refused
//! session     one connection: opened, used for a message, ended
//! fault       which of the four reasons a broken step is
//! lines       keeps what came before TLS apart from what comes after
//! encrypted   TLS over that
//! answers     bounds what a server says, over either
//! ```
//!
//! lettre's connection is used and its transport is not: that one does not say at which step
//! a hand-over broke, and whether the body was begun is what decides if a message may have
//! arrived.
//!
//! Bounds: as many connections as configured, one message at a time on each; every step takes
//! no longer than `timeout` as a whole, however slowly the bytes drip, and the answer to the
//! body no longer than `VERDICT` on top. A process that is to stop does not wait for that: the
//! carrier drops what takes too long then. What a server says is bounded by `answers`.

mod answers;
mod encrypted;
mod fault;
mod lines;
mod options;
mod session;

use futures_util::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::letter::{Letter, Sender};
use super::{Mail, Mailer, NotSent};
use session::{Session, Settings};

pub(crate) use options::{SmtpOptions, Tls};

/// Hands messages to a server.
pub(crate) struct Smtp {
    sender: Sender,
    settings: Settings,
    /// One for each connection there may be.
    permits: Semaphore,
    /// Connections that nobody uses just now; none of them survives `settle`.
    idle: Mutex<Vec<Session>>,
}

impl Smtp {
    /// Checks the options; nothing is connected yet.
    ///
    /// # Errors
    /// A sentence on what cannot be: no sender, a password over a plain connection to another
    /// machine, a file of certificates without one, no bound.
    pub(crate) fn new(options: &SmtpOptions) -> Result<Self, String> {
        let sender = Sender::parse(&options.from)?;
        let settings = options.settings(sender.domain())?;
        let (permits, idle) = (Semaphore::new(options.connections), Mutex::default());
        Ok(Self { sender, settings, permits, idle })
    }

    async fn hand_over(&self, letter: &Letter) -> Result<(), NotSent> {
        // Not bounded by itself: whoever holds a permit is bounded in every step.
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(NotSent::Down("closed".to_owned()));
        };
        let mut session = self.session().await?;
        let outcome = session.hand_over(&self.settings, letter).await;
        // One that was not put back is closed: after a broken step nobody knows which answer
        // belongs to what.
        if session.is_usable() {
            self.idle.lock().push(session);
        }
        outcome
    }

    /// One that was used before and still lives, or a new one.
    async fn session(&self) -> Result<Session, NotSent> {
        loop {
            let idle = self.idle.lock().pop();
            let Some(mut session) = idle else { break };
            if session.is_ready_again(&self.settings).await {
                return Ok(session);
            }
        }
        Session::open(&self.settings).await
    }
}

impl Mailer for Smtp {
    fn send(&self, mail: &Mail) -> BoxFuture<'_, Result<(), NotSent>> {
        let letter = self.sender.letter(mail);
        Box::pin(async move { self.hand_over(&letter?).await })
    }

    /// On a connection of its own, which is ended: it is asked only while nothing is sent.
    fn knock(&self) -> BoxFuture<'_, Result<(), NotSent>> {
        Box::pin(async move {
            let mut session = Session::open(&self.settings).await?;
            session.name_sender(&self.settings, self.sender.address()).await?;
            session.end(&self.settings).await;
            Ok(())
        })
    }

    fn takes_twice(&self) -> bool {
        true
    }

    /// Says goodbye on all connections: what the server has accepted is its own to keep.
    fn settle(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let idle = std::mem::take(&mut *self.idle.lock());
            join_all(idle.into_iter().map(|session| session.end(&self.settings))).await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
#[cfg(feature = "server-tests")]
mod server_tests;
