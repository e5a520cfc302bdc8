//! Version 1 of the stored form.
//!
//! ```text
//! entry    = flags · at (signed, after the previous entry's) · [key] · events · [reply]
//! key      = digest (16) · fingerprint (8) · [principal (16)]
//! events   = count (varint) · that many booking events: kind (1 byte) · its fields
//! ```
//!
//! A reply that follows from the entry's first booking event and its time is not stored:
//! a plain booking with its key takes about 45 bytes. Whether it follows is decided by
//! comparing, so decoding gives back exactly what was encoded, whatever the engine does.

use std::sync::Arc;

use engine::{
    Answered, Booking, BookingEvent, BookingReply, BookingStatus, CommandId, Entry, EventReply,
    Fingerprint, Hold, HoldReply, Key, KeyOrigin, Reply, Seq, Timestamp, UserId,
};

use super::bytes::{Damage, Reader, put_signed, put_varint};

mod events;
mod replies;
pub(super) mod snapshot;

/// The first byte of a blob of this version.
pub const VERSION: u8 = 1;

/// There is a key in the entry.
const ANSWERED: u8 = 1;
/// The edge made the key.
const EDGE: u8 = 1 << 1;
/// The principal is whom the first booking event is about, and not stored.
const SAME_PRINCIPAL: u8 = 1 << 2;
/// The reply follows from the first booking event, and is not stored.
const SAME_REPLY: u8 = 1 << 3;
/// It follows but for the position in the queue, which alone is stored.
const SAME_BUT_POSITION: u8 = 1 << 4;
const KNOWN_FLAGS: u8 = ANSWERED | EDGE | SAME_PRINCIPAL | SAME_REPLY | SAME_BUT_POSITION;

/// Grows a blob by one entry at a time.
#[derive(Debug, Clone)]
pub struct Encoder {
    bytes: Vec<u8>,
    head: usize,
    next_seq: Seq,
    last_at: Timestamp,
}

impl Encoder {
    /// A blob without entries yet; the first booking event will have `first_seq`.
    #[must_use]
    pub fn new(first_seq: Seq) -> Self {
        let mut bytes = vec![VERSION];
        put_varint(&mut bytes, first_seq.0);
        Self { head: bytes.len(), bytes, next_seq: first_seq, last_at: Timestamp::EPOCH }
    }

    /// Append the next entry.
    pub fn append(&mut self, entry: &Entry) {
        let plan = entry.answered.as_ref().map(|answered| Plan::of(answered, entry, self.next_seq));
        self.bytes.push(plan.as_ref().map_or(0, |plan| plan.flags));
        put_signed(&mut self.bytes, entry.at.millis().wrapping_sub(self.last_at.millis()));
        if let (Some(answered), Some(plan)) = (&entry.answered, &plan) {
            self.bytes.extend_from_slice(&answered.key.digest.0);
            self.bytes.extend_from_slice(&answered.key.fingerprint.0);
            if plan.flags & SAME_PRINCIPAL == 0 {
                self.bytes.extend_from_slice(&answered.principal.0);
            }
        }
        put_varint(&mut self.bytes, entry.events.len() as u64);
        for event in &entry.events {
            events::put(&mut self.bytes, event, self.next_seq, entry.at);
            self.next_seq = Seq(self.next_seq.0.wrapping_add(1));
        }
        if let (Some(answered), Some(plan)) = (&entry.answered, &plan) {
            match plan.position {
                Some(position) => put_varint(&mut self.bytes, u64::from(position)),
                None if plan.flags & SAME_REPLY == 0 => {
                    replies::put(&mut self.bytes, &answered.reply);
                }
                None => {}
            }
        }
        self.last_at = entry.at;
    }

    /// Bytes so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no entry has been appended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.len() == self.head
    }

    /// The seq that the next booking event will have.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// The blob.
    #[must_use]
    pub fn finish(self) -> Arc<[u8]> {
        Arc::from(self.bytes)
    }
}

/// How a key's outcome is written: what of it follows from the entry.
struct Plan {
    flags: u8,
    position: Option<u32>,
}

impl Plan {
    fn of(answered: &Answered, entry: &Entry, first_seq: Seq) -> Self {
        let mut plan = Self { flags: ANSWERED, position: None };
        if answered.key.origin == KeyOrigin::Edge {
            plan.flags |= EDGE;
        }
        let Some(event) = entry.events.first() else { return plan };
        if subject(event) == Some(answered.principal) {
            plan.flags |= SAME_PRINCIPAL;
        }
        let following = following_reply(event, first_seq, entry.at);
        if following.as_ref() == Some(&answered.reply) {
            plan.flags |= SAME_REPLY;
        } else if let (Some(Reply::Booking(following)), Reply::Booking(actual)) =
            (following, &answered.reply)
            && following.booking == actual.booking
            && let Some(position) = actual.waitlist_position
        {
            plan.flags |= SAME_BUT_POSITION;
            plan.position = Some(position);
        }
        plan
    }
}

