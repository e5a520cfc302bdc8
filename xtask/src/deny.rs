//! Licences, bans and sources of the dependency tree, by `cargo deny`.

use anyhow::Result;

use crate::process::{cargo, root};
use crate::steps::Steps;

/// The version that is installed where there is none; `deny.toml` is written for it.
const VERSION: &str = "0.20.2";

/// The check, and before it the tool, if it isn't there: built once and kept in the target
/// folder, so that a machine needs nothing but the toolchain.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    let tools = root().join("target/tools").join(format!("cargo-deny-{VERSION}"));
    let binary = tools.join("bin/cargo-deny");
    if !binary.exists() {
        let mut install = cargo();
        // Unoptimised: compiled in half the time, and what it has to do is little.
        install.args(["install", "cargo-deny", "--locked", "--debug", "--version", VERSION]);
        install.arg("--root").arg(&tools);
        // Its own folder: it shares nothing with the workspace's build.
        install.env("CARGO_TARGET_DIR", root().join("target/tools/build"));
        steps.command("install cargo-deny", &mut install)?;
    }
    // Of all platforms: the check looks at every one of them and asks no registry itself.
    steps.command("fetch", cargo().args(["fetch", "--locked"]))?;
    let mut check = std::process::Command::new(&binary);
    check.current_dir(root()).args(["--locked", "--offline", "--all-features"]);
    check.args(["check", "bans", "licenses", "sources"]);
    steps.command("licences, bans, sources", &mut check)
}
