//! Snapshots, version 1.
//!
//! ```text
//! snapshot = event (16) · seq · phase · version · last time
//!          · parts (1 byte) · [organizer (16)] · [terms]
//!          · bookings · holds · expired holds · keys
//! ```
//!
//! Each list has its count in front. In lists, seq and time are stored as the way from
//! the row before: a booking takes about 22 bytes.

use engine::{
    Answered, Booking, BookingStatus, CommandId, EventId, ExpiredHold, Fingerprint, Hold, HoldRef,
    Key, KeyOrigin, Phase, RememberedKey, Reply, Seats, Seq, Snapshot, Timestamp, UserId,
};

use super::events::{put_terms, take_seats, take_terms};
use super::replies;
use crate::record::bytes::{Damage, Reader, put_signed, put_varint};

const ORGANIZER: u8 = 1;
const TERMS: u8 = 1 << 1;

const EDGE: u8 = 1;
const SAME_PRINCIPAL: u8 = 1 << 1;

pub(in crate::record) fn put(out: &mut Vec<u8>, snapshot: &Snapshot) {
    out.extend_from_slice(&snapshot.event.0);
    put_varint(out, snapshot.seq.0);
    out.push(match snapshot.phase {
        Phase::Unopened => 0,
        Phase::Open => 1,
        Phase::Cancelled => 2,
    });
    put_varint(out, u64::from(snapshot.version));
    put_signed(out, snapshot.last_time.millis());
    let organizer = if snapshot.organizer.is_some() { ORGANIZER } else { 0 };
    let terms = if snapshot.terms.is_some() { TERMS } else { 0 };
    out.push(organizer | terms);
    if let Some(organizer) = snapshot.organizer {
        out.extend_from_slice(&organizer.0);
    }
    if let Some(terms) = &snapshot.terms {
        put_terms(out, terms, snapshot.last_time);
    }
    let mut last = Last::default();
    put_varint(out, snapshot.bookings.len() as u64);
    for booking in &snapshot.bookings {
        last.put(out, booking.seq, booking.made_at, booking.user, booking.quantity);
        out.push(match booking.status {
            BookingStatus::Confirmed => 0,
            BookingStatus::Waitlisted => 1,
            BookingStatus::Cancelled => 2,
        });
        put_after(out, booking.changed_at, booking.made_at);
    }
    let mut last = Last::default();
    put_varint(out, snapshot.holds.len() as u64);
    for hold in &snapshot.holds {
        last.put(out, hold.seq, hold.made_at, hold.user, hold.quantity);
        put_after(out, hold.expires_at, hold.made_at);
        out.push(hold.extensions);
    }
    let mut last = Last::default();
    put_varint(out, snapshot.expired.len() as u64);
    for ExpiredHold { hold, ended_at } in &snapshot.expired {
        last.put(out, hold.seq, hold.made_at, hold.user, hold.quantity);
        put_after(out, *ended_at, hold.made_at);
    }
    let mut last_at = Timestamp::EPOCH;
    put_varint(out, snapshot.keys.len() as u64);
    for key in &snapshot.keys {
        put_key(out, key, last_at);
        last_at = key.at;
    }
}

pub(in crate::record) fn take(r: &mut Reader<'_>) -> Result<Snapshot, Damage> {
    let event = EventId(r.array()?);
    let seq = Seq(r.varint()?);
    let phase = match r.byte()? {
        0 => Phase::Unopened,
        1 => Phase::Open,
        2 => Phase::Cancelled,
        _ => return Err(Damage("names a phase that does not exist")),
    };
    let version = r.varint_u32()?;
    let last_time = Timestamp::from_millis(r.signed()?);
    let parts = r.byte()?;
    if parts & !(ORGANIZER | TERMS) != 0 {
        return Err(Damage("has parts that do not exist"));
    }
    let organizer = if parts & ORGANIZER == 0 { None } else { Some(UserId(r.array()?)) };
    let terms = if parts & TERMS == 0 { None } else { Some(take_terms(r, last_time)?) };
    let bookings = take_bookings(r)?;
    let holds = take_holds(r)?;
    let expired = take_expired(r)?;
    let mut keys: Vec<RememberedKey> = Vec::new();
    for _ in 0..r.varint()? {
        let last_at = keys.last().map_or(Timestamp::EPOCH, |key| key.at);
        keys.push(take_key(r, last_at)?);
    }
    if !r.is_empty() {
        return Err(Damage("goes on after its end"));
    }
    Ok(Snapshot {
        event,
        seq,
        phase,
        version,
        organizer,
        terms,
        last_time,
        bookings,
        holds,
        expired,
        keys,
    })
}

