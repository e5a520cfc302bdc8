//! One node of Cassandra that syncs before it acknowledges.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::install;

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The most of a heap.
const HEAP: &str = "-Xmx1G";

/// Parts of Java 17 that Cassandra needs opened.
const EXPORTS: &[&str] = &[
    "java.base/jdk.internal.misc",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "java.base/java.lang.ref",
    "jdk.unsupported/sun.misc",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.attach/sun.tools.attach",
];
const OPENS: &[&str] = &[
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.util",
    "java.base/sun.nio.ch",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "jdk.compiler/com.sun.tools.javac",
];

const LOGGING: &str = r#"<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="OUT"/></root>
</configuration>
"#;

pub(super) fn command(folder: &Path, tools: &Path, port: u16) -> Result<Command> {
    let java = install::java().context("there is no Java 17")?;
    let home = install::cassandra_home(tools).canonicalize()?;
    let conf = folder.join("conf");
    fs::create_dir_all(conf.join("triggers"))?;
    fs::create_dir_all(folder.join("tmp"))?;
    fs::write(conf.join("cassandra.yaml"), settings(folder, port))?;
    fs::write(conf.join("logback.xml"), LOGGING)?;
    let lib = home.join("lib");
    let jamm = fs::read_dir(&lib)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("jamm-")))
        .context("Cassandra's jars are not complete")?;

    let mut command = Command::new(java);
    command.current_dir(folder);
    command.args(["-Xms512M", HEAP, "-Xss512k", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]);
    command.args(["-Djava.net.preferIPv4Stack=true", "-Djdk.attach.allowAttachSelf=true"]);
    command.arg("-Dio.netty.tryReflectionSetAccessible=true");
    for module in EXPORTS {
        command.arg("--add-exports").arg(format!("{module}=ALL-UNNAMED"));
    }
    for module in OPENS {
        command.arg("--add-opens").arg(format!("{module}=ALL-UNNAMED"));
    }
    command.arg(format!("-javaagent:{}", jamm.display()));
    for (name, path) in [
        ("java.io.tmpdir", folder.join("tmp")),
        ("jna.tmpdir", folder.join("tmp")),
        ("cassandra.storagedir", folder.to_owned()),
        ("cassandra.triggers_dir", conf.join("triggers")),
    ] {
        command.arg(format!("-D{name}={}", path.display()));
    }
    command.arg(format!("-Dcassandra.config=file://{}", conf.join("cassandra.yaml").display()));
    command.args(["-Dlogback.configurationFile=logback.xml", "-Dcassandra-foreground=yes"]);
    command.arg(format!("-Dcassandra.jmx.local.port={}", port + 3));
    // A single node has nobody to wait for.
    command.args(["-Dcassandra.ring_delay_ms=0", "-Dcassandra.skip_wait_for_gossip_to_settle=0"]);
    command.arg("-cp").arg(format!("{}:{}/*", conf.display(), lib.display()));
    command.arg("org.apache.cassandra.service.CassandraDaemon");
    Ok(command)
}

/// `commitlog_sync: batch`: the default acknowledges before it syncs.
fn settings(folder: &Path, port: u16) -> String {
    let (storage, tls, dir) = (port + 1, port + 2, folder.display());
    format!(
        "cluster_name: eventflow
num_tokens: 1
initial_token: 0
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: \"127.0.0.1:{storage}\"
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
native_transport_port: {port}
storage_port: {storage}
ssl_storage_port: {tls}
commitlog_sync: batch
commitlog_segment_size: 16MiB
commitlog_total_space: 512MiB
memtable_heap_space: 128MiB
memtable_offheap_space: 128MiB
concurrent_reads: 8
concurrent_writes: 16
auto_snapshot: false
disk_failure_policy: die
commit_failure_policy: die
data_file_directories: [ {dir}/data ]
commitlog_directory: {dir}/commitlog
hints_directory: {dir}/hints
saved_caches_directory: {dir}/saved_caches
cdc_raw_directory: {dir}/cdc_raw
"
    )
}

/// STARTUP is answered by READY, a query by a RESULT.
pub(super) fn answers(port: u16) -> bool {
    ask(port).is_some()
}

fn ask(port: u16) -> Option<()> {
    const READY: u8 = 2;
    const RESULT: u8 = 8;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    let mut startup = vec![0, 1, 0, 11];
    startup.extend(b"CQL_VERSION");
    startup.extend([0, 5]);
    startup.extend(b"3.0.0");
    exchange(&mut stream, 1, &startup, READY)?;
    let text = b"SELECT release_version FROM system.local";
    let mut query = u32::try_from(text.len()).ok()?.to_be_bytes().to_vec();
    query.extend(text);
    // Consistency ONE, no flags.
    query.extend([0, 1, 0]);
    exchange(&mut stream, 7, &query, RESULT)
}

/// Sends one frame of the fourth version of the protocol; the answer has to be of a kind.
fn exchange(stream: &mut TcpStream, opcode: u8, body: &[u8], wanted: u8) -> Option<()> {
    let mut frame = vec![4, 0, 0, 1, opcode];
    frame.extend(u32::try_from(body.len()).ok()?.to_be_bytes());
    frame.extend(body);
    stream.write_all(&frame).ok()?;
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut rest = vec![0; usize::try_from(length).ok().filter(|length| *length < 65_536)?];
    stream.read_exact(&mut rest).ok()?;
    (head[4] == wanted).then_some(())
}