/// The person that a booking event is about, if it names one.
const fn subject(event: &BookingEvent) -> Option<UserId> {
    match event {
        BookingEvent::EventOpened { organizer, .. } => Some(*organizer),
        BookingEvent::BookingConfirmed { user, .. }
        | BookingEvent::BookingWaitlisted { user, .. }
        | BookingEvent::HoldPlaced { user, .. } => Some(*user),
        BookingEvent::BookingPromoted { booking }
        | BookingEvent::BookingCancelled { booking, .. } => Some(booking.user),
        BookingEvent::HoldChanged { hold, .. } | BookingEvent::HoldEnded { hold, .. } => {
            Some(hold.user)
        }
        BookingEvent::EventChanged { .. } | BookingEvent::EventCancelled { .. } => None,
    }
}

/// The reply that usually goes with a booking event. Part of the format: it may not
/// change, even where the engine's replies do.
fn following_reply(event: &BookingEvent, seq: Seq, at: Timestamp) -> Option<Reply> {
    let of_event = |version, cancelled_bookings| {
        Some(Reply::Event(EventReply { version, seq, at, cancelled_bookings }))
    };
    let of_booking = |seq, user, quantity, made_at, status| {
        let booking = Booking { seq, user, quantity, status, made_at, changed_at: at };
        Some(Reply::Booking(BookingReply { booking, waitlist_position: None }))
    };
    match *event {
        BookingEvent::EventOpened { .. } => of_event(1, 0),
        BookingEvent::EventChanged { version, .. } => of_event(version, 0),
        BookingEvent::EventCancelled { version, bookings } => of_event(version, bookings),
        BookingEvent::BookingConfirmed { user, quantity, .. } => {
            of_booking(seq, user, quantity, at, BookingStatus::Confirmed)
        }
        BookingEvent::BookingWaitlisted { user, quantity } => {
            of_booking(seq, user, quantity, at, BookingStatus::Waitlisted)
        }
        BookingEvent::BookingCancelled { booking: b, .. } => {
            of_booking(b.seq, b.user, b.quantity, b.made_at, BookingStatus::Cancelled)
        }
        BookingEvent::HoldPlaced { user, quantity, expires_at, .. } => {
            let hold = Hold { seq, user, quantity, made_at: at, expires_at, extensions: 0 };
            Some(Reply::Hold(HoldReply { hold, open: true }))
        }
        BookingEvent::HoldChanged { hold: h, expires_at, extensions, .. } => {
            let hold = Hold {
                seq: h.seq,
                user: h.user,
                quantity: h.quantity,
                made_at: h.made_at,
                expires_at,
                extensions,
            };
            Some(Reply::Hold(HoldReply { hold, open: true }))
        }
        BookingEvent::BookingPromoted { .. } | BookingEvent::HoldEnded { .. } => None,
    }
}

/// The entries after the version byte.
pub(super) fn decode_entries(reader: &mut Reader<'_>) -> Result<Vec<Entry>, Damage> {
    let mut next_seq = Seq(reader.varint()?);
    let mut last_at = Timestamp::EPOCH;
    let mut entries = Vec::new();
    while !reader.is_empty() {
        let entry = decode_entry(reader, next_seq, last_at)?;
        next_seq = Seq(next_seq.0.wrapping_add(entry.events.len() as u64));
        last_at = entry.at;
        entries.push(entry);
    }
    Ok(entries)
}

fn decode_entry(r: &mut Reader<'_>, first_seq: Seq, last_at: Timestamp) -> Result<Entry, Damage> {
    let flags = r.byte()?;
    let answered = flags & ANSWERED != 0;
    let both = SAME_REPLY | SAME_BUT_POSITION;
    if flags & !KNOWN_FLAGS != 0 || flags & both == both || (!answered && flags != 0) {
        return Err(Damage("has flags that contradict themselves"));
    }
    let at = Timestamp::from_millis(last_at.millis().wrapping_add(r.signed()?));
    let key = if answered { Some(decode_key(r, flags)?) } else { None };

    // Nothing is reserved by the count: whoever claims more than is there runs out of bytes.
    let count = r.varint()?;
    let mut events = Vec::new();
    for n in 0..count {
        events.push(events::take(r, Seq(first_seq.0.wrapping_add(n)), at)?);
    }
    let Some((key, principal)) = key else {
        return Ok(Entry { at, answered: None, events });
    };
    let Some(principal) = principal.or_else(|| events.first().and_then(subject)) else {
        return Err(Damage("leaves out a principal that does not follow"));
    };
    let following = events.first().and_then(|event| following_reply(event, first_seq, at));
    let reply = if flags & SAME_REPLY != 0 {
        following.ok_or(Damage("leaves out a reply that does not follow"))?
    } else if flags & SAME_BUT_POSITION != 0 {
        let Some(Reply::Booking(reply)) = following else {
            return Err(Damage("leaves out a reply that does not follow"));
        };
        Reply::Booking(BookingReply { waitlist_position: Some(r.varint_u32()?), ..reply })
    } else {
        replies::take(r)?
    };
    Ok(Entry { at, answered: Some(Answered { key, principal, reply }), events })
}

fn decode_key(r: &mut Reader<'_>, flags: u8) -> Result<(Key, Option<UserId>), Damage> {
    let key = Key {
        digest: CommandId(r.array()?),
        fingerprint: Fingerprint(r.array()?),
        origin: if flags & EDGE == 0 { KeyOrigin::Client } else { KeyOrigin::Edge },
    };
    let principal = if flags & SAME_PRINCIPAL == 0 { Some(UserId(r.array()?)) } else { None };
    Ok((key, principal))
}
