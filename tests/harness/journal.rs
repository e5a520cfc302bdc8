//! The journal as it lies on disk, in structs of our own.
//!
//! Reading the bytes of a blob is shared with the product (`storage::record`); what they
//! mean is judged by the checker alone. So this module copies and decides nothing.

use std::collections::BTreeMap;
use std::path::Path;

use engine::{BookingEvent, BookingRef, HoldRef};
use rusqlite::{Connection, OpenFlags, Row};
use uuid::Uuid;

/// What is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The batches, in the order of their positions.
    pub batches: Vec<Batch>,
    /// The stored sums of each event.
    pub headers: BTreeMap<Uuid, Header>,
}

/// Decisions that became durable together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its place in the journal, from 1.
    pub position: u64,
    /// Whose decisions.
    pub event: Uuid,
    /// The seq of its first booking event.
    pub first_seq: u64,
    /// The seq of its last booking event; below `first_seq` if it has none.
    pub last_seq: u64,
    /// The ownership under which it was committed.
    pub epoch: u64,
    /// The running hash after it.
    pub chain: [u8; 16],
    /// Its bytes.
    pub blob: Vec<u8>,
    /// What its bytes say.
    pub decisions: Vec<Decision>,
}

/// What one decision left in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    /// The digest of the key that it answered.
    pub key: Option<[u8; 16]>,
    /// What happened, in order.
    pub facts: Vec<Fact>,
}

/// A booking event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The event came into being.
    Opened(Terms),
    /// Terms or words changed.
    Changed(u32, Terms),
    /// The event was cancelled; how many bookings went with it.
    EventCancelled(u32, u32),
    /// Somebody has places; perhaps those of a hold.
    Confirmed(Uuid, u32, Option<Named>),
    /// Somebody waits.
    Waitlisted(Uuid, u32),
    /// A waiting one has places now.
    Promoted(Named),
    /// A booking or a waiting entry ended.
    Cancelled(Named, Was, Cause),
    /// Places were set aside.
    HoldPlaced(Uuid, u32),
    /// A hold was changed.
    HoldChanged(Named),
    /// A hold ended without a booking.
    HoldEnded(Named),
}

/// What can be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Places in all.
    pub capacity: u32,
    /// Nobody is promoted from here on, in milliseconds since 1970.
    pub ends_at: i64,
    /// Whether it is sold at all.
    pub active: bool,
    /// Whether people may wait.
    pub waitlist: bool,
}

/// A booking or hold, named by another booking event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The seq it was made at.
    pub seq: u64,
    /// Whose it is.
    pub user: Uuid,
    /// How many places.
    pub quantity: u32,
}

/// What a cancelled booking had been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// It had places.
    Confirmed,
    /// It was waiting.
    Waitlisted,
}

/// Why a booking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody wanted it.
    User,
    /// Its time ran out.
    Expiry,
    /// The capacity fell below what it needs.
    Capacity,
}

/// The stored sums of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Booking events so far.
    pub seq: u64,
    /// The running hash so far.
    pub chain: [u8; 16],
    /// Places of confirmed bookings.
    pub booked: u64,
    /// Places of open holds.
    pub held: u64,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// How many entries wait.
    pub waitlist_entries: u64,
    /// Places in all.
    pub capacity: u64,
    /// Version of terms and words.
    pub version: u64,
}

impl Batch {
    /// A batch as an outbox has it, at a place of the caller's choice.
    ///
    /// # Errors
    /// When its bytes cannot be read as what they should be.
    pub fn of(position: u64, entry: &storage::OutboxEntry) -> Result<Self, String> {
        Ok(Self {
            position,
            event: Uuid::from_bytes(entry.event.bytes()),
            first_seq: entry.first_seq.0,
            last_seq: entry.last_seq.0,
            epoch: entry.epoch.0,
            chain: entry.chain.0,
            blob: entry.blob.to_vec(),
            decisions: decode(&entry.blob)?,
        })
    }
}

