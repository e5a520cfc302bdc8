//! What a booking costs in memory.

use engine::{
    Command, CommandId, Envelope, EventId, Fingerprint, Inventory, Key, KeyOrigin, Limits,
    Principal, Seats, Span, Terms, Timestamp, UserId, Words, decide,
};

const BOOKINGS: u32 = 100_000;

/// An event with that many confirmed bookings, with or without remembered keys.
fn booked(bookings: u32, keys: bool) -> Inventory {
    let start = Timestamp::from_millis(1_763_900_000_000);
    let mut inventory = Inventory::new(EventId([1; 16]));
    let terms = Terms {
        capacity: bookings,
        opens_at: start,
        closes_at: start.plus(Span::hours(24)),
        ends_at: start.plus(Span::hours(24)),
        active: true,
        waitlist: true,
        max_per_booking: Seats::ONE,
    };
    let open = Command::Open { terms, words: Words::default() };
    wish(&mut inventory, Principal::SYSTEM, start, None, open);
    for n in 0..bookings {
        let user = UserId((u128::from(n) * 0x9e37_79b9_7f4a_7c15_f39c).to_be_bytes());
        let key = keys.then_some(Key {
            digest: CommandId(user.0),
            fingerprint: Fingerprint([0; 8]),
            origin: KeyOrigin::Client,
        });
        let book = Command::Book { quantity: None, join_waitlist: true };
        wish(&mut inventory, Principal::person(user), start.plus(Span::millis(n)), key, book);
    }
    assert_eq!(inventory.counts().booked, bookings);
    inventory
}

fn wish(
    inventory: &mut Inventory,
    principal: Principal,
    at: Timestamp,
    key: Option<Key>,
    command: Command,
) {
    let envelope = Envelope { principal, at, key, command };
    let decision = decide(inventory, &envelope, &Limits::default()).unwrap();
    inventory.apply(&decision.entry.unwrap());
}

#[test]
fn a_confirmed_booking_costs_at_most_150_bytes() {
    let bare = booked(BOOKINGS, false).heap_bytes() / BOOKINGS as usize;
    let with_key = booked(BOOKINGS, true).heap_bytes() / BOOKINGS as usize;
    println!("{bare} bytes per booking, {with_key} with its remembered key");
    assert!(bare <= 150, "{bare} bytes per booking");
    assert!(with_key <= 200, "{with_key} bytes per booking and its key");
}

#[test]
fn the_figure_holds_where_the_tables_have_just_grown() {
    // The map of people doubles at seven eighths of a power of two.
    for bookings in [14_340, 28_680, 114_700] {
        let bare = booked(bookings, false).heap_bytes() / bookings as usize;
        assert!(bare <= 150, "{bare} bytes per booking of {bookings}");
    }
}

#[test]
fn an_empty_event_costs_next_to_nothing() {
    assert_eq!(Inventory::new(EventId([1; 16])).heap_bytes(), 0);
    let small = booked(1, true).heap_bytes();
    assert!(small < 2_000, "{small} bytes for one booking");
}

#[test]
fn rows_of_cancelled_bookings_are_used_again() {
    let mut inventory = booked(2_000, false);
    let before = inventory.heap_bytes();
    for round in 0..5u8 {
        for n in 0..2_000u32 {
            let user = UserId((u128::from(n) * 0x9e37_79b9_7f4a_7c15_f39c).to_be_bytes());
            let booking = inventory.booking_of(user).unwrap().id(inventory.event());
            let at = inventory.last_time().plus(Span::millis(1));
            let principal = Principal::person(user);
            wish(&mut inventory, principal, at, None, Command::Cancel { booking });
            let book = Command::Book { quantity: None, join_waitlist: round == 0 };
            wish(&mut inventory, principal, at, None, book);
        }
    }
    let after = inventory.heap_bytes();
    assert!(after < before * 3 / 2, "{before} bytes became {after}");
}
