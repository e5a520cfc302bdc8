//! Memory at rest, and what a booking takes in memory and on disk.

use anyhow::{Context, Result};
use benches::load::Generator;
use benches::people::Signer;
use benches::process::Server;

use crate::Options;
use crate::sides::{self, bookings, create_event, reads};

/// Bookings of the event that is measured.
const BOOKINGS: usize = 100_000;

/// Connections that book.
const CONNECTIONS: usize = 64;

/// Prints the table. One run: the options' rounds don't matter here.
pub(crate) fn measure(_options: &Options) -> Result<()> {
    println!("\n## Memory and disk\n");
    let generator = Generator::new()?;
    let ours = sides::eventflow()?;
    let rest = settled(&ours)?;
    let signer = Signer::of(&ours.data())?;
    let tokens = signer.tokens(BOOKINGS)?;
    // Remembered tokens and warm buffers are not what a booking takes.
    generator.run(ours.addr(), CONNECTIONS, reads(&tokens))?;
    let event = create_event(&generator, &ours, &signer, BOOKINGS)?;
    let before = settled(&ours)?;
    generator.run(ours.addr(), CONNECTIONS, bookings(&event, &tokens))?;
    let after = settled(&ours)?;
    let stopped = ours.stop()?;

    let empty = sides::eventflow()?;
    empty.settle()?;
    let empty = empty.stop()?;

    println!("| measured | bytes |");
    println!("| --- | --- |");
    println!("| resident after the start, empty folder | {rest} |");
    println!("| resident with {BOOKINGS} remembered tokens | {before} |");
    println!("| resident after {BOOKINGS} bookings of one awake event | {after} |");
    let grown = i64::try_from(after)? - i64::try_from(before)?;
    println!("| **resident per booking** | **{:.0}** |", grown as f64 / BOOKINGS as f64);
    for file in ["ledger.db", "views.db", "app.db"] {
        let full = stopped.bytes_of(file)?;
        let bare = empty.bytes_of(file)?;
        let grown = full.checked_sub(bare).context("a file that shrank")?;
        let each = grown as f64 / BOOKINGS as f64;
        println!("| `{file}` after a clean stop, per booking | {each:.0} |");
    }
    Ok(())
}

/// Resident bytes once there is nothing left to do.
fn settled(server: &Server) -> Result<u64> {
    server.settle()?;
    server.resident_bytes()
}
