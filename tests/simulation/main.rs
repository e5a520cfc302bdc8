//! Replicas, their store, the network between them, clocks and clients, all from one seed:
//! the product's ownership and commit rules, driven by a world that breaks in every way the
//! seed can think of, and judged by the history checker of the kill test.
//!
//! Deterministic: the same seed gives the same history. A seed that ever failed is kept in
//! `seeds.txt` and run for ever.
//!
//! Set `EVENTFLOW_TEST_SEED` to run one seed, `EVENTFLOW_TEST_RUNS` for another number of
//! runs, `EVENTFLOW_TEST_FIRST` for another first seed.

mod calls;
mod crowd;
mod event;
mod evidence;
mod faults;
mod host;
mod mutants;
mod store;
mod tail;
mod world;

use std::panic::catch_unwind;
use std::time::Instant;

use harness::settings;

use evidence::{Verdict, judge};
use mutants::Mutant;
use world::World;

/// Runs in an ordinary test.
const RUNS: u64 = 600;

/// Runs in which a mutant has to be noticed.
const MUTANT_RUNS: u64 = 1_500;

fn run(seed: u64, mutant: Option<Mutant>) -> Verdict {
    let mut world = World::new(seed, mutant);
    world.run();
    judge(&world)
}

/// Seeds that failed once, with a sentence each.
fn kept() -> Vec<u64> {
    let lines = include_str!("seeds.txt").lines();
    let seeds = lines.filter_map(|line| line.split_whitespace().next());
    seeds.filter(|word| *word != "#").map(|word| word.parse().expect("a seed")).collect()
}

#[test]
fn no_seed_breaks_a_promise() {
    if let Some(seed) = settings::number("EVENTFLOW_TEST_SEED") {
        let verdict = run(seed, None);
        println!("{verdict}");
        assert!(verdict.is_clean(), "seed {seed}");
        return;
    }
    let began = Instant::now();
    let first = settings::number("EVENTFLOW_TEST_FIRST").unwrap_or(1);
    let runs = settings::number("EVENTFLOW_TEST_RUNS").unwrap_or(RUNS);
    let mut total = evidence::Figures::default();
    let mut failed = Vec::new();
    for seed in kept().into_iter().chain(first..first + runs) {
        let verdict = run(seed, None);
        total.add(&verdict.figures);
        if !verdict.is_clean() {
            println!("seed {seed}\n{verdict}");
            failed.push(seed);
        }
    }
    println!("{runs} runs in {:.1} s\n{total}", began.elapsed().as_secs_f64());
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    total.assert_it_was_a_trial(runs);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 1..=5 {
        let history = || {
            let mut world = World::new(seed, None);
            world.run();
            format!("{:?}", world.history)
        };
        assert_eq!(history(), history(), "seed {seed}");
    }
}

#[test]
fn every_guard_is_missed_when_it_is_gone() {
    println!("{:<28} {:>6}  noticed as", "guard removed", "seed");
    let mut unnoticed = Vec::new();
    let runs = settings::number("EVENTFLOW_TEST_MUTANT_RUNS").unwrap_or(MUTANT_RUNS);
    for mutant in Mutant::ALL {
        let mut seeds = std::iter::once(mutant.noticed_before()).chain(1..=runs);
        let caught = seeds.find_map(|seed| Some((seed, noticed(seed, mutant)?)));
        match caught {
            Some((seed, names)) => println!("{:<28} {seed:>6}  {names}", format!("{mutant:?}")),
            None => unnoticed.push(mutant),
        }
    }
    assert!(unnoticed.is_empty(), "nobody noticed {unnoticed:?}");
}

/// How a missing guard is noticed in a run, if it is. The engine refuses to replay what
/// cannot have happened; that counts.
fn noticed(seed: u64, mutant: Mutant) -> Option<String> {
    match catch_unwind(|| run(seed, Some(mutant))) {
        Ok(verdict) if verdict.is_clean() => None,
        Ok(verdict) => Some(verdict.names()),
        Err(_) => Some("a law of the engine, in replay".into()),
    }
}
