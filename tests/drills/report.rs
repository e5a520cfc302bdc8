//! What a drill found: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, ensure};
use harness::checker::{self, Check};
use harness::history::{Call, Moment};
use harness::served::Served;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::disturb::Done;
use crate::gaps::{Answers, Longest, percentile};
use crate::load::Loaded;
use crate::options::DrillOptions;
use crate::tally::{End, Tally};
use crate::world::Kind;

/// How far behind a disturbance its effects are looked for, at most: the next one ends it.
const AFTERMATH: Moment = 15_000_000_000;

/// What a report is made of.
pub(crate) struct Run<'a> {
    /// The drill's name.
    pub(crate) name: &'a str,
    /// How it was run.
    pub(crate) options: &'a DrillOptions,
    /// What its chance came from.
    pub(crate) seed: u64,
    /// The events, the hot one first.
    pub(crate) events: &'a [Uuid],
    /// What the load left behind.
    pub(crate) loaded: &'a Loaded,
    /// What was done meanwhile.
    pub(crate) steps: &'a [Done],
}

/// What was found.
pub(crate) struct Report {
    name: String,
    json: Value,
    laws: checker::Report,
    failures: Vec<String>,
    answered: usize,
}

/// The answers at each event of one sort of operation.
struct Sort {
    of_hot: Answers,
    all: Vec<Answers>,
}

impl Sort {
    fn of(run: &Run<'_>, writes: bool) -> Self {
        let mut times: BTreeMap<Uuid, (Vec<Moment>, Vec<Moment>)> =
            run.events.iter().map(|event| (*event, Default::default())).collect();
        let samples = run.loaded.tally.samples().iter();
        for sample in samples.filter(|sample| sample.kind.writes() == writes) {
            let Some((due, answered)) = sample.event.and_then(|event| times.get_mut(&event)) else {
                continue;
            };
            due.push(sample.due);
            if sample.end.decided() {
                answered.push(sample.ended);
            }
        }
        let mut all: BTreeMap<Uuid, Answers> = times
            .into_iter()
            .map(|(event, (due, answered))| (event, Answers::new(due, answered)))
            .filter(|(_, answers)| !answers.is_empty())
            .collect();
        let of_hot = all.remove(&run.events[0]).unwrap_or_default();
        let all = std::iter::once(of_hot.clone()).chain(all.into_values()).collect();
        Self { of_hot, all }
    }

    /// The longest times without an answer between two moments.
    fn json(&self, from: Moment, to: Moment, loaded: &Loaded) -> Value {
        let to = to.min(loaded.to);
        let gaps = self.all.iter().map(|answers| answers.longest_gap(from, to));
        let wait = |answers: &Answers| answers.longest_wait(from, to, loaded.end);
        let (gaps, waits) =
            (Longest::of(gaps.collect()), Longest::of(self.all.iter().map(wait).collect()));
        json!({
            "gap_p50_ms": millis(gaps.median),
            "gap_max_ms": millis(gaps.greatest),
            "wait_p50_ms": millis(waits.median),
            "wait_max_ms": millis(waits.greatest),
            "hot_gap_ms": millis(self.of_hot.longest_gap(from, to)),
            "hot_wait_ms": millis(wait(&self.of_hot)),
        })
    }
}

impl Report {
    /// Of a run and the laws' verdict.
    pub(crate) fn of(
        run: &Run<'_>,
        calls: &[Call],
        served: &Served,
        laws: checker::Report,
    ) -> Self {
        let Loaded { tally, from, to, connections, .. } = run.loaded;
        let (writes, reads) = (Sort::of(run, true), Sort::of(run, false));
        let failures: Vec<String> = run
            .steps
            .iter()
            .filter_map(|step| Some(format!("`{}`: {}", step.command, step.failure.as_ref()?)))
            .collect();
        let json = json!({
            "name": run.name,
            "seed": run.seed,
            "rate": run.options.rate,
            "seconds": run.options.seconds,
            "events": run.events.len(),
            "hot_event": run.events[0].to_string(),
            "people": served.users.len(),
            "connections": connections,
            "calls": calls.len(),
            "operations": operations(tally),
            "latency": latencies(tally),
            "client_errors": tally.errors(),
            "refusals": tally.refusals(),
            "unanswered": {
                "bookings": writes.json(*from, *to, run.loaded),
                "reads": reads.json(*from, *to, run.loaded),
            },
            "disturbances": disturbances(run, &writes, &reads),
            "unknown_at_the_end": tally.count(&End::Unknown),
            "laws": laws_of(&laws),
            "findings": laws.failures(),
            "broken": !laws.is_clean(),
            "failures": failures,
        });
        let answered = tally.count(&End::Answered);
        Self { name: run.name.to_owned(), json, laws, failures, answered }
    }

    /// For programs.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// Whether every law was kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.laws.is_clean()
    }

    /// A drill whose commands failed, or in which nothing was answered, proves nothing,
    /// but a broken law is one all the same.
    ///
    /// # Errors
    /// When it is so.
    pub(crate) fn must_prove_something(&self) -> Result<()> {
        if !self.is_clean() {
            return Ok(());
        }
        ensure!(self.failures.is_empty(), "{}", self.failures.join("; "));
        ensure!(self.answered > 0, "nothing was answered");
        Ok(())
    }
}

fn operations(tally: &Tally) -> Value {
    let refused: usize = tally.refusals().values().sum();
    json!({
        "all": tally.samples().len(),
        "answered": tally.count(&End::Answered),
        "refused": refused,
        "reads_without_answer": tally.count(&End::Failed),
        "unknown": tally.count(&End::Unknown),
    })
}

