//! A booking replica: on servers, met by other processes of its installation only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actors::protocol::Replica as Identified;
use actors::{Identity, System};
use api::headers::Peer;
use api::problem::{no_such_method, no_such_path};
use api::{Entropy, Verifier};
use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::response::IntoResponse;
use axum::routing::any;
use booking::{HttpPeers, Replica};
use gateway::{Figures, Readiness, figures};
use tokio::time::Instant;

use super::followers::Followers;
use super::{Node, NodeError, Running, inside, listener, load_keys};
use crate::clock::{ProcessClock, SystemEntropy};
use crate::config::Config;
use crate::figures::Board;
use crate::front::Remote;
use crate::servers::{self, Servers};

/// Pause before the front is asked again for the sessions that were ended.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How long it is asked before the start is given up.
const ASK_LIMIT: Duration = Duration::from_secs(120);

/// Everything that a replica is started from.
struct Parts {
    config: Config,
    servers: Servers,
    verifier: Arc<Verifier>,
    clock: Arc<ProcessClock>,
    entropy: Arc<SystemEntropy>,
    front: Remote,
    peers: HttpPeers,
    ticket_secret: [u8; 32],
    incarnation: u64,
}

/// Start a replica: servers, clock, keys, ended sessions, then the actors among others, then
/// the door.
pub(super) async fn start(config: Config) -> Result<Node, NodeError> {
    let addr = inside::internal_addr(&config)?;
    // Before anything is made that counts.
    let board = Board::new();
    let client = inside::client(&config)?;
    let entropy = Arc::new(SystemEntropy);
    let keys = load_keys(&config, &entropy)?;
    let mut incarnation = [0; 8];
    entropy.fill(&mut incarnation);
    let incarnation = u64::from_be_bytes(incarnation);
    let servers = servers::connect(&config, incarnation).await?;
    // All replicas go by the same clock.
    let clock = Arc::new(ProcessClock::from(servers.now));
    let verifier = Arc::new(Verifier::new(&[keys.issuer.public_key()], clock.clone()));
    let front = Remote::new(client.clone(), &config.cluster.front);
    learn_ended(&front, &verifier).await?;
    let peers = HttpPeers::new(client.clone());
    let ticket_secret = keys.ticket_secret;
    let parts = Parts {
        config,
        servers,
        verifier,
        clock,
        entropy,
        front,
        peers,
        ticket_secret,
        incarnation,
    };
    // Before anybody is told of this address: who is refused there takes it for dead.
    let listener = listener(addr).await?;
    let system = join(&parts).await?;
    let service = service(&parts, &system);
    let steward = system.steward().expect("it has joined a cluster");
    let counted = service.clone();
    board.add_quick(move || counted.set_gauges());
    let figures = board.figures(&parts.config.server);
    let router = Replica::new(service, steward, client.clone()).router().merge(shown(figures));
    let drain = Duration::from_millis(u64::from(parts.config.server.actors_drain_timeout_ms));
    let mut running = Running {
        readiness: Readiness::default(),
        system: Some(system),
        followers: Followers::new(),
        sqlite: None,
        drain,
    };
    running.count(&board, &parts.config);
    let opened = inside::serve(&parts.config, listener, client.trust(), router);
    let server = match opened {
        Ok(server) => server,
        Err(error) => {
            running.stop().await;
            return Err(error);
        }
    };
    board.add_connections("internal", &server);
    let (front, verifier) = (parts.front, parts.verifier);
    running.followers.add("ended sessions", move |end| {
        let (front, verifier) = (front.clone(), Arc::clone(&verifier));
        async move { front.follow_ended(&verifier, end).await }
    });
    running.readiness.ready();
    let name = parts.config.cluster.node;
    let (data, addr) = (PathBuf::new(), server.addr());
    Ok(Node { data, replica: Some(name), addr, servers: vec![server], running })
}

/// The figures, for whoever asks from where they may be seen. For others there are none, by
/// whatever method they ask.
fn shown(figures: Figures) -> Router {
    let answer = move |request: Request| {
        let figures = figures.clone();
        let client = request.extensions().get::<Peer>().map(|Peer(address)| *address);
        let shown = figures.may_see(&request, client);
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        async move {
            match (shown, reads) {
                (true, true) => figures.answer().await,
                (true, false) => no_such_method().await.into_response(),
                (false, _) => no_such_path().await.into_response(),
            }
        }
    };
    Router::new().route(figures::PATH, any(answer))
}

/// What was ended must be known before anything is answered.
async fn learn_ended(front: &Remote, verifier: &Verifier) -> Result<(), NodeError> {
    let until = Instant::now() + ASK_LIMIT;
    let mut waits = false;
    loop {
        match front.learn_ended(verifier).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= until => return Err(error.into()),
            Err(error) => {
                if !std::mem::replace(&mut waits, true) {
                    tracing::warn!(%error, "waiting for the front");
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}

async fn join(parts: &Parts) -> Result<System, NodeError> {
    let Parts { config, servers, .. } = parts;
    let cluster = &config.cluster;
    let address =
        if cluster.advertise.is_empty() { &cluster.listen } else { &cluster.advertise }.clone();
    let identity = Identity {
        replica: Identified::new(&cluster.node, parts.incarnation),
        address,
        members: Arc::clone(&servers.members),
        peers: Arc::new(parts.peers.clone()),
        on_duplicate: Arc::new(|| {
            crate::stores::end_process("another replica goes on under this name: this one ends");
        }),
    };
    let options = config.actors.options(&config.limits);
    let clock: Arc<dyn actors::Clock> = Arc::<ProcessClock>::clone(&parts.clock);
    let stores = servers.booking_stores(Arc::new(parts.front.clone()));
    Ok(actors::join(options, stores, clock, identity).await?)
}

fn service(parts: &Parts, system: &System) -> booking::Service {
    booking::Service::new(
        parts.config.booking.options(),
        booking::Parts {
            box_office: system.box_office(),
            fresh_views: system.fresh_views(),
            catalog: parts.front.catalog(),
            verifier: Arc::clone(&parts.verifier),
            entropy: parts.entropy.clone(),
            ticket_secret: parts.ticket_secret,
            peers: Some(parts.peers.clone()),
        },
    )
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn to_a_stranger_there_are_no_figures_by_any_method() {
        let reader = IpAddr::from([192, 0, 2, 1]);
        let figures = Figures::new(|| Box::pin(async { String::new() }), &[reader.to_string()]);
        let router = shown(figures);
        for (from, method, status) in [
            (reader, Method::GET, 200),
            (reader, Method::HEAD, 200),
            (reader, Method::POST, 405),
            (IpAddr::from([192, 0, 2, 2]), Method::GET, 404),
            (IpAddr::from([192, 0, 2, 2]), Method::POST, 404),
        ] {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = figures::PATH.parse().unwrap();
            *request.method_mut() = method.clone();
            request.extensions_mut().insert(Peer(from));
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{from} {method}");
        }
    }
}
