//! The front door: one way in for everything, which sees only the wire contract.
//!
//! ```text
//! options    what can be tuned
//! stack      the way of a request through here, outermost first, and why in this order
//! routing    path → upstream, one table
//! client     where a request comes from
//! limits     how much one may ask for, and how much may be under way
//! body       bodies never longer than allowed; what is not wanted is read away
//! cors       which pages may call from a browser
//! ids        ids of requests, keys for writes without one
//! readiness  starting, ready, draining, and the parts: /health, /livez, /readyz
//! meters     what is counted of requests
//! figures    what is counted at all, for whoever may see it: /metrics
//! rescue     what is an error and not a problem yet
//! ```
//!
//! Deliberately not here: rules, storage, actors, services, sockets. No body is kept:
//! requests and answers pass through as they are.

mod body;
pub mod client;
mod cors;
pub mod figures;
mod ids;
mod limits;
mod meters;
pub mod options;
pub mod readiness;
mod rescue;
pub mod routing;
mod stack;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use api::routes::{Access, Route};
use api::{Entropy, Upstream, Verifier};
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::Method;

pub use figures::Figures;
pub use options::{Options, RateLimit};
pub use readiness::Readiness;
use routing::Destination;
use stack::Stack;

/// Who answers what is passed on.
#[derive(Clone)]
pub struct Upstreams {
    /// Accounts and log-in.
    pub auth: Upstream,
    /// Bookings, holds, live counts.
    pub booking: Upstream,
    /// What events say of themselves.
    pub catalog: Upstream,
    /// What people are told.
    pub notification: Upstream,
}

impl Upstreams {
    const fn to(&self, destination: Destination) -> &Upstream {
        match destination {
            Destination::Auth => &self.auth,
            Destination::Booking => &self.booking,
            Destination::Catalog => &self.catalog,
            Destination::Notification => &self.notification,
        }
    }
}

/// What the process knows and the gateway does not.
#[derive(Default)]
pub struct Beside {
    /// The routes of the services, by which requests are counted.
    pub routes: Vec<Route>,
    /// What is answered at `/metrics`; nothing if there is nobody who counts.
    pub figures: Option<Figures>,
}

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    stack: Arc<Stack>,
}

impl Gateway {
    /// A gateway in front of these upstreams. It answers from now on; whether it is
    /// ready is for the process to say. The verifier tells whose request it is, for the
    /// limits; the services check for themselves.
    #[must_use]
    pub fn new(
        options: Options,
        upstreams: Upstreams,
        readiness: Readiness,
        entropy: &dyn Entropy,
        verifier: Arc<Verifier>,
        beside: Beside,
    ) -> Self {
        let stack = Stack::new(options, upstreams, readiness, entropy, verifier, beside);
        Self { stack: Arc::new(stack) }
    }

    /// The answer to one request. A server calls this directly.
    pub fn handle(&self, request: Request) -> impl Future<Output = Response> + Send + use<> {
        Arc::clone(&self.stack).handle(request)
    }

    /// The same as a router, for whoever wants one.
    pub fn router(&self) -> Router {
        let gateway = self.clone();
        Router::new().fallback_service(tower::service_fn(move |request| {
            let answer = gateway.handle(request);
            async move { Ok::<_, Infallible>(answer.await) }
        }))
    }
}

/// The routes that the gateway answers itself.
#[must_use]
pub fn routes() -> Vec<Route> {
    let own = |path| Route { method: Method::GET, path, access: Access::Anyone };
    let parts = readiness::PARTS.iter().map(|part| part.path);
    readiness::PATHS.into_iter().chain(parts).chain([figures::PATH]).map(own).collect()
}
