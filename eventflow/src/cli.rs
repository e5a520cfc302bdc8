//! What may be said on the command line.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 a command
//! line that cannot be read, 3 a data folder that failed while it was served.

mod accounts;
mod backup;
mod catalog;
mod config;
mod health;
mod inspect;
mod progress;
mod recover;
mod views;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::Config;
use crate::roles::Part;

/// Why a command failed: a sentence for whoever gave it.
pub type Failure = Box<dyn Error + Send + Sync>;

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
    /// Start everything in this process, or some parts of it, and serve until told to stop
    Run(RunArgs),
    /// Check the settings without starting anything
    CheckConfig(FolderArgs),
    /// Print the settings that count, secrets masked
    PrintConfig {
        /// The settings.
        #[command(flatten)]
        folder: FolderArgs,
        /// As JSON instead of TOML
        #[arg(long)]
        json: bool,
    },
    /// Bring the files of a data folder up to date; refused while a server has it. On servers:
    /// make what replicas need, as far as it is missing
    Migrate(FolderArgs),
    /// Make an account that may do everything; its password is read from standard input
    CreateAdmin {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgs,
        /// The name to log in with
        #[arg(long)]
        username: String,
        /// The e-mail address
        #[arg(long)]
        email: String,
        /// The name to show
        #[arg(long)]
        full_name: Option<String>,
    },
    /// Show what is stored of an event, also while a server runs
    Inspect {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgs,
        /// The id of an event, a booking or a hold
        id: String,
        /// How many of its last batches to show
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
        batches: u16,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the booking lists anew from the ledger, or from the journal; refused while a
    /// server has the folder, or a replica runs
    RebuildViews {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgs,
        /// Only compare, change nothing
        #[arg(long)]
        check: bool,
        /// The outcome as JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring back what a Redis has lost: out of the journal and the memory of replicas. Reports
    /// every gap. Nothing serves meanwhile
    Recover(recover::RecoverArgs),
    /// Make the catalog's documents anew from the ledger; refused while a server has the folder
    RebuildCatalog {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgs,
        /// The outcome as JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy a data folder into one file, also while a server runs. The signing key is in it.
    Backup {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgs,
        /// The file to write; it must not be there
        file: PathBuf,
    },
    /// Make a data folder out of a backup, verified
    Restore {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgs,
        /// The backup
        file: PathBuf,
        /// Move a folder that is there aside
        #[arg(long)]
        force: bool,
    },
    /// Ask a running server whether it is ready
    Health {
        /// Where it listens; without it, where the settings say
        #[arg(long, value_name = "ADDR")]
        addr: Option<SocketAddr>,
        /// A configuration file in TOML
        #[arg(long, value_name = "FILE", conflicts_with = "addr")]
        config: Option<PathBuf>,
    },
    /// Print the OpenAPI document of the API
    Openapi,
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// The flags of `run`; each goes above the environment and the file.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// The parts to run: all of them in one process on one folder by default; in a cluster
    /// `gateway auth catalog notification` together, and `booking` as often as you like
    #[arg(value_name = "PART")]
    pub parts: Vec<Part>,
    /// The name of a booking replica
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The folder and the settings.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Where data and settings are.
#[derive(Args, Clone, Debug, Default)]
pub struct FolderArgs {
    /// The data folder, made by `run` if it is missing [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A configuration file in TOML
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl FolderArgs {
    /// The settings by these flags and the environment.
    fn load(&self) -> Result<Config, Failure> {
        let flags = RunArgs { folder: self.clone(), ..RunArgs::default() };
        Ok(Config::load(&flags, std::env::vars_os())?)
    }
}

impl Cli {
    /// The command; without one, `run`.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}

/// Do what is not `run`.
///
/// # Errors
/// A sentence for whoever gave the command.
pub fn perform(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(_) => Ok(()),
        Command::CheckConfig(folder) => config::check(&folder),
        Command::PrintConfig { folder, json } => config::print(&folder, json),
        Command::Migrate(folder) => views::migrate(&folder),
        Command::CreateAdmin { folder, username, email, full_name } => {
            accounts::create_admin(&folder, &username, &email, full_name.as_deref())
        }
        Command::Inspect { folder, id, batches, json } => {
            inspect::inspect(&folder, &id, usize::from(batches), json)
        }
        Command::RebuildViews { folder, check, json } => views::rebuild(&folder, check, json),
        Command::Recover(args) => recover::recover(&args),
        Command::RebuildCatalog { folder, json } => catalog::rebuild(&folder, json),
        Command::Backup { folder, file } => backup::backup(&folder, &file),
        Command::Restore { folder, file, force } => backup::restore(&folder, &file, force),
        Command::Health { addr: Some(addr), .. } => health::ask(addr),
        Command::Health { addr: None, config } => {
            let settings = FolderArgs { data: None, config }.load()?;
            health::ask(health::reached_at(settings.listen_addr()?)?)
        }
        Command::Openapi => {
            print!("{}", crate::document::openapi_json());
            Ok(())
        }
        Command::Completions { shell } => {
            let name = "eventflow";
            clap_complete::generate(shell, &mut Cli::command(), name, &mut std::io::stdout());
            Ok(())
        }
    }
}

/// Whether there is a data folder at all: no command but `run` and `restore` makes one.
fn must_exist(config: &Config) -> Result<(), Failure> {
    if config.data.dir.is_dir() {
        return Ok(());
    }
    Err(format!("there is no data folder {}", config.data.dir.display()).into())
}

/// A runtime for commands that need one.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<RunArgs, clap::Error> {
        let cli = Cli::try_parse_from(std::iter::once(&"eventflow").chain(words))?;
        match cli.into_command() {
            Command::Run(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn run_is_what_happens_without_a_subcommand() {
        for words in [
            &["--listen", "127.0.0.1:0", "--data", "/tmp/x"][..],
            &["run", "--listen", "127.0.0.1:0", "--data", "/tmp/x"][..],
        ] {
            let args = parse(words).unwrap();
            assert_eq!(args.listen.unwrap().port(), 0);
            assert_eq!(args.folder.data.unwrap(), PathBuf::from("/tmp/x"));
            assert_eq!(args.folder.config, None);
        }
        assert!(parse(&[]).unwrap().listen.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_a_usage_error() {
        for words in [
            &["--listen", "8080"][..],
            &["walk"][..],
            &["--colour", "red"][..],
            &["inspect"][..],
            &["inspect", "x", "--batches", "1001"][..],
            &["create-admin", "--username", "ada"][..],
            &["completions", "cobol"][..],
        ] {
            let refused = Cli::try_parse_from(std::iter::once(&"eventflow").chain(words));
            assert_eq!(refused.unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
