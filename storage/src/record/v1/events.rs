//! Booking events, version 1. Sequence numbers are stored as the way back from the
//! booking event's own, times as the way from its decision's.

use engine::{
    BookingEvent, BookingRef, Cause, HoldRef, Seats, Seq, Terms, Timestamp, UserId, Was, Words,
};

use crate::record::bytes::{Damage, Reader, put_bytes, put_signed, put_varint};

const EVENT_OPENED: u8 = 1;
const EVENT_CHANGED: u8 = 2;
const EVENT_CANCELLED: u8 = 3;
const BOOKING_CONFIRMED: u8 = 4;
const BOOKING_CONFIRMED_FROM_HOLD: u8 = 5;
const BOOKING_WAITLISTED: u8 = 6;
const BOOKING_PROMOTED: u8 = 7;
const BOOKING_CANCELLED: u8 = 8;
const HOLD_PLACED: u8 = 9;
const HOLD_CHANGED: u8 = 10;
const HOLD_CHANGED_WITH_DETAILS: u8 = 11;
const HOLD_ENDED: u8 = 12;

const ACTIVE: u8 = 1;
const WAITLIST: u8 = 1 << 1;

pub(super) fn put(out: &mut Vec<u8>, event: &BookingEvent, seq: Seq, at: Timestamp) {
    match event {
        BookingEvent::EventOpened { organizer, terms, words } => {
            out.push(EVENT_OPENED);
            out.extend_from_slice(&organizer.0);
            put_terms(out, terms, at);
            put_bytes(out, &words.0);
        }
        BookingEvent::EventChanged { version, terms, words } => {
            out.push(EVENT_CHANGED);
            put_varint(out, u64::from(*version));
            put_terms(out, terms, at);
            put_bytes(out, &words.0);
        }
        BookingEvent::EventCancelled { version, bookings } => {
            out.push(EVENT_CANCELLED);
            put_varint(out, u64::from(*version));
            put_varint(out, u64::from(*bookings));
        }
        BookingEvent::BookingConfirmed { user, quantity, hold } => {
            let kind = if hold.is_some() { BOOKING_CONFIRMED_FROM_HOLD } else { BOOKING_CONFIRMED };
            put_who(out, kind, *user, *quantity);
            if let Some(hold) = hold {
                put_hold(out, hold, seq, at);
            }
        }
        BookingEvent::BookingWaitlisted { user, quantity } => {
            put_who(out, BOOKING_WAITLISTED, *user, *quantity);
        }
        BookingEvent::BookingPromoted { booking } => {
            out.push(BOOKING_PROMOTED);
            put_booking(out, booking, seq, at);
        }
        BookingEvent::BookingCancelled { booking, was, cause } => {
            out.push(BOOKING_CANCELLED);
            put_booking(out, booking, seq, at);
            out.push(match was {
                Was::Confirmed => 0,
                Was::Waitlisted => 1,
            });
            out.push(put_cause(*cause));
        }
        BookingEvent::HoldPlaced { user, quantity, expires_at, details } => {
            put_who(out, HOLD_PLACED, *user, *quantity);
            put_time(out, *expires_at, at);
            put_bytes(out, &details.0);
        }
        BookingEvent::HoldChanged { hold, expires_at, extensions, details } => {
            let with = details.is_some();
            out.push(if with { HOLD_CHANGED_WITH_DETAILS } else { HOLD_CHANGED });
            put_hold(out, hold, seq, at);
            put_time(out, *expires_at, at);
            out.push(*extensions);
            if let Some(details) = details {
                put_bytes(out, &details.0);
            }
        }
        BookingEvent::HoldEnded { hold, cause } => {
            out.push(HOLD_ENDED);
            put_hold(out, hold, seq, at);
            out.push(put_cause(*cause));
        }
    }
}

pub(super) fn take(r: &mut Reader<'_>, seq: Seq, at: Timestamp) -> Result<BookingEvent, Damage> {
    let kind = r.byte()?;
    Ok(match kind {
        EVENT_OPENED => BookingEvent::EventOpened {
            organizer: UserId(r.array()?),
            terms: take_terms(r, at)?,
            words: Words::new(r.bytes()?),
        },
        EVENT_CHANGED => BookingEvent::EventChanged {
            version: r.varint_u32()?,
            terms: take_terms(r, at)?,
            words: Words::new(r.bytes()?),
        },
        EVENT_CANCELLED => {
            BookingEvent::EventCancelled { version: r.varint_u32()?, bookings: r.varint_u32()? }
        }
        BOOKING_CONFIRMED | BOOKING_CONFIRMED_FROM_HOLD => BookingEvent::BookingConfirmed {
            user: UserId(r.array()?),
            quantity: take_seats(r)?,
            hold: if kind == BOOKING_CONFIRMED { None } else { Some(take_hold(r, seq, at)?) },
        },
        BOOKING_WAITLISTED => {
            BookingEvent::BookingWaitlisted { user: UserId(r.array()?), quantity: take_seats(r)? }
        }
        BOOKING_PROMOTED => BookingEvent::BookingPromoted { booking: take_booking(r, seq, at)? },
        BOOKING_CANCELLED => BookingEvent::BookingCancelled {
            booking: take_booking(r, seq, at)?,
            was: match r.byte()? {
                0 => Was::Confirmed,
                1 => Was::Waitlisted,
                _ => return Err(Damage("names a status that does not exist")),
            },
            cause: take_cause(r)?,
        },
        HOLD_PLACED => BookingEvent::HoldPlaced {
            user: UserId(r.array()?),
            quantity: take_seats(r)?,
            expires_at: take_time(r, at)?,
            details: Words::new(r.bytes()?),
        },
        HOLD_CHANGED | HOLD_CHANGED_WITH_DETAILS => BookingEvent::HoldChanged {
            hold: take_hold(r, seq, at)?,
            expires_at: take_time(r, at)?,
            extensions: r.byte()?,
            details: if kind == HOLD_CHANGED { None } else { Some(Words::new(r.bytes()?)) },
        },
        HOLD_ENDED => {
            BookingEvent::HoldEnded { hold: take_hold(r, seq, at)?, cause: take_cause(r)? }
        }
        _ => return Err(Damage("has a booking event of a kind that does not exist")),
    })
}

