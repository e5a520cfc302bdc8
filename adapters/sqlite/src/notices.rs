//! Notices in `app.db`.

use engine::{EventId, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use storage::notices::{
    Announced, Announcement, AnnouncementLimit, Answer, Attendee, DeskStep, EventNote, Notice,
    NoticeId, NoticeKind, NoticePage, NoticeStore, Preferences, PreferencesChange, Reach, Reminder,
    Settled, StoredTemplate, Tried,
};

use crate::readers::Readers;
use crate::value::{count, int, time};
use crate::writer::Writer;

mod desk;
mod rows;

use rows::{ANNOUNCEMENT, ATTENDEE, EVENT, NOTICE, REMINDER};

/// What a small change writes with its indexes, roughly.
const BYTES: usize = 16 * 1024;

/// What a row writes beside its texts, roughly.
const ROW_BYTES: usize = 1_024;

/// Comes after every id.
const LAST_ID: [u8; 16] = [0xff; 16];

/// Comes before every id.
const FIRST_ID: [u8; 16] = [0; 16];

/// Of each person the first that is queued.
const FIRST: &str = "status = 'queued' AND NOT EXISTS (SELECT 1 FROM notice AS earlier \
     WHERE earlier.user = notice.user AND earlier.status = 'queued' \
     AND earlier.number < notice.number)";

const SENT: &str = "UPDATE notice SET status = 'sent', sent_at = ?2, reason = NULL, \
     attempts = attempts + 1 WHERE id = ?1 AND status = 'queued'";

const LATER: &str = "UPDATE notice SET next_at = ?2, reason = ?3, attempts = attempts + ?4, \
     unclear = unclear + ?5, \
     tried_since = CASE WHEN ?4 = 1 AND attempts = 0 THEN ?6 ELSE tried_since END \
     WHERE id = ?1 AND status = 'queued'";

const FAILED: &str = "UPDATE notice SET status = 'failed', reason = ?2, \
     attempts = attempts + 1 WHERE id = ?1 AND status = 'queued'";

const SUPPRESSED: &str = "UPDATE notice SET status = 'suppressed', reason = ?2 \
     WHERE id = ?1 AND status = 'queued'";

const PUT_BACK: &str = "UPDATE notice SET status = 'queued', next_at = ?1, tried_since = ?1, \
     attempts = 0, unclear = 0, reason = NULL, sent_at = NULL";

/// Notices in `app.db`.
pub(crate) struct Notices {
    pub(crate) writer: Writer<()>,
    pub(crate) readers: Readers,
}

impl NoticeStore for Notices {
    fn began(&self, now: Timestamp) -> Answer<'_, Timestamp> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            connection
                .prepare_cached(
                    "INSERT INTO notice_desk (id, began_at) VALUES (0, ?1) ON CONFLICT DO NOTHING",
                )?
                .execute([now.millis()])?;
            connection
                .prepare_cached("SELECT began_at FROM notice_desk WHERE id = 0")?
                .query_row([], |row| time(row, 0))
        }))
    }

    fn take(&self, step: DeskStep) -> Answer<'_, ()> {
        let texts = |notice: &storage::notices::NewNotice| {
            ROW_BYTES + notice.subject.len() + notice.text.len() + notice.html.len()
        };
        let notices: usize = step.notices.iter().map(texts).sum();
        let bytes = BYTES + notices + step.attendees.len() * ROW_BYTES;
        Box::pin(self.writer.call(bytes, move |connection, ()| desk::take(connection, &step)))
    }

    fn event(&self, id: EventId) -> Answer<'_, Option<EventNote>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {EVENT} FROM notice_event WHERE id = ?1"))?
                .query_row([id.0], rows::event)
                .optional()
        }))
    }

    fn upcoming(
        &self,
        now: Timestamp,
        after: Option<EventId>,
        limit: usize,
    ) -> Answer<'_, Vec<EventNote>> {
        Box::pin(self.readers.call(move |connection| {
            let after = after.map_or(FIRST_ID, |event| event.0);
            connection
                .prepare_cached(&format!(
                    "SELECT {EVENT} FROM notice_event \
                     WHERE id > ?1 AND starts_at > ?2 AND NOT cancelled ORDER BY id LIMIT ?3"
                ))?
                .query_map(params![after, now.millis(), int(limit as u64)], rows::event)?
                .collect()
        }))
    }

    fn attendees(
        &self,
        event: EventId,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<Attendee>> {
        Box::pin(self.readers.call(move |connection| {
            let after = after.map_or(FIRST_ID, |user| user.0);
            connection
                .prepare_cached(&format!(
                    "SELECT {ATTENDEE} FROM notice_attendee \
                     WHERE event = ?1 AND user > ?2 AND status <> 2 ORDER BY user LIMIT ?3"
                ))?
                .query_map(params![event.0, after, int(limit as u64)], rows::attendee)?
                .collect()
        }))
    }

    fn attendee(&self, event: EventId, user: UserId) -> Answer<'_, Option<Attendee>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {ATTENDEE} FROM notice_attendee WHERE event = ?1 AND user = ?2"
                ))?
                .query_row(params![event.0, user.0], rows::attendee)
                .optional()
        }))
    }

    fn reminders(&self, event: EventId) -> Answer<'_, Vec<Reminder>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {REMINDER} FROM notice_reminder WHERE event = ?1 ORDER BY span_s"
                ))?
                .query_map([event.0], rows::reminder)?
                .collect()
        }))
    }

    fn next_reminders(&self, limit: usize) -> Answer<'_, Vec<Reminder>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {REMINDER} FROM notice_reminder WHERE done = 0 \
                     ORDER BY due_at, event, span_s LIMIT ?1"
                ))?
                .query_map([int(limit as u64)], rows::reminder)?
                .collect()
        }))
    }

    fn due(&self, now: Timestamp, reach: Reach, limit: usize) -> Answer<'_, Vec<Notice>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {NOTICE} FROM notice WHERE {FIRST} AND reach = ?2 AND next_at <= ?1 \
                     ORDER BY next_at, number LIMIT ?3"
                ))?
                .query_map(
                    params![now.millis(), rows::reach_number(reach), int(limit as u64)],
                    rows::notice,
                )?
                .collect()
        }))
    }

    fn next_due(&self) -> Answer<'_, Option<Timestamp>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT min(next_at) FROM ( \
                         SELECT * FROM (SELECT next_at FROM notice \
                             WHERE {FIRST} AND reach = ?1 ORDER BY next_at LIMIT 1) \
                         UNION ALL SELECT * FROM (SELECT next_at FROM notice \
                             WHERE {FIRST} AND reach = ?2 ORDER BY next_at LIMIT 1))"
                ))?
                .query_row([Reach::Person, Reach::Crowd].map(rows::reach_number), |row| {
                    Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp::from_millis))
                })
        }))
    }

    fn settle(&self, outcomes: Vec<(NoticeId, Settled)>) -> Answer<'_, ()> {
        let bytes = outcomes.len() * ROW_BYTES;
        Box::pin(self.writer.call(bytes, move |connection, ()| {
            outcomes.iter().try_for_each(|(id, outcome)| settle(connection, *id, outcome))
        }))
    }

    fn get(&self, id: NoticeId) -> Answer<'_, Option<Notice>> {
        Box::pin(self.readers.call(move |connection| get(connection, id)))
    }

    fn list(&self, user: UserId, page: NoticePage) -> Answer<'_, Vec<Notice>> {
        Box::pin(self.readers.call(move |connection| {
            let before = page.before.map_or(LAST_ID, |id| id.0);
            let kind = page.kind.map(NoticeKind::as_str);
            let status = page.status.map(storage::notices::NoticeStatus::as_str);
            connection
                .prepare_cached(&format!(
                    "SELECT {NOTICE} FROM notice WHERE user = ?1 AND id < ?2 \
                     AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR status = ?4) \
                     ORDER BY id DESC LIMIT ?5"
                ))?
                .query_map(
                    params![user.0, before, kind, status, int(page.limit as u64)],
                    rows::notice,
                )?
                .collect()
        }))
    }

    fn requeue(
        &self,
        id: NoticeId,
        now: Timestamp,
        only_failed: bool,
    ) -> Answer<'_, Option<Notice>> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            let put_back = connection
                .prepare_cached(&format!(
                    "{PUT_BACK} WHERE id = ?2 AND NOT (status = 'suppressed' AND html = '') \
                     AND (status = 'failed' OR NOT ?3)"
                ))?
                .execute(params![now.millis(), id.0, only_failed])?;
            if put_back == 0 { Ok(None) } else { get(connection, id) }
        }))
    }

    fn requeue_failed(&self, now: Timestamp, limit: usize) -> Answer<'_, usize> {
        Box::pin(self.writer.call(limit * ROW_BYTES, move |connection, ()| {
            connection
                .prepare_cached(&format!(
                    "{PUT_BACK} WHERE number IN (SELECT number FROM notice \
                         WHERE status = 'failed' ORDER BY number LIMIT ?2)"
                ))?
                .execute(params![now.millis(), int(limit as u64)])
        }))
    }

    fn waiting(&self) -> Answer<'_, (u64, u64)> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(
                    "SELECT (SELECT count(*) FROM notice WHERE status = 'queued'), \
                     (SELECT count(*) FROM notice WHERE status = 'failed')",
                )?
                .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))
        }))
    }

    fn told_since(&self, users: Vec<UserId>, since: Timestamp, most: u32) -> Answer<'_, Vec<u32>> {
        Box::pin(self.readers.call(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM \
                 (SELECT 1 FROM notice WHERE user = ?1 AND id >= ?2 AND status <> 'suppressed' \
                 LIMIT ?3)",
            )?;
            let first = first_id(since);
            let mut count =
                |user: &UserId| statement.query_row(params![user.0, first, most], |row| row.get(0));
            users.iter().map(&mut count).collect()
        }))
    }

    fn preferences(&self, users: Vec<UserId>) -> Answer<'_, Vec<Preferences>> {
        Box::pin(self.readers.call(move |connection| {
            users.iter().map(|user| preferences(connection, *user)).collect()
        }))
    }

    fn change_preferences(
        &self,
        user: UserId,
        change: PreferencesChange,
    ) -> Answer<'_, Preferences> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            let preferences = preferences(connection, user)?.changed(&change);
            connection
                .prepare_cached("DELETE FROM notice_refused WHERE user = ?1")?
                .execute([user.0])?;
            let mut insert = connection.prepare_cached(
                "INSERT INTO notice_refused (user, kind) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?;
            let all = preferences.no_mail.then_some("");
            let kinds = preferences.refused.iter().map(|kind| kind.as_str());
            for kind in all.into_iter().chain(kinds) {
                insert.execute(params![user.0, kind])?;
            }
            Ok(preferences)
        }))
    }

    fn templates(&self) -> Answer<'_, Vec<StoredTemplate>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached("SELECT kind, subject, text, html FROM notice_template")?
                .query_map([], rows::template)?
                .collect()
        }))
    }

    fn set_template(&self, template: StoredTemplate) -> Answer<'_, ()> {
        let bytes = BYTES + template.subject.len() + template.text.len() + template.html.len();
        Box::pin(self.writer.call(bytes, move |connection, ()| {
            connection
                .prepare_cached(
                    "INSERT INTO notice_template (kind, subject, text, html) \
                     VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind) DO UPDATE SET \
                     subject = excluded.subject, text = excluded.text, html = excluded.html",
                )?
                .execute(params![
                    template.kind.as_str(),
                    template.subject,
                    template.text,
                    template.html
                ])
                .map(drop)
        }))
    }

    fn remove_template(&self, kind: NoticeKind) -> Answer<'_, bool> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            let removed = connection
                .prepare_cached("DELETE FROM notice_template WHERE kind = ?1")?
                .execute([kind.as_str()])?;
            Ok(removed > 0)
        }))
    }

    fn announce(
        &self,
        announcement: Announcement,
        limit: AnnouncementLimit,
    ) -> Answer<'_, Announced> {
        let bytes = BYTES + announcement.message.len();
        Box::pin(
            self.writer.call(bytes, move |connection, ()| {
                desk::announce(connection, &announcement, limit)
            }),
        )
    }

    fn announcements(&self, limit: usize) -> Answer<'_, Vec<Announcement>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {ANNOUNCEMENT} FROM notice_announcement WHERE done = 0 \
                     ORDER BY number LIMIT ?1"
                ))?
                .query_map([int(limit as u64)], rows::announcement)?
                .collect()
        }))
    }

    fn forget(&self, before: Timestamp, limit: usize) -> Answer<'_, usize> {
        Box::pin(
            self.writer.call(limit * ROW_BYTES, move |connection, ()| {
                desk::forget(connection, before, limit)
            }),
        )
    }
}

