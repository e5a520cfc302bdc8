//! The inventory: what the engine knows of one event's seats.

/// Position of an inventory in its history: how many booking events it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

/// Sums over an inventory. `booked + held` never exceeds the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Places of confirmed bookings.
    pub booked: u32,
    /// Places set aside by open holds.
    pub held: u32,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// How many entries wait.
    pub waitlist_entries: u32,
}

/// Where an event is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Phase {
    /// Nothing was ever decided for it.
    #[default]
    Unopened,
    /// It exists.
    Open,
    /// It was cancelled. Nothing more can happen to it.
    Cancelled,
}
