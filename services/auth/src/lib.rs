//! The auth service: registers people, logs them in, tells who they are.
//!
//! ```text
//! options    what can be tuned
//! routes     every route on one screen; routes/ has a file per resource
//! service    what the routes call; no HTTP in it
//! password   which passwords are taken, how they are hashed, who waits for that
//! error      what can go wrong, and how the world sees it
//! ```
//!
//! Deliberately not here: the clock, randomness and the signing key (handed in), the
//! check of tokens (`api::identity`), other services, drivers.

pub mod error;
pub mod options;
mod password;
mod routes;
mod service;
#[cfg(test)]
mod tests_support;

use std::sync::Arc;

use api::routes::Route;
use axum::Router;

pub use error::Error;
pub use options::Options;
pub use service::Parts;

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

    /// Its routes.
    pub fn router(&self) -> Router {
        routes::router(self.state.clone())
    }
}

/// Every route of this service, with who may call it.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes::routes().table()
}
