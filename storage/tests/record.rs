//! The stored form: today's bytes are those of the golden files, everything comes back
//! exactly, and no bytes at all make it panic.

use engine::{
    Answered, Booking, BookingEvent, BookingRef, BookingReply, BookingStatus, Cause, CommandId,
    Entry, EventReply, Fingerprint, Hold, HoldRef, HoldReply, Key, KeyOrigin, Reply, Seats, Seq,
    Snapshot, Terms, Timestamp, UserId, Was, Words, limits,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use storage::{StorageError, record};

use crate::samples::{self, FIRST, after, booking_ref, terms, user};

/// Compares with a file of hexadecimal lines. A difference means that files which exist
/// could not be read any more: then it takes a new version, not a new golden file.
fn check_golden(name: &str, bytes: &[u8]) {
    let path = format!("{}/tests/golden/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let mut today = String::new();
    for line in bytes.chunks(32) {
        line.iter().for_each(|byte| today += &format!("{byte:02x}"));
        today.push('\n');
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(today, golden, "{path} has other bytes");
}

#[test]
fn entries_are_written_and_read_as_ever() {
    let blob = record::encode(FIRST, &samples::entries());
    check_golden("entries_v1", &blob);
    assert_eq!(record::decode(&blob).expect("a record"), samples::entries());
    assert_eq!(record::first_seq(&blob).expect("a record"), FIRST);
}

#[test]
fn snapshots_are_written_and_read_as_ever() {
    let blob = record::encode_snapshot(&samples::snapshot());
    check_golden("snapshot_v1", &blob);
    assert_eq!(record::decode_snapshot(&blob).expect("a record"), samples::snapshot());
    let empty = Snapshot {
        seq: Seq(0),
        phase: engine::Phase::Unopened,
        version: 0,
        organizer: None,
        terms: None,
        bookings: vec![],
        holds: vec![],
        expired: vec![],
        keys: vec![],
        ..samples::snapshot()
    };
    let blob = record::encode_snapshot(&empty);
    assert_eq!(record::decode_snapshot(&blob).expect("a record"), empty);
}

#[test]
fn a_plain_booking_is_small() {
    let mut encoder = record::Encoder::new(FIRST);
    assert!(encoder.is_empty());
    let head = encoder.len();
    encoder.append(&samples::plain_booking());
    assert!(!encoder.is_empty());
    assert_eq!(encoder.next_seq(), Seq(FIRST.0 + 1));
    // Two digests (24), a person (16), the first time in full (6), and 4 small numbers.
    assert_eq!(encoder.len() - head, 50);
}

#[test]
fn no_entry_is_larger_than_its_bound() {
    let worst_ref = BookingRef {
        seq: Seq(u64::MAX),
        made_at: Timestamp::from_millis(i64::MIN),
        quantity: Seats::new(u32::MAX).expect("more than zero"),
        ..booking_ref(1, 1)
    };
    let words = Words::new(&vec![0; limits::WORDS_BYTES]);
    let mut events = vec![BookingEvent::EventChanged { version: u32::MAX, terms: terms(), words }];
    for _ in 0..limits::MOVES_PER_DECISION {
        let (was, cause) = (Was::Waitlisted, Cause::Capacity);
        events.push(BookingEvent::BookingCancelled { booking: worst_ref, was, cause });
    }
    let mut entry = samples::plain_booking();
    entry.events = events;
    let mut encoder = record::Encoder::new(Seq(0));
    encoder.append(&entry);
    assert!(encoder.len() < record::ENTRY_BYTES, "{} bytes", encoder.len());
    let room = storage::BATCH_BYTES / record::ENTRY_BYTES;
    assert!(room >= 2, "a batch has room for more than one");
}

#[test]
fn records_from_the_future_are_told_from_damage() {
    for read in [
        record::decode(&[2, 1]).map(drop),
        record::first_seq(&[2, 1]).map(drop),
        record::decode_snapshot(&[2]).map(drop),
    ] {
        match read {
            Err(StorageError::Damaged(sentence)) => assert!(sentence.contains("version 2")),
            other => panic!("{other:?}"),
        }
    }
    assert!(record::decode(&[]).is_err());
    assert!(record::decode(&[1]).is_err());
    assert!(record::decode(&[1, 1]).expect("no entries").is_empty());
}

#[test]
fn a_record_that_is_cut_off_is_damaged() {
    let blob = record::encode(FIRST, &samples::entries()[..1]);
    for length in 4..blob.len() {
        assert!(record::decode(&blob[..length]).is_err(), "cut to {length} bytes");
    }
    let blob = record::encode_snapshot(&samples::snapshot());
    for length in 0..blob.len() {
        assert!(record::decode_snapshot(&blob[..length]).is_err(), "cut to {length} bytes");
    }
    let mut longer = blob.to_vec();
    longer.push(0);
    assert!(record::decode_snapshot(&longer).is_err(), "it goes on after its end");
}

fn times() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => (0i64..10_000_000).prop_map(after),
        1 => any::<i64>().prop_map(Timestamp::from_millis)
    ]
}

fn seqs() -> impl Strategy<Value = Seq> {
    prop_oneof![4 => 0..2_000u64, 1 => any::<u64>()].prop_map(Seq)
}

fn users() -> impl Strategy<Value = UserId> {
    prop_oneof![(0u8..3).prop_map(user), any::<[u8; 16]>().prop_map(UserId)]
}

fn places() -> impl Strategy<Value = Seats> {
    prop_oneof![1..5u32, 1..=u32::MAX].prop_map(samples::seats)
}

fn words() -> impl Strategy<Value = Words> {
    vec(any::<u8>(), 0..40).prop_map(|bytes| Words::new(&bytes))
}

fn booking_refs() -> impl Strategy<Value = BookingRef> {
    (seqs(), times(), users(), places()).prop_map(|(seq, made_at, user, quantity)| BookingRef {
        seq,
        made_at,
        user,
        quantity,
    })
}

fn hold_refs() -> impl Strategy<Value = HoldRef> {
    (seqs(), times(), users(), places()).prop_map(|(seq, made_at, user, quantity)| HoldRef {
        seq,
        made_at,
        user,
        quantity,
    })
}

fn all_terms() -> impl Strategy<Value = Terms> {
    (any::<u32>(), times(), times(), times(), any::<bool>(), any::<bool>(), places()).prop_map(
        |(capacity, opens_at, closes_at, ends_at, active, waitlist, max_per_booking)| Terms {
            capacity,
            opens_at,
            closes_at,
            ends_at,
            active,
            waitlist,
            max_per_booking,
        },
    )
}

fn causes() -> impl Strategy<Value = Cause> {
    prop_oneof![Just(Cause::User), Just(Cause::Expiry), Just(Cause::Capacity)]
}

fn booking_events() -> impl Strategy<Value = BookingEvent> {
    let was = prop_oneof![Just(Was::Confirmed), Just(Was::Waitlisted)];
    prop_oneof![
        (users(), all_terms(), words()).prop_map(|(organizer, terms, words)| {
            BookingEvent::EventOpened { organizer, terms, words }
        }),
        (any::<u32>(), all_terms(), words()).prop_map(|(version, terms, words)| {
            BookingEvent::EventChanged { version, terms, words }
        }),
        (any::<u32>(), any::<u32>())
            .prop_map(|(version, bookings)| BookingEvent::EventCancelled { version, bookings }),
        (users(), places(), option::of(hold_refs())).prop_map(|(user, quantity, hold)| {
            BookingEvent::BookingConfirmed { user, quantity, hold }
        }),
        (users(), places())
            .prop_map(|(user, quantity)| BookingEvent::BookingWaitlisted { user, quantity }),
        booking_refs().prop_map(|booking| BookingEvent::BookingPromoted { booking }),
        (booking_refs(), was, causes()).prop_map(|(booking, was, cause)| {
            BookingEvent::BookingCancelled { booking, was, cause }
        }),
        (users(), places(), times(), words()).prop_map(|(user, quantity, expires_at, details)| {
            BookingEvent::HoldPlaced { user, quantity, expires_at, details }
        }),
        (hold_refs(), times(), any::<u8>(), option::of(words())).prop_map(
            |(hold, expires_at, extensions, details)| BookingEvent::HoldChanged {
                hold,
                expires_at,
                extensions,
                details
            }
        ),
        (hold_refs(), causes()).prop_map(|(hold, cause)| BookingEvent::HoldEnded { hold, cause }),
    ]
}

fn replies() -> impl Strategy<Value = Reply> {
    let status = prop_oneof![
        Just(BookingStatus::Confirmed),
        Just(BookingStatus::Waitlisted),
        Just(BookingStatus::Cancelled)
    ];
    prop_oneof![
        Just(Reply::Ran),
        (any::<u32>(), seqs(), times(), any::<u32>()).prop_map(
            |(version, seq, at, cancelled_bookings)| {
                Reply::Event(EventReply { version, seq, at, cancelled_bookings })
            }
        ),
        (booking_refs(), status, times(), option::of(any::<u32>())).prop_map(
            |(b, status, changed_at, waitlist_position)| {
                let BookingRef { seq, made_at, user, quantity } = b;
                let booking = Booking { seq, user, quantity, status, made_at, changed_at };
                Reply::Booking(BookingReply { booking, waitlist_position })
            }
        ),
        (hold_refs(), times(), any::<u8>(), any::<bool>()).prop_map(
            |(h, expires_at, extensions, open)| {
                let HoldRef { seq, made_at, user, quantity } = h;
                let hold = Hold { seq, user, quantity, made_at, expires_at, extensions };
                Reply::Hold(HoldReply { hold, open })
            }
        ),
    ]
}

fn entries() -> impl Strategy<Value = Entry> {
    let origin = prop_oneof![Just(KeyOrigin::Client), Just(KeyOrigin::Edge)];
    let answered = (any::<[u8; 16]>(), any::<[u8; 8]>(), origin, users(), replies()).prop_map(
        |(digest, fingerprint, origin, principal, reply)| Answered {
            key: Key { digest: CommandId(digest), fingerprint: Fingerprint(fingerprint), origin },
            principal,
            reply,
        },
    );
    (times(), option::of(answered), vec(booking_events(), 0..5))
        .prop_map(|(at, answered, events)| Entry { at, answered, events })
}

proptest! {
    #[test]
    fn whatever_is_encoded_comes_back(first in seqs(), entries in vec(entries(), 0..6)) {
        let blob = record::encode(first, &entries);
        prop_assert_eq!(record::decode(&blob).expect("a record"), entries);
        prop_assert_eq!(record::first_seq(&blob).expect("a record"), first);
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in vec(any::<u8>(), 0..300), ours in any::<bool>()) {
        if let (true, Some(first)) = (ours, bytes.first_mut()) {
            *first = record::VERSION;
        }
        let _any = (record::decode(&bytes), record::decode_snapshot(&bytes));
    }

    #[test]
    fn a_flipped_bit_is_no_panic(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut blob = record::encode(FIRST, &samples::entries()).to_vec();
        let index = at.index(blob.len());
        blob[index] ^= 1 << bit;
        // What can be read is read the same way again.
        if let Ok(entries) = record::decode(&blob) {
            let first = record::first_seq(&blob).expect("it was read");
            prop_assert_eq!(record::decode(&record::encode(first, &entries)).expect("ours"), entries);
        }
        let mut blob = record::encode_snapshot(&samples::snapshot()).to_vec();
        let index = at.index(blob.len());
        blob[index] ^= 1 << bit;
        if let Ok(snapshot) = record::decode_snapshot(&blob) {
            let again = record::encode_snapshot(&snapshot);
            prop_assert_eq!(record::decode_snapshot(&again).expect("ours"), snapshot);
        }
    }
}
