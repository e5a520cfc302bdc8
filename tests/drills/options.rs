//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::disturb::Step;

/// The longest load: tokens live for ten minutes, and everything is read back with them.
const MOST_SECONDS: i64 = 360;

/// The highest rate: above it the generator itself would be measured.
const MOST_RATE: i64 = 5_000;

/// The most events or people.
const MOST: i64 = 2_000;

/// Load at a fixed rate while things are killed; then the history is judged.
#[derive(Debug, Parser)]
#[command(name = "drill", subcommand_negates_reqs = true)]
pub(crate) struct Options {
    /// One drill.
    #[command(flatten)]
    pub(crate) drill: DrillOptions,
    /// Or a series of them.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What else there is.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A series of drills, each with a report of its own
    Plan(PlanOptions),
}

/// One drill.
#[derive(Clone, Debug, Args)]
pub(crate) struct DrillOptions {
    /// The public address
    #[arg(long, global = true, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// Operations a second
    #[arg(long, global = true, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=MOST_RATE))]
    pub(crate) rate: u32,
    /// Seconds of load
    #[arg(long, global = true, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=MOST_SECONDS))]
    pub(crate) seconds: u32,
    /// Events besides the hot one
    #[arg(long, global = true, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=MOST))]
    pub(crate) events: u32,
    /// Share of the operations at an event that go to the hot one
    #[arg(long, global = true, default_value_t = 0.4, value_parser = share)]
    pub(crate) hot_share: f64,
    /// Places of the hot event
    #[arg(long, global = true, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) hot_places: u32,
    /// People
    #[arg(long, global = true, default_value_t = 400, value_parser = clap::value_parser!(u32).range(2..=MOST))]
    pub(crate) people: u32,
    /// Where to write the report as JSON
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// At that second of the load run that command by `sh -c`. `{owner}` is the replica that
    /// owns the hot event, `{victim}` the last such one, `{hot}` the hot event
    #[arg(long = "do", value_name = "SECOND=COMMAND")]
    pub(crate) steps: Vec<Step>,
    /// Name the owner of the hot event before and after the load
    #[arg(long)]
    pub(crate) owner_of_hot: bool,
    /// What drives the cluster
    #[arg(long, global = true, default_value = "cargo xtask cluster")]
    pub(crate) cluster_cmd: String,
    /// The secret of the cluster's internal addresses
    #[arg(long, global = true, default_value = "target/cluster/secret")]
    pub(crate) secret: PathBuf,
    /// What is left to chance comes from this number
    #[arg(long, global = true)]
    pub(crate) seed: Option<u64>,
}

/// A series.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanOptions {
    /// Which series: failover
    #[arg(value_parser = ["failover"])]
    pub(crate) name: String,
    /// Only the drills whose names begin so
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Print the drills and do nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// The folder for the reports
    #[arg(long, default_value = "target/drills")]
    pub(crate) out_dir: PathBuf,
    /// How often the owner is killed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) kills: u32,
    /// Stops Cassandra
    #[arg(long, default_value = "cargo xtask servers kill cassandra")]
    pub(crate) stop_cassandra: String,
    /// Starts Cassandra again
    #[arg(long, default_value = "cargo xtask servers up cassandra")]
    pub(crate) start_cassandra: String,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it must be a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("it must be from 0 to 1".to_owned()) }
}