/// Reads the journal in a data folder.
///
/// # Errors
/// When the file cannot be read as what it should be; the sentence says where.
pub fn read(folder: &Path) -> Result<Journal, String> {
    let path = folder.join("ledger.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(&path, flags)
        .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let batches = batches(&file).map_err(|error| format!("cannot read the ledger: {error}"))?;
    let headers = headers(&file).map_err(|error| format!("cannot read the headers: {error}"))?;
    Ok(Journal { batches: batches.into_iter().collect::<Result<_, _>>()?, headers })
}

type Read<T> = Result<T, rusqlite::Error>;

fn batches(file: &Connection) -> Read<Vec<Result<Batch, String>>> {
    let mut statement = file.prepare(
        "SELECT position, event, first_seq, last_seq, epoch, chain, blob \
         FROM ledger ORDER BY position",
    )?;
    let rows = statement.query_map([], |row| {
        let blob: Vec<u8> = row.get(6)?;
        let position = whole(row, 0)?;
        let decisions = decode(&blob).map_err(|error| format!("batch {position}: {error}"));
        let (event, chain) = (Uuid::from_bytes(row.get(1)?), row.get(5)?);
        let (first_seq, last_seq, epoch) = (whole(row, 2)?, whole(row, 3)?, whole(row, 4)?);
        Ok(decisions.map(|decisions| Batch {
            position,
            event,
            first_seq,
            last_seq,
            epoch,
            chain,
            blob,
            decisions,
        }))
    })?;
    rows.collect()
}

fn headers(file: &Connection) -> Read<BTreeMap<Uuid, Header>> {
    let mut statement = file.prepare(
        "SELECT event, seq, chain, booked, held, waitlisted, waitlist_entries, capacity, version \
         FROM header",
    )?;
    let rows = statement.query_map([], |row| {
        let header = Header {
            seq: whole(row, 1)?,
            chain: row.get(2)?,
            booked: whole(row, 3)?,
            held: whole(row, 4)?,
            waitlisted: whole(row, 5)?,
            waitlist_entries: whole(row, 6)?,
            capacity: whole(row, 7)?,
            version: whole(row, 8)?,
        };
        Ok((Uuid::from_bytes(row.get(0)?), header))
    })?;
    rows.collect()
}

/// A figure that is never negative; SQLite knows none of these.
fn whole(row: &Row<'_>, column: usize) -> Read<u64> {
    let figure: i64 = row.get(column)?;
    u64::try_from(figure).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, figure))
}

fn decode(blob: &[u8]) -> Result<Vec<Decision>, String> {
    let entries = storage::record::decode(blob).map_err(|error| error.to_string())?;
    Ok(entries
        .into_iter()
        .map(|entry| Decision {
            at: entry.at.millis(),
            key: entry.answered.map(|answered| answered.key.digest.0),
            facts: entry.events.iter().map(fact).collect(),
        })
        .collect())
}

fn fact(event: &BookingEvent) -> Fact {
    match event {
        BookingEvent::EventOpened { terms, .. } => Fact::Opened(own(terms)),
        BookingEvent::EventChanged { version, terms, .. } => Fact::Changed(*version, own(terms)),
        BookingEvent::EventCancelled { version, bookings } => {
            Fact::EventCancelled(*version, *bookings)
        }
        BookingEvent::BookingConfirmed { user, quantity, hold } => {
            Fact::Confirmed(Uuid::from_bytes(user.bytes()), quantity.get(), hold.as_ref().map(held))
        }
        BookingEvent::BookingWaitlisted { user, quantity } => {
            Fact::Waitlisted(Uuid::from_bytes(user.bytes()), quantity.get())
        }
        BookingEvent::BookingPromoted { booking } => Fact::Promoted(booked(booking)),
        BookingEvent::BookingCancelled { booking, was, cause } => {
            let was = match was {
                engine::Was::Confirmed => Was::Confirmed,
                engine::Was::Waitlisted => Was::Waitlisted,
            };
            let cause = match cause {
                engine::Cause::User => Cause::User,
                engine::Cause::Expiry => Cause::Expiry,
                engine::Cause::Capacity => Cause::Capacity,
            };
            Fact::Cancelled(booked(booking), was, cause)
        }
        BookingEvent::HoldPlaced { user, quantity, .. } => {
            Fact::HoldPlaced(Uuid::from_bytes(user.bytes()), quantity.get())
        }
        BookingEvent::HoldChanged { hold, .. } => Fact::HoldChanged(held(hold)),
        BookingEvent::HoldEnded { hold, .. } => Fact::HoldEnded(held(hold)),
    }
}

fn own(terms: &engine::Terms) -> Terms {
    Terms {
        capacity: terms.capacity,
        ends_at: terms.ends_at.millis(),
        active: terms.active,
        waitlist: terms.waitlist,
    }
}

fn booked(booking: &BookingRef) -> Named {
    Named {
        seq: booking.seq.0,
        user: Uuid::from_bytes(booking.user.bytes()),
        quantity: booking.quantity.get(),
    }
}

fn held(hold: &HoldRef) -> Named {
    Named {
        seq: hold.seq.0,
        user: Uuid::from_bytes(hold.user.bytes()),
        quantity: hold.quantity.get(),
    }
}
