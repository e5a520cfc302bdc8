//! Putting servers on a bare Debian: packages by apt, Cassandra's jars by Maven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The version of Cassandra.
const CASSANDRA: &str = "5.0.9";

/// What apt asks before it starts a service; while we install, none is.
const POLICY: &str = "/usr/sbin/policy-rc.d";

pub(super) fn redis() -> Result<()> {
    if found("redis-server") { Ok(()) } else { packages(&["redis-server", "redis-tools"]) }
}

/// Prometheus with its `promtool`; not as a service.
pub(crate) fn prometheus() -> Result<()> {
    if found("prometheus") && found("promtool") { Ok(()) } else { packages(&["prometheus"]) }
}

/// Where Cassandra's jars lie.
pub(super) fn cassandra_home(tools: &Path) -> PathBuf {
    tools.join(format!("cassandra-{CASSANDRA}"))
}

pub(super) fn cassandra(tools: &Path) -> Result<()> {
    if java().is_none() {
        packages(&["openjdk-17-jre-headless"])?;
    }
    let home = cassandra_home(tools);
    if home.join("lib").is_dir() {
        return Ok(());
    }
    if !found("mvn") {
        packages(&["maven"])?;
    }
    eprintln!("fetching Cassandra {CASSANDRA}");
    // Under its own name only when it is complete.
    let part = home.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    let pom = part.join("pom.xml");
    fs::write(
        &pom,
        format!(
            r#"<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>eventflow.local</groupId><artifactId>servers</artifactId><version>1</version>
<packaging>pom</packaging><dependencies><dependency><groupId>org.apache.cassandra</groupId>
<artifactId>cassandra-all</artifactId><version>{CASSANDRA}</version></dependency></dependencies>
</project>
"#
        ),
    )?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", part.join("lib").display()))
        .output()
        .context("cannot start mvn")?;
    ensure!(
        output.status.success(),
        "mvn could not fetch Cassandra:\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    fs::rename(&part, &home)?;
    Ok(())
}

/// A Java 17, which Cassandra 5.0 wants.
pub(super) fn java() -> Option<PathBuf> {
    let homes = fs::read_dir("/usr/lib/jvm").ok()?;
    let mut homes: Vec<PathBuf> = homes.flatten().map(|entry| entry.path()).collect();
    homes.sort();
    homes.into_iter().map(|home| home.join("bin/java")).find(|java| {
        let version = Command::new(java).arg("-version").output();
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("\"17."))
    })
}

/// Whether there is a program of this name.
pub(crate) fn found(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", program])
        .status()
        .is_ok_and(|status| status.success())
}

/// Installs Debian packages without starting their services.
pub(crate) fn packages(names: &[&str]) -> Result<()> {
    eprintln!("installing {}", names.join(", "));
    let root = is_root()?;
    if !root && !succeeds(&["sudo", "-n", "true"]) {
        bail!("please install as root: apt-get install {}", names.join(" "));
    }
    let made = !Path::new(POLICY).exists();
    if made {
        let write = format!("printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}");
        as_root(root, &["sh", "-c", &write])?;
    }
    let mut install = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y"];
    install.extend(["-qq", "--no-install-recommends"]);
    install.extend(names);
    let installed =
        as_root(root, &["apt-get", "update", "-qq"]).and_then(|()| as_root(root, &install));
    if made {
        as_root(root, &["rm", "-f", POLICY])?;
    }
    installed
}

fn is_root() -> Result<bool> {
    let output = Command::new("id").arg("-u").output().context("cannot start id")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim() == "0")
}

fn as_root(root: bool, words: &[&str]) -> Result<()> {
    let mut command = Command::new(if root { words[0] } else { "sudo" });
    if root {
        command.args(&words[1..]);
    } else {
        command.arg("-n").args(words);
    }
    let output = command.output().with_context(|| format!("cannot start {}", words[0]))?;
    ensure!(
        output.status.success(),
        "`{}` failed:\n{}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn succeeds(words: &[&str]) -> bool {
    Command::new(words[0]).args(&words[1..]).output().is_ok_and(|output| output.status.success())
}
