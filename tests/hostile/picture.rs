//! Everything that can be read about a scene, to be compared before and after.

use harness::client::Ask;

use crate::world::{Cast, Scene, World};

/// What every read answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture(Vec<(String, u16, String)>);

/// Reads everything: the events' pages, counts and lists, the people's lists and
/// profiles, the hold.
pub(crate) async fn take(world: &mut World, cast: &Cast, scene: &Scene) -> Picture {
    let mut asks = Vec::new();
    let organizer = &cast.organizer.person;
    for event in scene.events() {
        asks.push(Ask::get(format!("/events/{event}")));
        asks.push(Ask::get(format!("/events/{event}/availability")));
        asks.push(Ask::get(format!("/events/{event}/bookings")).token(&organizer.token));
    }
    asks.push(Ask::get(format!("/events?organizer_id={}&limit=100", organizer.id)));
    for (_, account) in cast.everybody() {
        asks.push(Ask::get("/bookings?limit=50").token(&account.person.token));
        asks.push(Ask::get("/users/me").token(&account.person.token));
    }
    if let Some(hold) = &scene.hold {
        let owner = &cast.owner.person;
        asks.push(Ask::get(format!("/bookings/holds/{hold}")).token(&owner.token));
    }
    let mut seen = Vec::new();
    for ask in asks {
        let answer = world.ask(&ask).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        seen.push((format!("{ask:?}"), answer.status.as_u16(), body));
    }
    Picture(seen)
}

impl Picture {
    /// # Panics
    /// When something else is read now.
    #[track_caller]
    pub(crate) fn assert_same(&self, now: &Self, after: &str) {
        for (was, is) in self.0.iter().zip(&now.0) {
            assert_eq!(was, is, "something has changed after {after}");
        }
        assert_eq!(self.0.len(), now.0.len(), "after {after}");
    }

    /// # Panics
    /// When something could not be read: a comparison of errors proves nothing.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        for (ask, status, body) in &self.0 {
            assert_eq!(*status, 200, "{ask}: {body}");
        }
    }
}
