//! The signals that end the process.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a second Ctrl-C, by which nothing was waited for.
pub const IMPATIENT_EXIT: i32 = 130;

/// SIGTERM and Ctrl-C, listened to from its making on.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
}

impl Signals {
    /// Listen.
    ///
    /// # Errors
    ///
    /// If the system doesn't let us.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Listen.
    ///
    /// # Errors
    ///
    /// Never on this system.
    #[cfg(not(unix))]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Wait for one of them.
    pub async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }

    /// From now on a Ctrl-C ends the process at once. Nothing that was answered is lost by
    /// that: a kill may come at any moment anyway.
    pub fn exit_at_next_interrupt(mut self) {
        tokio::spawn(async move {
            #[cfg(unix)]
            self.interrupt.recv().await;
            #[cfg(not(unix))]
            self.wait().await;
            eprintln!("eventflow: not waiting any longer.");
            std::process::exit(IMPATIENT_EXIT);
        });
    }
}
