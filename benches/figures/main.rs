//! Measures running servers and prints tables for `RESULTS.md`.
//!
//! `cargo xtask bench` builds everything in release and calls this; the servers are
//! processes of their own, on loopback. Every load is bounded in count and in time.

mod canned;
mod hot_event;
mod limits;
mod mail;
mod memory;
mod null;
mod replicas;
mod sides;
mod start;

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

const USAGE: &str = "\
usage: figures WHAT [--rounds N] [--users N] [--fresh N] [--rate N] [--seconds N]

  hot-event   bookings per second on one event, over a do-nothing handler
  start       from the start of the process to the first booking
  memory      memory at rest, memory and disk per booking
  limits      latency of bookings while other clients weigh on the server
  mail        bookings while the mail server is up, away, or silent
  ceiling     what the load generator itself can do
  replicas ADDR DATA
              bookings through the gateway at ADDR to replicas, over one process; DATA is
              the folder with that gateway's signing key
";

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Rounds per figure.
    pub(crate) rounds: usize,
    /// Bookings per round whose tokens were verified before.
    pub(crate) users: usize,
    /// Bookings per round whose tokens were never seen before.
    pub(crate) fresh: usize,
    /// Bookings per second where a rate is given.
    pub(crate) rate: usize,
    /// Seconds of such a run.
    pub(crate) seconds: usize,
}

/// Most rounds of a figure.
const MOST_ROUNDS: usize = 50;

/// Highest rate: above it the generator itself would be measured.
const MOST_RATE: usize = 5_000;

/// Longest run at a rate, in seconds: idle connections are closed after a minute.
const MOST_SECONDS: usize = 40;

/// Most bookings of a round: the server remembers 200,000 verified tokens, and both
/// numbers of connections must find room.
const MOST_USERS: usize = 90_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        // The servers to compare with, started by this program itself.
        ["serve-null", data] => null::serve(std::path::Path::new(data)),
        ["serve-canned"] => canned::serve(),
        ["hot-event", rest @ ..] => hot_event::measure(&options(rest)?),
        ["start", rest @ ..] => start::measure(&options(rest)?),
        ["memory", rest @ ..] => memory::measure(&options(rest)?),
        ["limits", rest @ ..] => limits::measure(&options(rest)?),
        ["mail", rest @ ..] => mail::measure(&options(rest)?),
        ["replicas", addr, data, rest @ ..] => replicas::measure(addr, data, &options(rest)?),
        ["ceiling", rest @ ..] => hot_event::measure_ceiling(&options(rest)?),
        _ => bail!("{USAGE}"),
    }
}

fn options(mut words: &[&str]) -> Result<Options> {
    let mut options = Options { rounds: 5, users: 60_000, fresh: 12_000, rate: 500, seconds: 10 };
    while let [name, value, rest @ ..] = words {
        let number: usize = value.parse().with_context(|| format!("{name} needs a number"))?;
        let (place, most) = match *name {
            "--rounds" => (&mut options.rounds, MOST_ROUNDS),
            "--users" => (&mut options.users, MOST_USERS),
            "--fresh" => (&mut options.fresh, MOST_USERS),
            "--rate" => (&mut options.rate, MOST_RATE),
            "--seconds" => (&mut options.seconds, MOST_SECONDS),
            _ => bail!("{USAGE}"),
        };
        ensure!((1..=most).contains(&number), "{name} must be from 1 to {most}");
        *place = number;
        words = rest;
    }
    ensure!(words.is_empty(), "{USAGE}");
    Ok(options)
}
