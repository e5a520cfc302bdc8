//! The auth service: registers people, logs them in, tells who they are.
//!
//! ```text
//! options    what can be tuned
//! routes     every route on one screen; routes/ has a file per resource
//! service    what the routes call; no HTTP in it
//! sessions   the tokens that follow from one log-in, and their end
//! attempts   who tries too often, found out before anything costly is done
//! password   which passwords are taken, how they are hashed, who waits for that
//! document   what the routes say of themselves
//! error      what can go wrong, and how the world sees it
//! ```
//!
//! Deliberately not here: the clock, randomness and the signing key (handed in), the
//! check of tokens (`api::identity`), other services, drivers.

mod attempts;
pub mod document;
pub mod error;
pub mod options;
mod password;
mod routes;
mod service;
mod sessions;
#[cfg(test)]
mod tests_support;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use api::routes::Route;
use axum::Router;

pub use error::Error;
pub use options::Options;
pub use service::{Parts, create_admin};

/// How often the store is asked which sessions were ended.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// The auth service.
#[derive(Clone)]
pub struct Service {
    state: routes::State,
}

impl Service {
    /// A service made of these parts.
    ///
    /// # Errors
    ///
    /// If the options of the password hash are not possible.
    pub fn new(options: &Options, parts: Parts) -> Result<Self, Error> {
        let verifier = Arc::clone(&parts.verifier);
        let accounts = Arc::new(service::Accounts::new(options, parts)?);
        Ok(Self { state: routes::State { accounts, verifier } })
    }

    /// Learn which sessions were ended lately. To be called before anything is served.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn prepare(&self) -> Result<(), Error> {
        Ok(self.state.accounts.sessions().learn().await?)
    }

    /// Follow what other processes end, until `shutdown` resolves. What this one ends is
    /// known here at once.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(FOLLOW_EVERY) => {
                    if let Err(error) = self.state.accounts.sessions().learn().await {
                        tracing::warn!(%error, "ended sessions cannot be read");
                    }
                }
            }
        }
    }

    /// Its routes.
    pub fn router(&self) -> Router {
        routes::router(self.state.clone())
    }

    /// The routes for other services, never to be reachable from outside.
    pub fn internal_router(&self) -> Router {
        routes::internal(self.state.clone())
    }
}

/// Every route of this service, with who may call it.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes::routes().table()
}
