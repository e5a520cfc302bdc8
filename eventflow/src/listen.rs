//! The HTTP/1.1 server: accepts, serves, drains.
//!
//! hyper is driven directly. What `axum::serve` would put in between (a boxed future and
//! an upgrade check per request, a header timer armed and disarmed per request) is left
//! out, because this loop carries every request of the process.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api::headers::Peer;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

mod addresses;
mod streaming;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "tls")]
pub use tls::HANDSHAKE_LIMIT;

use addresses::{Addresses, Place};
use streaming::Streaming;

/// How long to wait before accepting again after the system refused to, for instance
/// because the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long connections that were cut off may take to notice.
const CUT_PATIENCE: Duration = Duration::from_secs(1);

/// Bounds of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most connections at once. Those beyond it wait in the system's backlog until
    /// another one ends.
    pub max_connections: u32,
    /// A connection on which no request's head arrived completely for this long, and none
    /// is being served, is closed; at the latest after twice this time. So it bounds an
    /// idle connection, a slow head, and a client that doesn't read its answer.
    pub idle_timeout: Duration,
    /// Most connections of one address (an IPv6 network of /64 counts as one); those
    /// beyond it are closed at once.
    pub max_connections_per_address: u32,
    /// Most bytes of a request's head; more is answered with 431.
    pub max_head_bytes: usize,
    /// How long requests in flight may take when the server stops; then they are cut off.
    pub drain_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 12_000,
            max_connections_per_address: 12_000,
            idle_timeout: Duration::from_secs(60),
            max_head_bytes: 32 * 1024,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// How far the end has come, as the connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serve,
    Drain,
    Cut,
}

/// What comes before a connection is served.
#[derive(Clone)]
enum Way {
    /// Nothing.
    Plain,
    /// A handshake.
    #[cfg(feature = "tls")]
    Tls(Arc<tokio_rustls::TlsAcceptor>),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    options: Options,
    stage: watch::Sender<Stage>,
    slots: Arc<Semaphore>,
    accepting: JoinHandle<()>,
}

/// Take the address, without serving yet.
///
/// # Errors
///
/// What the system said, e.g. that the port is in use.
pub async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr).await
}

impl Server {
    /// Serve `listener`, each request by one call of `handler`.
    ///
    /// # Errors
    ///
    /// If the system cannot tell the listener's address.
    pub fn start<H, F>(listener: TcpListener, options: Options, handler: H) -> io::Result<Self>
    where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        Self::start_by(listener, options, Way::Plain, handler)
    }

    fn start_by<H, F>(
        listener: TcpListener,
        options: Options,
        way: Way,
        handler: H,
    ) -> io::Result<Self>
    where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let addr = listener.local_addr()?;
        let (stage, stages) = watch::channel(Stage::Serve);
        let slots = Arc::new(Semaphore::new(options.max_connections as usize));
        let accepting = accept(listener, options.clone(), way, handler, stages, Arc::clone(&slots));
        let accepting = tokio::spawn(accepting);
        Ok(Self { addr, options, stage, slots, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Tells how many connections are open.
    pub(crate) fn connections(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let (slots, most) = (Arc::clone(&self.slots), self.options.max_connections as usize);
        // Whoever accepts holds a slot for the next one.
        move || (most - slots.available_permits()).saturating_sub(1)
    }

    /// Stop accepting, let requests in flight end within the drain time, cut off the rest.
    /// Returns whether all of them ended by themselves.
    pub async fn stop(self) -> bool {
        self.stage.send_replace(Stage::Drain);
        // The listener closes with its task; whoever waits in the backlog is refused.
        let _ = self.accepting.await;
        // Every connection holds one slot until its end, so all slots back are the proof
        // that all connections have ended.
        let all = self.options.max_connections;
        if timeout(self.options.drain_timeout, self.slots.acquire_many(all)).await.is_ok() {
            return true;
        }
        self.stage.send_replace(Stage::Cut);
        let _ = timeout(CUT_PATIENCE, self.slots.acquire_many(all)).await;
        false
    }
}

async fn accept<H, F>(
    listener: TcpListener,
    options: Options,
    way: Way,
    handler: H,
    mut stages: watch::Receiver<Stage>,
    slots: Arc<Semaphore>,
) where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let mut protocol = http1::Builder::new();
    // The idle watch of `serve` does what hyper's header timer does, without arming and
    // disarming a timer at every request.
    protocol.header_read_timeout(None).max_header_size(options.max_head_bytes);
    let idle_timeout = options.idle_timeout;
    let addresses = Addresses::new(options.max_connections_per_address);
    let connections = stages.clone();
    let accepting = async {
        loop {
            // A slot before the connection: beyond the limit nothing is even accepted.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let peer = peer.ip().to_canonical();
                    let Some(place) = addresses.enter(peer) else { continue };
                    // Answers are small and written whole: waiting for more to send would
                    // only delay them. A socket that refuses this still works.
                    let _ = stream.set_nodelay(true);
                    let stages = connections.clone();
                    let (protocol, handler) = (protocol.clone(), handler.clone());
                    let held = (slot, place);
                    let connection = Accepted { stream, peer, idle_timeout };
                    match &way {
                        Way::Plain => {
                            tokio::spawn(serve(connection, protocol, handler, stages, held))
                        }
                        #[cfg(feature = "tls")]
                        Way::Tls(acceptor) => {
                            let (acceptor, mut stages) = (Arc::clone(acceptor), stages);
                            tokio::spawn(async move {
                                let shaken = tls::shake(&acceptor, connection, &mut stages).await;
                                if let Some(connection) = shaken {
                                    serve(connection, protocol, handler, stages, held).await;
                                }
                            })
                        }
                    };
                }
                // The other side was gone before we came.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stages.wait_for(|stage| *stage >= Stage::Drain) => {}
    }
}

