//! Rules about files that no compiler checks.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::root;
use crate::{files, layers, scripts};

/// Files of more lines are listed; splitting one is a matter of judgement.
const LINES: usize = 500;

/// Words that mean unfinished work. Put together here, so that this file passes.
const UNFINISHED: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

/// Folders of one machine, which mean nothing on another.
const MACHINE_PATHS: &[&str] =
    &[concat!("/home", "/"), concat!("/ro", "ot/"), concat!("/Use", "rs/"), concat!("/wo", "rk/")];

/// A home folder in an example, which is nobody's.
const ANYBODY: &str = "you/";

/// The history checker judges the engine, so it has rules of its own: a mistake would
/// have to be made twice to go unseen.
const CHECKER: &str = "tests/harness/checker";

/// How code names the engine.
const ENGINE: &str = concat!("engine", "::");

/// What was found.
#[derive(Default)]
pub(crate) struct Findings {
    /// What must be mended.
    pub(crate) problems: Vec<String>,
    /// What somebody should look at.
    pub(crate) warnings: Vec<String>,
}

/// Prints what was found; fails if something must be mended.
pub(crate) fn run() -> Result<()> {
    let mut findings = check(root())?;
    findings.problems.extend(layers::problems()?);
    findings.problems.extend(scripts::problems()?);
    findings.problems.extend(sent_to_docker(
        &std::fs::read_to_string(root().join(".gitignore"))?,
        &std::fs::read_to_string(root().join(".dockerignore"))?,
    ));
    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for problem in &findings.problems {
        println!("problem: {problem}");
    }
    match findings.problems.len() {
        0 => Ok(()),
        n => bail!("tidy found {n} problems"),
    }
}

/// Looks at every text file below `root`.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn check(root: &Path) -> Result<Findings> {
    let mut findings = Findings::default();
    for file in files::all(root)? {
        if let Some(text) = files::text(&root.join(&file))? {
            check_file(&file, &text, &mut findings);
        }
    }
    Ok(findings)
}

fn check_file(file: &Path, text: &str, findings: &mut Findings) {
    let name = file.display();
    if file.ends_with("Cargo.lock") {
        return;
    }
    let is_rust = file.extension().is_some_and(|end| end == "rs");
    for (number, line) in (1..).zip(text.lines()) {
        let mut complain = |word: &str, why: &str| {
            findings.problems.push(format!("{name}:{number}: `{word}`: {why}"));
        };
        for word in UNFINISHED.iter().filter(|word| is_rust && line.contains(**word)) {
            complain(word, "finish it, or say in prose what is not there");
        }
        for path in MACHINE_PATHS.iter().filter(|path| names_path(line, path)) {
            complain(path, "a folder of one machine");
        }
    }
    if is_rust && file.to_string_lossy().starts_with(CHECKER) && text.contains(ENGINE) {
        findings.problems.push(format!("{name}: the checker must not know the engine"));
    }
    if is_rust {
        let lines = text.lines().count();
        if lines > LINES {
            findings.warnings.push(format!("{name} has {lines} lines, more than {LINES}"));
        }
        if file.ends_with("lib.rs") && !text.starts_with("//!") {
            findings.problems.push(format!("{name}: begins without its map (`//!`)"));
        }
        if file.ends_with("mod.rs") {
            let better: PathBuf = file.parent().unwrap_or(file).with_extension("rs");
            findings.problems.push(format!("{name}: write {} instead", better.display()));
        }
    }
}

/// What is one machine's own, and so unknown to git, goes into no image either. Git looks for
/// a name without a slash before it in every folder, Docker only if told so.
fn sent_to_docker(git: &str, docker: &str) -> Vec<String> {
    let left_out: Vec<&str> = docker.lines().collect();
    let lines = git.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let as_docker = |line: &str| {
        let name = line.trim_end_matches('/');
        name.strip_prefix('/').map_or_else(|| format!("**/{name}"), str::to_owned)
    };
    lines
        .map(as_docker)
        .filter(|name| !left_out.contains(&name.as_str()))
        .map(|name| format!(".dockerignore: lacks `{name}`, which git ignores"))
        .collect()
}

/// Whether `line` names something below the absolute folder `path`.
fn names_path(line: &str, path: &str) -> bool {
    // Below another folder, or in a web address, it is not absolute.
    let inner = |c: char| c.is_alphanumeric() || "._-*}".contains(c);
    line.match_indices(path).any(|(at, _)| {
        let below = &line[at + path.len()..];
        !line[..at].ends_with(inner) && !below.starts_with(ANYBODY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(file: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check_file(Path::new(file), text, &mut findings);
        findings.problems
    }

    #[test]
    fn the_repository_is_tidy() {
        let findings = check(root()).expect("the repository can be read");
        assert!(findings.problems.is_empty(), "\n{}", findings.problems.join("\n"));
    }

    #[test]
    fn what_git_ignores_is_sent_to_no_image() {
        let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
        let (git, docker) = (read(".gitignore"), read(".dockerignore"));
        assert_eq!(sent_to_docker(&git, &docker), [""; 0]);
        assert_eq!(sent_to_docker("# x\n\n/a\nb/\n*.c\n", "a\n**/b\n**/*.c\n"), [""; 0]);
        assert_eq!(sent_to_docker("/a\nb/\n", "**/a\nb\n").len(), 2);
    }

    #[test]
    fn unfinished_work_is_found_in_rust_only() {
        let text = format!("fn f() {{ {}) }}\n", UNFINISHED[0]);
        assert_eq!(problems_of("engine/src/x.rs", &text).len(), 1);
        assert_eq!(problems_of("README.md", &text).len(), 0);
    }

    #[test]
    fn a_folder_of_one_machine_is_found_everywhere() {
        let text = format!("see {}me/notes\n", MACHINE_PATHS[0]);
        assert_eq!(problems_of("README.md", &text).len(), 1);
        let text = format!("see {}you/notes and docs{}x\n", MACHINE_PATHS[0], MACHINE_PATHS[3]);
        assert_eq!(problems_of("docs/a.md", &text).len(), 0);
    }

    #[test]
    fn a_library_needs_its_map() {
        assert_eq!(problems_of("api/src/lib.rs", "pub mod page;\n").len(), 1);
        assert_eq!(problems_of("api/src/lib.rs", "//! Map.\n").len(), 0);
        assert_eq!(problems_of("api/src/mod.rs", "").len(), 1);
    }

    #[test]
    fn the_checker_knows_no_engine() {
        let text = format!("use {ENGINE}Seq;\n");
        assert_eq!(problems_of("tests/harness/checker/course.rs", &text).len(), 1);
        assert_eq!(problems_of("tests/harness/checker.rs", &text).len(), 1);
        assert_eq!(problems_of("tests/harness/journal.rs", &text).len(), 0);
    }

    #[test]
    fn a_long_file_is_a_warning() {
        let mut findings = Findings::default();
        check_file(Path::new("a/b.rs"), &"\n".repeat(LINES + 1), &mut findings);
        assert_eq!((findings.problems.len(), findings.warnings.len()), (0, 1));
    }
}
