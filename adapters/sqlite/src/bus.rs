//! The message bus in `app.db`, for subscribers in this process.

use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, params};
use storage::{Delivery, Era, Message, MessageBus, PartitionId, Position, StorageError};
use tokio::sync::Notify;

use crate::readers::Readers;
use crate::value::{blob, count, int, seq};
use crate::writer::Writer;

/// How far the file has followed the ledger's one partition.
pub(crate) const CURSOR: &str =
    "SELECT coalesce((SELECT position FROM bus_cursor WHERE partition = 0), 0)";

/// A message that is there already is not doubled.
const PUBLISH: &str = "INSERT INTO bus_message (era, epoch, event, seq, kind, body) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (event, seq, era) DO NOTHING";

const MOVE: &str = "INSERT INTO bus_cursor (partition, position) VALUES (?1, ?2) \
     ON CONFLICT (partition) DO UPDATE SET position = max(position, excluded.position)";

const NEXT: &str = "SELECT number, event, seq, kind, body, era FROM bus_message \
     WHERE number > coalesce((SELECT position FROM bus_subscriber WHERE name = ?1), 0) \
     ORDER BY number LIMIT ?2";

/// Never back, and never past the last message: it would skip what comes.
const ACKNOWLEDGE: &str = "INSERT INTO bus_subscriber (name, position) \
     VALUES (?1, min(?2, (SELECT coalesce(max(number), 0) FROM bus_message))) \
     ON CONFLICT (name) DO UPDATE SET position = max(position, excluded.position)";

/// Numbers of messages have no gaps to speak of, so their difference is how many there are.
const BEHIND: &str = "SELECT name, max(0, (SELECT coalesce(max(number), 0) FROM bus_message) \
     - position) FROM bus_subscriber ORDER BY name LIMIT 16";

/// What a message or a cursor writes beside its body, roughly.
const BYTES: usize = 16 * 1024;

/// The message bus in `app.db`.
pub(crate) struct Bus {
    writer: Writer<()>,
    readers: Readers,
    /// Told after each publication. All subscribers are in this process, as the folder
    /// has one owner.
    published: Notify,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl Bus {
    pub(crate) fn new(writer: Writer<()>, readers: Readers) -> Self {
        Self { writer, readers, published: Notify::new() }
    }
}

impl MessageBus for Bus {
    fn cursor(&self, partition: PartitionId) -> Answer<'_, Position> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached("SELECT position FROM bus_cursor WHERE partition = ?1")?
                .query_row([partition.0], |row| count(row, 0))
                .optional()
                .map(|position| Position(position.unwrap_or(0)))
        }))
    }

    fn publish(
        &self,
        partition: PartitionId,
        messages: Vec<Message>,
        upto: Position,
    ) -> Answer<'_, ()> {
        Box::pin(async move {
            let bytes = messages.iter().map(|message| BYTES + message.body.len()).sum();
            let any = !messages.is_empty();
            self.writer
                .call(bytes, move |connection, ()| publish(connection, partition, &messages, upto))
                .await?;
            if any {
                self.published.notify_waiters();
            }
            Ok(())
        })
    }

    fn next<'a>(&'a self, subscriber: &'a str, limit: usize) -> Answer<'a, Vec<Delivery>> {
        Box::pin(async move {
            loop {
                // Listening begins before looking, so that a publication in between is
                // heard.
                let published = self.published.notified();
                let mut published = std::pin::pin!(published);
                published.as_mut().enable();
                let name = subscriber.to_owned();
                let limit = limit.max(1);
                let deliveries =
                    self.readers.call(move |connection| next(connection, &name, limit)).await?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
                published.await;
            }
        })
    }

    fn has_next<'a>(&'a self, subscriber: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            let name = subscriber.to_owned();
            let first = self.readers.call(move |connection| next(connection, &name, 1)).await?;
            Ok(!first.is_empty())
        })
    }

    fn acknowledge<'a>(&'a self, subscriber: &'a str, number: u64) -> Answer<'a, ()> {
        Box::pin(async move {
            let name = subscriber.to_owned();
            self.writer
                .call(BYTES, move |connection, ()| {
                    connection
                        .prepare_cached(ACKNOWLEDGE)?
                        .execute(params![name, int(number)])
                        .map(drop)
                })
                .await
        })
    }
}

fn publish(
    connection: &Connection,
    partition: PartitionId,
    messages: &[Message],
    upto: Position,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(PUBLISH)?;
    for message in messages {
        statement.execute(params![
            message.era.0,
            int(message.epoch.0),
            message.event.0,
            int(message.seq.0),
            message.kind,
            &*message.body,
        ])?;
    }
    connection.prepare_cached(MOVE)?.execute(params![partition.0, int(upto.0)]).map(drop)
}

/// How many messages each subscriber has not acknowledged. One that never acknowledged any
/// is not known.
pub(crate) fn behind(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    connection
        .prepare_cached(BEHIND)?
        .query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))?
        .collect()
}

fn next(
    connection: &Connection,
    subscriber: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Delivery>> {
    connection
        .prepare_cached(NEXT)?
        .query_map(params![subscriber, int(limit as u64)], |row| {
            Ok(Delivery {
                number: count(row, 0)?,
                era: Era(row.get(5)?),
                event: engine::EventId(row.get(1)?),
                seq: seq(row, 2)?,
                kind: row.get(3)?,
                body: blob(row, 4)?,
            })
        })?
        .collect()
}