fn take_bookings(r: &mut Reader<'_>) -> Result<Vec<Booking>, Damage> {
    let (mut last, mut bookings) = (Last::default(), Vec::new());
    for _ in 0..r.varint()? {
        let (seq, made_at, user, quantity) = last.take(r)?;
        let status = match r.byte()? {
            0 => BookingStatus::Confirmed,
            1 => BookingStatus::Waitlisted,
            2 => BookingStatus::Cancelled,
            _ => return Err(Damage("names a status that does not exist")),
        };
        let changed_at = take_after(r, made_at)?;
        bookings.push(Booking { seq, user, quantity, status, made_at, changed_at });
    }
    Ok(bookings)
}

fn take_holds(r: &mut Reader<'_>) -> Result<Vec<Hold>, Damage> {
    let (mut last, mut holds) = (Last::default(), Vec::new());
    for _ in 0..r.varint()? {
        let (seq, made_at, user, quantity) = last.take(r)?;
        let expires_at = take_after(r, made_at)?;
        let extensions = r.byte()?;
        holds.push(Hold { seq, user, quantity, made_at, expires_at, extensions });
    }
    Ok(holds)
}

fn take_expired(r: &mut Reader<'_>) -> Result<Vec<ExpiredHold>, Damage> {
    let (mut last, mut expired) = (Last::default(), Vec::new());
    for _ in 0..r.varint()? {
        let (seq, made_at, user, quantity) = last.take(r)?;
        let ended_at = take_after(r, made_at)?;
        expired.push(ExpiredHold { hold: HoldRef { seq, made_at, user, quantity }, ended_at });
    }
    Ok(expired)
}

fn put_key(out: &mut Vec<u8>, key: &RememberedKey, last_at: Timestamp) {
    let Answered { key: Key { digest, fingerprint, origin }, principal, reply } = &key.answered;
    let edge = if *origin == KeyOrigin::Edge { EDGE } else { 0 };
    let same = if subject(reply) == Some(*principal) { SAME_PRINCIPAL } else { 0 };
    out.push(edge | same);
    put_after(out, key.at, last_at);
    out.extend_from_slice(&digest.0);
    out.extend_from_slice(&fingerprint.0);
    if same == 0 {
        out.extend_from_slice(&principal.0);
    }
    replies::put(out, reply);
}

fn take_key(r: &mut Reader<'_>, last_at: Timestamp) -> Result<RememberedKey, Damage> {
    let flags = r.byte()?;
    if flags & !(EDGE | SAME_PRINCIPAL) != 0 {
        return Err(Damage("has a key with flags that do not exist"));
    }
    let at = take_after(r, last_at)?;
    let key = Key {
        digest: CommandId(r.array()?),
        fingerprint: Fingerprint(r.array()?),
        origin: if flags & EDGE == 0 { KeyOrigin::Client } else { KeyOrigin::Edge },
    };
    let principal = if flags & SAME_PRINCIPAL == 0 { Some(UserId(r.array()?)) } else { None };
    let reply = replies::take(r)?;
    let principal = principal
        .or_else(|| subject(&reply))
        .ok_or(Damage("leaves out a principal that does not follow"))?;
    Ok(RememberedKey { at, answered: Answered { key, principal, reply } })
}

/// Whom a reply is about.
const fn subject(reply: &Reply) -> Option<UserId> {
    match reply {
        Reply::Booking(reply) => Some(reply.booking.user),
        Reply::Hold(reply) => Some(reply.hold.user),
        Reply::Event(_) | Reply::Ran => None,
    }
}

/// Seq and time of the row before.
#[derive(Default)]
struct Last {
    seq: Seq,
    at: Timestamp,
}

impl Last {
    fn put(&mut self, out: &mut Vec<u8>, seq: Seq, at: Timestamp, user: UserId, quantity: Seats) {
        put_varint(out, seq.0.wrapping_sub(self.seq.0));
        put_after(out, at, self.at);
        out.extend_from_slice(&user.0);
        put_varint(out, u64::from(quantity.get()));
        *self = Self { seq, at };
    }

    fn take(&mut self, r: &mut Reader<'_>) -> Result<(Seq, Timestamp, UserId, Seats), Damage> {
        self.seq = Seq(self.seq.0.wrapping_add(r.varint()?));
        self.at = take_after(r, self.at)?;
        Ok((self.seq, self.at, UserId(r.array()?), take_seats(r)?))
    }
}

fn put_after(out: &mut Vec<u8>, time: Timestamp, before: Timestamp) {
    put_signed(out, time.millis().wrapping_sub(before.millis()));
}

fn take_after(r: &mut Reader<'_>, before: Timestamp) -> Result<Timestamp, Damage> {
    Ok(Timestamp::from_millis(before.millis().wrapping_add(r.signed()?)))
}
