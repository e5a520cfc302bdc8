//! Open-loop load: requests at a fixed rate, whether the earlier ones were answered or
//! not. Latency counts from when a request was due: a server that stalls does not get
//! fewer requests to be slow at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep_until};

use crate::http::Connection;
use crate::load::Plan;

/// How long the answers of one run took.
#[derive(Clone, Debug)]
pub struct Latencies {
    sorted: Vec<Duration>,
}

impl Latencies {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self { sorted: all }
    }

    /// The latency that `percent` of the answers kept below, in milliseconds.
    ///
    /// # Panics
    /// When there were no answers.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> f64 {
        let last = self.sorted.len() - 1;
        let rank = (percent / 100.0 * self.sorted.len() as f64).ceil() as usize;
        self.sorted[rank.saturating_sub(1).min(last)].as_secs_f64() * 1e3
    }
}

pub(crate) async fn drive(
    addr: SocketAddr,
    connections: usize,
    per_second: f64,
    plan: Arc<Plan>,
) -> Result<Latencies> {
    ensure!(!plan.tokens.is_empty() && per_second > 0.0, "a run without requests");
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(addr).await.context("cannot connect")?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = open
        .into_iter()
        .map(|connection| {
            let (next, plan) = (Arc::clone(&next), Arc::clone(&plan));
            tokio::spawn(work(connection, next, plan, started, per_second))
        })
        .collect();
    let mut all = Vec::with_capacity(plan.tokens.len());
    for task in tasks {
        all.extend(task.await??);
    }
    ensure!(all.len() == plan.tokens.len(), "{} answers to {}", all.len(), plan.tokens.len());
    Ok(Latencies::of(all))
}

/// Sends the next request when it is due, over and over.
async fn work(
    mut connection: Connection,
    next: Arc<AtomicUsize>,
    plan: Arc<Plan>,
    started: Instant,
    per_second: f64,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.tokens.len() {
            return Ok(latencies);
        }
        let mut due = started + Duration::from_secs_f64(number as f64 / per_second);
        if Instant::now() < due {
            sleep_until(due).await;
            // That a timer wakes us late is not the server's fault. When every connection
            // was busy, it is: then the request counts from when it was due.
            due = Instant::now();
        }
        plan.write(&mut connection, number);
        let answer = connection.exchange().await.context("a connection broke")?;
        plan.check(answer)?;
        latencies.push(due.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let latencies = Latencies::of((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(latencies.percentile(50.0), 50.0);
        assert_eq!(latencies.percentile(99.0), 99.0);
        assert_eq!(latencies.percentile(100.0), 100.0);
        assert_eq!(Latencies::of(vec![Duration::from_millis(7)]).percentile(1.0), 7.0);
    }
}
