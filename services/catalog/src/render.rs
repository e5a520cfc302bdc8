//! An event as it is shown.

use api::catalog::{EventBody, Standing};
use api::internal::{CountsBody, SummaryBody};
use api::wire::{Id, Money, Time};
use engine::Timestamp;
use storage::CatalogEntry;

/// An event with its live counts. The capacity is the counts' own, so that the numbers
/// of one answer belong together.
pub(crate) fn event_body(entry: &CatalogEntry, counts: &CountsBody, now: Timestamp) -> EventBody {
    let available = counts.available();
    let standing = Standing {
        opens_at: entry.opens_at,
        closes_at: entry.closes_at,
        ends_at: entry.ends_at,
        is_active: entry.is_active,
        cancelled: entry.deleted || counts.cancelled,
        available,
    };
    EventBody {
        id: Id::from(entry.id),
        title: entry.title.clone(),
        name: entry.title.clone(),
        description: entry.description.clone(),
        start_time: Time(entry.starts_at),
        end_time: Time(entry.ends_at),
        timezone: entry.timezone.clone(),
        location: entry.location.clone(),
        capacity: counts.capacity,
        available,
        booked: counts.booked,
        held: counts.held,
        waitlisted: counts.waitlisted,
        price: Money(entry.price_cents),
        booking_opens_at: Time(entry.opens_at),
        booking_closes_at: Time(entry.closes_at),
        waitlist: entry.waitlist,
        max_per_booking: entry.max_per_booking,
        organizer_id: Id::from(entry.organizer),
        is_active: entry.is_active,
        status: standing.status(now),
        created_at: Time(entry.created_at),
        updated_at: Time(entry.updated_at),
        version: entry.version,
    }
}

/// The main fields of an event, for lists of bookings.
pub(crate) fn summary_body(entry: CatalogEntry) -> SummaryBody {
    SummaryBody {
        id: Id::from(entry.id),
        organizer: Id::from(entry.organizer),
        title: entry.title,
        start_time: Time(entry.starts_at),
        end_time: Time(entry.ends_at),
        timezone: entry.timezone,
        location: entry.location,
        price: Money(entry.price_cents),
        opens_at: Time(entry.opens_at),
        closes_at: Time(entry.closes_at),
        is_active: entry.is_active,
        deleted: entry.deleted,
    }
}
