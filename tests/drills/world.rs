//! Who wants what next: drawn from the seed and from what everybody has by now.

use harness::history::{Answer, Outcome, Status, Told, Wish};
use harness::people::Person;
use harness::random::Random;
use uuid::Uuid;

/// The kinds of operations, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `POST /bookings`.
    Book,
    /// `DELETE /bookings/{id}`.
    Cancel,
    /// `POST /bookings/holds`.
    Hold,
    /// `POST /bookings` with a hold.
    Confirm,
    /// `GET /bookings`.
    List,
    /// `GET /bookings/{id}`.
    ReadBooking,
    /// `GET /events/{id}/availability`.
    Availability,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 7] = [
        Self::Book,
        Self::Cancel,
        Self::Hold,
        Self::Confirm,
        Self::List,
        Self::ReadBooking,
        Self::Availability,
    ];

    /// Its name in the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Cancel => "cancel",
            Self::Hold => "hold",
            Self::Confirm => "confirm",
            Self::List => "list",
            Self::ReadBooking => "read_booking",
            Self::Availability => "availability",
        }
    }

    /// Whether it changes something.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Book | Self::Cancel | Self::Hold | Self::Confirm)
    }
}

/// So many operations in a hundred book or cancel.
const BOOKINGS: u64 = 62;

/// So many more hold places, or confirm what is held.
const HOLDS: u64 = 8;

/// So many more ask for the list of their bookings.
const LISTS: u64 = 12;

/// So many more look at one booking; the rest at an event's counts.
const ROWS: u64 = 8;

/// So many in a hundred give back what they have when it is their turn. With this the hot
/// event is wanted by more people than it has places for, and its queue moves.
const CANCELS: u64 = 35;

/// So many in a hundred would wait.
const WAITS: u64 = 90;

/// How often another person is looked for when one has nothing to do.
const TRIES: usize = 16;

/// Bookings that are remembered for reads.
const REMEMBERED: usize = 4_096;

/// One thing to do.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// What kind of thing.
    pub(crate) kind: Kind,
    /// By whom.
    pub(crate) person: Person,
    /// At which event, if at one.
    pub(crate) event: Option<Uuid>,
    /// What is wanted.
    pub(crate) wish: Wish,
    /// Where its outcome belongs.
    place: Option<usize>,
}

/// What somebody has at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    /// An operation is under way, or nobody knows what became of the last one.
    Busy,
    Has(Uuid),
    Holds(Uuid, u32),
}

/// Everybody, every event, and who has what.
#[derive(Debug)]
pub(crate) struct World {
    random: Random,
    people: Vec<Person>,
    events: Vec<Uuid>,
    hot_percent: u64,
    slots: Vec<Slot>,
    held: Vec<usize>,
    seen: Vec<(usize, Uuid)>,
    next_seen: usize,
}

impl World {
    /// Nobody has anything; the first event is the hot one, which gets `hot_percent` in a
    /// hundred of all operations at an event.
    pub(crate) fn new(
        random: Random,
        people: Vec<Person>,
        events: Vec<Uuid>,
        hot_percent: u64,
    ) -> Self {
        let slots = vec![Slot::Free; people.len() * events.len()];
        let (held, seen) = (Vec::new(), Vec::new());
        Self { random, people, events, hot_percent, slots, held, seen, next_seen: 0 }
    }

    /// The next operation.
    pub(crate) fn draw(&mut self) -> Operation {
        let chance = self.random.below(100);
        let drawn = if chance < BOOKINGS {
            self.book_or_cancel()
        } else if chance < BOOKINGS + HOLDS {
            self.hold_or_confirm()
        } else if chance < BOOKINGS + HOLDS + LISTS {
            Some(self.list())
        } else if chance < BOOKINGS + HOLDS + LISTS + ROWS {
            self.look()
        } else {
            None
        };
        drawn.unwrap_or_else(|| self.counts())
    }

    /// A key that nobody has had before.
    pub(crate) fn key(&mut self) -> std::sync::Arc<str> {
        self.random.uuid().simple().to_string().into()
    }

    fn book_or_cancel(&mut self) -> Option<Operation> {
        let event = self.event();
        for _ in 0..TRIES {
            let place = self.place(event);
            match self.slots[place] {
                Slot::Free => {
                    let quantity = if self.random.chance(80) { 1 } else { 2 };
                    let join_waitlist = self.random.chance(WAITS);
                    let event = self.events[event];
                    let wish = Wish::Book { event, quantity, join_waitlist };
                    return Some(self.write(Kind::Book, place, wish));
                }
                Slot::Has(booking) if self.random.chance(CANCELS) => {
                    return Some(self.write(Kind::Cancel, place, Wish::Cancel { booking }));
                }
                Slot::Has(_) | Slot::Holds(..) | Slot::Busy => {}
            }
        }
        None
    }

    /// What is held is confirmed, so that holds come and go.
    fn hold_or_confirm(&mut self) -> Option<Operation> {
        if let Some(place) = self.held.pop() {
            let Slot::Holds(hold, quantity) = self.slots[place] else { return None };
            let event = self.events[place % self.events.len()];
            let wish = Wish::Confirm { hold, event, quantity };
            return Some(self.write(Kind::Confirm, place, wish));
        }
        let event = self.event();
        for _ in 0..TRIES {
            let place = self.place(event);
            if self.slots[place] == Slot::Free {
                let wish = Wish::Hold { event: self.events[event], quantity: 1 };
                return Some(self.write(Kind::Hold, place, wish));
            }
        }
        None
    }

