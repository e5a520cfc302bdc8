//! `inspect`: what is stored of an event.

use std::io::Write;

use adapter_sqlite::admin::{self, Inspection};
use api::clock::rfc3339;
use api::wire::{Id, parse_id};
use engine::{BookingEvent, BookingId, EventId, Inventory};
use serde_json::{Value, json};
use storage::{OutboxEntry, record};

use super::{Failure, FolderArgs};

pub(super) fn inspect(
    folder: &FolderArgs,
    id: &str,
    batches: usize,
    as_json: bool,
) -> Result<(), Failure> {
    let config = folder.load()?;
    let dir = &config.data.dir;
    let id = parse_id(id).ok_or("that is not an id")?;
    let mut seen = admin::inspect(dir, EventId::from(id), batches)?;
    if seen.is_none()
        && let Some(tag) = BookingId::from(id).tag()
    {
        // A booking or a hold leads home; two events that share a tag are both shown.
        for event in admin::events_by_tag(dir, tag)? {
            seen = admin::inspect(dir, event, batches)?.or(seen);
        }
    }
    let seen = seen.ok_or("nothing is stored under this id")?;
    let shown = shown(&seen)?;
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
