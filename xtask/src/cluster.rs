//! `cargo xtask cluster`: the cluster profile as local processes on real servers.
//!
//! ```text
//! cluster     arguments, what the command does
//!   form      the forms of the command
//!   place     folder, ports, secret; written down for the other forms
//!   settings  command lines and variables of the processes
//!   life      up, down, start, add
//!   look      what the processes say of themselves
//!   table     how that is shown
//! ```
//!
//! Everything lies in `target/cluster` (another place: `EVENTFLOW_CLUSTER_RUN`); the
//! servers are those of `cargo xtask servers`. One process of ours stands in the
//! foreground and ends what it started; the other forms find the cluster by its folder.

mod form;
mod life;
mod look;
mod place;
mod settings;
mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::launched::Launched;
use crate::process::{cargo, root};
use crate::servers::{Name, remove};
use crate::signals::Signals;
use form::{Form, Options};
pub(crate) use life::Cluster;
use life::run_unless;
pub(crate) use place::{Node, Place};
use table::Screen;

/// How often the table is drawn.
const REFRESH: Duration = Duration::from_secs(1);

/// How often a signal is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// How long a build may take.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How long the process in the foreground may take to end everything.
const DOWN_LIMIT: Duration = Duration::from_secs(150);

/// How long a killed process may still be there.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Held by the process in the foreground.
const FOREGROUND_LOCK: &str = "foreground.lock";

/// Held by whoever starts a process.
const START_LOCK: &str = "start.lock";

/// The process in the foreground.
const FOREGROUND_PID: &str = "foreground.pid";

/// Runs the command in `words`; `false` means that there is no such command.
pub(crate) fn run(words: &[&str]) -> Result<bool> {
    let Some(form) = Form::parse(words)? else { return Ok(false) };
    match form {
        Form::Run(options) => foreground(&options)?,
        Form::Down { wipe } => down(wipe)?,
        form => act(&form)?,
    }
    Ok(true)
}

/// Starts a cluster, shows how it is, and ends it when it is told to.
fn foreground(options: &Options) -> Result<()> {
    let signals = Signals::listen()?;
    let build = if options.debug { "debug" } else { "release" };
    let binary = root().join("target").join(build).join("eventflow");
    let mut cluster = match &options.apart {
        Some(name) => Cluster::apart(name, binary, signals)?,
        None => Cluster::new(Place::usual(options.port, binary)?, signals),
    };
    cluster.place.no_limits = options.no_limits;
    cluster.place.make()?;
    let _only = cluster.place.lock(FOREGROUND_LOCK, "a cluster runs already")?;
    let pid_file = cluster.place.run.join(FOREGROUND_PID);
    cluster.refuse_leftovers()?;
    Launched::current(&pid_file)?;
    let made = if options.no_build { Ok(()) } else { make(options.debug, &cluster.signals) };
    let up = made.and_then(|()| cluster.up(options.replicas));
    let came = up.and_then(|()| watch(&cluster));
    if let Err(error) = &came {
        eprintln!("error: {error:#}");
    }
    eprintln!("ending what was started here; another Ctrl-C kills instead of waiting");
    let mut ended = cluster.down();
    if options.wipe && ended.is_ok() {
        ended = cluster.wipe();
    }
    remove(&pid_file)?;
    ended?;
    ensure!(came.is_ok(), "the cluster has ended early");
    Ok(())
}

fn make(debug: bool, signals: &Signals) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "-p", "eventflow", "--features", "full"]);
    if !debug {
        build.arg("--release");
    }
    let status = run_unless(&mut build, BUILD_LIMIT, signals)?;
    ensure!(status.success(), "EventFlow cannot be built: {status}");
    Ok(())
}

