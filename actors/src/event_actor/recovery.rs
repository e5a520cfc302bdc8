//! Bringing an inventory back from what is stored: snapshot and tail through the same
//! `apply` as the first time.

use std::sync::Arc;

use engine::{EventId, Inventory, Limits, Seq};
use storage::{Chain, Epoch, Head, Loaded, Position, StorageError, chain, record};

use crate::directory::Place;
use crate::error::SubmitError;
use crate::shared::Shared;
use crate::steward;

/// Most batches looked through for the one that was answered: it is the first at its seq,
/// but for those without booking events.
const SAME_SEQ: usize = 512;

/// Most batches read at a time when a whole history has to be.
const HISTORY_PAGE: usize = 1_024;

/// An inventory as the store has it.
pub(crate) struct Recovered {
    pub(crate) inventory: Inventory,
    pub(crate) head: Head,
    /// The ownership under which it was loaded.
    pub(crate) epoch: Epoch,
    pub(crate) snapshot_seq: Seq,
}

/// Load an event. Waits for the last batch of a predecessor to be answered.
pub(crate) async fn recover(shared: &Arc<Shared>, place: &Place) -> Result<Recovered, SubmitError> {
    let unavailable = |error: &StorageError| {
        tracing::warn!(event = %place.event, %error, "an event could not be loaded");
        SubmitError::Unavailable("the event could not be loaded".into())
    };
    let _lane = place.lane.lock().await;
    // Before the load: what is loaded may be newer than this ownership, and is then fenced.
    let epoch = shared.ownership.epoch(shared.partition_of(place.event));
    let partition = shared.partition_of(place.event);
    let followed = shared.ownership.has_tail(partition).map(|_| shared.tail.followed(partition));
    let loaded =
        shared.stores.commit.load(place.event).await.map_err(|error| unavailable(&error))?;
    if let (Some(_), Some(followed)) = (&shared.cluster, followed) {
        // Of an event that nobody has had in memory only its partition tells that the store
        // has lost something.
        let last = shared.stores.outbox.last(partition).await;
        if last.map_err(|error| unavailable(&error))? < followed {
            steward::close(shared, partition, epoch, "the store has less than it has shown");
            return Err(SubmitError::Unavailable("the event's history needs repair".into()));
        }
    }
    contains_acknowledged(shared, place, epoch, loaded.as_ref()).await?;
    if place.has_died() {
        follow_outbox(shared, place).await.map_err(|error| unavailable(&error))?;
    }
    // What was loaded may be the work of a commit whose answer is still to come, and be
    // answered from here: then it has to be durable first.
    shared.stores.commit.barrier(partition).await.map_err(|error| unavailable(&error))?;
    let event = place.event;
    let Some(loaded) = loaded else {
        let inventory = Inventory::new(event).with_limits(&shared.options.limits);
        return Ok(Recovered { inventory, head: Head::default(), epoch, snapshot_seq: Seq(0) });
    };
    let (header, from_snapshot) = (loaded.header, loaded.snapshot.is_some());
    let tail = After { from: loaded.from, blobs: loaded.tail.clone() };
    let rebuilt = rebuild_apart(shared, event, epoch, loaded).await;
    match rebuilt {
        Err(error) if from_snapshot => {
            // A snapshot only saves time: the history has everything.
            tracing::error!(%event, %error, "a snapshot is of no use; reading the whole history");
            let tail =
                whole_history(shared, event, &tail).await.map_err(|error| unavailable(&error))?;
            let whole = Loaded { header, snapshot: None, from: Head::default(), tail };
            rebuild_apart(shared, event, epoch, whole).await
        }
        rebuilt => rebuilt,
    }
    .map_err(|error| unavailable(&error))
}

/// Rebuild where it may take a while, and where a broken law ends nothing but this.
async fn rebuild_apart(
    shared: &Shared,
    event: EventId,
    epoch: Epoch,
    loaded: Loaded,
) -> Result<Recovered, StorageError> {
    let limits = shared.options.limits.clone();
    tokio::task::spawn_blocking(move || rebuild(event, epoch, &loaded, &limits))
        .await
        .unwrap_or_else(|_| Err(StorageError::Damaged("replay broke a law of the engine".into())))
}

/// The batches after a snapshot.
struct After {
    from: Head,
    blobs: Vec<Arc<[u8]>>,
}

