//! Memory at rest, and what a booking takes in memory and on disk.

use anyhow::{Context, Result};
use benches::load::Generator;
use benches::people::Signer;
use benches::process::Server;

use crate::Options;
use crate::sides::{self, bookings, create_event, reads};

/// Bookings of each event.
const BOOKINGS: usize = 100_000;

/// Connections that book.
const CONNECTIONS: usize = 64;

/// Events that are sold out one after the other. The first pays for buffers and caches
/// that grow once; the second shows what a booking takes from then on.
const EVENTS: usize = 2;

/// Prints the table. One run: the options' rounds don't matter here.
pub(crate) fn measure(_options: &Options) -> Result<()> {
    println!("\n## Memory and disk\n");
    let generator = Generator::new()?;
    let ours = sides::eventflow()?;
    let rest = settled(&ours)?;
    let signer = Signer::of(&ours.data())?;
    let tokens = signer.tokens(BOOKINGS)?;
    // Remembered tokens are not what a booking takes.
    generator.run(ours.addr(), CONNECTIONS, reads(&tokens))?;
    let mut resident = vec![settled(&ours)?];
    for _ in 0..EVENTS {
        let event = create_event(&generator, ours.addr(), &signer, BOOKINGS)?;
        generator.run(ours.addr(), CONNECTIONS, bookings(&event, &tokens))?;
        resident.push(settled(&ours)?);
    }
    let stopped = ours.stop()?;

    let empty = sides::eventflow()?;
    empty.settle()?;
    let empty = empty.stop()?;

    println!("{BOOKINGS} bookings of each of {EVENTS} events, both awake, keys still kept.\n");
    println!("| measured | bytes |");
    println!("| --- | --- |");
    println!("| resident after the start, empty folder | {rest} |");
    println!("| resident with {BOOKINGS} remembered tokens | {} |", resident[0]);
    for (event, pair) in (1..).zip(resident.windows(2)) {
        let grown = i64::try_from(pair[1])? - i64::try_from(pair[0])?;
        println!("| resident with event {event} sold out | {} |", pair[1]);
        let each = grown as f64 / BOOKINGS as f64;
        println!("| **grown per booking of event {event}** | **{each:.0}** |");
    }
    for file in ["ledger.db", "views.db", "app.db"] {
        let grown = stopped.bytes_of(file)?.checked_sub(empty.bytes_of(file)?);
        let grown = grown.context("a file that shrank")?;
        let each = grown as f64 / (BOOKINGS * EVENTS) as f64;
        println!("| `{file}` after a clean stop, per booking | {each:.0} |");
    }
    Ok(())
}

/// Resident bytes once there is nothing left to do.
fn settled(server: &Server) -> Result<u64> {
    server.settle()?;
    server.resident_bytes()
}
