//! `cargo xtask mutants`: the kill test can fail.
//!
//! Each patch of `tests/mutants` breaks one promise. It is applied to a copy of the
//! repository, and the kill test must fail there, naming the check that the patch
//! expects in its first lines (`# expect: <check>`). The unchanged copy must pass
//! first: a test that always fails would catch every mutant.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::files;
use crate::process::{Bound, root, watch};
use crate::test::KILL;

/// Where the patches lie.
const FOLDER: &str = "tests/mutants";

/// What names the expected check in a patch.
const EXPECT: &str = "# expect:";

/// Longest time to build a copy.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Longest time that the kill test may take on a copy. A mutant may hang it.
const KILL_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Lines of a failure that are shown.
const SHOWN_LINES: usize = 12;

struct Mutant {
    name: String,
    patch: PathBuf,
    expected: String,
}

enum Verdict {
    Passed,
    Failed { output: Vec<String> },
}

/// Tries all mutants, or only that called `only`, after the unchanged copy.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let mut mutants = mutants()?;
    if let Some(only) = only {
        mutants.retain(|mutant| mutant.name == only);
    }
    ensure!(!mutants.is_empty(), "no such patch in {FOLDER}");
    let copy = Copy::new();

    println!("==> unchanged");
    let started = Instant::now();
    copy.restore()?;
    if let Verdict::Failed { output } = copy.kill_test()? {
        bail!("the kill test fails on the unchanged copy:\n{}", tail(&output));
    }
    let mut table = vec![row("unchanged", "passes, as it must", started, "")];

    let mut survived = 0;
    for mutant in &mutants {
        println!("==> {}", mutant.name);
        let started = Instant::now();
        copy.restore()?;
        copy.apply(&mutant.patch)?;
        let verdict = match copy.kill_test()? {
            Verdict::Passed => "SURVIVED",
            Verdict::Failed { output } if names(&output, &mutant.expected) => "caught",
            Verdict::Failed { output } => {
                println!("{}", tail(&output));
                "NOT CAUGHT by its check"
            }
        };
        survived += usize::from(verdict != "caught");
        table.push(row(&mutant.name, verdict, started, &mutant.expected));
    }
    copy.restore()?;

    println!("\n{:<34} {:<26} {:>8}  expected check", "mutant", "verdict", "s");
    for line in table {
        println!("{line}");
    }
    ensure!(survived == 0, "{survived} of {} mutants survived", mutants.len());
    Ok(())
}

fn row(name: &str, verdict: &str, started: Instant, expected: &str) -> String {
    let seconds = started.elapsed().as_secs_f64();
    format!("{name:<34} {verdict:<26} {seconds:>8.1}  {expected}")
}

