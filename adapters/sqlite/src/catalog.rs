//! The catalog in `app.db`.

use engine::{EventId, Timestamp, UserId};
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, Row, params};
use storage::{
    CatalogEntry, CatalogFilter, CatalogStore, CreateKey, KeptAnswer, Order, Parked, SearchWords,
    Slice, StorageError, Stored,
};

use crate::readers::{Readers, consistently};
use crate::value::{count, int, time};
use crate::writer::Writer;

mod list;

const COLUMNS: &str = "id, organizer, version, title, description, location, starts_at, ends_at, \
     timezone, price_cents, capacity, opens_at, closes_at, is_active, waitlist, max_per_booking, \
     created_at, updated_at, deleted FROM catalog_document";

const PUT: &str = "INSERT INTO catalog_document (id, organizer, version, title, \
     description, location, starts_at, ends_at, timezone, price_cents, capacity, opens_at, \
     closes_at, is_active, waitlist, max_per_booking, created_at, updated_at, deleted, \
     title_lower, location_lower) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
     ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21) ON CONFLICT (id) DO UPDATE SET \
     organizer = excluded.organizer, version = excluded.version, title = excluded.title, \
     description = excluded.description, location = excluded.location, \
     starts_at = excluded.starts_at, ends_at = excluded.ends_at, timezone = excluded.timezone, \
     price_cents = excluded.price_cents, capacity = excluded.capacity, \
     opens_at = excluded.opens_at, closes_at = excluded.closes_at, \
     is_active = excluded.is_active, waitlist = excluded.waitlist, \
     max_per_booking = excluded.max_per_booking, created_at = excluded.created_at, \
     updated_at = excluded.updated_at, deleted = excluded.deleted, \
     title_lower = excluded.title_lower, location_lower = excluded.location_lower \
     RETURNING number";

/// What a write adds beside its words, roughly.
const BYTES: usize = 16 * 1024;

/// Most expired keys or answers forgotten by one write.
const FORGET: i64 = 64;

/// The catalog in `app.db`.
pub(crate) struct Catalog {
    pub(crate) writer: Writer<()>,
    pub(crate) readers: Readers,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl CatalogStore for Catalog {
    fn put(&self, entry: CatalogEntry) -> Answer<'_, Stored> {
        Box::pin(async move {
            let bytes = BYTES + entry.description.len();
            self.writer.call(bytes, move |connection, ()| put(connection, &entry)).await
        })
    }

