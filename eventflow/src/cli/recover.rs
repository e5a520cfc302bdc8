//! `recover`, and `rebuild-views` on servers.

use std::sync::Arc;
use std::time::Duration;

use api::Upstream;
use api::upstream::{Answer, Client};
use api::wire::Id;
use axum::body::Body;
use axum::http::Request;
use booking::read_tail;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::recovery::{self, Gap, Report, Tail};
use storage::{BookingRow, MessageBus, PartitionId};
use tokio::time::{Instant, sleep, timeout};

use super::{Failure, FolderArgs, block_on, progress};
use crate::Config;
use crate::front::Remote;
use crate::node::inside;
use crate::servers;

/// How long a replica may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long replicas may take to notice that everything is closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(20);

/// Pause between two looks at them.
const LOOK: Duration = Duration::from_millis(200);

/// Tails asked for at a time.
const TAILS_AT_ONCE: usize = 16;

/// Gaps, forks and the like that are shown of each kind; all of them with `--json`.
const SHOWN: usize = 50;

/// What `recover` may be told.
#[derive(clap::Args, Clone, Debug)]
pub struct RecoverArgs {
    /// The settings.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Only look and report; nothing is closed or written
    #[arg(long)]
    pub check: bool,
    /// The internal address of a replica whose memory counts; repeatable [default:
    /// `cluster.replicas`]
    #[arg(long = "replica", value_name = "ADDR")]
    pub replicas: Vec<String>,
    /// The outcome as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Deserialize)]
struct Status {
    node: String,
    partitions: usize,
}

/// A replica that answers.
struct Living {
    node: String,
    upstream: Upstream,
}

pub(super) fn recover(args: &RecoverArgs) -> Result<(), Failure> {
    let config = args.folder.load()?;
    if config.storage.is_folder() {
        return Err("a data folder needs no recovery: it starts, or a backup is restored".into());
    }
    let report = block_on(work(&config, args))??;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&report))?);
    } else {
        tell(&report);
    }
    if report.is_whole() { Ok(()) } else { Err(lost(&report).into()) }
}

async fn work(config: &Config, args: &RecoverArgs) -> Result<Report, Failure> {
    let client = inside::client(config)?;
    let bus = bus(config, &client).await?;
    let parts = servers::repair(config, bus).await?;
    let addresses =
        if args.replicas.is_empty() { &config.cluster.replicas } else { &args.replicas };
    let partitions = parts.repair.partitions();
    if !args.check {
        // So that replicas stop, whatever they think of their partitions.
        for partition in (0..partitions).map(PartitionId) {
            parts.repair.close(partition).await?;
        }
        wait_until_closed(&client, addresses).await?;
    }
    let mut tails = Vec::new();
    for living in living(&client, addresses).await? {
        let of_it = tails_of(&living, partitions).await?;
        let batches: usize = of_it.iter().map(|tail| tail.entries.len()).sum();
        eprintln!("{} has {batches} batches in memory", living.node);
        tails.extend(of_it);
    }
    let options = recovery::Options {
        limits: config.actors.options(&config.limits).limits,
        check: args.check,
        ..recovery::Options::default()
    };
    let bar = progress::bar("partitions");
    let mut show = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let report = recovery::recover(&parts, tails, &options, &mut show).await?;
    bar.finish_and_clear();
    Ok(report)
}

/// Where facts are told, if it answers.
async fn bus(config: &Config, client: &Client) -> Result<Option<Arc<dyn MessageBus>>, Failure> {
    let front = &config.cluster.front;
    if front.is_empty() {
        eprintln!("cluster.front is not set: the catalog is not told what it may lack");
        return Ok(None);
    }
    let remote = Remote::new(client.clone(), front);
    remote.cursor(PartitionId(0)).await.map_err(|error| {
        format!("the catalog has to be told what it may lack, but {front} does not answer: {error}")
    })?;
    Ok(Some(Arc::new(remote)))
}

async fn ask(upstream: &Upstream, path: &str) -> Option<Answer> {
    let request = Request::get(path).body(Body::empty()).ok()?;
    let answer = timeout(ANSWER_LIMIT, upstream.ask(request)).await.ok()?.ok()?;
    answer.status.is_success().then_some(answer)
}

/// Those that answer. Of one that does not, nothing more can be learnt.
async fn living(client: &Client, addresses: &[String]) -> Result<Vec<Living>, Failure> {
    let mut living = Vec::new();
    for address in addresses {
        let address = Arc::from(address.as_str());
        let upstream = Upstream::Remote { client: client.clone(), address };
        let Some(answer) = ask(&upstream, "/internal/status").await else { continue };
        let Status { node, .. } = serde_json::from_slice(&answer.body)?;
        living.push(Living { node, upstream });
    }
    Ok(living)
}

async fn wait_until_closed(client: &Client, addresses: &[String]) -> Result<(), Failure> {
    let until = Instant::now() + CLOSE_LIMIT;
    loop {
        let mut serving = Vec::new();
        for living in living(client, addresses).await? {
            let answer = ask(&living.upstream, "/internal/status").await;
            let status =
                answer.and_then(|answer| serde_json::from_slice::<Status>(&answer.body).ok());
            if status.is_some_and(|status| status.partitions > 0) {
                serving.push(living.node);
            }
        }
        if serving.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            let names = serving.join(", ");
            return Err(format!("still serving though everything is closed: {names}").into());
        }
        sleep(LOOK).await;
    }
}

