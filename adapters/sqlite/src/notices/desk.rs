//! What the desk writes.

use engine::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use storage::notices::{
    Announced, Announcement, AnnouncementLimit, Attendee, DeskStep, EventNote, NewNotice,
    NoticeStatus, Reminder,
};

use super::rows::{self, ANNOUNCEMENT, audience_number};
use crate::value::{int, status, status_number};

const NOTICE: &str = "INSERT INTO notice (id, user, kind, event, booking, subject, text, html, \
     status, reason, attempts, unclear, created_at, next_at, tried_since, reach) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, ?11, ?11, ?12, ?13) \
     ON CONFLICT (id) DO NOTHING";

const ATTENDEE: &str = "INSERT INTO notice_attendee \
     (event, user, booking, quantity, status, since, era, stamp) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (event, user) DO UPDATE SET \
     booking = excluded.booking, quantity = excluded.quantity, status = excluded.status, \
     since = excluded.since, era = excluded.era, stamp = excluded.stamp \
     WHERE (excluded.era, excluded.stamp) > (era, stamp)";

const EVENT: &str = "INSERT INTO notice_event \
     (id, organizer, version, title, location, starts_at, ends_at, timezone, cancelled, \
     forgotten) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0) ON CONFLICT (id) DO UPDATE SET \
     organizer = excluded.organizer, version = excluded.version, title = excluded.title, \
     location = excluded.location, starts_at = excluded.starts_at, \
     ends_at = excluded.ends_at, timezone = excluded.timezone, \
     cancelled = excluded.cancelled, forgotten = 0";

const REMINDER: &str = "INSERT INTO notice_reminder (event, span_s, due_at, starts_at, done) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (event, span_s) DO UPDATE SET \
     due_at = excluded.due_at, starts_at = excluded.starts_at, done = excluded.done";

const ANNOUNCE: &str = "INSERT INTO notice_announcement (id, event, sender, audience, subject, \
     message, key, fingerprint, created_at, recipients, done) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)";

/// What is left of an event whose attendees are forgotten.
const FORGET_EVENT: [&str; 3] = [
    "DELETE FROM notice_reminder WHERE event = ?1",
    "DELETE FROM notice_event WHERE id = ?1 AND cancelled",
    "UPDATE notice_event SET forgotten = 1 WHERE id = ?1",
];

pub(super) fn take(connection: &Connection, step: &DeskStep) -> rusqlite::Result<()> {
    step.notices.iter().try_for_each(|new| add(connection, new))?;
    step.attendees.iter().try_for_each(|attendee| put_attendee(connection, attendee))?;
    step.event.iter().try_for_each(|event| put_event(connection, event))?;
    step.reminders.iter().try_for_each(|reminder| put_reminder(connection, reminder))?;
    if let Some(id) = step.announced {
        connection
            .prepare_cached("UPDATE notice_announcement SET done = 1 WHERE id = ?1")?
            .execute([id.0])?;
    }
    Ok(())
}

fn add(connection: &Connection, new: &NewNotice) -> rusqlite::Result<()> {
    let status = match &new.suppressed {
        Some(_) => NoticeStatus::Suppressed,
        None => NoticeStatus::Queued,
    };
    connection
        .prepare_cached(NOTICE)?
        .execute(params![
            new.id.0,
            new.user.0,
            new.kind.as_str(),
            new.event.0,
            new.booking.map(|booking| booking.0),
            new.subject,
            new.text,
            new.html,
            status.as_str(),
            new.suppressed,
            new.created_at.millis(),
            new.queued_at.millis(),
            rows::reach_number(new.kind.reach()),
        ])
        .map(drop)
}

fn put_attendee(connection: &Connection, attendee: &Attendee) -> rusqlite::Result<()> {
    connection
        .prepare_cached(ATTENDEE)?
        .execute(params![
            attendee.event.0,
            attendee.user.0,
            attendee.booking.0,
            attendee.quantity.get(),
            status_number(attendee.status),
            attendee.since.millis(),
            attendee.era.0,
            int(attendee.stamp.0),
        ])
        .map(drop)
}

