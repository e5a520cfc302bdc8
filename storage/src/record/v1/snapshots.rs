//! Snapshots, version 1.
//!
//! ```text
//! snapshot = version (1 byte) · event (16) · seq · phase · version of the event · last time
//!            · has terms · [organizer (16) · terms]
//!            · bookings · holds · expired holds · keys   (each: count, then that many)
//! ```
//!
//! Sequence numbers are stored as the way back from the snapshot's own, times as the way
//! from its last time.

use engine::{
    Answered, Booking, BookingStatus, CommandId, EventId, ExpiredHold, Fingerprint, Hold, Key,
    KeyOrigin, Phase, RememberedKey, Seq, Snapshot, Timestamp, UserId,
};

use super::{events, replies};
use crate::record::bytes::{Damage, Reader, put_signed, put_varint};

pub(super) fn put(out: &mut Vec<u8>, snapshot: &Snapshot) {
    let (seq, at) = (snapshot.seq, snapshot.last_time);
    out.extend_from_slice(&snapshot.event.0);
    put_varint(out, seq.0);
    out.push(match snapshot.phase {
        Phase::Unopened => 0,
        Phase::Open => 1,
        Phase::Cancelled => 2,
    });
    put_varint(out, u64::from(snapshot.version));
    put_signed(out, at.millis());
    match (&snapshot.organizer, &snapshot.terms) {
        (Some(organizer), Some(terms)) => {
            out.push(1);
            out.extend_from_slice(&organizer.0);
            events::put_terms(out, terms, at);
        }
        _ => out.push(0),
    }
    put_varint(out, snapshot.bookings.len() as u64);
    for booking in &snapshot.bookings {
        events::put_ref(
            out,
            seq,
            at,
            (booking.seq, booking.made_at, booking.user, booking.quantity),
        );
        out.push(u8::from(booking.status == BookingStatus::Waitlisted));
        events::put_time(out, booking.changed_at, at);
    }
    put_varint(out, snapshot.holds.len() as u64);
    for hold in &snapshot.holds {
        events::put_ref(out, seq, at, (hold.seq, hold.made_at, hold.user, hold.quantity));
        events::put_time(out, hold.expires_at, at);
        out.push(hold.extensions);
    }
    put_varint(out, snapshot.expired.len() as u64);
    for ExpiredHold { hold, ended_at } in &snapshot.expired {
        events::put_hold(out, hold, seq, at);
        events::put_time(out, *ended_at, at);
    }
    put_varint(out, snapshot.keys.len() as u64);
    for key in &snapshot.keys {
        put_key(out, key, at);
    }
}

fn put_key(out: &mut Vec<u8>, remembered: &RememberedKey, last: Timestamp) {
    let RememberedKey { at, answered: Answered { key, principal, reply } } = remembered;
    events::put_time(out, *at, last);
    out.extend_from_slice(&key.digest.0);
    out.extend_from_slice(&key.fingerprint.0);
    out.push(u8::from(key.origin == KeyOrigin::Edge));
    out.extend_from_slice(&principal.0);
    replies::put(out, reply);
}

/// A snapshot after its version byte. Whether it keeps the laws is for the engine to say.
pub(super) fn take(r: &mut Reader<'_>) -> Result<Snapshot, Damage> {
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
    let (organizer, terms) = if take_switch(r)? {
        (Some(UserId(r.array()?)), Some(events::take_terms(r, last_time)?))
    } else {
        (None, None)
    };
    let bookings = take_many(r, |r| take_booking(r, seq, last_time))?;
    let holds = take_many(r, |r| take_hold(r, seq, last_time))?;
    let expired = take_many(r, |r| {
        let hold = events::take_hold(r, seq, last_time)?;
        Ok(ExpiredHold { hold, ended_at: events::take_time(r, last_time)? })
    })?;
    let keys = take_many(r, |r| take_key(r, last_time))?;
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

/// Nothing is reserved by the count: whoever claims more than is there runs out of bytes.
fn take_many<T>(
    r: &mut Reader<'_>,
    take: impl Fn(&mut Reader<'_>) -> Result<T, Damage>,
) -> Result<Vec<T>, Damage> {
    let count = r.varint()?;
    let mut many = Vec::new();
    for _ in 0..count {
        many.push(take(r)?);
    }
    Ok(many)
}

fn take_booking(r: &mut Reader<'_>, own: Seq, at: Timestamp) -> Result<Booking, Damage> {
    let (seq, made_at, user, quantity) = events::take_ref(r, own, at)?;
    let status = if take_switch(r)? { BookingStatus::Waitlisted } else { BookingStatus::Confirmed };
    let changed_at = events::take_time(r, at)?;
    Ok(Booking { seq, user, quantity, status, made_at, changed_at })
}

fn take_hold(r: &mut Reader<'_>, own: Seq, at: Timestamp) -> Result<Hold, Damage> {
    let (seq, made_at, user, quantity) = events::take_ref(r, own, at)?;
    let expires_at = events::take_time(r, at)?;
    Ok(Hold { seq, user, quantity, made_at, expires_at, extensions: r.byte()? })
}

fn take_key(r: &mut Reader<'_>, last: Timestamp) -> Result<RememberedKey, Damage> {
    let at = events::take_time(r, last)?;
    let (digest, fingerprint) = (CommandId(r.array()?), Fingerprint(r.array()?));
    let origin = if take_switch(r)? { KeyOrigin::Edge } else { KeyOrigin::Client };
    let principal = UserId(r.array()?);
    let key = Key { digest, fingerprint, origin };
    Ok(RememberedKey { at, answered: Answered { key, principal, reply: replies::take(r)? } })
}

fn take_switch(r: &mut Reader<'_>) -> Result<bool, Damage> {
    match r.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Damage("has a switch that is neither on nor off")),
    }
}