async fn tails_of(living: &Living, partitions: u16) -> Result<Vec<Tail>, Failure> {
    let asked = (0..partitions).map(|partition| async move {
        let answer = ask(&living.upstream, &format!("/internal/tail/{partition}")).await;
        let entries = answer.and_then(|answer| read_tail(&answer.body));
        let entries = entries.ok_or_else(|| {
            Failure::from(format!(
                "{} does not tell its tail of partition {partition}",
                living.node
            ))
        })?;
        let epoch = entries.iter().map(|entry| entry.epoch).max().unwrap_or_default();
        Ok::<_, Failure>(Tail { partition: PartitionId(partition), epoch, entries })
    });
    let tails: Vec<Tail> = stream::iter(asked).buffered(TAILS_AT_ONCE).try_collect().await?;
    Ok(tails.into_iter().filter(|tail| !tail.entries.is_empty()).collect())
}

fn lost(report: &Report) -> String {
    let Report { gaps, forks, unreadable, sealed, holes, .. } = report;
    format!(
        "not everything could be brought back: {} gaps, {} forks, {} unreadable batches, {} events \
         that cannot be replayed, {} places of the outbox without their batch",
        gaps.len(),
        forks.len(),
        unreadable.len(),
        sealed.len(),
        holes.len()
    )
}

fn gap(gap: &Gap) -> Value {
    json!({
        "event": Id::from(gap.event), "first_seq": gap.first.0, "last_seq": gap.last.0,
        "bridged": gap.bridged, "unusable_batches": gap.unusable,
    })
}

/// Each as a sentence.
fn sentences<T: std::fmt::Display>(found: &[T]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

fn as_json(report: &Report) -> Value {
    json!({
        "era": report.era.0,
        "written": report.written,
        "whole": report.is_whole(),
        "partitions": report.partitions,
        "missing_partitions": report.missing,
        "events": report.events,
        "batches": report.batches,
        "from": {
            "journal": report.from.journal, "store": report.from.store,
            "tails": report.from.tails, "tails_alone": report.from.tails_alone,
        },
        "journalled": report.journalled,
        "messages": report.messages,
        "gaps": report.gaps.iter().map(gap).collect::<Vec<_>>(),
        "forks": sentences(&report.forks),
        "unreadable": sentences(&report.unreadable),
        "sealed": sentences(&report.sealed),
        "holes": sentences(&report.holes),
        "withdrawn": report.withdrawn.iter().map(withdrawn).collect::<Vec<_>>(),
        "damaged": report.damaged,
    })
}

/// A booking that a list showed and no history has.
fn withdrawn(row: &BookingRow) -> Value {
    json!({
        "booking": Id::from(row.id), "event": Id::from(row.event), "user": Id::from(row.user),
        "seq": row.seq.0,
    })
}

fn tell(report: &Report) {
    let verb = if report.written { "is" } else { "would be" };
    println!(
        "{} events with {} batches; {} of {} partitions were missing",
        report.events, report.batches, report.missing, report.partitions
    );
    println!(
        "of these the journal has {}, the store {}, replicas' memory {}, nobody but that memory {}",
        report.from.journal, report.from.store, report.from.tails, report.from.tails_alone
    );
    println!(
        "{} batches were new to the journal, {} messages to the bus",
        report.journalled, report.messages
    );
    println!("the era {verb} {}", report.era.0);
    kind("missing", &sentences(&report.gaps));
    kind("two histories", &sentences(&report.forks));
    kind("unreadable", &sentences(&report.unreadable));
    kind("cannot be replayed", &sentences(&report.sealed));
    kind("places without their batch", &sentences(&report.holes));
    let withdrawn: Vec<String> =
        report.withdrawn.iter().map(|row| withdrawn(row).to_string()).collect();
    kind("shown in lists, in no history: cancelled", &withdrawn);
    kind("not ours", &report.damaged);
}

fn kind(what: &str, found: &[String]) {
    if found.is_empty() {
        return;
    }
    println!("{what}: {}", found.len());
    for one in found.iter().take(SHOWN) {
        println!("  {one}");
    }
    if found.len() > SHOWN {
        println!("  and {} more; --json shows all", found.len() - SHOWN);
    }
}

/// Make the lists anew out of the journal, or compare them.
pub(super) fn rebuild_views(config: &Config, check: bool, as_json: bool) -> Result<(), Failure> {
    let rebuilt = block_on(async {
        let living = living(&inside::client(config)?, &config.cluster.replicas).await?;
        if let Some(living) = living.first().filter(|_| !check) {
            return Err(format!("{} is running: stop all replicas first", living.node).into());
        }
        Ok::<_, Failure>(servers::rebuild_views(config, check).await?)
    })??;
    let differences = rebuilt.differences;
    if as_json {
        println!(
            "{}",
            json!({
                "bookings": rebuilt.bookings, "differences": differences,
                "incomplete": rebuilt.incomplete,
            })
        );
    } else {
        println!("{} bookings, {differences} differences", rebuilt.bookings);
    }
    if rebuilt.incomplete > 0 {
        return Err(format!("the journal itself has {} gaps", rebuilt.incomplete).into());
    }
    if check && differences > 0 {
        return Err("the lists are not what the journal says; run without --check".into());
    }
    Ok(())
}
