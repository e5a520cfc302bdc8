//! Who starts actors, hears of their deaths and starts their successors.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use dashmap::DashMap;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, ActorStatus, SupervisionEvent};
use tokio::time::Instant;

use crate::directory::Place;
use crate::error::SubmitError;
use crate::event_actor::{Arguments, EventActor, recover};
use crate::shared::Shared;

/// How many doublings a restart pause may have.
const DOUBLINGS_MAX: u32 = 16;

/// The living actors and their supervisor.
#[derive(Default)]
pub(crate) struct Supervision {
    supervisor: OnceLock<ActorRef<Never>>,
    /// Which place an actor fills, and its generation there.
    filled: DashMap<ActorId, (Arc<Place>, u64)>,
}

/// The supervisor takes no messages, only word of its children.
#[derive(Debug)]
pub(crate) enum Never {}

/// The behaviour of the supervisor.
pub(crate) struct Supervisor;

#[ractor::async_trait]
impl Actor for Supervisor {
    type Msg = Never;
    type State = Arc<Shared>;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        _: ActorRef<Never>,
        shared: Arc<Shared>,
    ) -> Result<Arc<Shared>, ActorProcessingErr> {
        Ok(shared)
    }

    /// The default reaction to a dead child is to die as well. Ours is to bury it and to
    /// start the next.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Never>,
        event: SupervisionEvent,
        shared: &mut Arc<Shared>,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(child, state, _) => {
                // It holds the place, which is forgotten only when nobody else does.
                drop(state);
                bury(shared, child.get_id(), None);
            }
            SupervisionEvent::ActorFailed(child, reason) => {
                bury(shared, child.get_id(), Some(&reason.to_string()));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Supervision {
    /// Start the supervisor; once per system.
    pub(crate) async fn start(shared: &Arc<Shared>) -> Result<(), ractor::SpawnErr> {
        let (supervisor, _) = Actor::spawn(None, Supervisor, Arc::clone(shared)).await?;
        assert!(
            shared.supervision.supervisor.set(supervisor).is_ok(),
            "a system has one supervisor"
        );
        Ok(())
    }

    /// An actor lives, from its first moment on.
    pub(crate) fn born(&self, actor: ActorId, place: Arc<Place>, generation: u64) {
        self.filled.insert(actor, (place, generation));
    }

    /// Stop the supervisor and, with it, every actor that is left.
    pub(crate) fn stop(&self) {
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.stop(None);
        }
    }
}

/// Start the actor of this generation, and tell the place how it went.
pub(crate) async fn start(shared: Arc<Shared>, place: Arc<Place>, generation: u64) {
    match try_start(&shared, &place, generation).await {
        Ok(actor) => {
            place.slot.started(generation, actor.clone());
            // It may have died before its place knew that it lived; then nobody has been
            // told, and its successor is started from here.
            if actor.get_status() >= ActorStatus::Stopping {
                start_successor(&shared, place, generation, Some("died at once"));
            }
        }
        Err(error) => {
            place.slot.failed(generation, error);
            let event = place.event;
            drop(place);
            shared.directory.forget(event);
        }
    }
}

async fn try_start(
    shared: &Arc<Shared>,
    place: &Arc<Place>,
    generation: u64,
) -> Result<ActorRef<crate::event_actor::Message>, SubmitError> {
    let unavailable = |why: &str| Err(SubmitError::Unavailable(why.into()));
    let partition = shared.partition_of(place.event);
    if !shared.ownership.is_open(partition) {
        return Err(shared.not_served(partition));
    }
    if shared.directory.awake() >= shared.options.awake_events {
        return unavailable("too many events are in use at a time");
    }
    let begun = Instant::now();
    let recovered = recover(shared, place).await?;
    shared.meters.load_seconds.record(begun.elapsed());
    let Some(supervisor) = shared.supervision.supervisor.get() else {
        return unavailable("the system has not started");
    };
    let arguments =
        Arguments { shared: Arc::clone(shared), place: Arc::clone(place), generation, recovered };
    let spawned = Actor::spawn_linked(None, EventActor, arguments, supervisor.get_cell()).await;
    match spawned {
        Ok((actor, _)) => Ok(actor),
        Err(error) => {
            tracing::error!(event = %place.event, %error, "an actor could not be started");
            unavailable("the event's actor could not be started")
        }
    }
}

/// An actor has ended. If nobody had sent it to sleep, its successor is started after a
/// pause that grows with each death in a row, so that a store in trouble isn't stormed.
fn bury(shared: &Arc<Shared>, child: ActorId, failure: Option<&str>) {
    let Some((_, (place, generation))) = shared.supervision.filled.remove(&child) else { return };
    shared.directory.slept();
    start_successor(shared, place, generation, failure);
}

fn start_successor(
    shared: &Arc<Shared>,
    place: Arc<Place>,
    generation: u64,
    failure: Option<&str>,
) {
    let Some(next) = place.slot.crashed(generation) else {
        let event = place.event;
        drop(place);
        shared.directory.forget(event);
        return;
    };
    if !shared.ownership.is_open(shared.partition_of(place.event)) {
        place.forget_answered();
        place.slot.failed(next, SubmitError::Unavailable("the event is moving".into()));
        let event = place.event;
        drop(place);
        shared.directory.forget(event);
        return;
    }
    if shared.is_draining() {
        place.slot.failed(next, SubmitError::Unavailable("the system is stopping".into()));
        return;
    }
    shared.meters.deaths.increment(1);
    let deaths = place.died();
    let pause = pause_after(deaths, shared.options.restart_pause, shared.options.restart_pause_max);
    tracing::warn!(event = %place.event, deaths, ?pause, ?failure, "an actor died");
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        start(shared, place, next).await;
    });
}

fn pause_after(deaths: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = deaths.saturating_sub(1).min(DOUBLINGS_MAX);
    first.saturating_mul(1 << doublings).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_a_bound() {
        let pause = |deaths| {
            pause_after(deaths, Duration::from_millis(20), Duration::from_secs(5)).as_millis()
        };
        assert_eq!([pause(1), pause(2), pause(3)], [20, 40, 80]);
        assert_eq!(pause(1_000_000), 5_000);
    }
}
