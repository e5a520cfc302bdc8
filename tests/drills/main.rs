//! Failover drills: load at a fixed rate through the public address while things are
//! killed, and the history checker's verdict on it. `docs/drills.md` says how to run them
//! and how to read what they print.

mod disturb;
mod drill;
mod gaps;
mod load;
mod options;
mod plan;
mod readback;
mod report;
mod schedule;
mod tally;
mod visitors;
mod world;

use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options};

/// A law was broken.
const BROKEN: u8 = 1;

/// The drill itself did not work, so that it proves nothing.
const NO_DRILL: u8 = 2;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let verdict = match &options.command {
        Some(Command::Plan(plan)) => plan::run(&options.drill, plan).await,
        None => drill::run(&options.drill, "drill").await,
    };
    match verdict {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(why) => {
            eprintln!("the drill failed: {why:#}");
            ExitCode::from(NO_DRILL)
        }
    }
}
