//! `cargo xtask loom`: every interleaving of the directory and the permits.

use anyhow::Result;

use crate::process::cargo;
use crate::steps::Steps;

/// The test target with the loom models.
pub(crate) const LOOM: &str = "loom";

/// The loom models, with a summary.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_to(&mut steps);
    steps.print_summary("cargo xtask loom");
    outcome
}

/// Does the loom models as part of a longer list. They compile the sources that they
/// check into themselves, so they need no build of their own.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    steps.command("loom", cargo().args(["test", "--locked", "--test", LOOM]))
}
