//! Entries and snapshots that have everything an entry or a snapshot can have.

use engine::{
    Answered, Booking, BookingEvent, BookingRef, BookingReply, BookingStatus, Cause, CommandId,
    Entry, EventId, EventReply, ExpiredHold, Fingerprint, Hold, HoldRef, HoldReply, Key, KeyOrigin,
    Phase, RememberedKey, Reply, Seats, Seq, Snapshot, Terms, Timestamp, UserId, Was, Words,
};

pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_764_000_000_000);

/// The seq of the first booking event of [`entries`].
pub(crate) const FIRST: Seq = Seq(1_000);

pub(crate) const fn after(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOON.millis() + millis)
}

pub(crate) const fn user(n: u8) -> UserId {
    UserId([n; 16])
}

pub(crate) fn seats(n: u32) -> Seats {
    Seats::new(n).expect("more than zero")
}

pub(crate) fn terms() -> Terms {
    Terms {
        capacity: 500,
        opens_at: after(-86_400_000),
        closes_at: after(86_400_000),
        ends_at: after(90_000_000),
        active: true,
        waitlist: true,
        max_per_booking: seats(4),
    }
}

fn answered(n: u8, origin: KeyOrigin, principal: UserId, reply: Reply) -> Option<Answered> {
    let key = Key { digest: CommandId([n; 16]), fingerprint: Fingerprint([n; 8]), origin };
    Some(Answered { key, principal, reply })
}

pub(crate) fn booking(n: u8, seq: u64, status: BookingStatus) -> Booking {
    let at = after(seq as i64);
    Booking {
        seq: Seq(seq),
        user: user(n),
        quantity: seats(2),
        status,
        made_at: at,
        changed_at: at,
    }
}

fn told(booking: Booking, waitlist_position: Option<u32>) -> Reply {
    Reply::Booking(BookingReply { booking, waitlist_position })
}

pub(crate) fn booking_ref(n: u8, seq: u64) -> BookingRef {
    BookingRef { seq: Seq(seq), made_at: after(seq as i64), user: user(n), quantity: seats(2) }
}

fn hold_ref(n: u8, seq: u64) -> HoldRef {
    HoldRef { seq: Seq(seq), made_at: after(seq as i64), user: user(n), quantity: seats(3) }
}

/// A booking as it usually is: with the client's key, by the person itself.
pub(crate) fn plain_booking() -> Entry {
    Entry {
        at: after(1_000),
        answered: answered(
            1,
            KeyOrigin::Client,
            user(7),
            told(booking(7, 1_000, BookingStatus::Confirmed), None),
        ),
        events: vec![BookingEvent::BookingConfirmed {
            user: user(7),
            quantity: seats(2),
            hold: None,
        }],
    }
}