fn put_event(connection: &Connection, event: &EventNote) -> rusqlite::Result<()> {
    connection
        .prepare_cached(EVENT)?
        .execute(params![
            event.id.0,
            event.organizer.0,
            event.version,
            event.title,
            event.location,
            event.starts_at.millis(),
            event.ends_at.millis(),
            event.timezone,
            event.cancelled,
        ])
        .map(drop)
}

fn put_reminder(connection: &Connection, reminder: &Reminder) -> rusqlite::Result<()> {
    connection
        .prepare_cached(REMINDER)?
        .execute(params![
            reminder.event.0,
            reminder.span_s,
            reminder.due_at.millis(),
            reminder.starts_at.millis(),
            reminder.done,
        ])
        .map(drop)
}

pub(super) fn announce(
    connection: &Connection,
    announcement: &Announcement,
    limit: AnnouncementLimit,
) -> rusqlite::Result<Announced> {
    let known = connection
        .prepare_cached(&format!("SELECT {ANNOUNCEMENT} FROM notice_announcement WHERE key = ?1"))?
        .query_row([announcement.key], rows::announcement)
        .optional()?;
    if let Some(known) = known {
        return Ok(Announced::Known(known));
    }
    let recent: u32 = connection
        .prepare_cached(
            "SELECT count(*) FROM notice_announcement WHERE event = ?1 AND created_at >= ?2",
        )?
        .query_row(params![announcement.event.0, limit.since.millis()], |row| row.get(0))?;
    if recent >= limit.most {
        return Ok(Announced::TooMany);
    }
    let recipients = concerned(connection, announcement)?;
    connection.prepare_cached(ANNOUNCE)?.execute(params![
        announcement.id.0,
        announcement.event.0,
        announcement.sender.0,
        audience_number(announcement.to),
        announcement.subject,
        announcement.message,
        announcement.key,
        announcement.fingerprint,
        announcement.created_at.millis(),
        recipients,
    ])?;
    Ok(Announced::Stored(Announcement { recipients, ..announcement.clone() }))
}

/// To how many people it goes.
fn concerned(connection: &Connection, announcement: &Announcement) -> rusqlite::Result<u32> {
    let mut statement = connection.prepare_cached(
        "SELECT status, count(*) FROM notice_attendee WHERE event = ?1 GROUP BY status",
    )?;
    let counts = statement
        .query_map([announcement.event.0], |row| Ok((status(row, 0)?, row.get::<_, u32>(1)?)))?;
    let mut sum = 0u32;
    for count in counts {
        let (status, count) = count?;
        sum = sum.saturating_add(if announcement.to.includes(status) { count } else { 0 });
    }
    Ok(sum)
}

pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    let most = int(limit as u64);
    // What is old is found without looking at the rest.
    let first_kept = super::first_id(before);
    let notices = connection
        .prepare_cached(
            "DELETE FROM notice WHERE number IN (SELECT number FROM notice \
             WHERE id < ?1 AND status <> 'queued' ORDER BY id LIMIT ?2)",
        )?
        .execute(params![first_kept, most])?;
    let messages = connection
        .prepare_cached(
            "DELETE FROM notice_announcement WHERE number IN (SELECT number \
             FROM notice_announcement WHERE done = 1 AND created_at < ?1 \
             ORDER BY created_at LIMIT ?2)",
        )?
        .execute(params![before.millis(), most])?;
    Ok(notices + messages + forget_events(connection, before, limit)?)
}

/// Attendees first, at most `limit` in all; an event without any is done with.
fn forget_events(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    let over = connection
        .prepare_cached(
            "SELECT id FROM notice_event WHERE forgotten = 0 AND ends_at < ?1 \
             ORDER BY ends_at LIMIT ?2",
        )?
        .query_map(params![before.millis(), int(limit as u64)], |row| row.get::<_, [u8; 16]>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut count = 0;
    for event in &over {
        let left = int((limit - count) as u64);
        count += connection
            .prepare_cached(
                "DELETE FROM notice_attendee WHERE event = ?1 AND user IN \
                 (SELECT user FROM notice_attendee WHERE event = ?1 LIMIT ?2)",
            )?
            .execute(params![event, left])?;
        if count >= limit {
            break;
        }
        for sql in FORGET_EVENT {
            connection.prepare_cached(sql)?.execute([event])?;
        }
        count += 1;
        if count >= limit {
            break;
        }
    }
    Ok(count)
}
