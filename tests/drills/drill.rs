//! One drill from the first account to the verdict.

use std::sync::Arc;

use anyhow::{Context, Result};
use harness::checker::check_from_outside;
use harness::history::History;
use harness::random::Random;
use harness::settings;

use crate::disturb::{Cluster, Done, Stage};
use crate::load;
use crate::options::DrillOptions;
use crate::readback;
use crate::report::{Report, Run};
use crate::schedule::Schedule;
use crate::visitors;
use crate::world::World;

/// Does it, prints its report, and says whether every law was kept.
///
/// # Errors
/// When the drill could not be done as it was meant.
pub(crate) async fn run(options: &DrillOptions, name: &str) -> Result<bool> {
    let address = visitors::address_of(&options.url).await?;
    let seed = options.seed.unwrap_or_else(settings::seed);
    let random = Random::new(seed);
    // Names must be new in every run, whatever the seed: the server keeps its accounts.
    let names = Random::new(seed ^ this_run());
    println!("{name}: {} people and {} events", options.people, options.events + 1);
    let people = visitors::people(address, options.people as usize, &names).await?;
    let organizer = people.first().context("a drill without people")?.clone();
    let others = options.events as usize;
    let events = visitors::events(address, &organizer, options.hot_places, others).await?;

    let history = Arc::new(History::default());
    let command = options.cluster_cmd.clone();
    let cluster = Cluster { command, secret: options.secret.clone() };
    let stage = Stage::new(&cluster, events[0], &history);
    if options.owner_of_hot {
        println!("  the hot event {} is owned by {}", events[0], stage.owner().await?);
    }
    let hot_percent = (options.hot_share * 100.0).round() as u64;
    let world = World::new(random.part(1), people.clone(), events.clone(), hot_percent);
    let schedule = Schedule::new(options.rate, options.seconds);
    println!("  {} operations a second for {} s", options.rate, options.seconds);
    let steps = stage.begin(&options.steps);
    let loaded = load::drive(address, schedule, world, &history).await;
    let mut steps: Vec<Done> = steps.join_all().await;
    steps.sort_by_key(|step| step.began);
    if options.owner_of_hot {
        println!("  the hot event is owned by {} now", stage.owner().await?);
    }

    println!("  reading everything back");
    let served = readback::everything(address, &organizer, &events, &people).await?;
    let calls = history.take();
    let laws = check_from_outside(&calls, &served);
    let run = Run { name, options, seed, events: &events, loaded: &loaded, steps: &steps };
    let report = Report::of(&run, &calls, &served, laws);
    println!("{report}");
    if let Some(path) = &options.out {
        let text = format!("{:#}\n", report.json());
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    report.must_prove_something()?;
    Ok(report.is_clean())
}

/// Something that no earlier run had.
fn this_run() -> u64 {
    let millis = harness::people::now().millis();
    u64::from(std::process::id()) << 48 ^ u64::try_from(millis).unwrap_or(0)
}
