//! The load: every operation is sent when it is due, and repeated with its key until
//! somebody says what became of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use harness::client::Client;
use harness::history::{History, Moment, Outcome};
use harness::recorder::Recorder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::schedule::Schedule;
use crate::tally::{End, Sample, Tally};
use crate::world::{Operation, World};

/// Most operations under way at once; one that finds no room is an error of its own name.
const IN_FLIGHT: usize = 4_096;

/// Most connections that are kept for the next operation.
const IDLE_CONNECTIONS: usize = 512;

/// For how long a write is repeated with its key.
const REPEATED: Duration = Duration::from_secs(30);

/// Pause before the first repeat; doubles with each.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Name of the error of an operation that found no room.
pub(crate) const NO_ROOM: &str = "no_room";

/// Name of the error of an operation that nobody took.
const NOT_CONNECTED: &str = "not_connected";

/// What all operations of a run share.
struct Shared {
    history: Arc<History>,
    address: SocketAddr,
    idle: Mutex<Vec<Recorder>>,
    connections: AtomicUsize,
    world: Mutex<World>,
    tally: Mutex<Tally>,
}

/// What a load left behind.
pub(crate) struct Loaded {
    /// What was counted.
    pub(crate) tally: Tally,
    /// When it began.
    pub(crate) from: Moment,
    /// When its last operation was due.
    pub(crate) to: Moment,
    /// When the last answer was there.
    pub(crate) end: Moment,
    /// The most connections that were open.
    pub(crate) connections: usize,
}

/// Drives the load to its end; every operation has ended then.
pub(crate) async fn drive(
    address: SocketAddr,
    schedule: Schedule,
    world: World,
    history: &Arc<History>,
) -> Loaded {
    let shared = Arc::new(Shared {
        history: Arc::clone(history),
        address,
        idle: Mutex::default(),
        connections: AtomicUsize::new(0),
        world: Mutex::new(world),
        tally: Mutex::default(),
    });
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    let (start, from) = (Instant::now(), history.now());
    let due_at = |number| from + nanos(schedule.due(number));
    let mut tasks = JoinSet::new();
    for number in 0..schedule.operations() {
        sleep_until(start + schedule.due(number)).await;
        while tasks.try_join_next().is_some() {}
        let operation = locked(&shared.world).draw();
        match Arc::clone(&room).try_acquire_owned() {
            Ok(permit) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(perform(shared, operation, due_at(number), permit));
            }
            Err(_) => shared.refuse(&operation, due_at(number)),
        }
    }
    while tasks.join_next().await.is_some() {}
    let tally = std::mem::take(&mut *locked(&shared.tally));
    let connections = shared.connections.load(Ordering::Relaxed);
    Loaded { tally, from, to: due_at(schedule.operations()), end: history.now(), connections }
}

/// One operation with all its repeats.
async fn perform(
    shared: Arc<Shared>,
    operation: Operation,
    due: Moment,
    _room: OwnedSemaphorePermit,
) {
    let key = operation.kind.writes().then(|| locked(&shared.world).key());
    let give_up = Instant::now() + REPEATED;
    let mut recorder = shared.connection();
    let mut pause = PAUSE;
    let end = loop {
        let outcome = recorder.call(&operation.person, &operation.wish, key.as_ref()).await;
        let code = match outcome {
            Some(outcome @ (Outcome::Answered(_) | Outcome::Refused(_))) => {
                locked(&shared.world).learn(&operation, &outcome);
                break End::of(&outcome);
            }
            Some(Outcome::Unknown(why)) => error_code(&why),
            None => NOT_CONNECTED.to_owned(),
        };
        let now = shared.history.now();
        locked(&shared.tally).error(&code, now);
        if !operation.kind.writes() {
            break End::Failed;
        }
        if Instant::now() >= give_up {
            break End::Unknown;
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    };
    let ended = shared.history.now();
    let Operation { kind, event, .. } = operation;
    locked(&shared.tally).keep(Sample { kind, event, due, ended, end });
    shared.give_back(recorder);
}

impl Shared {
    /// A connection that nobody uses, or a new one.
    fn connection(&self) -> Recorder {
        if let Some(recorder) = locked(&self.idle).pop() {
            return recorder;
        }
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        Recorder::new(&self.history, number, Client::new(self.address))
    }

    fn give_back(&self, recorder: Recorder) {
        let mut idle = locked(&self.idle);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(recorder);
        }
    }

    fn refuse(&self, operation: &Operation, due: Moment) {
        let never_sent =
            harness::history::Refusal { status: 429, code: NO_ROOM.to_owned(), existing: None };
        locked(&self.world).learn(operation, &Outcome::Refused(never_sent));
        let ended = self.history.now();
        let Operation { kind, event, .. } = *operation;
        let mut tally = locked(&self.tally);
        tally.error(NO_ROOM, ended);
        tally.keep(Sample { kind, event, due, ended, end: End::Failed });
    }
}

/// The name of an error: status and code, or that the connection was lost.
fn error_code(why: &str) -> String {
    match why.split_once(':') {
        Some((code, _)) if code.starts_with(|c: char| c.is_ascii_digit()) => code.to_owned(),
        _ => "connection_lost".to_owned(),
    }
}

/// A task that panicked has changed what it held, or not; either is whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(duration: Duration) -> Moment {
    Moment::try_from(duration.as_nanos()).unwrap_or(Moment::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_their_names() {
        assert_eq!(error_code("503 overloaded: b\"{}\""), "503 overloaded");
        assert_eq!(error_code("connection closed before message completed"), "connection_lost");
        assert_eq!(error_code("connection error: reset by peer"), "connection_lost");
    }
}
