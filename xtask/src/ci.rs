//! `cargo xtask ci`: what every change must pass; `.ci/run` calls it.

use anyhow::Result;

use crate::process::cargo;
use crate::steps::Steps;
use crate::{deny, test, tidy};

/// All checks, the quick ones first, with a summary at the end, whatever the outcome.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_to(&mut steps);
    steps.print_summary("cargo xtask ci");
    outcome
}

fn add_to(steps: &mut Steps) -> Result<()> {
    steps.command("format", cargo().args(["fmt", "--all", "--", "--check"]))?;
    steps.run("tidy and layers", || {
        tidy::run()?;
        Ok(Vec::new())
    })?;
    deny::add_to(steps)?;
    let mut clippy = cargo();
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    steps.command("clippy", &mut clippy)?;
    // Lines that only a program with all drivers and traces has.
    let mut full = cargo();
    full.args(["clippy", "--locked", "-p", "eventflow", "--features", "full,otlp"]);
    full.arg("--all-targets");
    full.args(["--", "-D", "warnings"]);
    steps.command("clippy with all drivers", &mut full)?;
    let mut doc = cargo();
    // Private items too: whoever reads this documentation works on the code.
    doc.args(["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    steps.command("documentation", &mut doc)?;
    test::add_to(steps)?;
    test::k6::add_to(steps)?;
    test::metrics::add_to(steps)?;
    test::mail::add_to(steps)?;
    test::frontend::add_to(steps)?;
    test::add_with_servers_to(steps)
}