/// Every batch of an event, from the first: those before the snapshot out of the journal,
/// which may not have the newest yet, and the rest as it was loaded.
async fn whole_history(
    shared: &Shared,
    event: EventId,
    after: &After,
) -> Result<Vec<Arc<[u8]>>, StorageError> {
    let (mut from, mut last) = (Seq(1), Position(0));
    let mut blobs: Vec<Arc<[u8]>> = Vec::new();
    loop {
        let mut batches = shared.stores.journal.history(event, from, HISTORY_PAGE).await?;
        // A page begins with the batch that contains `from`, which may be known already.
        batches.retain(|batch| batch.position > last);
        let Some(end) = batches.last() else {
            return Err(StorageError::NotDone("the journal is behind a snapshot".into()));
        };
        (from, last) = (Seq(end.last_seq.0 + 1), end.position);
        for batch in batches {
            blobs.push(batch.blob);
            if batch.chain == after.from.chain {
                blobs.extend(after.blobs.iter().cloned());
                return Ok(blobs);
            }
        }
    }
}

/// A batch whose outcome nobody knew, or one that came from elsewhere, may have landed
/// behind the tail's back. Before the event answers again the tail has to know it, else a
/// list would lack what the actor answers.
async fn follow_outbox(shared: &Shared, place: &Place) -> Result<(), StorageError> {
    shared.follow_outbox(shared.partition_of(place.event)).await
}

fn rebuild(
    event: EventId,
    epoch: Epoch,
    loaded: &Loaded,
    limits: &Limits,
) -> Result<Recovered, StorageError> {
    let mut inventory = match &loaded.snapshot {
        None => Inventory::new(event),
        Some(blob) => Inventory::restore(record::decode_snapshot(blob)?)
            .map_err(|broken| StorageError::Damaged(format!("snapshot of {event}: {broken:?}")))?,
    }
    .with_limits(limits);
    for blob in &loaded.tail {
        for entry in record::decode(blob)? {
            inventory.apply(&entry);
        }
    }
    let head = loaded.header.head;
    if inventory.seq() != head.seq {
        let (found, wanted) = (inventory.seq().0, head.seq.0);
        return Err(StorageError::Damaged(format!(
            "the history of {event} ends at {found}, its header says {wanted}"
        )));
    }
    Ok(Recovered { inventory, head, epoch, snapshot_seq: loaded.header.snapshot_seq })
}

/// The chain after each batch of the tail, the snapshot's first.
fn heads_of(loaded: &Loaded) -> impl Iterator<Item = Chain> {
    let mut road = loaded.from.chain;
    let after = loaded.tail.iter().map(move |blob| {
        road = chain::next(road, blob);
        road
    });
    std::iter::once(loaded.from.chain).chain(after)
}

/// What was answered must still be there. A history that is shorter, or another one,
/// closes the partition: nothing is answered from it.
async fn contains_acknowledged(
    shared: &Arc<Shared>,
    place: &Place,
    epoch: Epoch,
    loaded: Option<&Loaded>,
) -> Result<(), SubmitError> {
    let Some(answered) = place.last_acknowledged() else { return Ok(()) };
    let stored = loaded.map(|loaded| loaded.header.head).unwrap_or_default();
    if stored == answered || answered.seq == Seq(0) {
        return Ok(());
    }
    let contained = stored.seq >= answered.seq && {
        // What was loaded proves its own heads; only what lies before it is the journal's,
        // which may be late.
        let in_tail = loaded.is_some_and(|loaded| heads_of(loaded).any(|h| h == answered.chain));
        in_tail
            || loaded.is_none_or(|loaded| answered.seq <= loaded.from.seq) && {
                let batches =
                    shared.stores.journal.history(place.event, answered.seq, SAME_SEQ).await;
                let batches =
                    batches.map_err(|error| SubmitError::Unavailable(error.to_string()))?;
                // Where it is written apart it may be late.
                let reaches_beyond = batches.iter().any(|batch| batch.last_seq > answered.seq);
                let found = batches.iter().any(|batch| batch.chain == answered.chain);
                if shared.stores.journal_writer.is_some() && !found && !reaches_beyond {
                    let why = "the journal has to catch up with the event's snapshot";
                    return Err(SubmitError::Unavailable(why.into()));
                }
                batches.iter().any(|batch| batch.chain == answered.chain)
            }
    };
    if contained {
        return Ok(());
    }
    let partition = shared.partition_of(place.event);
    steward::close(shared, partition, epoch, "the stored history lacks what was answered");
    tracing::error!(
        event = %place.event,
        answered = answered.seq.0,
        stored = stored.seq.0,
        "the stored history lacks what was answered: partition closed"
    );
    Err(SubmitError::Unavailable("the event's history needs repair".into()))
}
