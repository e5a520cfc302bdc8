//! What may be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Find events, book a place, wait for one.
#[derive(Debug, Parser)]
#[command(name = "eventflow", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without one, `run`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `run`, when no subcommand is named.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything in this process and serve until told to stop.
    Run(RunArgs),
}

/// The flags of `run`; each goes above the environment and the file.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The data folder, made if it is missing [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A configuration file in TOML
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Cli {
    /// The flags of `run`, by whichever way they were given.
    #[must_use]
    pub fn into_run(self) -> RunArgs {
        match self.command {
            Some(Command::Run(args)) => args,
            None => self.run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<RunArgs, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"eventflow").chain(words)).map(Cli::into_run)
    }

    #[test]
    fn run_is_what_happens_without_a_subcommand() {
        for words in [
            &["--listen", "127.0.0.1:0", "--data", "/tmp/x"][..],
            &["run", "--listen", "127.0.0.1:0", "--data", "/tmp/x"][..],
        ] {
            let args = parse(words).unwrap();
            assert_eq!(args.listen.unwrap().port(), 0);
            assert_eq!(args.data.unwrap(), PathBuf::from("/tmp/x"));
            assert_eq!(args.config, None);
        }
        assert!(parse(&[]).unwrap().listen.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_a_usage_error() {
        for words in [&["--listen", "8080"][..], &["walk"][..], &["--colour", "red"][..]] {
            assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
