//! `POST /bookings` on one hot event, divided by the same request to a handler that
//! does nothing, both in one run, in turns.

use std::sync::Arc;

use anyhow::{Result, ensure};
use benches::load::{Generator, Plan, Run};
use benches::people::Signer;
use benches::process::{Server, own_processor_seconds};
use benches::spread::Spread;

use crate::Options;
use crate::sides::{self, bookings, create_event, reads};

/// The numbers of connections that are measured.
const CONNECTIONS: [usize; 2] = [64, 256];

/// An id for the side that knows no events.
const NO_EVENT: &str = "01980000-0000-7000-8000-000000000000";

/// Connections over which tokens are made known.
const READERS: usize = 64;

/// A server's runs, and what they cost.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    /// Microseconds of processor time per request: of the server, of the generator.
    server_micros: Vec<f64>,
    generator_micros: Vec<f64>,
}

impl Side {
    fn run(&mut self, generator: &Generator, server: &Server, n: usize, plan: Plan) -> Result<Run> {
        let (server_before, own_before) = (server.processor_seconds()?, own_processor_seconds()?);
        let run = generator.run(server.addr(), n, plan)?;
        let per_request = 1e6 / run.requests as f64;
        self.rates.push(run.rate());
        self.server_micros.push((server.processor_seconds()? - server_before) * per_request);
        self.generator_micros.push((own_processor_seconds()? - own_before) * per_request);
        Ok(run)
    }
}

/// Both figures, for both numbers of connections, then the generator's ceiling.
pub(crate) fn measure(options: &Options) -> Result<()> {
    println!("\n## One hot event\n");
    println!(
        "{} rounds per row, in turns; {} bookings a round with known tokens, {} with new ones;",
        options.rounds, options.users, options.fresh
    );
    println!("median (least–greatest). Processor time is that of all threads, per request;");
    println!("\"rest\" is how long the server went on working after the last answer.\n");
    println!(
        "| tokens | connections | bookings/s | `null` requests/s | ratio | \
         µs ours | µs `null` | µs generator | rest, s |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for connections in CONNECTIONS {
        compare("known", connections, options, options.users)?;
    }
    for connections in CONNECTIONS {
        compare("new", connections, options, options.fresh)?;
    }
    measure_ceiling(options)
}

/// One row of the table, with servers of its own.
fn compare(tokens: &str, connections: usize, options: &Options, count: usize) -> Result<()> {
    let generator = Generator::new()?;
    let ours = sides::eventflow()?;
    let null = sides::null(&ours)?;
    let signer = Signer::of(&ours.data())?;
    let known = (tokens == "known").then(|| signer.tokens(count)).transpose()?;
    if let Some(known) = &known {
        for server in [&ours, &null] {
            generator.run(server.addr(), READERS, reads(known))?;
        }
    }
    let (mut a, mut b) = (Side::default(), Side::default());
    let (mut ratios, mut rests) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let tokens = match &known {
            Some(known) => Arc::clone(known),
            None => signer.tokens(count)?,
        };
        let event = create_event(&generator, ours.addr(), &signer, count)?;
        ours.settle()?;
        let mine = a.run(&generator, &ours, connections, bookings(&event, &tokens))?;
        // What is left to do in the background must not slow the other side down.
        rests.push(ours.settle()?.as_secs_f64());
        check_sold(&generator, &ours, &event, count)?;
        let other = b.run(&generator, &null, connections, bookings(NO_EVENT, &tokens))?;
        null.settle()?;
        ratios.push(mine.rate() / other.rate());
    }
    println!(
        "| {tokens} | {connections} | {:.0} | {:.0} | **{:.2}** | {:.1} | {:.1} | {:.1} | {:.2} |",
        Spread::of(&a.rates),
        Spread::of(&b.rates),
        Spread::of(&ratios),
        Spread::of(&a.server_micros),
        Spread::of(&b.server_micros),
        Spread::of(&a.generator_micros),
        Spread::of(&rests),
    );
    ours.stop()?;
    Ok(())
}

/// The event itself says that all places were sold.
fn check_sold(generator: &Generator, server: &Server, event: &str, count: usize) -> Result<()> {
    let path = format!("/events/{event}/availability");
    let (status, answer) = generator.ask(server.addr(), "GET", &path, "", "")?;
    ensure!(status == 200 && answer["booked"] == count, "after {count} bookings: {answer}");
    ensure!(answer["available"] == 0, "after {count} bookings: {answer}");
    Ok(())
}

/// What the generator reaches against a server that costs next to nothing.
pub(crate) fn measure_ceiling(options: &Options) -> Result<()> {
    println!("\n## The load generator's own ceiling\n");
    println!("| connections | requests/s | µs generator |");
    println!("| --- | --- | --- |");
    let generator = Generator::new()?;
    let canned = sides::canned()?;
    // As long as a real token; nobody looks at it.
    let tokens = Arc::new(vec!["x".repeat(400); options.users]);
    for connections in CONNECTIONS {
        let mut side = Side::default();
        for _ in 0..options.rounds {
            side.run(&generator, &canned, connections, bookings(NO_EVENT, &tokens))?;
        }
        let micros = Spread::of(&side.generator_micros);
        println!("| {connections} | {:.0} | {micros:.1} |", Spread::of(&side.rates));
    }
    Ok(())
}
