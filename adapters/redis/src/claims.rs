//! Partitions: made once, claimed, given up, looked at.

use redis::Value;
use storage::commit::TENURE;
use storage::{Claim, Epoch, Era, Holder, PartitionId, Position, StorageError};

use crate::Store;
use crate::error::damaged;
use crate::header::decimal;

/// What `ef1_holders` tells of each partition.
const HOLDER_FIELDS: usize = 4;

impl Store {
    pub(crate) async fn read_era(&self) -> Result<Era, StorageError> {
        let mut ask = redis::pipe();
        for partition in self.all() {
            ask.cmd("HGET").arg(self.keys.own(partition)).arg("era");
        }
        let eras: Vec<Option<u32>> = self.reads.ask_all(&ask).await?;
        let newest = eras.iter().flatten().max();
        match newest {
            Some(era) if eras.iter().flatten().any(|other| other != era) => {
                Err(StorageError::Damaged(
                    "the partitions of this Redis are of different eras: a recovery was not \
                     finished; run `eventflow recover` again"
                        .into(),
                ))
            }
            // Those that are missing, or closed for repair, are served by nobody; that keeps
            // no other from being served.
            Some(era) => Ok(Era(*era)),
            None => Err(StorageError::Damaged(
                "this Redis has no partitions. If it is new, `eventflow migrate` makes them; if \
                 it had bookings, it was emptied: `eventflow recover` brings them back from the \
                 journal"
                    .into(),
            )),
        }
    }

    pub(crate) async fn create(&self, era: Era) -> Result<(), StorageError> {
        let mut make = redis::pipe();
        for partition in self.all() {
            let own = self.keys.own(partition);
            make.cmd("FCALL").arg("ef1_create").arg(1).arg(own).arg(era.0).ignore();
        }
        self.reads.send_all(&make).await
    }

    pub(crate) async fn holders_of(&self) -> Result<Vec<Holder>, StorageError> {
        let mut ask = redis::cmd("FCALL_RO");
        ask.arg("ef1_holders").arg(self.partitions);
        for partition in self.all() {
            ask.arg(self.keys.own(partition));
        }
        let flat: Vec<Vec<u8>> = self.reads.ask(&ask).await?;
        if flat.len() != HOLDER_FIELDS * usize::from(self.partitions) {
            return Err(damaged("the holders"));
        }
        let holder = |(partition, held): (PartitionId, &[Vec<u8>])| {
            let era = decimal(&held[0]).and_then(|era| u32::try_from(era).ok());
            let epoch = decimal(&held[1]).ok_or_else(|| damaged("an epoch"))?;
            let owner = String::from_utf8(held[2].clone()).map_err(|_| damaged("an owner"))?;
            let last = decimal(&held[3]).ok_or_else(|| damaged("a position"))?;
            Ok(Holder {
                partition,
                era: Era(era.ok_or_else(|| damaged("an era"))?),
                epoch: Epoch(epoch),
                owner: Some(owner).filter(|owner| !owner.is_empty()),
                last: Position(last),
            })
        };
        self.all().zip(flat.chunks_exact(HOLDER_FIELDS)).map(holder).collect()
    }

    pub(crate) async fn epoch_of(&self, partition: PartitionId) -> Result<Epoch, StorageError> {
        let mut ask = redis::cmd("HGET");
        ask.arg(self.keys.own(partition)).arg("epoch");
        let epoch: Option<u64> = self.reads.ask(&ask).await?;
        epoch.map(Epoch).ok_or_else(|| missing(partition))
    }

    pub(crate) async fn claim_it(
        &self,
        partition: PartitionId,
        owner: &str,
        expected: Epoch,
        owner_is_gone: bool,
    ) -> Result<Claim, StorageError> {
        let mut call = redis::cmd("FCALL");
        call.arg("ef1_claim").arg(1).arg(self.keys.own(partition));
        call.arg(owner).arg(expected.0).arg(i32::from(owner_is_gone));
        call.arg(u64::try_from(TENURE.as_millis()).unwrap_or(u64::MAX));
        let (outcome, epoch): (String, u64) = self.reads.send(&call).await?;
        match outcome.as_str() {
            "W" => Ok(Claim::Won(Epoch(epoch))),
            "L" => Ok(Claim::Lost(Epoch(epoch))),
            "T" => Ok(Claim::TooSoon),
            "M" => Err(missing(partition)),
            _ => Err(damaged("the outcome of a claim")),
        }
    }

    pub(crate) async fn release_it(
        &self,
        partition: PartitionId,
        epoch: Epoch,
    ) -> Result<bool, StorageError> {
        let mut call = redis::cmd("FCALL");
        call.arg("ef1_release").arg(1).arg(self.keys.own(partition)).arg(epoch.0);
        let released: u8 = self.reads.send(&call).await?;
        Ok(released == 1)
    }

    pub(crate) async fn close_it(
        &self,
        partition: PartitionId,
        epoch: Epoch,
    ) -> Result<bool, StorageError> {
        let mut call = redis::cmd("FCALL");
        call.arg("ef1_close").arg(1).arg(self.keys.own(partition)).arg(epoch.0);
        let closed: u8 = self.reads.send(&call).await?;
        Ok(closed == 1)
    }

    /// With `appendfsync always` Redis syncs before the answers of a turn leave, so any
    /// answer of this server says that all it had done before is synced. Weaker levels
    /// promise nothing to wait for.
    pub(crate) async fn wait_for_sync(&self, partition: PartitionId) -> Result<(), StorageError> {
        let mut ask = redis::cmd("EXISTS");
        ask.arg(self.keys.own(partition));
        let _: Value = self.reads.ask(&ask).await?;
        Ok(())
    }
}

fn missing(partition: PartitionId) -> StorageError {
    StorageError::Damaged(format!(
        "partition {} is missing from this Redis: `eventflow recover` brings it back",
        partition.0
    ))
}
