//! Clients that want nothing sensible and only weigh: idle connections, bodies that come
//! byte by byte, floods of log-ins. Each kind runs in a thread of its own until it is
//! dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::http::{Connection, write_request};

/// Connections over which log-ins flood in.
const FLOOD_CONNECTIONS: usize = 256;

/// Pause between two bytes of a slow body.
const BYTE_EVERY: Duration = Duration::from_millis(200);

/// Pause before a slow client comes again that was sent away.
const COME_AGAIN: Duration = Duration::from_millis(500);

/// How long heavy hands may take to be in place.
const IN_PLACE_LIMIT: Duration = Duration::from_secs(60);

/// What came of a flood.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    decided: AtomicU64,
    turned_away: AtomicU64,
}

/// Clients at work; they end when this is dropped.
#[derive(Debug)]
pub struct Hands {
    counts: Arc<Counts>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Hands {
    /// So many connections that say nothing.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn idle(addr: SocketAddr, connections: usize) -> Result<Self> {
        Self::start(move |_, ready| async move {
            let mut open = Vec::with_capacity(connections);
            for _ in 0..connections {
                match TcpStream::connect(addr).await {
                    Ok(stream) => open.push(stream),
                    Err(error) => {
                        ready.send(Err(anyhow!("connection {}: {error}", open.len()))).ok();
                        return;
                    }
                }
            }
            ready.send(Ok(())).ok();
            std::future::pending::<()>().await;
            drop(open);
        })
    }

    /// So many clients whose bodies come byte by byte and never get to their end.
    ///
    /// # Errors
    /// When the thread does not start.
    pub fn slow(addr: SocketAddr, clients: usize, token: &str) -> Result<Self> {
        let mut head = Vec::new();
        write_request(&mut head, "POST", "/bookings", token, &" ".repeat(10_000));
        head.truncate(head.len() - 10_000);
        let head = Arc::new(head);
        Self::start(move |counts, ready| async move {
            for _ in 0..clients {
                let (head, counts) = (Arc::clone(&head), Arc::clone(&counts));
                tokio::spawn(async move {
                    loop {
                        // Whoever is sent away comes again.
                        trickle(addr, &head, &counts).await.ok();
                        sleep(COME_AGAIN).await;
                    }
                });
            }
            ready.send(Ok(())).ok();
            std::future::pending::<()>().await;
        })
    }

    /// Log-ins with a wrong password, so many per second whatever is answered.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn flood(addr: SocketAddr, per_second: f64, username: &str) -> Result<Self> {
        let body =
            Arc::new(format!("{{\"username\":\"{username}\",\"password\":\"not-it-at-all\"}}"));
        ensure!(per_second > 0.0, "a flood of nothing");
        Self::start(move |counts, ready| async move {
            let share = Duration::from_secs_f64(FLOOD_CONNECTIONS as f64 / per_second);
            for number in 0..FLOOD_CONNECTIONS {
                let (body, counts) = (Arc::clone(&body), Arc::clone(&counts));
                let offset = share.mul_f64(number as f64 / FLOOD_CONNECTIONS as f64);
                tokio::spawn(async move {
                    sleep(offset).await;
                    pour(addr, &body, share, &counts).await.ok();
                });
            }
            ready.send(Ok(())).ok();
            std::future::pending::<()>().await;
        })
    }

    /// Requests sent; of these decided (granted or refused by what they say), and turned
    /// away because of the load.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let Counts { sent, decided, turned_away } = &*self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(sent), read(decided), read(turned_away))
    }

    fn start<F, W>(work: W) -> Result<Self>
    where
        W: FnOnce(Arc<Counts>, std::sync::mpsc::Sender<Result<()>>) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let (end, ended) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = work(shared, ready) => {}
                    _ = ended => {}
                }
            });
        });
        let hands = Self { counts, end: Some(end), thread: Some(thread) };
        is_ready
            .recv_timeout(IN_PLACE_LIMIT)
            .context("heavy hands were not in place in time")??;
        Ok(hands)
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// One request whose body comes byte by byte.
async fn trickle(addr: SocketAddr, head: &[u8], counts: &Counts) -> Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(head).await?;
    counts.sent.fetch_add(1, Ordering::Relaxed);
    let mut answer = [0; 64];
    loop {
        stream.write_all(b" ").await?;
        // An answer before the end is a refusal.
        if timeout(BYTE_EVERY, tokio::io::AsyncReadExt::read(&mut stream, &mut answer))
            .await
            .is_ok()
        {
            counts.turned_away.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
    }
}

/// One request per `share` of time; those that are due while an answer is awaited are
/// sent right after it.
async fn pour(addr: SocketAddr, body: &str, share: Duration, counts: &Counts) -> Result<()> {
    let mut connection = Connection::open(addr).await?;
    let mut ticks = interval(share);
    loop {
        ticks.tick().await;
        write_request(&mut connection.out, "POST", "/auth/login", "", body);
        counts.sent.fetch_add(1, Ordering::Relaxed);
        let answer = connection.exchange().await?;
        let kind =
            if matches!(answer.status, 200 | 401) { &counts.decided } else { &counts.turned_away };
        kind.fetch_add(1, Ordering::Relaxed);
    }
}

/// Log-ins per second that a server decides when it has nothing else to do.
///
/// # Errors
/// When it cannot be reached, or decides none.
pub fn hashing_capacity(addr: SocketAddr, username: &str, span: Duration) -> Result<f64> {
    // More than it can decide, so that it always has something to do.
    let hands = Hands::flood(addr, 2_000.0, username)?;
    let (_, before, _) = hands.counts();
    let began = Instant::now();
    thread::park_timeout(span);
    let (_, after, _) = hands.counts();
    let rate = (after - before) as f64 / began.elapsed().as_secs_f64();
    ensure!(rate > 0.0, "no log-in was decided");
    Ok(rate)
}

/// The most files and connections that this process may have open.
///
/// # Errors
/// When the system does not say.
pub fn open_files_limit() -> Result<usize> {
    let text = std::fs::read_to_string("/proc/self/limits")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).context("no limit")?;
    Ok(soft.parse().unwrap_or(usize::MAX))
}