/// What the idle watch of a connection looks at.
#[derive(Default)]
struct Activity {
    /// Requests whose head has arrived.
    begun: AtomicU32,
    /// Requests that were answered. HTTP/1.1 serves one at a time, so this is `begun` or
    /// one less.
    answered: AtomicU32,
    /// The bodies of answers that are being sent.
    streaming: Arc<Streaming>,
}

/// A connection that was accepted.
struct Accepted<S> {
    stream: S,
    peer: IpAddr,
    idle_timeout: Duration,
}

async fn serve<S, H, F>(
    connection: Accepted<S>,
    protocol: http1::Builder,
    handler: H,
    mut stages: watch::Receiver<Stage>,
    held: (OwnedSemaphorePermit, Place),
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request) -> F + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    // Held until the connection has ended, however it ends.
    let _held = held;
    let Accepted { stream, peer, idle_timeout } = connection;
    let activity = Activity::default();
    let service = service_fn(|request: Request<Incoming>| {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let answer = handler(request);
        let activity = &activity;
        async move {
            let response = streaming::watched(answer.await, &activity.streaming);
            activity.answered.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let mut idle_check = pin!(sleep(idle_timeout));
    let mut at_last_check = (0, 0);
    let mut stage = Stage::Serve;
    loop {
        tokio::select! {
            biased;
            // An error here is the client's going away in the middle, or a head that
            // isn't HTTP; hyper has answered what could be answered.
            _ = connection.as_mut() => return,
            change = stages.wait_for(|now| *now > stage) => match change.map(|now| *now) {
                Ok(Stage::Drain) => {
                    stage = Stage::Drain;
                    connection.as_mut().graceful_shutdown();
                }
                // Cut off, or the server itself is gone.
                _ => return,
            },
            () = idle_check.as_mut() => {
                let begun = activity.begun.load(Ordering::Relaxed);
                let serving = activity.answered.load(Ordering::Relaxed) != begun;
                // An answer that is still being sent moves as long as it is read.
                let moved = (begun, activity.streaming.frames());
                if !serving && moved == at_last_check {
                    return;
                }
                at_last_check = moved;
                idle_check.as_mut().reset(Instant::now() + idle_timeout);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    async fn started<H, F>(options: Options, handler: H) -> Server
    where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Server::start(listener, options, handler).unwrap()
    }

    async fn read_head(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn a_request_in_flight_is_answered_while_the_server_stops() {
        let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (arrived, go_on) = (Arc::clone(&arrived), Arc::clone(&go_on));
            move |_| {
                let (arrived, go_on) = (Arc::clone(&arrived), Arc::clone(&go_on));
                async move {
                    arrived.notify_one();
                    go_on.notified().await;
                    Response::default()
                }
            }
        };
        let server = started(Options::default(), handler).await;
        let addr = server.addr();
        let mut busy = TcpStream::connect(addr).await.unwrap();
        let mut idle = TcpStream::connect(addr).await.unwrap();
        busy.write_all(REQUEST).await.unwrap();
        arrived.notified().await;

        let stopping = tokio::spawn(server.stop());
        // The idle connection is closed at once, which shows that the drain has begun.
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(TcpStream::connect(addr).await.is_err(), "nothing new is accepted");
        assert!(!stopping.is_finished());

        go_on.notify_one();
        assert!(read_head(&mut busy).await.starts_with("HTTP/1.1 200"));
        assert!(stopping.await.unwrap(), "all requests ended by themselves");
    }

    #[tokio::test]
    async fn a_request_that_never_ends_is_cut_off() {
        let arrived = Arc::new(Notify::new());
        let handler = {
            let arrived = Arc::clone(&arrived);
            move |_| {
                arrived.notify_one();
                std::future::pending()
            }
        };
        let options = Options { drain_timeout: Duration::from_millis(50), ..Options::default() };
        let server = started(options, handler).await;
        let mut stuck = TcpStream::connect(server.addr()).await.unwrap();
        stuck.write_all(REQUEST).await.unwrap();
        arrived.notified().await;
        assert!(!server.stop().await, "a request was cut off");
        assert_eq!(stuck.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_idle_connection_and_a_slow_head_are_closed() {
        let options = Options { idle_timeout: Duration::from_millis(40), ..Options::default() };
        let server = started(options, |_| async { Response::default() }).await;
        let mut silent = TcpStream::connect(server.addr()).await.unwrap();
        let mut slow = TcpStream::connect(server.addr()).await.unwrap();
        slow.write_all(&REQUEST[..10]).await.unwrap();
        assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(slow.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(server.stop().await);
    }

    #[tokio::test]
    async fn beyond_the_limit_a_connection_waits_for_another_to_end() {
        let options = Options { max_connections: 1, ..Options::default() };
        let server = started(options, |_| async { Response::default() }).await;
        let mut first = TcpStream::connect(server.addr()).await.unwrap();
        first.write_all(REQUEST).await.unwrap();
        read_head(&mut first).await;
        let mut second = TcpStream::connect(server.addr()).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        let waits = timeout(Duration::from_millis(50), second.read_u8()).await;
        assert!(waits.is_err(), "the second connection is not served yet");
        drop(first);
        assert!(read_head(&mut second).await.starts_with("HTTP/1.1 200"));
        drop(second);
        assert!(server.stop().await);
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let options = Options { max_head_bytes: 8 * 1024, ..Options::default() };
        let server = started(options, |_| async { Response::default() }).await;
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(9 * 1024));
        stream.write_all(long.as_bytes()).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 431"));
        drop(stream);
        assert!(server.stop().await);
    }
}
