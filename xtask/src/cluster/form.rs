//! The forms of the command.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::place::{MOST, Node};

/// Replicas, if nobody says how many.
const REPLICAS: u16 = 3;

/// The public port, if nobody says which.
const PORT: u16 = 8_080;

/// The longest pause.
const LONGEST: u64 = 3_600;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Run(Options),
    Status { json: bool },
    Kill(Node),
    Stop(Node),
    Pause(Node, Duration),
    Start(Node),
    Add,
    KillRedis,
    StartRedis,
    Down { wipe: bool },
}

/// How a cluster is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) replicas: u16,
    pub(crate) port: u16,
    pub(crate) debug: bool,
    pub(crate) no_limits: bool,
    pub(crate) no_build: bool,
    pub(crate) wipe: bool,
    /// In a place of its own, under this name.
    pub(crate) apart: Option<String>,
}

impl Form {
    /// What the words mean; none if there is no such form.
    pub(crate) fn parse(words: &[&str]) -> Result<Option<Self>> {
        Ok(Some(match words {
            ["--status"] => Self::Status { json: false },
            ["--status", "--json"] => Self::Status { json: true },
            ["--kill", node] => Self::Kill(Node::parse(node)?),
            ["--stop", node] => Self::Stop(Node::parse(node)?),
            ["--pause", node, seconds] => {
                let seconds = seconds.parse().context("a pause has whole seconds")?;
                ensure!((1..=LONGEST).contains(&seconds), "a pause has 1 to {LONGEST} seconds");
                Self::Pause(Node::parse(node)?, Duration::from_secs(seconds))
            }
            ["--start", node] => Self::Start(Node::parse(node)?),
            ["--add"] => Self::Add,
            ["--kill-redis"] => Self::KillRedis,
            ["--start-redis"] => Self::StartRedis,
            ["--down"] => Self::Down { wipe: false },
            ["--down", "--wipe"] => Self::Down { wipe: true },
            options => return Ok(Options::parse(options)?.map(Self::Run)),
        }))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            replicas: REPLICAS,
            port: PORT,
            debug: false,
            no_limits: false,
            no_build: false,
            wipe: false,
            apart: None,
        }
    }
}

impl Options {
    fn parse(mut words: &[&str]) -> Result<Option<Self>> {
        let mut options = Self::default();
        let mut port = false;
        loop {
            words = match words {
                [] => break,
                ["--replicas", number, rest @ ..] => {
                    options.replicas = number.parse().context("--replicas wants a number")?;
                    ensure!((1..=MOST).contains(&options.replicas), "1 to {MOST} replicas");
                    rest
                }
                ["--port", number, rest @ ..] => {
                    options.port = number.parse().context("--port wants a port")?;
                    ensure!(options.port > 0, "--port wants a port");
                    port = true;
                    rest
                }
                ["--apart", name, rest @ ..] => {
                    let plain = name.chars().all(|c| c.is_ascii_alphanumeric());
                    ensure!(plain && !name.is_empty(), "--apart wants a name of letters");
                    options.apart = Some((*name).to_owned());
                    rest
                }
                ["--debug", rest @ ..] => set(&mut options.debug, rest),
                ["--no-limits", rest @ ..] => set(&mut options.no_limits, rest),
                ["--no-build", rest @ ..] => set(&mut options.no_build, rest),
                ["--wipe", rest @ ..] => set(&mut options.wipe, rest),
                _ => return Ok(None),
            };
        }
        ensure!(!port || options.apart.is_none(), "--apart looks for free ports itself");
        Ok(Some(options))
    }
}

fn set<'a, 'b>(option: &mut bool, rest: &'a [&'b str]) -> &'a [&'b str] {
    *option = true;
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order() {
        assert_eq!(Form::parse(&[]).unwrap(), Some(Form::Run(Options::default())));
        let words = ["--wipe", "--port", "9000", "--debug", "--replicas", "2"];
        let wanted =
            Options { wipe: true, port: 9_000, debug: true, replicas: 2, ..Options::default() };
        assert_eq!(Form::parse(&words).unwrap(), Some(Form::Run(wanted)));
    }

    #[test]
    fn the_other_forms_name_a_process() {
        let b2 = Node::Replica(2);
        assert_eq!(Form::parse(&["--kill", "b2"]).unwrap(), Some(Form::Kill(b2)));
        let pause = Form::Pause(b2, Duration::from_secs(5));
        assert_eq!(Form::parse(&["--pause", "b2", "5"]).unwrap(), Some(pause));
        assert_eq!(
            Form::parse(&["--status", "--json"]).unwrap(),
            Some(Form::Status { json: true })
        );
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for words in [
            &["--kill", "b0"][..],
            &["--replicas", "0"],
            &["--replicas", "10"],
            &["--replicas", "x"],
            &["--port", "70000"],
            &["--port", "0"],
            &["--pause", "b1", "0"],
            &["--pause", "b1", "x"],
            &["--apart", "../x"],
            &["--apart", "x", "--port", "9000"],
        ] {
            assert!(Form::parse(words).is_err(), "{words:?}");
        }
        for words in [&["--kill"][..], &["up"], &["--status", "-v"], &["--port"]] {
            assert_eq!(Form::parse(words).unwrap(), None, "{words:?}");
        }
    }
}
