//! The series of failover drills: one load after the other, each with its own disturbance.

use std::path::Path;

use anyhow::{Context, Result};

use crate::disturb::Step;
use crate::drill;
use crate::options::{DrillOptions, PlanOptions};

/// Seconds of load before the first disturbance and after the last.
const CALM: u32 = 10;

/// Seconds from one kill of the owner to the next.
const KILL_EVERY: u32 = 10;

/// Seconds from a kill to the start of what was killed.
const START_AFTER: u32 = 4;

/// Seconds that a paused replica stands still.
const PAUSED: u32 = 5;

/// Seconds that Redis is gone.
const REDIS_GONE: u32 = 3;

/// Seconds that Cassandra is gone.
const CASSANDRA_GONE: u32 = 120;

/// One drill of the series.
#[derive(Clone, Debug)]
struct Drill {
    name: &'static str,
    seconds: u32,
    steps: Vec<Step>,
}

impl Drill {
    /// With steps that begin so many seconds after the calm; it ends with one.
    fn new<const N: usize>(name: &'static str, steps: [(u32, String); N]) -> Self {
        Self::of(name, steps.into())
    }

    fn of(name: &'static str, steps: Vec<(u32, String)>) -> Self {
        let last = steps.last().map_or(0, |(second, _)| *second);
        let steps = steps
            .into_iter()
            .map(|(second, command)| Step { second: CALM + second, command })
            .collect();
        Self { name, seconds: CALM + last + CALM, steps }
    }
}

fn failover(options: &DrillOptions, plan: &PlanOptions) -> Vec<Drill> {
    let cluster = |words: &str| format!("{} {words}", options.cluster_cmd);
    let kills = (0..plan.kills).flat_map(|kill| {
        let second = kill * KILL_EVERY;
        [(second, cluster("--kill {owner}")), (second + START_AFTER, cluster("--start {victim}"))]
    });
    vec![
        Drill::new("calm", [(CALM, "true".to_owned())]),
        Drill::of("kill-owner", kills.collect()),
        Drill::new(
            "pause-owner",
            [
                (0, cluster(&format!("--pause {{owner}} {PAUSED}"))),
                (PAUSED + START_AFTER, "true".to_owned()),
            ],
        ),
        Drill::new(
            "stop-owner",
            [(0, cluster("--stop {owner}")), (CALM, cluster("--start {victim}"))],
        ),
        Drill::new("add-replica", [(0, cluster("--add")), (2 * CALM, "true".to_owned())]),
        Drill::new(
            "kill-redis",
            [(0, cluster("--kill-redis")), (REDIS_GONE, cluster("--start-redis"))],
        ),
        Drill::new(
            "stop-cassandra",
            [(0, plan.stop_cassandra.clone()), (CASSANDRA_GONE, plan.start_cassandra.clone())],
        ),
    ]
}

/// Does one drill after the other and says whether every law was kept in all of them.
///
/// # Errors
/// When one of them could not be done; the others are done all the same.
pub(crate) async fn run(options: &DrillOptions, plan: &PlanOptions) -> Result<bool> {
    let wanted =
        |drill: &Drill| plan.only.as_ref().is_none_or(|name| drill.name.starts_with(name.as_str()));
    let drills: Vec<Drill> = failover(options, plan).into_iter().filter(wanted).collect();
    if plan.print {
        print_all(options, &drills);
        return Ok(true);
    }
    std::fs::create_dir_all(&plan.out_dir)
        .with_context(|| format!("cannot make {}", plan.out_dir.display()))?;
    let mut verdicts = Vec::new();
    for drill in &drills {
        let verdict = drill::run(&one(options, drill, &plan.out_dir), drill.name).await;
        if let Err(why) = &verdict {
            eprintln!("the drill {} failed: {why:#}", drill.name);
        }
        verdicts.push((drill.name, verdict));
    }
    println!("\nall drills");
    for (name, verdict) in &verdicts {
        let word = match verdict {
            Ok(true) => "every law kept".to_owned(),
            Ok(false) => "BROKEN".to_owned(),
            Err(why) => format!("no drill: {why:#}"),
        };
        println!("  {name:<24} {word}");
    }
    // A broken law weighs more than a drill that could not be done.
    if verdicts.iter().any(|(_, verdict)| matches!(verdict, Ok(false))) {
        return Ok(false);
    }
    verdicts.into_iter().try_for_each(|(_, verdict)| verdict.map(|_| ())).map(|()| true)
}

fn one(options: &DrillOptions, drill: &Drill, folder: &Path) -> DrillOptions {
    DrillOptions {
        seconds: drill.seconds,
        steps: drill.steps.clone(),
        out: Some(folder.join(format!("{}.json", drill.name))),
        ..options.clone()
    }
}

/// The command line of each drill alone.
fn print_all(options: &DrillOptions, drills: &[Drill]) {
    for drill in drills {
        println!("# {}", drill.name);
        print!("drill --url {} --rate {} --seconds {}", options.url, options.rate, drill.seconds);
        for step in &drill.steps {
            print!(" \\\n  --do {}='{}'", step.second, step.command);
        }
        println!("\n");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::options::{Command, Options};

    #[test]
    fn the_series_fits_into_the_life_of_a_token() {
        let words = ["drill", "--cluster-cmd", "c", "plan", "failover"];
        let options = Options::try_parse_from(words).expect("these are its words");
        let Some(Command::Plan(plan)) = &options.command else { panic!("a plan") };
        let drills = failover(&options.drill, plan);
        assert_eq!(drills.len(), 7);
        assert!(drills.iter().all(|drill| drill.seconds <= 360), "{drills:?}");
        let kills = drills.iter().find(|drill| drill.name == "kill-owner").expect("it is there");
        assert_eq!(kills.steps.len(), 40);
        assert_eq!(kills.steps[0], Step { second: 10, command: "c --kill {owner}".to_owned() });
        assert!(kills.steps.is_sorted_by_key(|step| step.second));
    }
}
