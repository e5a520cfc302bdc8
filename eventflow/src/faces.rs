//! The services and the gateway in front of them, each reached as HTTP without a socket.

use std::sync::Arc;

use actors::System;
use api::routes::Route;
use api::upstream::{LateRouter, Replicas};
use api::{Upstream, Verifier};
use gateway::{Beside, Gateway, Readiness, Upstreams};
use storage::Stores;

use crate::clock::{ProcessClock, SystemEntropy};
use crate::config::Config;
use crate::figures::Board;
use crate::keys::Keys;
use crate::node::NodeError;

/// Every route that is reachable from outside, with who may call it.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        gateway::routes(),
        auth::routes(),
        catalog::routes(),
        booking::routes(),
        notification::routes(),
    ]
    .concat()
}

/// What the world meets.
pub(crate) struct Faces {
    pub(crate) gateway: Gateway,
    pub(crate) readiness: Readiness,
    /// Follows the ends of sessions while it runs.
    pub(crate) auth: auth::Service,
    /// Follows the bus while it runs.
    pub(crate) catalog: catalog::Service,
    /// Tells people what happens, while it runs.
    pub(crate) notification: notification::Service,
}

/// Where booking is.
pub(crate) enum BookingAt<'a> {
    /// In this process.
    Here(&'a System),
    /// In others.
    Elsewhere(Replicas),
}

impl Faces {
    pub(crate) fn new(
        config: &Config,
        stores: &Stores,
        booking: BookingAt<'_>,
        keys: Keys,
        clock: &Arc<ProcessClock>,
        entropy: &Arc<SystemEntropy>,
        board: &Board,
    ) -> Result<Self, NodeError> {
        let verifier = Arc::new(Verifier::new(&[keys.issuer.public_key()], clock.clone()));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let auth = auth::Service::new(
            &config.auth.options(cores, config.gateway.rate_limit.enabled),
            auth::Parts {
                accounts: Arc::clone(&stores.accounts),
                sessions: Arc::clone(&stores.sessions),
                issuer: Arc::new(keys.issuer),
                verifier: Arc::clone(&verifier),
                clock: clock.clone(),
                entropy: entropy.clone(),
            },
        )?;
        // Booking and catalog ask each other, so one of them first gets the place where
        // the other's router will be.
        let catalog_internal = LateRouter::new();
        let (booking, booking_internal) = match booking {
            BookingAt::Elsewhere(replicas) => {
                (Upstream::Replicas(replicas.clone()), Upstream::Replicas(replicas))
            }
            BookingAt::Here(system) => {
                let catalog = Upstream::Local(catalog_internal.clone());
                let secret = keys.ticket_secret;
                let service = booking_service(config, system, catalog, &verifier, entropy, secret);
                let faces = (service.router().into(), service.internal_router().into());
                board.add_quick(move || service.set_gauges());
                faces
            }
        };
        let catalog = catalog::Service::new(
            config.catalog.options(&config.limits),
            catalog::Parts {
                store: Arc::clone(&stores.catalog),
                bus: Arc::clone(&stores.bus),
                booking: booking_internal,
                verifier: Arc::clone(&verifier),
                clock: clock.clone(),
                entropy: entropy.clone(),
            },
        );
        let first = catalog_internal.bind(catalog.internal_router());
        debug_assert!(first, "nobody else has this place");
        let notification = notification::Service::new(
            config.notification.options(&config.data.dir)?,
            notification::Parts {
                store: Arc::clone(&stores.notices),
                bus: Arc::clone(&stores.bus),
                auth: auth.internal_router().into(),
                catalog: Upstream::Local(catalog_internal),
                verifier: Arc::clone(&verifier),
                clock: clock.clone(),
                entropy: entropy.clone(),
            },
        )?;
        let waiting = notification.clone();
        board.add("notifications", &["eventflow_notifications"], move || {
            let waiting = waiting.clone();
            async move { waiting.set_gauges().await }
        });
        let upstreams = Upstreams {
            auth: auth.router().into(),
            booking,
            catalog: catalog.router().into(),
            notification: notification.router().into(),
        };
        let readiness = Readiness::default();
        let gateway = Gateway::new(
            config.gateway.options(),
            upstreams,
            readiness.clone(),
            &**entropy,
            verifier,
            Beside { routes: routes(), figures: Some(board.figures(&config.server)) },
        )
        .with_document(crate::document::openapi_json().into());
        Ok(Self { gateway, readiness, auth, catalog, notification })
    }
}

/// The booking service of a process that owns everything.
fn booking_service(
    config: &Config,
    system: &System,
    catalog: Upstream,
    verifier: &Arc<Verifier>,
    entropy: &Arc<SystemEntropy>,
    ticket_secret: [u8; 32],
) -> booking::Service {
    booking::Service::new(
        config.booking.options(),
        booking::Parts {
            box_office: system.box_office(),
            fresh_views: system.fresh_views(),
            catalog,
            verifier: Arc::clone(verifier),
            entropy: entropy.clone(),
            ticket_secret,
            peers: None,
        },
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::{Upstream, Verifier};
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use gateway::{Beside, Gateway, Options, Readiness, Upstreams};
    use serde_json::Value;

    use crate::clock::{ProcessClock, SystemEntropy};

    /// A gateway with nothing behind it.
    fn gateway() -> Gateway {
        let nothing = || Upstream::from(Router::new());
        let upstreams = Upstreams {
            auth: nothing(),
            booking: nothing(),
            catalog: nothing(),
            notification: nothing(),
        };
        let verifier = Arc::new(Verifier::new(&[], Arc::new(ProcessClock::start())));
        let (options, readiness) = (Options::default(), Readiness::default());
        Gateway::new(options, upstreams, readiness, &SystemEntropy, verifier, Beside::default())
    }

    #[tokio::test]
    async fn whoever_calls_what_takes_a_key_has_one_whatever_comes_of_it() {
        let document: Value = serde_json::from_str(&crate::document::openapi_json()).unwrap();
        let gateway = gateway();
        let mut keyed = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array();
                let key = |parameter: &Value| {
                    let name = parameter["$ref"].as_str().or(parameter["name"].as_str());
                    name.is_some_and(|name| name.ends_with("Idempotency-Key"))
                };
                let takes_key = parameters.is_some_and(|parameters| parameters.iter().any(key));
                let request = Request::builder().method(&*method.to_uppercase()).uri(path);
                let answer = gateway.handle(request.body(Body::empty()).unwrap()).await;
                let has_key = answer.headers().contains_key("idempotency-key");
                assert_eq!(has_key, takes_key, "{method} {path}");
                keyed += usize::from(takes_key);
            }
        }
        assert!(keyed > 5, "{keyed}");
    }

    #[test]
    fn the_gateway_finds_the_way_to_every_route() {
        use gateway::routing::{Destination, destination};

        for (routes, expected) in [
            (gateway::routes(), None),
            (auth::routes(), Some(Destination::Auth)),
            (catalog::routes(), Some(Destination::Catalog)),
            (booking::routes(), Some(Destination::Booking)),
            (notification::routes(), Some(Destination::Notification)),
        ] {
            for route in routes {
                assert_eq!(destination(route.path), expected, "{} {}", route.method, route.path);
            }
        }
    }
}
