//! What is done to the system meanwhile: commands at given seconds of the load.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::client::{Ask, Client};
use harness::history::{History, Moment};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// For how long an owner is looked for: after a disturbance there may be none for a while.
const OWNER_LIMIT: Duration = Duration::from_secs(20);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a replica may take to say who owns an event.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// A command and when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The second of the load.
    pub(crate) second: u32,
    /// For `sh -c`, with its placeholders: `{owner}`, `{victim}`, `{hot}`.
    pub(crate) command: String,
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (second, command) = text.split_once('=').ok_or("it must be SECOND=COMMAND")?;
        let second = second.trim().parse().map_err(|_| "the second must be a whole number")?;
        Ok(Self { second, command: command.to_owned() })
    }
}

/// A step that was done.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// What was run in the end.
    pub(crate) command: String,
    /// When it was begun.
    pub(crate) began: Moment,
    /// When it had ended.
    pub(crate) ended: Moment,
    /// What went wrong with it.
    pub(crate) failure: Option<String>,
}

/// How to ask a cluster who owns an event.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// The command that drives it.
    pub(crate) command: String,
    /// The file with the secret for its internal addresses.
    pub(crate) secret: PathBuf,
}

/// What the steps of one load share.
#[derive(Debug)]
pub(crate) struct Stage {
    cluster: Cluster,
    hot: Uuid,
    history: Arc<History>,
    /// Who the last `{owner}` was. Finding that may take longer than it is until the step that
    /// has to do with it.
    victim: watch::Sender<Option<String>>,
}

impl Stage {
    /// For the hot event of a load.
    pub(crate) fn new(cluster: &Cluster, hot: Uuid, history: &Arc<History>) -> Arc<Self> {
        let (cluster, history) = (cluster.clone(), Arc::clone(history));
        Arc::new(Self { cluster, hot, history, victim: watch::Sender::new(None) })
    }

    /// Begins all steps; each waits for its second.
    pub(crate) fn begin(self: &Arc<Self>, steps: &[Step]) -> JoinSet<Done> {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for step in steps.iter().cloned() {
            let stage = Arc::clone(self);
            tasks.spawn(async move {
                sleep_until(start + Duration::from_secs(u64::from(step.second))).await;
                stage.take(&step).await
            });
        }
        tasks
    }

    async fn take(&self, step: &Step) -> Done {
        let asked = self.history.now();
        let command = match self.filled(&step.command).await {
            Ok(command) => command,
            Err(why) => {
                let failure = Some(format!("{why:#}"));
                let command = step.command.clone();
                return Done { command, began: asked, ended: self.history.now(), failure };
            }
        };
        let began = self.history.now();
        println!("  {command}");
        let failure = run(&command).await.err().map(|why| format!("{why:#}"));
        Done { command, began, ended: self.history.now(), failure }
    }

    /// The command with its placeholders filled in.
    async fn filled(&self, template: &str) -> Result<String> {
        let mut command = template.replace("{hot}", &self.hot.to_string());
        if command.contains("{owner}") {
            let owner = self.owner().await?;
            command = command.replace("{owner}", &owner);
            self.victim.send_replace(Some(owner));
        }
        if command.contains("{victim}") {
            command = command.replace("{victim}", &self.victim().await?);
        }
        Ok(command)
    }

    /// The last `{owner}`, once there is one.
    async fn victim(&self) -> Result<String> {
        let mut victims = self.victim.subscribe();
        let victim = timeout(OWNER_LIMIT, victims.wait_for(Option::is_some)).await;
        let none = "{victim} is the last {owner}, and there was none";
        victim.context(none)??.clone().context(none)
    }

    /// The name of the replica that owns the hot event.
    ///
    /// # Errors
    /// When no replica says so in time.
    pub(crate) async fn owner(&self) -> Result<String> {
        let deadline = Instant::now() + OWNER_LIMIT;
        loop {
            match self.ask_for_owner().await {
                Ok(Some(owner)) => return Ok(owner),
                Ok(None) if Instant::now() < deadline => sleep(PAUSE).await,
                Ok(None) => bail!("no replica owns the hot event"),
                Err(why) => return Err(why),
            }
        }
    }

    async fn ask_for_owner(&self) -> Result<Option<String>> {
        let status = format!("{} --status --json", self.cluster.command);
        let output = Command::new("sh").args(["-c", &status]).kill_on_drop(true).output();
        let output = timeout(COMMAND_LIMIT, output).await.context("no status in time")??;
        ensure!(output.status.success(), "`{status}` failed: {}", output.status);
        let nodes: Vec<Value> = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`{status}` does not print a list"))?;
        let secret = std::fs::read_to_string(&self.cluster.secret)
            .with_context(|| format!("cannot read {}", self.cluster.secret.display()))?;
        for node in nodes.iter().filter(|node| node["alive"] == true) {
            let Some(address) = node["address"].as_str().and_then(|text| text.parse().ok()) else {
                continue;
            };
            if let Some(owner) = self.ask_replica(address, secret.trim()).await {
                return Ok(Some(owner));
            }
        }
        Ok(None)
    }

    /// What one replica says, if it is one and answers.
    async fn ask_replica(&self, address: SocketAddr, secret: &str) -> Option<String> {
        let path = format!("/internal/owner/{}", self.hot);
        let ask = Ask::get(path).header("eventflow-secret", secret);
        let mut client = Client::new(address);
        let answer = timeout(ANSWER_LIMIT, client.send(&ask)).await.ok()?.ok()?;
        let owner = answer.json()["node"].as_str()?.to_owned();
        (answer.status == 200).then_some(owner)
    }
}

/// Runs a command to its end. What it starts in the background may go on.
async fn run(command: &str) -> Result<()> {
    let mut child = Command::new("sh");
    child.args(["-c", command]).stdin(Stdio::null()).kill_on_drop(true);
    let status = timeout(COMMAND_LIMIT, child.status()).await;
    let status = status.with_context(|| format!("not within {} s", COMMAND_LIMIT.as_secs()))??;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_needs_a_victim_waits_until_it_is_found() {
        let cluster = Cluster { command: "true".to_owned(), secret: PathBuf::new() };
        let stage = Stage::new(&cluster, Uuid::nil(), &Arc::default());
        // Asked first, and then there is one.
        let (command, _) = tokio::join!(stage.filled("start {victim}"), async {
            stage.victim.send_replace(Some("b2".to_owned()))
        });
        assert_eq!(command.expect("a command"), "start b2");
    }

    #[test]
    fn a_step_is_a_second_and_a_command() {
        let step: Step = "10=kill -9 $(cat pid) && x=1".parse().expect("it is one");
        assert_eq!((step.second, step.command.as_str()), (10, "kill -9 $(cat pid) && x=1"));
        assert!("kill".parse::<Step>().is_err());
        assert!("soon=kill".parse::<Step>().is_err());
    }
}