fn put_who(out: &mut Vec<u8>, kind: u8, user: UserId, quantity: Seats) {
    out.push(kind);
    out.extend_from_slice(&user.0);
    put_varint(out, u64::from(quantity.get()));
}

pub(super) fn take_seats(r: &mut Reader<'_>) -> Result<Seats, Damage> {
    Seats::new(r.varint_u32()?).ok_or(Damage("has zero places where there must be some"))
}

/// Times lie near that of their decision; the difference wraps so that every pair of
/// times has one.
fn put_time(out: &mut Vec<u8>, time: Timestamp, at: Timestamp) {
    put_signed(out, time.millis().wrapping_sub(at.millis()));
}

fn take_time(r: &mut Reader<'_>, at: Timestamp) -> Result<Timestamp, Damage> {
    Ok(Timestamp::from_millis(at.millis().wrapping_add(r.signed()?)))
}

fn put_ref(out: &mut Vec<u8>, own: Seq, at: Timestamp, parts: (Seq, Timestamp, UserId, Seats)) {
    let (seq, made_at, user, quantity) = parts;
    put_varint(out, own.0.wrapping_sub(seq.0));
    put_time(out, made_at, at);
    out.extend_from_slice(&user.0);
    put_varint(out, u64::from(quantity.get()));
}

fn take_ref(
    r: &mut Reader<'_>,
    own: Seq,
    at: Timestamp,
) -> Result<(Seq, Timestamp, UserId, Seats), Damage> {
    let seq = Seq(own.0.wrapping_sub(r.varint()?));
    Ok((seq, take_time(r, at)?, UserId(r.array()?), take_seats(r)?))
}

fn put_booking(out: &mut Vec<u8>, b: &BookingRef, own: Seq, at: Timestamp) {
    put_ref(out, own, at, (b.seq, b.made_at, b.user, b.quantity));
}

fn take_booking(r: &mut Reader<'_>, own: Seq, at: Timestamp) -> Result<BookingRef, Damage> {
    let (seq, made_at, user, quantity) = take_ref(r, own, at)?;
    Ok(BookingRef { seq, made_at, user, quantity })
}

fn put_hold(out: &mut Vec<u8>, h: &HoldRef, own: Seq, at: Timestamp) {
    put_ref(out, own, at, (h.seq, h.made_at, h.user, h.quantity));
}

fn take_hold(r: &mut Reader<'_>, own: Seq, at: Timestamp) -> Result<HoldRef, Damage> {
    let (seq, made_at, user, quantity) = take_ref(r, own, at)?;
    Ok(HoldRef { seq, made_at, user, quantity })
}

const fn put_cause(cause: Cause) -> u8 {
    match cause {
        Cause::User => 0,
        Cause::Expiry => 1,
        Cause::Capacity => 2,
    }
}

fn take_cause(r: &mut Reader<'_>) -> Result<Cause, Damage> {
    Ok(match r.byte()? {
        0 => Cause::User,
        1 => Cause::Expiry,
        2 => Cause::Capacity,
        _ => return Err(Damage("names a cause that does not exist")),
    })
}

pub(super) fn put_terms(out: &mut Vec<u8>, terms: &Terms, at: Timestamp) {
    put_varint(out, u64::from(terms.capacity));
    put_time(out, terms.opens_at, at);
    put_time(out, terms.closes_at, at);
    put_time(out, terms.ends_at, at);
    let active = if terms.active { ACTIVE } else { 0 };
    let waitlist = if terms.waitlist { WAITLIST } else { 0 };
    out.push(active | waitlist);
    put_varint(out, u64::from(terms.max_per_booking.get()));
}

pub(super) fn take_terms(r: &mut Reader<'_>, at: Timestamp) -> Result<Terms, Damage> {
    let capacity = r.varint_u32()?;
    let opens_at = take_time(r, at)?;
    let closes_at = take_time(r, at)?;
    let ends_at = take_time(r, at)?;
    let switches = r.byte()?;
    if switches & !(ACTIVE | WAITLIST) != 0 {
        return Err(Damage("has terms with switches that do not exist"));
    }
    Ok(Terms {
        capacity,
        opens_at,
        closes_at,
        ends_at,
        active: switches & ACTIVE != 0,
        waitlist: switches & WAITLIST != 0,
        max_per_booking: take_seats(r)?,
    })
}