    fn get(&self, id: EventId) -> Answer<'_, Option<CatalogEntry>> {
        Box::pin(self.readers.call(move |connection| get(connection, id)))
    }

    fn get_many(&self, ids: Vec<EventId>) -> Answer<'_, Vec<Option<CatalogEntry>>> {
        Box::pin(self.readers.call(move |connection| {
            consistently(connection, |connection| {
                ids.iter().map(|id| get(connection, *id)).collect()
            })
        }))
    }

    fn list(
        &self,
        filter: CatalogFilter,
        order: Order,
        slice: Slice,
    ) -> Answer<'_, Vec<CatalogEntry>> {
        Box::pin(self.readers.call(move |connection| {
            consistently(connection, |connection| list::list(connection, &filter, order, &slice))
        }))
    }

    fn search(
        &self,
        words: SearchWords,
        skip: usize,
        limit: usize,
    ) -> Answer<'_, Vec<CatalogEntry>> {
        Box::pin(self.readers.call(move |connection| list::search(connection, &words, skip, limit)))
    }

    fn all(&self, after: Option<EventId>, limit: usize) -> Answer<'_, Vec<CatalogEntry>> {
        Box::pin(self.readers.call(move |connection| {
            // No id comes before that of nothing but zeros.
            let after = after.map_or([0; 16], |id| id.0);
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} WHERE id > ?1 ORDER BY id LIMIT ?2"))?
                .query_map(params![after, int(limit as u64)], entry_of)?
                .collect()
        }))
    }

    fn replace(&self, entry: CatalogEntry) -> Answer<'_, ()> {
        Box::pin(async move {
            let bytes = BYTES + entry.description.len();
            self.writer.call(bytes, move |connection, ()| write(connection, &entry)).await
        })
    }

    fn park(&self, parked: Parked) -> Answer<'_, ()> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO catalog_parked (number, event, kind, reason, body) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    int(parked.number),
                    parked.event.0,
                    parked.kind,
                    parked.reason,
                    &*parked.body
                ])
                .map(drop)
        }))
    }

    fn parked(&self, limit: usize) -> Answer<'_, Vec<Parked>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(
                    "SELECT number, event, kind, reason, body FROM catalog_parked \
                     ORDER BY number LIMIT ?1",
                )?
                .query_map([int(limit as u64)], |row| {
                    let body: Vec<u8> = row.get(4)?;
                    Ok(Parked {
                        number: count(row, 0)?,
                        event: EventId(row.get(1)?),
                        kind: row.get(2)?,
                        reason: row.get(3)?,
                        body: body.into(),
                    })
                })?
                .collect()
        }))
    }

    fn forget_key(&self, organizer: UserId, digest: [u8; 16]) -> Answer<'_, ()> {
        Box::pin(self.writer.call(BYTES, move |connection, ()| {
            connection
                .prepare_cached(
                    "DELETE FROM catalog_create_key WHERE organizer = ?1 AND digest = ?2",
                )?
                .execute(params![organizer.0, digest])
                .map(drop)
        }))
    }

    fn remember_key(&self, key: CreateKey, now: Timestamp) -> Answer<'_, CreateKey> {
        Box::pin(async move {
            self.writer.call(BYTES, move |connection, ()| remember_key(connection, key, now)).await
        })
    }

    fn keep_answer(&self, answer: KeptAnswer, now: Timestamp) -> Answer<'_, ()> {
        Box::pin(async move {
            let bytes = BYTES + answer.body.len();
            self.writer
                .call(bytes, move |connection, ()| keep_answer(connection, &answer, now))
                .await
        })
    }

    fn kept_answer(
        &self,
        principal: UserId,
        digest: [u8; 16],
        now: Timestamp,
    ) -> Answer<'_, Option<KeptAnswer>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(
                    "SELECT fingerprint, status, body, version, keep_until FROM catalog_answer \
                     WHERE principal = ?1 AND digest = ?2 AND keep_until >= ?3",
                )?
                .query_row(params![principal.0, digest, now.millis()], |row| {
                    Ok(KeptAnswer {
                        principal,
                        digest,
                        fingerprint: row.get(0)?,
                        status: row.get(1)?,
                        body: row.get(2)?,
                        version: row.get(3)?,
                        keep_until: time(row, 4)?,
                    })
                })
                .optional()
        }))
    }
}

fn put(connection: &Connection, entry: &CatalogEntry) -> rusqlite::Result<Stored> {
    let stored: u32 = connection
        .prepare_cached("SELECT version FROM catalog_document WHERE id = ?1")?
        .query_row([entry.id.0], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    if stored >= entry.version {
        return Ok(Stored::AlreadyThere);
    }
    if stored + 1 != entry.version {
        return Ok(Stored::PredecessorMissing);
    }
    write(connection, entry)?;
    Ok(Stored::Written)
}

/// Write a document and what it is found by.
fn write(connection: &Connection, entry: &CatalogEntry) -> rusqlite::Result<()> {
    let parameters = params![
        entry.id.0,
        entry.organizer.0,
        entry.version,
        entry.title,
        entry.description,
        entry.location,
        entry.starts_at.millis(),
        entry.ends_at.millis(),
        entry.timezone,
        entry.price_cents,
        entry.capacity,
        entry.opens_at.millis(),
        entry.closes_at.millis(),
        entry.is_active,
        entry.waitlist,
        entry.max_per_booking,
        entry.created_at.millis(),
        entry.updated_at.millis(),
        entry.deleted,
        entry.title.to_lowercase(),
        entry.location.to_lowercase(),
    ];
    let number: i64 = connection.prepare_cached(PUT)?.query_row(parameters, |row| row.get(0))?;
    index(connection, number, entry)
}

/// What a document is found by: nothing, if it is deleted.
fn index(connection: &Connection, number: i64, entry: &CatalogEntry) -> rusqlite::Result<()> {
    for table in ["catalog_parts", "catalog_words"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE rowid = ?1"))?
            .execute([number])?;
    }
    if entry.deleted {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO catalog_parts (rowid, title, location) \
             VALUES (?1, ?2, ?3)",
        )?
        .execute(params![number, entry.title.to_lowercase(), entry.location.to_lowercase()])?;
    connection
        .prepare_cached(
            "INSERT INTO catalog_words (rowid, title, location, description) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![number, entry.title, entry.location, entry.description])
        .map(drop)
}

fn get(connection: &Connection, id: EventId) -> rusqlite::Result<Option<CatalogEntry>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} WHERE id = ?1"))?
        .query_row([id.0], entry_of)
        .optional()
}

