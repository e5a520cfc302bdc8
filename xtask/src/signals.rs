//! Ctrl-C and its kin, as a question that can be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether this process was told to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    told: Arc<AtomicBool>,
}

impl Signals {
    /// From now on such a signal ends nothing by itself.
    pub(crate) fn listen() -> Result<Self> {
        let signals = Self::default();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&signals.told)).context("cannot catch a signal")?;
        }
        Ok(signals)
    }

    /// Whether one has come.
    pub(crate) fn told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }

    /// What has come so far is dealt with.
    pub(crate) fn forget(&self) {
        self.told.store(false, Ordering::Relaxed);
    }
}
