//! The tests that need a real SMTP server, on one of their own: aiosmtpd in a Python
//! environment in `target/tools`, told by the tests what to do wrong.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::launched::{Launched, end_of};
use crate::ports::free_ports;
use crate::process::{cargo, root};
use crate::python;
use crate::servers::remove;
use crate::steps::Steps;

/// The server, whose version is in the name of its folder too.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// Names its control port to the tests.
const CONTROL: &str = "EVENTFLOW_TEST_MAIL";

/// Longest time until it answers.
const START_LIMIT: Duration = Duration::from_secs(20);

/// It is killed after this.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Lines of its log that are shown when something is wrong.
const LOG_LINES: usize = 30;

/// The tests alone, with a summary.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_to(&mut steps);
    steps.print_summary("cargo xtask test --with mail");
    outcome
}

/// Starts the server, runs what needs it, and takes it away again, whatever came of it.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    let run = root().join(format!("target/mail-test-{}", std::process::id()));
    let mut server = None;
    let outcome = steps
        .run("mail server", || {
            let started = Server::start(&run)?;
            let line = format!("{AIOSMTPD} is told what to do on {}", started.control);
            server = Some(started);
            Ok(vec![line])
        })
        .and_then(|()| {
            let mut test = cargo();
            test.args(["test", "--locked", "-p", "notification", "--features", "server-tests"]);
            let mut build = cargo();
            build.args(["build", "--locked", "--bins", "--tests"]);
            // The same packages as all other tests, so that nothing is compiled twice.
            let mut kill = cargo();
            kill.args(["test", "--locked", "--features", "tests/mail", "--test", "mail"]);
            kill.args(["--", "--nocapture"]);
            if let Some(server) = &server {
                test.env(CONTROL, server.control.to_string());
                kill.env(CONTROL, server.control.to_string());
            }
            steps.command("notification on a real mail server", &mut test)?;
            steps.command("build", &mut build)?;
            steps.command("kill test of mail", &mut kill)
        });
    if outcome.is_err() {
        println!("the end of the mail server's log:\n{}", end_of(&log_in(&run), LOG_LINES));
    }
    let ended = server.map_or(Ok(()), |server| server.launched.end());
    outcome.and(ended).and(remove(&run))
}

/// The server that does as it is told.
struct Server {
    launched: Ending,
    control: SocketAddr,
}

/// A process that is ended even when the step before it fails.
struct Ending(Launched);

impl Ending {
    fn end(&self) -> Result<()> {
        self.0.signal("TERM")?;
        self.0.wait_until_gone(STOP_LIMIT)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl Server {
    fn start(run: &Path) -> Result<Self> {
        let python = python::with(AIOSMTPD)?;
        std::fs::create_dir_all(run).with_context(|| format!("cannot make {}", run.display()))?;
        let control = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?));
        let mut command = Command::new(python);
        // Its warnings are about what is odd on purpose.
        command.args(["-W", "ignore"]);
        command.arg(root().join("services/notification/tests/smtp_server.py"));
        command.arg(control.to_string());
        let launched = Launched::start(&command, &log_in(run), &run.join("pid"))?;
        let server = Self { launched: Ending(launched), control };
        let began = Instant::now();
        while TcpStream::connect(control).is_err() {
            if !server.launched.0.lives() || began.elapsed() > START_LIMIT {
                bail!("it does not answer");
            }
            std::thread::park_timeout(LOOK);
        }
        Ok(server)
    }
}

fn log_in(run: &Path) -> PathBuf {
    run.join("log")
}
