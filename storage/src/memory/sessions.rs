//! Sessions in memory.

use engine::{Timestamp, UserId};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now as at_once;
use crate::error::StorageError;
use crate::sessions::{Ended, Rotated, Rotation, Session, SessionId, SessionStore};

/// Sessions in memory.
#[derive(Debug, Default)]
pub struct MemorySessions {
    rows: Mutex<Vec<Row>>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    session: Session,
    ended_at: Option<Timestamp>,
}

impl Row {
    fn lives(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && !self.session.is_over(now)
    }
}

impl SessionStore for MemorySessions {
    fn begin(
        &self,
        session: Session,
        most: usize,
        forget_before: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StorageError>> {
        let mut rows = self.rows.lock();
        rows.retain(|row| {
            let over_at = row.session.idle_until.min(row.session.ends_at);
            row.ended_at.map_or(over_at, |ended| ended.min(over_at)) >= forget_before
        });
        rows.push(Row { session, ended_at: None });
        let now = session.began_at;
        let mut living: Vec<(Timestamp, SessionId)> = rows
            .iter()
            .filter(|row| row.session.user == session.user && row.lives(now))
            .map(|row| (row.session.began_at, row.session.id))
            .filter(|(_, id)| *id != session.id)
            .collect();
        living.sort_unstable();
        let too_many = (living.len() + 1).saturating_sub(most.max(1));
        let ended: Vec<SessionId> = living.into_iter().take(too_many).map(|(_, id)| id).collect();
        for row in rows.iter_mut().filter(|row| ended.contains(&row.session.id)) {
            row.ended_at = Some(now);
        }
        at_once(ended)
    }

    fn find(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Session>, StorageError>> {
        let rows = self.rows.lock();
        let row = rows.iter().find(|row| row.session.id == id && row.lives(now));
        at_once(row.map(|row| row.session))
    }

    fn rotate(&self, rotation: Rotation) -> BoxFuture<'_, Result<Rotated, StorageError>> {
        let mut rows = self.rows.lock();
        let row = rows.iter_mut().find(|row| row.session.id == rotation.id);
        at_once(match row {
            Some(row) if row.lives(rotation.now) => {
                if row.session.secret == rotation.presented {
                    row.session.secret = rotation.next;
                    row.session.idle_until = rotation.idle_until;
                    Rotated::Next(row.session)
                } else {
                    row.ended_at = Some(rotation.now);
                    Rotated::Reused(rotation.id)
                }
            }
            _ => Rotated::Unknown,
        })
    }

    fn end(&self, id: SessionId, now: Timestamp) -> BoxFuture<'_, Result<bool, StorageError>> {
        let mut rows = self.rows.lock();
        let row = rows.iter_mut().find(|row| row.session.id == id && row.lives(now));
        at_once(row.is_some_and(|row| {
            row.ended_at = Some(now);
            true
        }))
    }

    fn end_others(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StorageError>> {
        let mut rows = self.rows.lock();
        let others = rows.iter_mut().filter(|row| {
            row.session.user == user && Some(row.session.id) != keep && row.lives(now)
        });
        at_once(
            others
                .map(|row| {
                    row.ended_at = Some(now);
                    row.session.id
                })
                .collect(),
        )
    }

    fn ended_since(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Ended>, StorageError>> {
        let rows = self.rows.lock();
        let ended = rows.iter().filter_map(|row| {
            let at = row.ended_at.filter(|at| *at >= since)?;
            Some(Ended { id: row.session.id, at })
        });
        at_once(ended.collect())
    }
}
