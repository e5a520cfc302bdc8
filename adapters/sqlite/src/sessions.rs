//! Sessions in `app.db`.

use engine::{Timestamp, UserId};
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, Row, params};
use storage::{
    Ended, Rotated, Rotation, SecretDigest, Session, SessionId, SessionStore, StorageError,
};

use crate::readers::Readers;
use crate::value::time;
use crate::writer::Writer;

/// What a session writes with its indexes, roughly.
const BYTES: usize = 16 * 1024;

/// Most sessions forgotten by one that begins.
const FORGOTTEN: i64 = 16;

const COLUMNS: &str = "id, user, secret, began_at, idle_until, ends_at FROM auth_session";

/// `over_at` is when the session is over, for whatever reason: it is forgotten by that.
const BEGIN: &str = "INSERT INTO auth_session \
     (id, user, secret, began_at, idle_until, ends_at, over_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, min(?5, ?6))";

const FORGET: &str = "DELETE FROM auth_session WHERE id IN \
     (SELECT id FROM auth_session WHERE over_at < ?1 ORDER BY over_at LIMIT ?2)";

const TOO_MANY: &str = "SELECT id FROM auth_session \
     WHERE user = ?1 AND ended_at IS NULL AND over_at > ?2 AND id <> ?3 \
     ORDER BY began_at DESC, id DESC LIMIT -1 OFFSET ?4";

const ROTATE: &str = "UPDATE auth_session \
     SET secret = ?2, idle_until = ?3, over_at = min(?3, ends_at) WHERE id = ?1";

const END: &str = "UPDATE auth_session SET ended_at = ?2, over_at = ?2 \
     WHERE id = ?1 AND ended_at IS NULL AND over_at > ?2";

/// Sessions in `app.db`.
pub(crate) struct Sessions {
    pub(crate) writer: Writer<()>,
    pub(crate) readers: Readers,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl SessionStore for Sessions {
    fn begin(
        &self,
        session: Session,
        most: usize,
        forget_before: Timestamp,
    ) -> Answer<'_, Vec<SessionId>> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            connection
                .prepare_cached(FORGET)?
                .execute(params![forget_before.millis(), FORGOTTEN])?;
            insert(connection, &session)?;
            let others = i64::try_from(most.saturating_sub(1)).unwrap_or(i64::MAX);
            let now = session.began_at.millis();
            let ended = connection
                .prepare_cached(TOO_MANY)?
                .query_map(params![session.user.0, now, session.id.0, others], id_of)?
                .collect::<Result<Vec<_>, _>>()?;
            end_all(connection, &ended, session.began_at)?;
            Ok(ended)
        }))
    }

    fn find(&self, id: SessionId, now: Timestamp) -> Answer<'_, Option<Session>> {
        Box::pin(self.readers.call(move |connection| living(connection, id, now)))
    }

    fn rotate(&self, rotation: Rotation) -> Answer<'_, Rotated> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            let Some(mut session) = living(connection, rotation.id, rotation.now)? else {
                return Ok(Rotated::Unknown);
            };
            if session.secret != rotation.presented {
                end_all(connection, &[session.id], rotation.now)?;
                return Ok(Rotated::Reused(session.id));
            }
            connection.prepare_cached(ROTATE)?.execute(params![
                rotation.id.0,
                rotation.next.0,
                rotation.idle_until.millis()
            ])?;
            session.secret = rotation.next;
            session.idle_until = rotation.idle_until;
            Ok(Rotated::Next(session))
        }))
    }

    fn end(&self, id: SessionId, now: Timestamp) -> Answer<'_, bool> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            let ended = connection.prepare_cached(END)?.execute(params![id.0, now.millis()])?;
            Ok(ended > 0)
        }))
    }

    fn end_others(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Answer<'_, Vec<SessionId>> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            // An id that nobody has stands for none to be kept.
            let keep = keep.map_or([0; 16], |id| id.0);
            let others = connection
                .prepare_cached(TOO_MANY)?
                .query_map(params![user.0, now.millis(), keep, 0], id_of)?
                .collect::<Result<Vec<_>, _>>()?;
            end_all(connection, &others, now)?;
            Ok(others)
        }))
    }

    fn ended_since(&self, since: Timestamp) -> Answer<'_, Vec<Ended>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached("SELECT id, ended_at FROM auth_session WHERE ended_at >= ?1")?
                .query_map([since.millis()], |row| {
                    Ok(Ended { id: id_of(row)?, at: time(row, 1)? })
                })?
                .collect()
        }))
    }
}

fn insert(connection: &Connection, session: &Session) -> rusqlite::Result<()> {
    connection
        .prepare_cached(BEGIN)?
        .execute(params![
            session.id.0,
            session.user.0,
            session.secret.0,
            session.began_at.millis(),
            session.idle_until.millis(),
            session.ends_at.millis(),
        ])
        .map(drop)
}

fn end_all(connection: &Connection, ids: &[SessionId], now: Timestamp) -> rusqlite::Result<()> {
    let mut end = connection.prepare_cached(END)?;
    for id in ids {
        end.execute(params![id.0, now.millis()])?;
    }
    Ok(())
}

/// A session that was not ended and whose time is not over.
fn living(
    connection: &Connection,
    id: SessionId,
    now: Timestamp,
) -> rusqlite::Result<Option<Session>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} WHERE id = ?1 AND ended_at IS NULL AND over_at > ?2"
        ))?
        .query_row(params![id.0, now.millis()], session_of)
        .optional()
}

fn id_of(row: &Row<'_>) -> rusqlite::Result<SessionId> {
    Ok(SessionId(row.get(0)?))
}

fn session_of(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: id_of(row)?,
        user: UserId(row.get(1)?),
        secret: SecretDigest(row.get(2)?),
        began_at: time(row, 3)?,
        idle_until: time(row, 4)?,
        ends_at: time(row, 5)?,
    })
}
