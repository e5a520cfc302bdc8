//! Latency of bookings at a fixed rate while other clients weigh on the server, as a
//! ratio to the same rate on the same server in the same run without them.

use std::time::Duration;

use anyhow::{Result, ensure};
use benches::hands::{Hands, hashing_capacity, open_files_limit};
use benches::load::Generator;
use benches::open_loop::Latencies;
use benches::people::Signer;
use benches::process::Server;
use benches::spread::Spread;
use serde_json::json;

use crate::Options;
use crate::sides::{self, bookings, create_event, reads};

/// Connections that say nothing.
const IDLE: usize = 10_000;

/// Clients whose bodies come byte by byte.
const SLOW: usize = 500;

/// How far above the capacity of hashing log-ins flood in.
const FLOOD: f64 = 50.0;

/// Connections that book.
const BOOKERS: usize = 64;

/// Room that a process needs for files besides connections.
const OTHER_FILES: usize = 500;

/// For how long the capacity of hashing is looked at.
const CAPACITY_SPAN: Duration = Duration::from_secs(3);

/// The account that nobody gets into.
const ACCOUNT: &str = "flooded";

/// What weighs on the server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weight {
    None,
    Idle,
    Slow,
    /// Log-ins per second.
    Flood(f64),
}

impl Weight {
    fn name(self) -> String {
        match self {
            Self::None => "calm".to_owned(),
            Self::Idle => format!("{IDLE} idle connections"),
            Self::Slow => format!("{SLOW} bodies byte by byte"),
            Self::Flood(rate) => format!("{rate:.0} log-ins/s, {FLOOD:.0}× the capacity"),
        }
    }
}

/// What was measured under one weight.
#[derive(Default)]
struct Row {
    p50: Vec<f64>,
    p99: Vec<f64>,
    worst: Vec<f64>,
    ratio: Vec<f64>,
    mebibytes: Vec<f64>,
    counts: (u64, u64, u64),
}

/// Prints the table.
pub(crate) fn measure(options: &Options) -> Result<()> {
    // Ours and the server's are the same number; the server inherits our limit.
    let needed = IDLE + SLOW + BOOKERS + OTHER_FILES;
    let limit = open_files_limit()?;
    ensure!(limit >= needed, "at most {limit} files may be open: say `ulimit -n {needed}` first");
    let generator = Generator::new()?;
    let ours = sides::eventflow_with_room(needed)?;
    let signer = Signer::of(&ours.data())?;
    register(&generator, &ours)?;
    let capacity = hashing_capacity(ours.addr(), ACCOUNT, CAPACITY_SPAN)?;
    let weights = [Weight::None, Weight::Idle, Weight::Slow, Weight::Flood(capacity * FLOOD)];
    let mut rows: Vec<Row> = weights.iter().map(|_| Row::default()).collect();
    for _ in 0..options.rounds {
        let mut calm = None;
        for (weight, row) in weights.iter().zip(&mut rows) {
            ours.settle()?;
            let latencies = under(*weight, &generator, &ours, &signer, options, row)?;
            let p99 = latencies.percentile(99.0);
            row.p50.push(latencies.percentile(50.0));
            row.p99.push(p99);
            row.worst.push(latencies.percentile(100.0));
            row.ratio.push(p99 / *calm.get_or_insert(p99));
        }
    }
    print(options, capacity, &weights, &rows);
    ours.stop()?;
    Ok(())
}

/// One run of bookings while something weighs on the server.
fn under(
    weight: Weight,
    generator: &Generator,
    ours: &Server,
    signer: &Signer,
    options: &Options,
    row: &mut Row,
) -> Result<Latencies> {
    let count = options.rate * options.seconds;
    let tokens = signer.tokens(count)?;
    generator.run(ours.addr(), BOOKERS, reads(&tokens))?;
    let event = create_event(generator, ours.addr(), signer, count)?;
    ours.settle()?;
    let before = ours.resident_bytes()?;
    let hands = match weight {
        Weight::None => None,
        Weight::Idle => Some(Hands::idle(ours.addr(), IDLE)?),
        Weight::Slow => Some(Hands::slow(ours.addr(), SLOW, &tokens[0])?),
        Weight::Flood(rate) => Some(Hands::flood(ours.addr(), rate, ACCOUNT)?),
    };
    let plan = bookings(&event, &tokens);
    let latencies = generator.run_at(ours.addr(), BOOKERS, options.rate as f64, plan)?;
    let after = ours.resident_bytes()?;
    row.mebibytes.push((after as f64 - before as f64) / 1_048_576.0);
    if let Some(hands) = &hands {
        let (sent, decided, turned_away) = hands.counts();
        row.counts.0 += sent;
        row.counts.1 += decided;
        row.counts.2 += turned_away;
    }
    Ok(latencies)
}

fn register(generator: &Generator, server: &Server) -> Result<()> {
    let person = json!({
        "username": ACCOUNT, "email": "flooded@example.org", "password": "plum-Tractor-17",
    });
    let body = person.to_string();
    let (status, answer) = generator.ask(server.addr(), "POST", "/auth/register", "", &body)?;
    ensure!(status == 201, "registering: {status} {answer}");
    Ok(())
}

fn print(options: &Options, capacity: f64, weights: &[Weight], rows: &[Row]) {
    println!("\n## Heavy hands\n");
    println!(
        "{} bookings a second for {} s over {BOOKERS} connections, {} rounds in turns on one",
        options.rate, options.seconds, options.rounds
    );
    println!("server, all of them confirmed; median (least–greatest), in milliseconds from when a");
    println!("booking was due. \"× calm\" compares the p99 of the same round. The server decides");
    println!("{capacity:.0} log-ins a second when it has nothing else to do.\n");
    println!("| weight | p50 | p99 | × calm | worst | MiB more | sent / decided / turned away |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (weight, row) in weights.iter().zip(rows) {
        let (sent, decided, turned_away) = row.counts;
        println!(
            "| {} | {:.2} | {:.2} | **{:.2}** | {:.1} | {:.1} | {sent} / {decided} / {turned_away} |",
            weight.name(),
            Spread::of(&row.p50),
            Spread::of(&row.p99),
            Spread::of(&row.ratio),
            Spread::of(&row.worst),
            Spread::of(&row.mebibytes),
        );
    }
}
