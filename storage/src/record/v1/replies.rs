//! Replies that do not follow from their entry, version 1.

use engine::{
    Booking, BookingReply, BookingStatus, EventReply, Hold, HoldReply, Reply, Seats, Seq,
    Timestamp, UserId,
};

use crate::record::bytes::{Damage, Reader, put_signed, put_varint};

const EVENT: u8 = 1;
const BOOKING: u8 = 2;
const BOOKING_WITH_POSITION: u8 = 3;
const HOLD: u8 = 4;
const RAN: u8 = 5;

pub(super) fn put(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Event(EventReply { version, seq, at, cancelled_bookings }) => {
            out.push(EVENT);
            put_varint(out, u64::from(*version));
            put_varint(out, seq.0);
            put_signed(out, at.millis());
            put_varint(out, u64::from(*cancelled_bookings));
        }
        Reply::Booking(BookingReply { booking, waitlist_position }) => {
            let with = waitlist_position.is_some();
            out.push(if with { BOOKING_WITH_POSITION } else { BOOKING });
            put_whose(out, booking.seq, booking.user, booking.quantity);
            out.push(match booking.status {
                BookingStatus::Confirmed => 0,
                BookingStatus::Waitlisted => 1,
                BookingStatus::Cancelled => 2,
            });
            put_signed(out, booking.made_at.millis());
            put_signed(out, booking.changed_at.millis());
            if let Some(position) = waitlist_position {
                put_varint(out, u64::from(*position));
            }
        }
        Reply::Hold(HoldReply { hold, open }) => {
            out.push(HOLD);
            put_whose(out, hold.seq, hold.user, hold.quantity);
            put_signed(out, hold.made_at.millis());
            put_signed(out, hold.expires_at.millis());
            out.push(hold.extensions);
            out.push(u8::from(*open));
        }
        Reply::Ran => out.push(RAN),
    }
}

pub(super) fn take(r: &mut Reader<'_>) -> Result<Reply, Damage> {
    let kind = r.byte()?;
    Ok(match kind {
        EVENT => Reply::Event(EventReply {
            version: r.varint_u32()?,
            seq: Seq(r.varint()?),
            at: take_time(r)?,
            cancelled_bookings: r.varint_u32()?,
        }),
        BOOKING | BOOKING_WITH_POSITION => {
            let (seq, user, quantity) = take_whose(r)?;
            let status = match r.byte()? {
                0 => BookingStatus::Confirmed,
                1 => BookingStatus::Waitlisted,
                2 => BookingStatus::Cancelled,
                _ => return Err(Damage("names a status that does not exist")),
            };
            let (made_at, changed_at) = (take_time(r)?, take_time(r)?);
            let booking = Booking { seq, user, quantity, status, made_at, changed_at };
            let waitlist_position = if kind == BOOKING { None } else { Some(r.varint_u32()?) };
            Reply::Booking(BookingReply { booking, waitlist_position })
        }
        HOLD => {
            let (seq, user, quantity) = take_whose(r)?;
            let (made_at, expires_at) = (take_time(r)?, take_time(r)?);
            let extensions = r.byte()?;
            let open = match r.byte()? {
                0 => false,
                1 => true,
                _ => return Err(Damage("has a switch that is neither on nor off")),
            };
            let hold = Hold { seq, user, quantity, made_at, expires_at, extensions };
            Reply::Hold(HoldReply { hold, open })
        }
        RAN => Reply::Ran,
        _ => return Err(Damage("has a reply of a kind that does not exist")),
    })
}

fn put_whose(out: &mut Vec<u8>, seq: Seq, user: UserId, quantity: Seats) {
    put_varint(out, seq.0);
    out.extend_from_slice(&user.0);
    put_varint(out, u64::from(quantity.get()));
}

fn take_whose(r: &mut Reader<'_>) -> Result<(Seq, UserId, Seats), Damage> {
    let seq = Seq(r.varint()?);
    let user = UserId(r.array()?);
    let quantity =
        Seats::new(r.varint_u32()?).ok_or(Damage("has zero places where there must be some"))?;
    Ok((seq, user, quantity))
}

fn take_time(r: &mut Reader<'_>) -> Result<Timestamp, Damage> {
    Ok(Timestamp::from_millis(r.signed()?))
}
