//! The binary: parse, load the settings, run, exit code.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use eventflow::cli::{Cli, Command, Failure, RunArgs, perform};
use eventflow::roles::{Part, Role};
use eventflow::shutdown::Signals;
use eventflow::{Config, Node, files, telemetry};

/// How long threads may take to end after everything was stopped.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // clap ends the process itself: 2 for a wrong command line, 0 for --help and --version.
    let cli = Cli::parse();
    let outcome = match cli.into_command() {
        Command::Run(args) => run(&args),
        other => perform(other),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("eventflow: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &RunArgs) -> Result<(), Failure> {
    let config = Config::load(args, std::env::vars_os())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let telemetry = telemetry::start(&config, runtime.handle());
    files::allow_for(config.server.max_connections);
    let outcome = runtime.block_on(serve(config, &args.parts));
    telemetry.end();
    runtime.shutdown_timeout(LAST_PATIENCE);
    outcome
}

async fn serve(config: Config, parts: &[Part]) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let role = Role::of(parts, &config)?;
    let node = Node::start_as(role, config).await?;
    announce(&node);
    signals.wait().await;
    signals.exit_at_next_interrupt();
    tracing::info!("stopping");
    node.stop().await;
    Ok(())
}

/// Tell where it listens and where the data lies. Whoever closed stdout doesn't want to
/// know; that is no reason to end.
fn announce(node: &Node) {
    let mut out = std::io::stdout().lock();
    match node.replica() {
        Some(name) => {
            let _ = writeln!(out, "EventFlow replica {name} listens on {}", node.addr());
        }
        None => {
            let _ = writeln!(out, "EventFlow listens on http://{}", node.addr());
            let _ = writeln!(out, "data in {}", node.data().display());
        }
    }
    let _ = out.flush();
}
