//! `inspect`: what is stored of an event.

use std::io::Write;

use adapter_sqlite::admin::{self, Inspection};
use api::clock::rfc3339;
use api::wire::{Id, parse_id};
use engine::{BookingEvent, BookingId, EventId, Inventory, Seq};
use serde_json::{Value, json};
use storage::{BATCH_ENTRIES, OutboxEntry, Position, Target, record};

use super::{Failure, FolderArgs, block_on};
use crate::Config;
use crate::servers::{self, Servers};

/// Batches of the journal read at a time.
const HISTORY_PAGE: usize = 512;

/// Batches of the outbox looked through.
const OUTBOX_BATCHES: usize = 100_000;

/// What is said of an id that nobody knows.
const NOTHING: &str = "nothing is stored under this id";

pub(super) fn inspect(
    folder: &FolderArgs,
    id: &str,
    batches: usize,
    as_json: bool,
) -> Result<(), Failure> {
    let config = folder.load()?;
    let id = parse_id(id).ok_or("that is not an id")?;
    let shown = if config.storage.is_folder() {
        shown(&in_folder(&config, id, batches)?.ok_or(NOTHING)?)?
    } else {
        let (seen, journal) = block_on(on_servers(&config, id, batches))??.ok_or(NOTHING)?;
        let mut shown = shown(&seen)?;
        shown["cursors"]["journal"] = json!(journal.0);
        shown
    };
    let mut text = String::new();
    if as_json {
        text = serde_json::to_string_pretty(&shown)?;
        text.push('\n');
    } else {
        lines(&shown, 0, &mut text);
    }
    // Whoever has closed the pipe has read enough.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    match shown["replay"].as_str() {
        Some("equals the header") => Ok(()),
        _ => Err("the stored history does not make what the header says".into()),
    }
}

/// What a data folder has of an event, or of the event that an id belongs to.
fn in_folder(config: &Config, id: Id, batches: usize) -> Result<Option<Inspection>, Failure> {
    let dir = &config.data.dir;
    let mut seen = admin::inspect(dir, EventId::from(id), batches)?;
    if seen.is_none()
        && let Some(tag) = BookingId::from(id).tag()
    {
        // A booking or a hold leads home; of two events that share a tag the last is shown.
        for event in admin::events_by_tag(dir, tag)? {
            seen = admin::inspect(dir, event, batches)?.or(seen);
        }
    }
    Ok(seen)
}

/// The same of the servers of a cluster, and how far the journal has followed. Wakes and
/// claims nothing.
async fn on_servers(
    config: &Config,
    id: Id,
    batches: usize,
) -> Result<Option<(Inspection, Position)>, Failure> {
    let servers = servers::connect(config, 0).await?;
    let mut event = EventId::from(id);
    let mut loaded = servers.commit.load(event).await?;
    if loaded.is_none()
        && let Some(tag) = BookingId::from(id).tag()
    {
        for other in servers.commit.events_by_tag(tag).await? {
            event = other;
            loaded = servers.commit.load(event).await?;
        }
    }
    let Some(loaded) = loaded else { return Ok(None) };
    let header = loaded.header;
    let partition = servers.commit.partition_of(event);
    let cursors = servers.outbox.cursors().ok_or("this store keeps no cursors")?;
    let journal = cursors.cursor(partition, Target::Journal).await?;
    let from = header.head.seq.0.saturating_sub(batches as u64 * BATCH_ENTRIES as u64);
    let mut known = newest(&servers, event, Seq(from.max(1))).await?;
    // What the journal does not have yet, the outbox has.
    let fresh = servers.outbox.read(partition, journal, OUTBOX_BATCHES).await?;
    known.extend(fresh.into_iter().filter(|batch| batch.event == event));
    known.drain(..known.len().saturating_sub(batches));
    let holders = servers.commit.holders().await?;
    let held = holders.into_iter().find(|held| held.partition == partition);
    let held = held.ok_or("the store does not have this partition")?;
    let seen = Inspection {
        header,
        loaded,
        batches: known,
        owner: held.owner.unwrap_or_else(|| "nobody".to_owned()),
        epoch: held.epoch,
        era: held.era,
        last: held.last,
        views: Some(cursors.cursor(partition, Target::Views).await?),
        bus: Some(cursors.cursor(partition, Target::Bus).await?),
    };
    Ok(Some((seen, journal)))
}

