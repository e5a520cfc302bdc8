//! A damaged snapshot is told apart from a good one; nothing panics.

use engine::{
    Answered, Booking, BookingReply, BookingStatus, BrokenLaw, BrokenSnapshot, CommandId,
    Fingerprint, Hold, HoldReply, Inventory, Key, KeyOrigin, Phase, RememberedKey, Reply, Seats,
    Seq, Snapshot, Timestamp,
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

/// Usual replies are kept in little space; unusual ones must not lose anything by it.
#[test]
fn replies_of_every_shape_come_back_as_they_were() {
    let good = full();
    let (at, booking) = (good.last_time, good.bookings[0]);
    let hold = good.holds[0];
    let principal = booking.user;
    let mut replies = vec![Reply::Ran];
    for status in [BookingStatus::Confirmed, BookingStatus::Waitlisted, BookingStatus::Cancelled] {
        for (user, made_at, changed_at) in
            [(principal, at, at), (hold.user, at, at), (principal, booking.made_at, at)]
        {
            for waitlist_position in [None, Some(7)] {
                let booking = Booking { user, status, made_at, changed_at, ..booking };
                replies.push(Reply::Booking(BookingReply { booking, waitlist_position }));
            }
        }
    }
    for (user, made_at, extensions) in
        [(principal, at, 0), (hold.user, at, 0), (principal, hold.made_at, 0), (principal, at, 1)]
    {
        for open in [true, false] {
            let hold = Hold { user, made_at, extensions, seq: Seq(u64::MAX / 3), ..hold };
            replies.push(Reply::Hold(HoldReply { hold, open }));
        }
    }
    let keys = replies.into_iter().enumerate().map(|(n, reply)| RememberedKey {
        at,
        answered: Answered {
            key: Key {
                digest: CommandId([n as u8; 16]),
                fingerprint: Fingerprint([n as u8; 8]),
                origin: KeyOrigin::Client,
            },
            principal,
            reply,
        },
    });
    let snapshot = Snapshot { keys: keys.collect(), ..good };
    assert_eq!(Inventory::restore(snapshot.clone()).unwrap().snapshot(), snapshot);
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
