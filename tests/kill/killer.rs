//! Kills the server at random moments under load and starts it again.

use std::net::SocketAddr;

use harness::eventually::eventually;
use harness::history::History;
use harness::random::Random;
use harness::server::{Home, Server};
use tokio::sync::watch;
use tokio::time::sleep;

/// A server must have served so many calls before it is killed again.
const CALLS_BEFORE: usize = 400;

/// And then so many milliseconds at most.
const MILLIS_MORE: u64 = 1_000;

/// So many of the restarts in a hundred are killed themselves, somewhere in their start.
const KILLED_AT_START: u64 = 25;

/// And that so many milliseconds after it began, at most.
const MILLIS_OF_START: u64 = 120;

/// Kills and restarts so many times; the last server goes on.
pub(crate) async fn kill_and_restart(
    mut server: Server,
    kills: usize,
    home: &Home,
    history: &History,
    moved: &watch::Sender<SocketAddr>,
    random: &Random,
) -> Server {
    let mut random = random.part(2);
    for kill in 1..=kills {
        under_load(history).await;
        // Where in its work the server is hit is left to chance.
        sleep(random.millis(0, MILLIS_MORE)).await;
        server.kill();
        while random.chance(KILLED_AT_START) {
            Server::start_and_kill(home, random.millis(0, MILLIS_OF_START)).await;
        }
        server = Server::start(home).await;
        println!("  killed {kill} of {kills} times, {} calls so far", history.len());
        moved.send(server.address()).expect("the clients still listen");
    }
    under_load(history).await;
    server
}

async fn under_load(history: &History) {
    let enough = history.len() + CALLS_BEFORE;
    eventually("the clients call", async || (history.len() >= enough).then_some(())).await;
}