/// Batches of an event from a seq on, as the journal has them.
async fn newest(
    servers: &Servers,
    event: EventId,
    mut from: Seq,
) -> Result<Vec<OutboxEntry>, Failure> {
    let mut known: Vec<OutboxEntry> = Vec::new();
    loop {
        let last = known.last().map(|batch| batch.position);
        let page = servers.journal.history(event, from, HISTORY_PAGE).await?;
        let before = known.len();
        known.extend(page.into_iter().filter(|batch| Some(batch.position) > last));
        match known.last() {
            Some(end) if known.len() > before => from = Seq(end.last_seq.0 + 1),
            _ => return Ok(known),
        }
    }
}

fn shown(seen: &Inspection) -> Result<Value, Failure> {
    let header = &seen.header;
    let summary = &header.summary;
    let batches: Result<Vec<Value>, Failure> = seen.batches.iter().map(batch).collect();
    Ok(json!({
        "event": Id::from(header.event),
        "header": {
            "seq": header.head.seq.0,
            "chain": hex(&header.head.chain.0),
            "at": rfc3339(header.at),
            "phase": format!("{:?}", summary.phase).to_lowercase(),
            "version": summary.version,
            "capacity": summary.capacity,
            "booked": summary.counts.booked,
            "held": summary.counts.held,
            "waitlisted": summary.counts.waitlisted,
            "waitlist_entries": summary.counts.waitlist_entries,
            "next_deadline": summary.next_deadline.map(rfc3339),
            "snapshot_seq": header.snapshot_seq.0,
        },
        "replay": replay(seen),
        "owner": { "name": seen.owner, "epoch": seen.epoch.0, "era": seen.era.0 },
        "cursors": {
            "ledger": seen.last.0,
            "views": seen.views.map(|position| position.0),
            "bus": seen.bus.map(|position| position.0),
        },
        "batches": batches?,
    }))
}

/// Whether snapshot and history make what the header says.
fn replay(seen: &Inspection) -> String {
    let rebuilt = || -> Result<Inventory, String> {
        let mut inventory = match &seen.loaded.snapshot {
            None => Inventory::new(seen.header.event),
            Some(blob) => {
                let snapshot = record::decode_snapshot(blob).map_err(|error| error.to_string())?;
                Inventory::restore(snapshot).map_err(|broken| format!("{broken:?}"))?
            }
        };
        for blob in &seen.loaded.tail {
            for entry in record::decode(blob).map_err(|error| error.to_string())? {
                inventory.apply(&entry);
            }
        }
        Ok(inventory)
    };
    match rebuilt() {
        Err(cause) => format!("fails: {cause}"),
        Ok(inventory)
            if inventory.seq() == seen.header.head.seq
                && inventory.counts() == seen.header.summary.counts =>
        {
            "equals the header".to_owned()
        }
        Ok(inventory) => format!("ends at {} with {:?}", inventory.seq().0, inventory.counts()),
    }
}

fn batch(batch: &OutboxEntry) -> Result<Value, Failure> {
    let mut facts = Vec::new();
    for entry in record::decode(&batch.blob)? {
        for fact in &entry.events {
            facts.push(json!({ "at": rfc3339(entry.at), "fact": name(fact), "who": who(fact) }));
        }
    }
    Ok(json!({
        "position": batch.position.0,
        "seqs": format!("{}–{}", batch.first_seq.0, batch.last_seq.0),
        "epoch": batch.epoch.0,
        "chain": hex(&batch.chain.0),
        "facts": facts,
    }))
}

fn name(fact: &BookingEvent) -> String {
    let text = format!("{fact:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

fn who(fact: &BookingEvent) -> Option<Id> {
    Some(Id::from(match fact {
        BookingEvent::EventOpened { organizer, .. } => *organizer,
        BookingEvent::BookingConfirmed { user, .. }
        | BookingEvent::BookingWaitlisted { user, .. }
        | BookingEvent::HoldPlaced { user, .. } => *user,
        BookingEvent::BookingPromoted { booking }
        | BookingEvent::BookingCancelled { booking, .. } => booking.user,
        BookingEvent::HoldChanged { hold, .. } | BookingEvent::HoldEnded { hold, .. } => hold.user,
        BookingEvent::EventChanged { .. } | BookingEvent::EventCancelled { .. } => return None,
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names and values, indented.
fn lines(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if value.is_object() || value.is_array() {
                    text.push_str(&format!("{indent}{name}\n"));
                    lines(value, depth + 1, text);
                } else {
                    text.push_str(&format!("{indent}{name}: {}\n", plain(value)));
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                lines(item, depth, text);
                text.push('\n');
            }
        }
        other => text.push_str(&format!("{indent}{}\n", plain(other))),
    }
}
