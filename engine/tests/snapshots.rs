//! A damaged snapshot is told apart from a good one; nothing panics.

use engine::{
    BookingStatus, BrokenLaw, BrokenSnapshot, Inventory, Phase, Seats, Seq, Snapshot, Timestamp,
};

use crate::script::Stage;

/// A snapshot with something of everything.
fn full() -> Snapshot {
    let mut stage = Stage::new();
    for line in [
        "olga: open capacity=3 key=o",
        "ann: book key=a",
        "bob: hold",
        "dan: hold edgekey=d",
        "tick 5 minutes",
        "bob: extend",
        "tick 5 minutes",
        "due",
        "dan: book or-nothing key=d2",
        "fay: book 2",
        "gus: book 1",
    ] {
        stage.run(line);
    }
    let snapshot = stage.inventory.snapshot();
    assert_eq!((snapshot.bookings.len(), snapshot.holds.len()), (4, 1));
    assert_eq!((snapshot.expired.len(), snapshot.keys.len()), (1, 3));
    snapshot
}

#[track_caller]
fn broken(damage: impl FnOnce(&mut Snapshot), expected: BrokenSnapshot) {
    let mut snapshot = full();
    damage(&mut snapshot);
    assert_eq!(Inventory::restore(snapshot).err(), Some(expected));
}

#[test]
fn a_good_one_comes_back_as_it_was() {
    let restored = Inventory::restore(full()).unwrap();
    assert_eq!(restored.snapshot(), full());
}

#[test]
fn the_head_must_hold_together() {
    broken(|s| s.terms = None, BrokenSnapshot::Head);
    broken(|s| s.organizer = None, BrokenSnapshot::Head);
    broken(|s| s.version = 0, BrokenSnapshot::Head);
    broken(|s| s.phase = Phase::Unopened, BrokenSnapshot::Head);
    broken(|s| s.phase = Phase::Cancelled, BrokenSnapshot::Head);
}

#[test]
fn lists_must_be_in_order_and_of_the_past() {
    broken(|s| s.bookings.reverse(), BrokenSnapshot::Order);
    broken(|s| s.bookings[1].seq = s.bookings[0].seq, BrokenSnapshot::Order);
    broken(|s| s.holds[0].seq = Seq(1_000), BrokenSnapshot::Order);
    broken(|s| s.keys.reverse(), BrokenSnapshot::Order);
    broken(|s| s.seq = Seq(4), BrokenSnapshot::Order);
    broken(|s| s.last_time = Timestamp::EPOCH, BrokenSnapshot::Law(BrokenLaw::Newer));
}

#[test]
fn nobody_has_two_things_and_nothing_is_sold_twice() {
    let twice = |s: &Snapshot| BrokenSnapshot::TwoPerPerson { user: s.bookings[0].user };
    let expected = twice(&full());
    broken(|s| s.bookings[3].user = s.bookings[0].user, expected);
    broken(|s| s.holds[0].user = s.bookings[0].user, expected);
    let seq = full().bookings[0].seq;
    let over = BrokenSnapshot::CancelledBooking { seq };
    broken(|s| s.bookings[0].status = BookingStatus::Cancelled, over);
    broken(|s| s.bookings[2].status = BookingStatus::Confirmed, BrokenSnapshot::Oversold);
    broken(|s| s.holds[0].quantity = Seats::new(u32::MAX).unwrap(), BrokenSnapshot::Oversold);
}
