//! Holds: read, brought on by one change, written back whole. The projector is the only
//! writer, and its stamp is the timestamp, so one that was replaced changes nothing.

use engine::{EventId, HoldId, Seq, Timestamp, UserId, Words};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use storage::{Era, HoldChange, HoldRow, HoldStatus, StorageError};

use super::{bucket_of, seats};
use crate::error::{damaged, unknown};
use crate::rows::{count, int, sixteen, stamp};
use crate::{AT_ONCE, Store, prepare};

/// event, user, quantity, status, seq, made at, changed at, expires at, details, extended,
/// stamp, era.
type Row = (Vec<u8>, Vec<u8>, i32, i8, i64, i64, i64, i64, Vec<u8>, Vec<u8>, i64, i32);

pub(crate) struct Statements {
    one: PreparedStatement,
    put: PreparedStatement,
    put_by_event: PreparedStatement,
    of_event: PreparedStatement,
}

impl Statements {
    pub(super) async fn prepare(session: &Session) -> Result<Self, StorageError> {
        Ok(Self {
            one: prepare(
                session,
                "SELECT event, user, quantity, status, seq, made_at, changed_at, expires_at, \
                 details, extended, stamp, era FROM hold WHERE id = ?",
            )
            .await?,
            put: prepare(
                session,
                "INSERT INTO hold (id, event, user, quantity, status, seq, made_at, changed_at, \
                 expires_at, details, extended, stamp, era) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?",
            )
            .await?,
            put_by_event: prepare(
                session,
                "INSERT INTO hold_by_event (event, bucket, id) VALUES (?, ?, ?) USING TIMESTAMP 1",
            )
            .await?,
            of_event: prepare(
                session,
                "SELECT id FROM hold_by_event WHERE event = ? AND bucket = ?",
            )
            .await?,
        })
    }
}

impl Store {
    pub(super) async fn stored_hold(
        &self,
        id: HoldId,
    ) -> Result<Option<(Era, HoldRow)>, StorageError> {
        let answer = self.session.execute_unpaged(&self.views.holds.one, (&id.0[..],)).await;
        let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
        let row: Option<Row> = rows.maybe_first_row().map_err(unknown)?;
        row.map(|row| read(id, row)).transpose()
    }

    /// Bring a hold on by a change, unless its stamp is as high already.
    pub(super) async fn put_hold(&self, era: Era, change: &HoldChange) -> Result<(), StorageError> {
        let before = self.stored_hold(change.id).await?;
        if before.as_ref().is_some_and(|(old, row)| (*old, row.stamp) >= (era, change.stamp)) {
            return Ok(());
        }
        match change.after(before.map(|(_, row)| row)) {
            Some(row) => self.write_hold(era, &row).await,
            None => Ok(()),
        }
    }

    /// The open holds of a bucket are released with their event.
    pub(super) async fn release_all(
        &self,
        era: Era,
        event: EventId,
        bucket: i32,
        mark: Seq,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        let wanted = (&event.0[..], bucket);
        let answer = self.session.execute_unpaged(&self.views.holds.of_event, wanted).await;
        let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
        let mut ids = Vec::new();
        for row in rows.rows::<(Vec<u8>,)>().map_err(unknown)? {
            ids.push(HoldId(sixteen(&row.map_err(unknown)?.0)?));
        }
        let releases = ids.into_iter().map(|id| self.release(era, id, mark, at));
        stream::iter(releases).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn release(
        &self,
        era: Era,
        id: HoldId,
        mark: Seq,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        let Some((old, row)) = self.stored_hold(id).await? else { return Ok(()) };
        if row.status != HoldStatus::Held || (old, row.stamp) >= (era, mark) {
            return Ok(());
        }
        let status = HoldStatus::Released;
        self.write_hold(era, &HoldRow { status, changed_at: at, stamp: mark, ..row }).await
    }

    async fn write_hold(&self, era: Era, row: &HoldRow) -> Result<(), StorageError> {
        let bucket = bucket_of(row.seq.0)?;
        self.know_bucket(row.event, bucket).await?;
        let (id, event) = (&row.id.0[..], &row.event.0[..]);
        if row.status == HoldStatus::Held {
            let wanted = (event, bucket, id);
            let put = &self.views.holds.put_by_event;
            self.session.execute_unpaged(put, wanted).await.map_err(unknown)?;
        }
        // 0 is for ever: an open hold must not expire here, only by the rules.
        let live = if row.status == HoldStatus::Held { 0 } else { self.hold_memory };
        let values = (
            id,
            event,
            &row.user.0[..],
            i32::try_from(row.quantity.get()).map_err(|_| damaged("a quantity"))?,
            number(row.status),
            int(row.seq.0),
            row.made_at.millis(),
            row.changed_at.millis(),
            row.expires_at.millis(),
            &*row.details.0,
            pack(&row.extended),
            int(row.stamp.0),
            i32::try_from(era.0).map_err(|_| damaged("an era"))?,
            stamp(era, row.stamp.0),
            live,
        );
        self.session.execute_unpaged(&self.views.holds.put, values).await.map_err(unknown)?;
        Ok(())
    }
}

fn read(id: HoldId, row: Row) -> Result<(Era, HoldRow), StorageError> {
    let (event, user, quantity, status, seq, made_at, changed_at, expires_at, ..) = row;
    let (details, extended, mark, era) = (row.8, row.9, row.10, row.11);
    let hold = HoldRow {
        id,
        event: EventId(sixteen(&event)?),
        user: UserId(sixteen(&user)?),
        quantity: seats(quantity)?,
        status: status_of(status)?,
        seq: Seq(count(seq)?),
        made_at: Timestamp::from_millis(made_at),
        changed_at: Timestamp::from_millis(changed_at),
        expires_at: Timestamp::from_millis(expires_at),
        details: Words::new(&details),
        extended: unpack(&extended).ok_or_else(|| damaged("details"))?,
        stamp: Seq(count(mark)?),
    };
    Ok((Era(u32::try_from(era).map_err(|_| damaged("an era"))?), hold))
}

/// Details by the number of the extension: number, length, bytes, one after the other.
fn pack(extended: &[(u8, Words)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (extension, details) in extended {
        bytes.push(*extension);
        bytes.extend(u32::try_from(details.0.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(&*details.0);
    }
    bytes
}

fn unpack(mut bytes: &[u8]) -> Option<Vec<(u8, Words)>> {
    let mut extended = Vec::new();
    while let Some((extension, rest)) = bytes.split_first() {
        let (length, rest) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let (details, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        extended.push((*extension, Words::new(details)));
        bytes = rest;
    }
    Some(extended)
}

const fn number(status: HoldStatus) -> i8 {
    match status {
        HoldStatus::Held => 0,
        HoldStatus::Expired => 1,
        HoldStatus::Released => 2,
        HoldStatus::Confirmed => 3,
    }
}

fn status_of(number: i8) -> Result<HoldStatus, StorageError> {
    match number {
        0 => Ok(HoldStatus::Held),
        1 => Ok(HoldStatus::Expired),
        2 => Ok(HoldStatus::Released),
        3 => Ok(HoldStatus::Confirmed),
        _ => Err(damaged("a status")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_come_back_as_they_were() {
        let extended = vec![(1, Words::new(b"one")), (3, Words::new(b""))];
        assert_eq!(unpack(&pack(&extended)), Some(extended));
        assert_eq!(unpack(&[1, 0, 0, 0, 5, b'x']), None, "cut short");
        assert_eq!(unpack(&[]), Some(Vec::new()));
    }
}