fn latencies(tally: &Tally) -> Value {
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let sorted = tally.latencies(kind);
            let at = |percent| millis(percentile(&sorted, percent));
            let figures = json!({
                "count": sorted.len(),
                "p50_ms": at(50),
                "p99_ms": at(99),
                "max_ms": at(100),
            });
            (kind.name().to_owned(), figures)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What each disturbance did until the next one.
fn disturbances(run: &Run<'_>, writes: &Sort, reads: &Sort) -> Value {
    let begin = run.loaded.from;
    let next = run.steps.iter().skip(1).map(|step| step.began).chain([Moment::MAX]);
    let rows = run.steps.iter().zip(next).map(|(step, next)| {
        let (from, to) = (step.began, next.min(step.began.saturating_add(AFTERMATH)));
        json!({
            "command": step.command,
            "at_ms": millis(step.began.saturating_sub(begin)),
            "took_ms": millis(step.ended.saturating_sub(step.began)),
            "failure": step.failure,
            "client_errors": run.loaded.tally.errors_between(from, to),
            "bookings": writes.json(from, to, run.loaded),
            "reads": reads.json(from, to, run.loaded),
        })
    });
    rows.collect()
}

fn laws_of(laws: &checker::Report) -> Value {
    Check::ALL
        .into_iter()
        .map(|check| (check.name().to_owned(), json!(laws.count(check))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What is counted: without the journal some laws are judged by less.
fn title(check: Check) -> &'static str {
    match check {
        Check::Sequence => "two bookings with one seq",
        Check::RealTime => "bookings out of real time",
        Check::Answers => "answers that contradict each other",
        Check::Refusals => "refusals that nothing explains",
        Check::Replay => "differences between the lists at the end",
        other => other.title(),
    }
}

/// Milliseconds with one decimal.
fn millis(nanos: Moment) -> f64 {
    (nanos as f64 / 100_000.0).round() / 10.0
}

/// The unanswered times of one sort, as columns.
fn unanswered(f: &mut fmt::Formatter<'_>, name: &str, row: &Value) -> fmt::Result {
    write!(f, "  {name:<24}")?;
    let columns =
        ["hot_wait_ms", "wait_p50_ms", "wait_max_ms", "hot_gap_ms", "gap_p50_ms", "gap_max_ms"];
    for column in columns {
        write!(f, " {:>10}", row[column].to_string())?;
    }
    writeln!(f)
}

fn counts(f: &mut fmt::Formatter<'_>, title: &str, counts: &Value) -> fmt::Result {
    let counts = counts.as_object().into_iter().flatten();
    let mut none = true;
    for (code, count) in counts {
        writeln!(f, "  {:<48} {count:>9}", format!("{title} {code}"))?;
        none = false;
    }
    if none { writeln!(f, "  {title:<48} {:>9}", 0) } else { Ok(()) }
}

fn latency_table(f: &mut fmt::Formatter<'_>, json: &Value) -> fmt::Result {
    writeln!(
        f,
        "\n  {:<24} {:>10} {:>10} {:>10} {:>10}",
        "ms from when due", "count", "p50", "p99", "max"
    )?;
    for kind in Kind::ALL {
        let row = &json["latency"][kind.name()];
        write!(f, "  {:<24}", kind.name())?;
        for column in ["count", "p50_ms", "p99_ms", "max_ms"] {
            write!(f, " {:>10}", row[column].to_string())?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn unanswered_table(f: &mut fmt::Formatter<'_>, json: &Value) -> fmt::Result {
    writeln!(
        f,
        "\n  {:<24} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "longest, ms, per event", "wait: hot", "p50", "max", "gap: hot", "p50", "max"
    )?;
    unanswered(f, "bookings", &json["unanswered"]["bookings"])?;
    unanswered(f, "reads", &json["unanswered"]["reads"])?;
    for step in json["disturbances"].as_array().into_iter().flatten() {
        let (at, took) = (&step["at_ms"], &step["took_ms"]);
        let command = step["command"].as_str().unwrap_or_default();
        writeln!(f, "  at {at} ms, {took} ms long, {} errors: {command}", step["client_errors"])?;
        unanswered(f, "  bookings", &step["bookings"])?;
        unanswered(f, "  reads", &step["reads"])?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = &self.json;
        writeln!(f, "\ndrill {}, seed {}", self.name, json["seed"])?;
        for (title, figure) in [
            ("operations", &json["operations"]["all"]),
            ("  answered", &json["operations"]["answered"]),
            ("  refused by a rule", &json["operations"]["refused"]),
            (
                "  reads without an answer, or never sent",
                &json["operations"]["reads_without_answer"],
            ),
            ("  unknown at the end", &json["unknown_at_the_end"]),
            ("calls, repeats included", &json["calls"]),
            ("connections", &json["connections"]),
        ] {
            writeln!(f, "  {title:<48} {:>9}", figure.to_string())?;
        }
        counts(f, "client errors:", &json["client_errors"])?;
        counts(f, "refusals:", &json["refusals"])?;
        latency_table(f, json)?;
        unanswered_table(f, json)?;
        writeln!(f)?;
        for check in Check::ALL {
            writeln!(f, "  {:<48} {:>9}", title(check), self.laws.count(check))?;
        }
        for line in self.laws.failures() {
            writeln!(f, "{line}")?;
        }
        for failure in &self.failures {
            writeln!(f, "FAILED command {failure}")?;
        }
        Ok(())
    }
}
