//! What becomes of booking events in views and on the bus.

use engine::{BookingId, BookingStatus, EventId, HoldId, Seq, Words};
use storage::{
    BookingRow, Epoch, Era, HoldChange, HoldStatus, HoldStep, ViewChange, project, record,
};

use crate::samples::{FIRST, after, booking_ref, entries, seats, user};

const EVENT: EventId = EventId([0xee; 16]);

fn row(
    n: u8,
    made: (u64, i64),
    quantity: u32,
    status: BookingStatus,
    last: (u64, i64),
) -> ViewChange {
    ViewChange::Put(BookingRow {
        id: BookingId::compose(after(made.1), EVENT, Seq(made.0)),
        event: EVENT,
        user: user(n),
        quantity: seats(quantity),
        status,
        seq: Seq(made.0),
        made_at: after(made.1),
        changed_at: after(last.1),
        stamp: Seq(last.0),
    })
}

#[test]
fn bookings_become_rows() {
    use BookingStatus::{Cancelled, Confirmed, Waitlisted};
    let mut changes = project::view_changes(EVENT, &entries(), FIRST);
    changes.retain(|change| !matches!(change, ViewChange::Hold(_)));
    let expected = [
        row(7, (1_000, 1_000), 2, Confirmed, (1_000, 1_000)),
        row(5, (40, 40), 2, Confirmed, (1_002, 1_001)),
        row(6, (41, 41), 2, Cancelled, (1_003, 1_001)),
        row(8, (1_004, 1_004), 2, Waitlisted, (1_004, 1_004)),
        row(7, (1_000, 1_000), 2, Cancelled, (1_005, 1_005)),
        row(8, (1_004, 1_004), 2, Confirmed, (1_006, 1_005)),
        row(4, (1_012, 1_021), 3, Confirmed, (1_012, 1_021)),
        ViewChange::CancelAll { event: EVENT, stamp: Seq(1_014), at: after(1_025) },
    ];
    assert_eq!(changes, expected);
    assert_eq!(booking_ref(5, 40).made_at, after(40), "as the samples have it");
}

fn hold(made: (u64, i64), step: HoldStep, last: (u64, i64)) -> HoldChange {
    HoldChange {
        id: HoldId::compose(after(made.1), EVENT, Seq(made.0)),
        event: EVENT,
        stamp: Seq(last.0),
        at: after(last.1),
        step,
    }
}

#[test]
fn holds_become_changes_of_their_rows() {
    let changes = project::view_changes(EVENT, &entries(), FIRST);
    let holds: Vec<_> = changes
        .into_iter()
        .filter_map(|change| match change {
            ViewChange::Hold(change) => Some(change),
            _ => None,
        })
        .collect();
    let placed = HoldStep::Placed {
        user: user(4),
        quantity: seats(3),
        expires_at: after(601_012),
        details: Words::new(b"two adults"),
    };
    let changed =
        |details| HoldStep::Changed { expires_at: after(700_000), extensions: 1, details };
    let made = (1_009, 1_009);
    let expected = [
        hold((30, 30), HoldStep::Ended(HoldStatus::Expired), (1_008, 1_006)),
        hold((1_009, 1_012), placed, (1_009, 1_012)),
        hold(made, changed(None), (1_010, 1_020)),
        hold(made, changed(Some(Words::default())), (1_011, 1_020)),
        hold(made, HoldStep::Ended(HoldStatus::Confirmed), (1_012, 1_021)),
        hold(made, HoldStep::Ended(HoldStatus::Released), (1_013, 1_022)),
    ];
    assert_eq!(holds, expected);
}

#[test]
fn what_others_may_know_goes_on_the_bus_without_keys() {
    let messages = project::bus_messages(Era(2), Epoch(3), EVENT, &entries(), FIRST);
    let told: Vec<_> = messages.iter().map(|message| (message.kind, message.seq.0)).collect();
    let places = "PlacesChanged";
    let expected = [
        (places, 1_000),
        ("EventChanged", 1_001),
        (places, 1_002),
        ("EventOpened", 1_007),
        (places, 1_008),
        (places, 1_012),
        ("EventCancelled", 1_014),
    ];
    assert_eq!(told, expected);
    let all: Vec<_> = entries()
        .into_iter()
        .flat_map(|entry| entry.events.into_iter().map(move |fact| (entry.at, fact)))
        .collect();
    let mut carried = Vec::new();
    for message in messages {
        assert_eq!((message.era, message.epoch, message.event), (Era(2), Epoch(3), EVENT));
        assert_eq!(record::first_seq(&message.body).expect("a record"), message.seq);
        let body = record::decode(&message.body).expect("a record");
        assert!(body.iter().all(|entry| entry.answered.is_none()), "the key stays at home");
        let facts = body.iter().flat_map(|entry| entry.events.iter().map(|fact| (entry.at, fact)));
        for ((at, fact), seq) in facts.zip(message.seq.0..) {
            assert_eq!((at, fact.clone()), all[(seq - FIRST.0) as usize], "{seq}");
            carried.push(seq);
        }
    }
    // A hold, its changes and its release are nobody's business.
    let private = [1_009, 1_010, 1_011, 1_013];
    let others = (1_000..=1_014).filter(|seq| !private.contains(seq));
    assert_eq!(carried, others.collect::<Vec<_>>());
}