fn remember_key(
    connection: &Connection,
    key: CreateKey,
    now: Timestamp,
) -> rusqlite::Result<CreateKey> {
    let stored = connection
        .prepare_cached(
            "SELECT fingerprint, event, keep_until FROM catalog_create_key \
             WHERE organizer = ?1 AND digest = ?2 AND keep_until >= ?3",
        )?
        .query_row(params![key.organizer.0, key.digest, now.millis()], |row| {
            Ok(CreateKey {
                organizer: key.organizer,
                digest: key.digest,
                fingerprint: row.get(0)?,
                event: EventId(row.get(1)?),
                keep_until: time(row, 2)?,
            })
        })
        .optional()?;
    if let Some(stored) = stored {
        return Ok(stored);
    }
    connection
        .prepare_cached(
            "DELETE FROM catalog_create_key WHERE (organizer, digest) IN \
             (SELECT organizer, digest FROM catalog_create_key WHERE keep_until < ?1 LIMIT ?2)",
        )?
        .execute(params![now.millis(), FORGET])?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO catalog_create_key \
             (organizer, digest, fingerprint, event, keep_until) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            key.organizer.0,
            key.digest,
            key.fingerprint,
            key.event.0,
            key.keep_until.millis(),
        ])?;
    Ok(key)
}

fn keep_answer(
    connection: &Connection,
    answer: &KeptAnswer,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM catalog_answer WHERE rowid IN \
             (SELECT rowid FROM catalog_answer WHERE keep_until < ?1 LIMIT ?2)",
        )?
        .execute(params![now.millis(), FORGET])?;
    connection
        .prepare_cached(
            "INSERT INTO catalog_answer \
             (principal, digest, fingerprint, status, body, version, keep_until) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (principal, digest) DO UPDATE SET \
             fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, \
             version = excluded.version, keep_until = excluded.keep_until \
             WHERE keep_until < ?8",
        )?
        .execute(params![
            answer.principal.0,
            answer.digest,
            answer.fingerprint,
            answer.status,
            answer.body,
            answer.version,
            answer.keep_until.millis(),
            now.millis(),
        ])
        .map(drop)
}

fn entry_of(row: &Row<'_>) -> rusqlite::Result<CatalogEntry> {
    Ok(CatalogEntry {
        id: EventId(row.get(0)?),
        organizer: UserId(row.get(1)?),
        version: row.get(2)?,
        title: row.get(3)?,
        description: row.get(4)?,
        location: row.get(5)?,
        starts_at: time(row, 6)?,
        ends_at: time(row, 7)?,
        timezone: row.get(8)?,
        price_cents: row.get(9)?,
        capacity: row.get(10)?,
        opens_at: time(row, 11)?,
        closes_at: time(row, 12)?,
        is_active: row.get(13)?,
        waitlist: row.get(14)?,
        max_per_booking: row.get(15)?,
        created_at: time(row, 16)?,
        updated_at: time(row, 17)?,
        deleted: row.get(18)?,
    })
}
