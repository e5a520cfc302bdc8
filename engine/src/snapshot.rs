//! An inventory as plain data, to be stored and loaded faster than its history.

use core::fmt;

use crate::booking_event::{Answered, HoldRef};
use crate::command::Terms;
use crate::decision::{Booking, Hold};
use crate::id::{EventId, UserId};
use crate::invariants::{self, BrokenLaw};
use crate::inventory::{Inventory, Phase, Row, Seq};
use crate::time::Timestamp;

/// Everything an inventory knows. Sums, queue and indexes follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose seats.
    pub event: EventId,
    /// How many booking events it has seen.
    pub seq: Seq,
    /// Where the event is in its life.
    pub phase: Phase,
    /// Version of terms and words; 0 before the event was opened.
    pub version: u32,
    /// Who may change the event; there from opening on.
    pub organizer: Option<UserId>,
    /// The terms; there from opening on.
    pub terms: Option<Terms>,
    /// The greatest time of all entries.
    pub last_time: Timestamp,
    /// Confirmed and waiting bookings in the order of seq.
    pub bookings: Vec<Booking>,
    /// Open holds in the order of seq.
    pub holds: Vec<Hold>,
    /// Holds that ended by their time and are remembered, oldest end first.
    pub expired: Vec<ExpiredHold>,
    /// Remembered keys: those sent by clients in the order of time, then those made by
    /// the edge in the order of time.
    pub keys: Vec<RememberedKey>,
}

/// A hold that ended by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiredHold {
    /// The hold.
    pub hold: HoldRef,
    /// When it was ended, which may be later than its time.
    pub ended_at: Timestamp,
}

/// A key that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedKey {
    /// When.
    pub at: Timestamp,
    /// The key and its outcome.
    pub answered: Answered,
}

/// Why a snapshot cannot be an inventory of ours: it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenSnapshot {
    /// Phase, version, organizer and terms do not belong together.
    Head,
    /// A list is not in its order, or something is newer than the snapshot itself.
    Order,
    /// Somebody has two things.
    TwoPerPerson {
        /// Who.
        user: UserId,
    },
    /// A booking that is over is listed among those that are not.
    CancelledBooking {
        /// Made at.
        seq: Seq,
    },
    /// More places booked and held than there are.
    Oversold,
    /// Another law is broken.
    Law(BrokenLaw),
}

impl fmt::Display for BrokenSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("phase, version and terms do not belong together"),
            Self::Order => f.write_str("a list is out of order"),
            Self::TwoPerPerson { user } => write!(f, "{user} has two things"),
            Self::CancelledBooking { seq } => write!(f, "the booking made at {} is over", seq.0),
            Self::Oversold => f.write_str("more places booked and held than there are"),
            Self::Law(law) => write!(f, "{law}"),
        }
    }
}

impl core::error::Error for BrokenSnapshot {}

impl Inventory {
    /// Everything this inventory knows.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            event: self.event(),
            seq: self.seq(),
            phase: self.phase(),
            version: self.version(),
            organizer: self.organizer(),
            terms: self.terms().cloned(),
            last_time: self.last_time(),
            bookings: self.all_rows().filter_map(Row::booking).collect(),
            holds: self.all_rows().filter_map(Row::hold).collect(),
            expired: self.expired_holds().copied().collect(),
            keys: self.keys().collect(),
        }
    }

    /// The inventory that a snapshot was taken of. With other than the default limits,
    /// call [`Inventory::with_limits`] on it before anything else.
    ///
    /// # Errors
    /// If the snapshot breaks a law; it is damaged then, and the history has to be read
    /// instead.
    pub fn restore(snapshot: Snapshot) -> Result<Self, BrokenSnapshot> {
        check_head(&snapshot)?;
        check_sums(&snapshot)?;
        let mut inventory = Self::of_parts(snapshot.event, &snapshot);
        restore_rows(&mut inventory, &snapshot)?;
        restore_memory(&mut inventory, snapshot)?;
        invariants::check(&inventory).map_err(BrokenSnapshot::Law)?;
        Ok(inventory)
    }
}

fn check_head(snapshot: &Snapshot) -> Result<(), BrokenSnapshot> {
    let opened = snapshot.phase != Phase::Unopened;
    let empty = snapshot.bookings.is_empty() && snapshot.holds.is_empty();
    let fits = snapshot.terms.is_some() == opened
        && snapshot.organizer.is_some() == opened
        && (snapshot.version > 0) == opened
        && (snapshot.seq.0 > 0) == opened
        && (snapshot.phase == Phase::Open || (empty && snapshot.expired.is_empty()));
    if fits { Ok(()) } else { Err(BrokenSnapshot::Head) }
}

/// Sums in 64 bits, before the inventory counts in 32.
fn check_sums(snapshot: &Snapshot) -> Result<(), BrokenSnapshot> {
    use crate::decision::BookingStatus;
    let confirmed = snapshot.bookings.iter().filter(|b| b.status == BookingStatus::Confirmed);
    let booked: u64 = confirmed.map(|b| u64::from(b.quantity.get())).sum();
    let held: u64 = snapshot.holds.iter().map(|hold| u64::from(hold.quantity.get())).sum();
    let capacity = snapshot.terms.as_ref().map_or(0, |terms| u64::from(terms.capacity));
    if booked + held <= capacity { Ok(()) } else { Err(BrokenSnapshot::Oversold) }
}

fn restore_rows(inventory: &mut Inventory, snapshot: &Snapshot) -> Result<(), BrokenSnapshot> {
    let mut bookings = snapshot.bookings.iter().peekable();
    let mut holds = snapshot.holds.iter().peekable();
    let mut last = Seq(0);
    loop {
        let hold_is_next = match (bookings.peek(), holds.peek()) {
            (Some(booking), Some(hold)) => hold.seq < booking.seq,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return Ok(()),
        };
        let row = if hold_is_next {
            holds.next().map(Row::of_hold)
        } else {
            bookings
                .next()
                .map(|b| Row::of_booking(b).ok_or(BrokenSnapshot::CancelledBooking { seq: b.seq }))
                .transpose()?
        };
        let Some(row) = row else { return Ok(()) };
        if row.seq <= last || row.seq > snapshot.seq {
            return Err(BrokenSnapshot::Order);
        }
        if inventory.has_row(row.user) {
            return Err(BrokenSnapshot::TwoPerPerson { user: row.user });
        }
        last = row.seq;
        inventory.put_back(row);
    }
}

fn restore_memory(inventory: &mut Inventory, snapshot: Snapshot) -> Result<(), BrokenSnapshot> {
    let ends = snapshot.expired.iter().map(|expired| expired.ended_at);
    let times = snapshot.keys.iter().map(|key| (key.answered.key.origin as u8, key.at));
    if !ends.is_sorted() || !times.is_sorted() {
        return Err(BrokenSnapshot::Order);
    }
    for expired in snapshot.expired {
        inventory.put_back_expired(expired);
    }
    for key in snapshot.keys {
        inventory.put_back_key(&key);
    }
    Ok(())
}
