//! Closed-loop load: each connection sends its next request when it has its answer. For
//! peak throughput only; a closed loop says nothing about latency, see
//! [`crate::open_loop`] for that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use engine::UserId;
use tokio::runtime::{Builder, Runtime};

use crate::http::{Answer, Connection, write_request};
use crate::open_loop::{self, Latencies};

/// Longest time that one run may take.
const RUN_LIMIT: Duration = Duration::from_secs(120);

/// Most connections of a run.
const MOST_CONNECTIONS: usize = 1_024;

/// Most bytes of a wrong answer that are shown.
const SHOWN_BYTES: usize = 300;

/// What one run sends, and what it expects.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The method and path of every request.
    pub method: &'static str,
    /// See `method`.
    pub path: String,
    /// The bodies, in turns; empty for none.
    pub bodies: Vec<String>,
    /// The token of each request, in order; there are as many requests as tokens.
    pub tokens: Arc<Vec<String>>,
    /// The status that every answer must have.
    pub status: u16,
    /// What every answer's body must contain.
    pub contains: &'static str,
}

impl Plan {
    /// Writes the request with the token of this number into a connection; `false` if there
    /// are no more.
    pub(crate) fn write(&self, connection: &mut Connection, number: usize) -> bool {
        let Some(token) = self.tokens.get(number) else { return false };
        let body = self.bodies.get(number % self.bodies.len().max(1)).map_or("", String::as_str);
        write_request(&mut connection.out, self.method, &self.path, token, body);
        true
    }

    /// Whether an answer is as planned.
    pub(crate) fn check(&self, answer: Answer<'_>) -> Result<()> {
        if answer.status != self.status || !contains(answer.body, self.contains.as_bytes()) {
            let shown = &answer.body[..answer.body.len().min(SHOWN_BYTES)];
            bail!(
                "{} {}: expected {} with {:?}, got {}: {}",
                self.method,
                self.path,
                self.status,
                self.contains,
                answer.status,
                String::from_utf8_lossy(shown)
            );
        }
        Ok(())
    }
}

/// One run's throughput.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// How many requests were answered, all of them rightly.
    pub requests: usize,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Run {
    /// Requests per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

/// The load generator. One thread: on two cores a second one would only take time from
/// the server.
#[derive(Debug)]
pub struct Generator {
    runtime: Runtime,
}

impl Generator {
    /// A generator.
    ///
    /// # Errors
    /// When the system gives no event queue.
    pub fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Self { runtime })
    }

    /// Sends all requests of `plan` over `connections` connections.
    ///
    /// # Errors
    /// At the first answer that isn't as planned; when a connection breaks; after two
    /// minutes.
    pub fn run(&self, addr: SocketAddr, connections: usize, plan: Plan) -> Result<Run> {
        ensure!((1..=MOST_CONNECTIONS).contains(&connections), "{connections} connections");
        ensure!(!plan.tokens.is_empty(), "a run without requests");
        self.runtime.block_on(async {
            let run = drive(addr, connections, Arc::new(plan));
            tokio::time::timeout(RUN_LIMIT, run)
                .await
                .with_context(|| format!("a run took longer than {} s", RUN_LIMIT.as_secs()))?
        })
    }

    /// Sends the requests of `plan` at a fixed rate over `connections` connections.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_at(
        &self,
        addr: SocketAddr,
        connections: usize,
        per_second: f64,
        plan: Plan,
    ) -> Result<Latencies> {
        ensure!((1..=MOST_CONNECTIONS).contains(&connections), "{connections} connections");
        self.runtime.block_on(async {
            let run = open_loop::drive(addr, connections, per_second, Arc::new(plan));
            tokio::time::timeout(RUN_LIMIT, run)
                .await
                .with_context(|| format!("a run took longer than {} s", RUN_LIMIT.as_secs()))?
        })
    }

    /// Makes accounts, one for each of these bodies, over so many connections; their ids.
    ///
    /// # Errors
    /// When one is refused; after two minutes.
    pub fn register(
        &self,
        addr: SocketAddr,
        connections: usize,
        bodies: Vec<String>,
    ) -> Result<Vec<UserId>> {
        let bodies = Arc::new(bodies);
        self.runtime.block_on(async {
            let tasks: Vec<_> = (0..connections)
                .map(|first| tokio::spawn(enrol(addr, Arc::clone(&bodies), first, connections)))
                .collect();
            let all = async {
                let mut ids = Vec::with_capacity(bodies.len());
                for task in tasks {
                    ids.extend(task.await??);
                }
                anyhow::Ok(ids)
            };
            tokio::time::timeout(RUN_LIMIT, all).await.context("registering took too long")?
        })
    }

    /// One request over a connection of its own; its answer's status and body.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(
        &self,
        addr: SocketAddr,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> Result<(u16, serde_json::Value)> {
        self.runtime.block_on(async {
            let exchange = async {
                let mut connection = Connection::open(addr).await?;
                write_request(&mut connection.out, method, path, token, body);
                let answer = connection.exchange().await?;
                let value = serde_json::from_slice(answer.body).unwrap_or_default();
                anyhow::Ok((answer.status, value))
            };
            tokio::time::timeout(RUN_LIMIT, exchange)
                .await
                .context("no answer")?
                .with_context(|| format!("{method} {path}"))
        })
    }
}

async fn drive(addr: SocketAddr, connections: usize, plan: Arc<Plan>) -> Result<Run> {
    // All connections stand before the first request, so that none is measured.
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(addr).await.context("cannot connect")?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = open
        .into_iter()
        .map(|connection| tokio::spawn(work(connection, Arc::clone(&next), Arc::clone(&plan))))
        .collect();
    let mut requests = 0;
    for task in tasks {
        requests += task.await??;
    }
    let took = started.elapsed();
    ensure!(requests == plan.tokens.len(), "{requests} answers to {}", plan.tokens.len());
    Ok(Run { requests, took })
}

/// Registers every `step`th of them; their ids.
async fn enrol(
    addr: SocketAddr,
    bodies: Arc<Vec<String>>,
    first: usize,
    step: usize,
) -> Result<Vec<UserId>> {
    let mut connection = Connection::open(addr).await?;
    let mut ids = Vec::new();
    for body in bodies.iter().skip(first).step_by(step) {
        write_request(&mut connection.out, "POST", "/auth/register", "", body);
        let answer = connection.exchange().await?;
        let value: serde_json::Value = serde_json::from_slice(answer.body).unwrap_or_default();
        let id: Option<api::wire::Id> = serde_json::from_value(value["id"].clone()).ok();
        ensure!(answer.status == 201, "registering: {} {value}", answer.status);
        ids.push(UserId::from(id.context("an account without an id")?));
    }
    Ok(ids)
}

/// Sends one request after the other until there are no more; returns how many.
async fn work(
    mut connection: Connection,
    next: Arc<AtomicUsize>,
    plan: Arc<Plan>,
) -> Result<usize> {
    let mut done = 0;
    loop {
        if !plan.write(&mut connection, next.fetch_add(1, Ordering::Relaxed)) {
            return Ok(done);
        }
        let answer = connection.exchange().await.context("a connection broke")?;
        plan.check(answer)?;
        done += 1;
    }
}

/// Whether `part` occurs in `whole`.
fn contains(whole: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else { return true };
    let mut rest = whole;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_wherever_it_is() {
        for (whole, part, there) in
            [("abc", "c", true), ("aab", "ab", true), ("abc", "d", false), ("", "", true)]
        {
            assert_eq!(contains(whole.as_bytes(), part.as_bytes()), there, "{whole} {part}");
        }
    }
}
