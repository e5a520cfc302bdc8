//! Named steps with their durations, and a summary at the end.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::{Bound, shown, watch};

/// Longest time a single step may take; the whole must stay below it anyway.
const STEP_LIMIT: Duration = Duration::from_secs(20 * 60);

/// What has been done so far.
pub(crate) struct Steps {
    started: Instant,
    done: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    passed: bool,
    /// What a reader wants to see again at the end: cargo's test results.
    results: Vec<String>,
}

impl Steps {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), done: Vec::new() }
    }

    /// Does `work` under `name`; its lines are shown again in the summary.
    pub(crate) fn run(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<()> {
        println!("\n==> {name}");
        let started = Instant::now();
        let outcome = work();
        let took = started.elapsed();
        let (passed, results, outcome) = match outcome {
            Ok(results) => (true, results, Ok(())),
            Err(error) => (false, Vec::new(), Err(error.context(format!("step `{name}` failed")))),
        };
        self.done.push(Step { name: name.to_owned(), took, passed, results });
        outcome
    }

    /// Runs `command`, shows its output, keeps its test results.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.run(name, || run_command(command))
    }

    /// Prints one line per step and, below it, the test results it brought.
    pub(crate) fn print_summary(&self, what: &str) {
        println!("\n==> summary of `{what}`");
        for step in &self.done {
            for line in &step.results {
                println!("        {line}");
            }
            let verdict = if step.passed { "ok    " } else { "FAILED" };
            println!("{verdict}  {:>7.1} s  {}", step.took.as_secs_f64(), step.name);
        }
        println!("        {:>7.1} s  in all", self.started.elapsed().as_secs_f64());
    }
}

/// Runs `command`, shows its output, returns the test results in it.
fn run_command(command: &mut Command) -> Result<Vec<String>> {
    println!("    {}", shown(command));
    let finished = watch(command, Bound::Program(STEP_LIMIT), |line| {
        println!("{line}");
        line.starts_with("test result:")
    })?;
    if !finished.status.success() {
        bail!("`{}` ended with {}", shown(command), finished.status);
    }
    Ok(finished.kept)
}