    fn list(&mut self) -> Operation {
        let person = self.below(self.people.len());
        self.read(Kind::List, person, None, Wish::ReadOwn)
    }

    fn look(&mut self) -> Option<Operation> {
        if self.seen.is_empty() {
            return None;
        }
        let number = self.below(self.seen.len());
        let (place, booking) = self.seen[number];
        let event = self.events[place % self.events.len()];
        let person = place / self.events.len();
        Some(self.read(Kind::ReadBooking, person, Some(event), Wish::ReadBooking { booking }))
    }

    fn counts(&mut self) -> Operation {
        let (event, person) = (self.event(), self.below(self.people.len()));
        let event = self.events[event];
        self.read(Kind::Availability, person, Some(event), Wish::ReadAvailability { event })
    }

    fn read(&self, kind: Kind, person: usize, event: Option<Uuid>, wish: Wish) -> Operation {
        Operation { kind, person: self.people[person].clone(), event, wish, place: None }
    }

    fn write(&mut self, kind: Kind, place: usize, wish: Wish) -> Operation {
        self.slots[place] = Slot::Busy;
        let person = self.people[place / self.events.len()].clone();
        let event = Some(self.events[place % self.events.len()]);
        Operation { kind, person, event, wish, place: Some(place) }
    }

    /// The hot event, or any other one.
    fn event(&mut self) -> usize {
        if self.events.len() == 1 || self.random.chance(self.hot_percent) {
            return 0;
        }
        1 + self.below(self.events.len() - 1)
    }

    /// Somebody at this event.
    fn place(&mut self, event: usize) -> usize {
        self.below(self.people.len()) * self.events.len() + event
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap_or(0)
    }

    /// Remembers what came of an operation. What stays unknown keeps its place busy: one
    /// more booking there would be refused, or not, and nobody could say which was right.
    pub(crate) fn learn(&mut self, operation: &Operation, outcome: &Outcome) {
        let Some(place) = operation.place else { return };
        self.slots[place] = match outcome {
            Outcome::Answered(Answer { told: Told::Booking(row), .. }) => {
                self.remember(place, row.id);
                if row.status == Status::Cancelled { Slot::Free } else { Slot::Has(row.id) }
            }
            Outcome::Answered(Answer { told: Told::Hold(hold), .. }) => {
                self.held.push(place);
                Slot::Holds(hold.id, hold.quantity)
            }
            Outcome::Refused(refusal) => match (refusal.existing, &operation.wish) {
                (Some(booking), _) => Slot::Has(booking),
                // Too much at a time: they still have what they wanted to give back.
                (None, Wish::Cancel { booking }) if refusal.status == 429 => Slot::Has(*booking),
                (None, Wish::Confirm { .. }) => Slot::Busy,
                (None, _) => Slot::Free,
            },
            Outcome::Answered(_) | Outcome::Unknown(_) => Slot::Busy,
        };
    }

    fn remember(&mut self, place: usize, booking: Uuid) {
        if self.seen.len() < REMEMBERED {
            self.seen.push((place, booking));
        } else {
            self.seen[self.next_seen] = (place, booking);
            self.next_seen = (self.next_seen + 1) % REMEMBERED;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn world(hot_percent: u64) -> World {
        let people = (0..50).map(|n| Person { id: Uuid::from_u128(n), token: "".into() });
        let events = (0..5).map(|n| Uuid::from_u128(1_000 + n)).collect();
        World::new(Random::new(7), people.collect(), events, hot_percent)
    }

    #[test]
    fn nobody_does_two_things_at_one_event_at_a_time() {
        let mut world = world(40);
        let mut busy = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            let operation = world.draw();
            if let (true, Some(event)) = (operation.kind.writes(), operation.event) {
                assert!(busy.insert((operation.person.id, event)), "{operation:?}");
            }
        }
        assert_eq!(busy.len(), 250, "in the end everybody is busy everywhere");
    }

    #[test]
    fn the_hot_event_gets_its_share() {
        let mut world = world(40);
        let mut hot = 0;
        for _ in 0..10_000 {
            hot += u32::from(world.event() == 0);
        }
        assert!((3_700..4_300).contains(&hot), "{hot}");
    }

    #[test]
    fn a_refused_operation_frees_its_place_and_an_unknown_one_does_not() {
        let mut world = world(0);
        let refused =
            harness::history::Refusal { status: 409, code: "sold_out".to_owned(), existing: None };
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for _ in 0..1_000 {
            let operation = world.draw();
            *kinds.entry(operation.kind).or_default() += 1;
            world.learn(&operation, &Outcome::Refused(refused.clone()));
        }
        assert!(world.slots.iter().all(|slot| *slot == Slot::Free));
        assert!(kinds[&Kind::Book] > 500, "{kinds:?}");
        let operation = std::iter::repeat_with(|| world.draw()).find(|o| o.kind == Kind::Book);
        world.learn(&operation.expect("most book"), &Outcome::Unknown("reset".to_owned()));
        assert!(world.slots.contains(&Slot::Busy));
    }
}
