//! Rows of notices as values.

use engine::{BookingId, EventId, Seq, UserId};
use rusqlite::Row;
use rusqlite::types::Type;
use storage::Era;
use storage::notices::{
    Announcement, Attendee, Audience, EventNote, Notice, NoticeId, NoticeKind, NoticeStatus, Reach,
    Reminder, StoredTemplate,
};

use crate::value::{count, seats, status, time};

/// What is read of a notice.
pub(super) const NOTICE: &str = "id, user, kind, event, booking, subject, text, html, status, \
     reason, attempts, created_at, next_at, sent_at, unclear, tried_since";

/// What is read of an event.
pub(super) const EVENT: &str =
    "id, organizer, version, title, location, starts_at, ends_at, timezone, cancelled";

/// What is read of somebody with a booking.
pub(super) const ATTENDEE: &str = "event, user, booking, quantity, status, since, era, stamp";

/// How a reach is stored.
pub(super) const fn reach_number(reach: Reach) -> u8 {
    match reach {
        Reach::Person => 0,
        Reach::Crowd => 1,
    }
}

/// What is read of a reminder.
pub(super) const REMINDER: &str = "event, span_s, due_at, starts_at, done";

/// What is read of an organizer's message.
pub(super) const ANNOUNCEMENT: &str = "id, event, sender, audience, subject, message, key, \
     fingerprint, created_at, recipients";

fn word<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let unknown = || rusqlite::Error::InvalidColumnType(column, text.clone(), Type::Text);
    parse(&text).ok_or_else(unknown)
}

pub(super) fn notice(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        id: NoticeId(row.get(0)?),
        user: UserId(row.get(1)?),
        kind: word(row, 2, NoticeKind::parse)?,
        event: EventId(row.get(3)?),
        booking: row.get::<_, Option<_>>(4)?.map(BookingId),
        subject: row.get(5)?,
        text: row.get(6)?,
        html: row.get(7)?,
        status: word(row, 8, NoticeStatus::parse)?,
        reason: row.get(9)?,
        attempts: row.get(10)?,
        created_at: time(row, 11)?,
        next_at: time(row, 12)?,
        sent_at: row.get::<_, Option<i64>>(13)?.map(engine::Timestamp::from_millis),
        unclear: row.get(14)?,
        tried_since: time(row, 15)?,
    })
}

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<EventNote> {
    Ok(EventNote {
        id: EventId(row.get(0)?),
        organizer: UserId(row.get(1)?),
        version: row.get(2)?,
        title: row.get(3)?,
        location: row.get(4)?,
        starts_at: time(row, 5)?,
        ends_at: time(row, 6)?,
        timezone: row.get(7)?,
        cancelled: row.get(8)?,
    })
}

pub(super) fn attendee(row: &Row<'_>) -> rusqlite::Result<Attendee> {
    Ok(Attendee {
        event: EventId(row.get(0)?),
        user: UserId(row.get(1)?),
        booking: BookingId(row.get(2)?),
        quantity: seats(row, 3)?,
        status: status(row, 4)?,
        since: time(row, 5)?,
        era: Era(row.get(6)?),
        stamp: count(row, 7).map(Seq)?,
    })
}

pub(super) fn reminder(row: &Row<'_>) -> rusqlite::Result<Reminder> {
    Ok(Reminder {
        event: EventId(row.get(0)?),
        span_s: row.get(1)?,
        due_at: time(row, 2)?,
        starts_at: time(row, 3)?,
        done: row.get(4)?,
    })
}

pub(super) fn template(row: &Row<'_>) -> rusqlite::Result<StoredTemplate> {
    Ok(StoredTemplate {
        kind: word(row, 0, NoticeKind::parse)?,
        subject: row.get(1)?,
        text: row.get(2)?,
        html: row.get(3)?,
    })
}

pub(super) const fn audience_number(audience: Audience) -> i64 {
    match audience {
        Audience::Confirmed => 0,
        Audience::Waitlisted => 1,
        Audience::Everyone => 2,
    }
}

pub(super) fn announcement(row: &Row<'_>) -> rusqlite::Result<Announcement> {
    Ok(Announcement {
        id: NoticeId(row.get(0)?),
        event: EventId(row.get(1)?),
        sender: UserId(row.get(2)?),
        to: match row.get(3)? {
            0 => Audience::Confirmed,
            1 => Audience::Waitlisted,
            2 => Audience::Everyone,
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(3, other)),
        },
        subject: row.get(4)?,
        message: row.get(5)?,
        key: row.get(6)?,
        fingerprint: row.get(7)?,
        created_at: time(row, 8)?,
        recipients: row.get(9)?,
    })
}