/// All patches, sorted by name.
fn mutants() -> Result<Vec<Mutant>> {
    let folder = root().join(FOLDER);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {folder:?}"))?;
    let mut mutants = Vec::new();
    for entry in entries {
        let patch = entry?.path();
        if patch.extension().is_none_or(|end| end != "patch") {
            continue;
        }
        let text = fs::read_to_string(&patch).with_context(|| format!("cannot read {patch:?}"))?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let expected = expected_check(&text)
            .with_context(|| format!("{name}.patch doesn't begin with `{EXPECT} <check>`"))?;
        mutants.push(Mutant { name, patch, expected });
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

/// The check named in the comment lines before the first hunk.
fn expected_check(patch: &str) -> Option<String> {
    let comments = patch.lines().take_while(|line| !line.starts_with("--- "));
    let check = comments.filter_map(|line| line.strip_prefix(EXPECT)).map(str::trim).next()?;
    (!check.is_empty()).then(|| check.to_owned())
}

/// Whether the failure in `output` is that of `check`: the kill test writes a broken
/// promise as `FAILED <check>: …`.
fn names(output: &[String], check: &str) -> bool {
    output.iter().any(|line| {
        line.split_once("FAILED ").is_some_and(|(_, rest)| {
            rest.strip_prefix(check)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    })
}

fn tail(output: &[String]) -> String {
    let from = output.len().saturating_sub(SHOWN_LINES);
    output[from..].iter().map(|line| format!("    | {line}\n")).collect()
}

/// A copy of the repository. Always in the same place, and only written where it
/// differs, so that cargo builds anew only what a patch touches.
struct Copy {
    folder: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn new() -> Self {
        // Two checkouts must not share a copy.
        let own = root().to_string_lossy().replace(std::path::MAIN_SEPARATOR, "-");
        let folder = std::env::temp_dir().join(format!("eventflow-mutants{own}"));
        Self { folder, target: root().join("target/mutants") }
    }

    /// Makes the copy equal to the repository.
    fn restore(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {:?}", self.folder))?;
        let wanted = files::all(root())?;
        for file in files::all(&self.folder)? {
            if wanted.binary_search(&file).is_err() {
                fs::remove_file(self.folder.join(&file))?;
            }
        }
        for file in &wanted {
            copy_if_different(&root().join(file), &self.folder.join(file))?;
        }
        Ok(())
    }

    fn apply(&self, patch: &Path) -> Result<()> {
        let output = Command::new("git")
            // Not in a repository: then `git apply` works on plain files.
            .env("GIT_CEILING_DIRECTORIES", self.folder.parent().unwrap_or(&self.folder))
            .args(["apply", "--whitespace=nowarn"])
            .arg(patch)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .context("cannot start git")?;
        ensure!(
            output.status.success(),
            "{} doesn't apply any more: {}",
            patch.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Builds the copy and runs its kill test.
    fn kill_test(&self) -> Result<Verdict> {
        let mut build = self.cargo(&["build", "--locked", "--bins", "--tests"]);
        let built = watch(&mut build, Bound::Group(BUILD_LIMIT), |_| true)?;
        ensure!(built.status.success(), "the copy doesn't build:\n{}", tail(&built.kept));
        let mut test = self.cargo(&["test", "--locked", "--test", KILL, "--", "--nocapture"]);
        let finished = watch(&mut test, Bound::Group(KILL_LIMIT), |line| {
            println!("    | {line}");
            true
        });
        Ok(match finished {
            Ok(finished) if finished.status.success() => Verdict::Passed,
            Ok(finished) => Verdict::Failed { output: finished.kept },
            Err(error) => Verdict::Failed { output: vec![format!("{error:#}")] },
        })
    }

    fn cargo(&self, words: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.args(words).current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        command
    }
}

fn copy_if_different(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).with_context(|| format!("cannot read {from:?}"))?;
    if fs::read(to).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {folder:?}"))?;
    }
    fs::write(to, content).with_context(|| format!("cannot write {to:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_patch_names_its_check_before_its_first_hunk() {
        let patch = "# Answers too early.\n# expect: lost\n--- a/x\n+++ b/x\n# expect: no\n";
        assert_eq!(expected_check(patch).as_deref(), Some("lost"));
        assert_eq!(expected_check("--- a/x\n# expect: no\n"), None);
        assert_eq!(expected_check("# expect:\n--- a/x\n"), None);
    }

    #[test]
    fn only_the_expected_check_counts() {
        assert!(names(&lines("x\nFAILED lost: 3 bookings"), "lost"));
        assert!(!names(&lines("lost 0, oversold 0\nFAILED oversold: 1"), "lost"));
        assert!(!names(&lines("FAILED lost_keys: 3"), "lost"));
    }

    /// A change of the code around it can break a patch, which nobody would notice until
    /// the mutants are run the next time.
    #[test]
    fn every_patch_still_applies() {
        for mutant in mutants().expect("the patches can be read") {
            let output = Command::new("git")
                .args(["apply", "--check"])
                .arg(&mutant.patch)
                .current_dir(root())
                .output()
                .expect("git can be started");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {said}", mutant.name);
        }
    }
}
