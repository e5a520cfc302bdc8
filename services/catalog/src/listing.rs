//! Which events a list shows, in which order, from where on.

use api::extract::{FromQuery, QueryFields};
use api::page::{bounded_cursor, limit, skip};
use api::wire::Money;
use api::{ErrorCode, Problem};
use engine::{EventId, Timestamp, UserId};
use storage::{CatalogFilter, Order, SearchWords, Slice, SortBy, SortValue};

use crate::times::Zone;

/// Entries of a page when nothing else is asked for.
pub(crate) const LIMIT: usize = 50;

/// Most entries of a page.
pub(crate) const LIMIT_MAX: usize = 100;

/// Longest text of a filter, in characters.
pub(crate) const FILTER_CHARS: usize = 200;

/// What a list can be sorted by.
pub(crate) const SORTS: [&str; 8] = [
    "start_time",
    "created_at",
    "price",
    "title",
    "-start_time",
    "-created_at",
    "-price",
    "-title",
];

/// Bytes of a cursor before the value: order and a digest of the filter.
const HEAD_BYTES: usize = 9;

/// Bytes of an id.
const ID_BYTES: usize = 16;

/// A list that somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) filter: CatalogFilter,
    pub(crate) order: Order,
    pub(crate) slice: Slice,
    /// Only events that a newcomer can book a place of, or only those that have none.
    pub(crate) has_seats: Option<bool>,
    /// Whether the next page is named by a place, or by how many are skipped.
    pub(crate) by_skip: bool,
}

impl FromQuery for Listing {
    fn from_query(query: &mut QueryFields) -> Result<Self, Problem> {
        let name = query.bounded_text("name", FILTER_CHARS);
        let words = query.bounded_text("q", FILTER_CHARS).map(|text| SearchWords::of(&text));
        if words == Some(None) {
            query.wrong("q", "must have a letter or a digit");
        }
        let filter = CatalogFilter {
            title: query.bounded_text("title", FILTER_CHARS).or(name),
            location: query.bounded_text("location", FILTER_CHARS),
            words: words.flatten(),
            organizer: query.id("organizer_id")?.map(UserId::from),
            is_active: boolean(query, "is_active"),
            starts_after: time(query, "starts_after"),
            starts_before: time(query, "starts_before"),
            min_price: money(query, "min_price"),
            max_price: money(query, "max_price"),
        };
        let has_seats = boolean(query, "has_seats");
        let order = order(query);
        let seal = seal(&filter, order, has_seats);
        let after = match bounded_cursor(query)? {
            Some(bytes) => Some(place(&bytes, order, seal).ok_or_else(foreign)?),
            None => None,
        };
        let by_skip = query.text("skip").is_some() && after.is_none();
        // A link to the next page keeps what was asked for; what was to be skipped has been.
        let skip = Some(skip(query)).filter(|_| after.is_none()).unwrap_or(0);
        let slice = Slice { after, skip, limit: limit(query, LIMIT, LIMIT_MAX) };
        Ok(Self { filter, order, slice, has_seats, by_skip })
    }
}

impl Listing {
    /// The cursor of what follows a document.
    pub(crate) fn cursor(&self, value: &SortValue, id: EventId) -> Vec<u8> {
        let mut bytes = vec![order_number(self.order)];
        bytes.extend(seal(&self.filter, self.order, self.has_seats));
        bytes.extend(id.0);
        match value {
            SortValue::Number(number) => bytes.extend(number.to_be_bytes()),
            SortValue::Text(text) => bytes.extend(text.as_bytes()),
        }
        bytes
    }
}

fn foreign() -> Problem {
    let detail = "The cursor is not one of ours, or one of another list.";
    Problem::new(ErrorCode::InvalidQuery, detail)
}

/// What ties a cursor to its list.
fn seal(filter: &CatalogFilter, order: Order, has_seats: Option<bool>) -> [u8; 8] {
    let text = format!("{filter:?} {order:?} {has_seats:?}");
    api::headers::fingerprint(text.as_bytes()).0
}

fn place(bytes: &[u8], order: Order, seal: [u8; 8]) -> Option<(SortValue, EventId)> {
    if bytes.len() < HEAD_BYTES + ID_BYTES
        || bytes[0] != order_number(order)
        || bytes[1..HEAD_BYTES] != seal
    {
        return None;
    }
    let (id, value) = bytes[HEAD_BYTES..].split_at(ID_BYTES);
    let mut event = [0; ID_BYTES];
    event.copy_from_slice(id);
    let value = match order.by {
        SortBy::Title => SortValue::Text(String::from_utf8(value.to_vec()).ok()?),
        SortBy::Start | SortBy::Creation | SortBy::Price => {
            SortValue::Number(i64::from_be_bytes(value.try_into().ok()?))
        }
    };
    Some((value, EventId(event)))
}

fn order_number(order: Order) -> u8 {
    let by = match order.by {
        SortBy::Start => 1,
        SortBy::Creation => 2,
        SortBy::Price => 3,
        SortBy::Title => 4,
    };
    by | u8::from(order.descending) << 7
}

fn order(query: &mut QueryFields) -> Order {
    let Some(text) = query.text("sort") else { return Order::default() };
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let by = match name {
        "start_time" => SortBy::Start,
        "created_at" => SortBy::Creation,
        "price" => SortBy::Price,
        "title" => SortBy::Title,
        _ => {
            let names = "must be start_time, created_at, price or title, or one of them after a -";
            query.wrong("sort", names);
            return Order::default();
        }
    };
    Order { by, descending }
}

fn boolean(query: &mut QueryFields, name: &'static str) -> Option<bool> {
    let text = query.text(name)?.to_lowercase();
    match text.as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => {
            query.wrong(name, "must be true or false");
            None
        }
    }
}

fn time(query: &mut QueryFields, name: &'static str) -> Option<Timestamp> {
    let text = query.text(name)?;
    // A plus that was not encoded arrives as a space.
    let mended = match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(['T', 't']) => format!("{time}+{offset}"),
        _ => text.to_owned(),
    };
    let at = Zone::utc().parse(&mended);
    if at.is_none() {
        query.wrong(name, "must be a time in ISO 8601 form, e.g. 2027-05-01T19:30:00Z");
    }
    at
}

fn money(query: &mut QueryFields, name: &'static str) -> Option<i64> {
    let text = query.text(name)?;
    let number: Option<serde_json::Number> = serde_json::from_str(text).ok();
    let money = number.as_ref().and_then(Money::from_number);
    if money.is_none() {
        query.wrong(name, "must be an amount with at most two decimals, not negative");
    }
    money.map(|money| money.0)
}

/// `GET /events/search`.
pub(crate) struct Search {
    pub(crate) words: SearchWords,
    pub(crate) skip: usize,
    pub(crate) limit: usize,
}

impl FromQuery for Search {
    fn from_query(query: &mut QueryFields) -> Result<Self, Problem> {
        let text = query.bounded_text("query", FILTER_CHARS);
        let text = text.or_else(|| query.bounded_text("q", FILTER_CHARS));
        let words = text.as_deref().and_then(SearchWords::of);
        let Some(words) = words else {
            let missing =
                if text.is_none() { "is missing" } else { "must have a letter or a digit" };
            return Err(Problem::new(
                ErrorCode::ValidationFailed,
                "Some parameters of the query are not valid.",
            )
            .field("query", missing));
        };
        Ok(Self { words, skip: skip(query), limit: limit(query, LIMIT, LIMIT_MAX) })
    }
}
