//! What clients ask of the simulated cluster, and what they are told: in the words of the
//! history that the checker judges.

use std::sync::Arc;

use engine::{
    BookingId, BookingReply, BookingStatus, Command, EventId, Principal, Rejection, Reply, UserId,
};
use harness::history::{
    Answer, Outcome, Refusal, SeenAvailability, SeenBooking, Status, Told as Seen,
};
use storage::{BookingRow, Header};
use uuid::Uuid;

/// A call on its way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) client: usize,
    pub(crate) number: u64,
    pub(crate) user: UserId,
    pub(crate) key: Option<engine::Key>,
    pub(crate) want: Want,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    Command(EventId, Command),
    Booking(EventId, BookingId),
    Header(EventId),
    List(Wanted),
}

/// Whose bookings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    User(UserId),
    Event(EventId),
}

impl Wanted {
    pub(crate) fn is(&self, row: &BookingRow) -> bool {
        match self {
            Self::User(user) => row.user == *user,
            Self::Event(event) => row.event == *event,
        }
    }
}

impl Call {
    pub(crate) fn principal(&self) -> Principal {
        Principal::person(self.user)
    }
}

/// It was not tried, or nobody knows: to a client both are a reason to repeat.
pub(crate) fn unavailable(why: &str) -> Outcome {
    Outcome::Unknown(why.to_owned())
}

/// A refusal that says nothing of the event.
fn undecided(code: &str) -> Outcome {
    Outcome::Refused(Refusal { status: 429, code: code.into(), existing: None })
}

/// Makes answers.
pub(crate) struct Told;

impl Told {
    pub(crate) fn granted(
        event: EventId,
        command: &Command,
        reply: &Reply,
        replayed: bool,
    ) -> Outcome {
        let told = match (reply, command) {
            (Reply::Booking(reply), _) => Seen::Booking(seen(event, reply)),
            (Reply::Event(reply), Command::Change { change, .. }) => Seen::Event {
                version: reply.version,
                capacity: change.capacity.expect("only capacities are changed"),
            },
            (Reply::Event(reply), _) => Seen::Event { version: reply.version, capacity: 0 },
            (other, _) => unreachable!("nobody wished for {other:?}"),
        };
        answer(told, replayed)
    }

    pub(crate) fn refused(event: EventId, rejection: &Rejection) -> Outcome {
        let (code, existing) = match rejection {
            Rejection::NoSuchEvent => ("not_found", None),
            // It is over already; the real route then shows it out of the lists. No judgement.
            Rejection::NoSuchBooking => return undecided("over"),
            Rejection::AlreadyBooked { existing } => {
                ("already_booked", Some(uuid(existing.booking.id(event).bytes())))
            }
            Rejection::SoldOut { .. } => ("sold_out", None),
            Rejection::ExceedsCapacity { .. } => ("exceeds_capacity", None),
            Rejection::CapacityBelowSold { .. } => ("capacity_below_sold", None),
            Rejection::AlreadyOpen => ("already_open", None),
            Rejection::TooManyKeys { .. } => return undecided("too_many_keys"),
            other => unreachable!("nobody gives a reason for {other:?}"),
        };
        Outcome::Refused(Refusal { status: 409, code: code.into(), existing })
    }

    pub(crate) fn read(event: EventId, found: Option<BookingReply>) -> Outcome {
        match found {
            Some(reply) => answer(Seen::Booking(seen(event, &reply)), false),
            // A cancelled one is in the lists only.
            None => undecided("not with its event"),
        }
    }

    pub(crate) fn availability(header: Option<&Header>) -> Outcome {
        match header {
            Some(header) => answer(Seen::Availability(availability(header)), false),
            None => unavailable("the event is not open yet"),
        }
    }

    pub(crate) fn list(rows: &[BookingRow]) -> Outcome {
        answer(Seen::Bookings(rows.iter().map(row).collect()), false)
    }
}

fn answer(told: Seen, replayed: bool) -> Outcome {
    let body: Arc<[u8]> = Arc::from(format!("{told:?}").into_bytes());
    Outcome::Answered(Answer { body, replayed, told })
}

pub(crate) fn uuid(bytes: [u8; 16]) -> Uuid {
    Uuid::from_bytes(bytes)
}

fn seen(event: EventId, reply: &BookingReply) -> SeenBooking {
    let booking = &reply.booking;
    SeenBooking {
        id: uuid(booking.id(event).bytes()),
        event: uuid(event.bytes()),
        user: uuid(booking.user.bytes()),
        quantity: booking.quantity.get(),
        status: status(booking.status),
        seq: booking.seq.0,
        position: reply.waitlist_position,
    }
}

fn row(row: &BookingRow) -> SeenBooking {
    SeenBooking {
        id: uuid(row.id.bytes()),
        event: uuid(row.event.bytes()),
        user: uuid(row.user.bytes()),
        quantity: row.quantity.get(),
        status: status(row.status),
        seq: row.seq.0,
        position: None,
    }
}

fn status(status: BookingStatus) -> Status {
    match status {
        BookingStatus::Confirmed => Status::Confirmed,
        BookingStatus::Waitlisted => Status::Waitlisted,
        BookingStatus::Cancelled => Status::Cancelled,
    }
}

pub(crate) fn availability(header: &Header) -> SeenAvailability {
    let (counts, capacity) = (header.summary.counts, u64::from(header.summary.capacity));
    let (booked, held) = (u64::from(counts.booked), u64::from(counts.held));
    let free = capacity - booked - held;
    SeenAvailability {
        capacity,
        booked,
        held,
        free,
        available: if counts.waitlist_entries > 0 { 0 } else { free },
        waitlisted: counts.waitlisted,
        waitlist_entries: u64::from(counts.waitlist_entries),
        as_of_seq: header.head.seq.0,
    }
}