/// What is told of what happened then or later has no smaller id: ids begin with the time.
fn first_id(at: Timestamp) -> [u8; 16] {
    let mut first = FIRST_ID;
    first[..6].copy_from_slice(&at.millis().max(0).to_be_bytes()[2..]);
    first
}

fn preferences(connection: &Connection, user: UserId) -> rusqlite::Result<Preferences> {
    let mut statement = connection
        .prepare_cached("SELECT kind FROM notice_refused WHERE user = ?1 ORDER BY kind")?;
    let mut preferences = Preferences::default();
    for kind in statement.query_map([user.0], |row| row.get::<_, String>(0))? {
        let kind = kind?;
        preferences.no_mail |= kind.is_empty();
        preferences.refused.extend(NoticeKind::parse(&kind));
    }
    preferences.refused.sort_unstable();
    Ok(preferences)
}

fn get(connection: &Connection, id: NoticeId) -> rusqlite::Result<Option<Notice>> {
    connection
        .prepare_cached(&format!("SELECT {NOTICE} FROM notice WHERE id = ?1"))?
        .query_row([id.0], rows::notice)
        .optional()
}

fn settle(connection: &Connection, id: NoticeId, outcome: &Settled) -> rusqlite::Result<()> {
    match outcome {
        Settled::Sent { at } => {
            connection.prepare_cached(SENT)?.execute(params![id.0, at.millis()])
        }
        Settled::Later { at, next_at, reason, tried } => {
            let (counts, unclear) = (*tried != Tried::Away, *tried == Tried::Unclear);
            let times = (at.millis(), next_at.millis());
            connection
                .prepare_cached(LATER)?
                .execute(params![id.0, times.1, reason, counts, unclear, times.0])
        }
        Settled::Failed { reason } => {
            connection.prepare_cached(FAILED)?.execute(params![id.0, reason])
        }
        Settled::Suppressed { reason } => {
            connection.prepare_cached(SUPPRESSED)?.execute(params![id.0, reason])
        }
    }
    .map(drop)
}