/// Every kind of booking event, and every way in which a reply is stored.
pub(crate) fn entries() -> Vec<Entry> {
    let hold = Hold {
        seq: Seq(1_009),
        user: user(4),
        quantity: seats(3),
        made_at: after(1_012),
        expires_at: after(601_012),
        extensions: 0,
    };
    let organized = Reply::Event(EventReply {
        version: 3,
        seq: Seq(1_001),
        at: after(1_001),
        cancelled_bookings: 0,
    });
    let mut entries = vec![plain_booking()];
    entries.push(Entry {
        at: after(1_001),
        answered: answered(2, KeyOrigin::Edge, user(9), organized),
        events: vec![
            BookingEvent::EventChanged { version: 3, terms: terms(), words: Words::new(b"{}") },
            BookingEvent::BookingPromoted { booking: booking_ref(5, 40) },
            BookingEvent::BookingCancelled {
                booking: booking_ref(6, 41),
                was: Was::Waitlisted,
                cause: Cause::Capacity,
            },
        ],
    });
    entries.push(Entry {
        at: after(1_004),
        answered: answered(
            3,
            KeyOrigin::Client,
            user(8),
            told(booking(8, 1_004, BookingStatus::Waitlisted), Some(17)),
        ),
        events: vec![BookingEvent::BookingWaitlisted { user: user(8), quantity: seats(2) }],
    });
    // An admin cancels for somebody; the reply does not follow in every field.
    let over = Booking { changed_at: after(9_999), ..booking(7, 1_000, BookingStatus::Cancelled) };
    entries.push(Entry {
        at: after(1_005),
        answered: answered(4, KeyOrigin::Client, user(99), told(over, Some(3))),
        events: vec![
            BookingEvent::BookingCancelled {
                booking: booking_ref(7, 1_000),
                was: Was::Confirmed,
                cause: Cause::User,
            },
            BookingEvent::BookingPromoted { booking: booking_ref(8, 1_004) },
        ],
    });
    entries.push(Entry {
        at: after(1_006),
        answered: None,
        events: vec![
            BookingEvent::EventOpened {
                organizer: user(9),
                terms: Terms { active: false, waitlist: false, ..terms() },
                words: Words::new("Łódź".as_bytes()),
            },
            BookingEvent::HoldEnded { hold: hold_ref(4, 30), cause: Cause::Expiry },
        ],
    });
    entries.push(Entry {
        at: after(1_012),
        answered: answered(
            5,
            KeyOrigin::Edge,
            user(4),
            Reply::Hold(HoldReply { hold, open: true }),
        ),
        events: vec![BookingEvent::HoldPlaced {
            user: user(4),
            quantity: seats(3),
            expires_at: after(601_012),
            details: Words::new(b"two adults"),
        }],
    });
    entries.extend(ends());
    entries
}

fn ends() -> Vec<Entry> {
    let held = hold_ref(4, 1_009);
    let changed = |details| BookingEvent::HoldChanged {
        hold: held,
        expires_at: after(700_000),
        extensions: 1,
        details,
    };
    let ended = Hold {
        seq: held.seq,
        user: held.user,
        quantity: held.quantity,
        made_at: held.made_at,
        expires_at: after(700_000),
        extensions: 1,
    };
    vec![
        Entry {
            at: after(1_020),
            answered: None,
            events: vec![changed(None), changed(Some(Words::default()))],
        },
        Entry {
            at: after(1_021),
            answered: None,
            events: vec![BookingEvent::BookingConfirmed {
                user: user(4),
                quantity: seats(3),
                hold: Some(held),
            }],
        },
        Entry {
            at: after(1_022),
            answered: answered(
                6,
                KeyOrigin::Client,
                user(4),
                Reply::Hold(HoldReply { hold: ended, open: false }),
            ),
            events: vec![BookingEvent::HoldEnded { hold: held, cause: Cause::User }],
        },
        // Its wish was fulfilled already; and one that only takes note of the time.
        Entry {
            at: after(1_023),
            answered: answered(7, KeyOrigin::Client, user(4), Reply::Ran),
            events: vec![],
        },
        Entry { at: after(1_024), answered: None, events: vec![] },
        Entry {
            at: after(1_025),
            answered: None,
            events: vec![BookingEvent::EventCancelled { version: 4, bookings: 321 }],
        },
    ]
}

/// A snapshot with something in each of its lists.
pub(crate) fn snapshot() -> Snapshot {
    let hold = hold_ref(5, 60);
    let keys = entries()
        .into_iter()
        .filter_map(|entry| Some(RememberedKey { at: entry.at, answered: entry.answered? }));
    Snapshot {
        event: EventId([0xee; 16]),
        seq: Seq(1_000),
        phase: Phase::Open,
        version: 3,
        organizer: Some(user(9)),
        terms: Some(terms()),
        last_time: after(5_000),
        bookings: vec![
            booking(1, 2, BookingStatus::Confirmed),
            Booking {
                changed_at: after(4_000),
                quantity: seats(300),
                ..booking(2, 500, BookingStatus::Waitlisted)
            },
            booking(3, 501, BookingStatus::Cancelled),
        ],
        holds: vec![Hold {
            seq: Seq(700),
            user: user(4),
            quantity: seats(1),
            made_at: after(700),
            expires_at: after(600_700),
            extensions: 2,
        }],
        expired: vec![ExpiredHold { hold, ended_at: after(4_500) }],
        keys: keys.collect(),
    }
}