/// Says what runs where, and then how it is, until a signal comes.
fn watch(cluster: &Cluster) -> Result<()> {
    let place = &cluster.place;
    println!("EventFlow listens on http://{}", place.public());
    println!("  the front's internal address: {}", place.internal(Node::Front));
    println!("  redis {}, cassandra {}", port(place, Name::Redis), port(place, Name::Cassandra));
    println!("  data, logs and process ids: {}", place.run.display());
    println!("  Ctrl-C ends it; `cargo xtask cluster --kill b1` and the like act on it\n");
    let mut screen = Screen::new();
    let mut next = Instant::now();
    while !cluster.signals.told() {
        if Instant::now() >= next {
            screen.show(&cluster.look()?, &cluster.servers()?)?;
            next = Instant::now() + REFRESH;
        }
        std::thread::park_timeout(LOOK);
    }
    Ok(())
}

fn port(place: &Place, name: Name) -> String {
    format!("127.0.0.1:{}", place.servers.port(name))
}

/// Does something to a cluster that runs.
fn act(form: &Form) -> Result<()> {
    let cluster = running()?;
    let place = &cluster.place;
    match form {
        Form::Status { json } => status(&cluster, *json)?,
        // Gone at once, but not by the time the signal is sent: a start may follow.
        Form::Kill(node) => signal(place, *node, "KILL")?.wait_until_gone(KILL_LIMIT)?,
        Form::Stop(node) => {
            let launched = signal(place, *node, "TERM")?;
            // One that is paused would not hear of it.
            launched.signal("CONT")?;
        }
        Form::Pause(node, time) => pause(place, *node, *time)?,
        Form::Start(node) => {
            let _only = place.lock(START_LOCK, "another process is being started")?;
            let known = place.pid_file(*node).exists();
            ensure!(known, "there was no {node}: --add starts the next one");
            let launched = cluster.start(*node)?;
            println!("{node} is process {}", launched.pid);
        }
        Form::Add => {
            let _only = place.lock(START_LOCK, "another process is being started")?;
            println!("{} is new", cluster.add()?);
        }
        Form::KillRedis => place.servers.end(&[Name::Redis], "KILL")?,
        Form::StartRedis => place.servers.up(&[Name::Redis])?,
        // These have their own way.
        Form::Run(_) | Form::Down { .. } => {}
    }
    Ok(())
}

/// The cluster of the usual folder.
fn running() -> Result<Cluster> {
    let run = Place::usual_run()?;
    let place = Place::load(&run)?;
    let place = place.with_context(|| format!("there is no cluster in {}", run.display()))?;
    Ok(Cluster::new(place, Signals::default()))
}

fn status(cluster: &Cluster, json: bool) -> Result<()> {
    let looks = cluster.look()?;
    if json {
        let replicas = looks.iter().filter(|look| look.node != Node::Front);
        let replicas: Vec<Value> = replicas.map(look::Look::json).collect();
        println!("{:#}", Value::Array(replicas));
    } else {
        print!("{}", table::table(&looks, &cluster.servers()?));
    }
    Ok(())
}

fn signal(place: &Place, node: Node, name: &str) -> Result<Launched> {
    let launched = place.launched(node)?.with_context(|| format!("{node} does not run"))?;
    launched.signal(name)?;
    Ok(launched)
}

/// Stops a process for a while. A signal ends the while, never the process's chance to go on.
fn pause(place: &Place, node: Node, time: Duration) -> Result<()> {
    let signals = Signals::listen()?;
    let launched = signal(place, node, "STOP")?;
    let began = Instant::now();
    while began.elapsed() < time && !signals.told() {
        std::thread::park_timeout(LOOK.min(time.saturating_sub(began.elapsed())));
    }
    launched.signal("CONT")
}

/// Ends the cluster of the usual folder: by its process in the foreground, and what that
/// one has left, if it was killed.
fn down(wipe: bool) -> Result<()> {
    let run: PathBuf = Place::usual_run()?;
    if let Some(foreground) = Launched::find(&run.join(FOREGROUND_PID))? {
        foreground.signal("TERM")?;
        foreground.wait_until_gone(DOWN_LIMIT)?;
    }
    let Some(place) = Place::load(&run)? else { return Ok(()) };
    let mut cluster = Cluster::new(place, Signals::listen()?);
    cluster.down()?;
    if wipe { cluster.wipe() } else { Ok(()) }
}
