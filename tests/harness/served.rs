//! What is answered at the end, when nobody writes any more.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::history::{SeenAvailability, SeenBooking};

/// Everything that can be read about the events of a run.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Each event.
    pub events: Vec<ServedEvent>,
    /// Each person's own list.
    pub users: BTreeMap<Uuid, Vec<SeenBooking>>,
}

/// What can be read about one event.
#[derive(Clone, Debug)]
pub struct ServedEvent {
    /// Which event.
    pub id: Uuid,
    /// Its counts.
    pub availability: SeenAvailability,
    /// The capacity that its page shows.
    pub capacity: u32,
    /// The version that its page shows.
    pub version: u32,
    /// The organizer's list of its bookings.
    pub bookings: Vec<SeenBooking>,
}
