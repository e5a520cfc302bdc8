//! Requests and answers about holds.

use std::borrow::Cow;

use axum::body::Bytes;
use engine::{EventId, Hold, HoldId, Seats, Words};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{QUANTITY_MAX, quantity};
use crate::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, ToSchema, any_object, any_of, at, boolean, fields, id,
    or_null,
};
use crate::extract::parse_json;
use crate::fields::{Fields, FromFields};
use crate::problem::Problem;
use crate::wire::{Id, Time};

/// Most bytes of a hold's details, written without white space.
pub const DETAILS_BYTES: usize = 16 * 1024;

/// What `POST /bookings/holds` wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// At which event.
    pub event: EventId,
    /// How many places.
    pub quantity: Seats,
    /// The details of the coming booking, a JSON object.
    pub details: Words,
}

/// What `PATCH /bookings/holds/{id}` wants: one of the two at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldChangeRequest {
    /// Other details.
    pub details: Option<Words>,
    /// A full span from now.
    pub extend: bool,
}

impl HoldRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 if it is not JSON, 422 with everything that is wrong with it.
    pub fn from_body(body: &Bytes) -> Result<Self, Problem> {
        Fields::read(parse_json(body)?)
    }

    /// The request in a form that does not depend on how it was spelled.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let quantity = self.quantity.get().to_be_bytes();
        [&self.event.bytes()[..], &quantity, &self.details.0].concat()
    }
}

impl FromFields for HoldRequest {
    fn from_fields(fields: &mut Fields) -> Self {
        let event = EventId::from(fields.id("event_id"));
        let quantity = fields.optional_integer("quantity", 1..=QUANTITY_MAX);
        let quantity = quantity.and_then(|count| u32::try_from(count).ok()).and_then(Seats::new);
        let details = details(fields).unwrap_or_else(|| Words::new(b"{}"));
        Self { event, quantity: quantity.unwrap_or(Seats::ONE), details }
    }
}

impl PartialSchema for HoldRequest {
    fn schema() -> Shape {
        fields()
            .property("event_id", id().description(Some("Which event.")))
            .property("quantity", or_null(quantity()))
            .property("details", or_null(kept_details()))
            .required("event_id")
            .into()
    }
}

impl ToSchema for HoldRequest {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewHold")
    }
}

fn kept_details() -> ObjectBuilder {
    any_object().description(Some(
        "The details of the coming booking: any object of at most 16,384 bytes as JSON without \
         white space.",
    ))
}

/// A change that replaces the details, for the document.
pub struct OtherDetails;

impl PartialSchema for OtherDetails {
    fn schema() -> Shape {
        fields()
            .property("details", kept_details())
            .property("extend", or_null(boolean()).description(Some("Whether to extend it too.")))
            .required("details")
            .into()
    }
}

impl ToSchema for OtherDetails {}

/// A change that extends the hold, for the document.
pub struct Extension;

impl PartialSchema for Extension {
    fn schema() -> Shape {
        let extend = boolean().enum_values(Some([true]));
        fields()
            .property("details", kept_details())
            .property("extend", extend.description(Some("A full span from now.")))
            .required("extend")
            .into()
    }
}

impl ToSchema for Extension {}

impl PartialSchema for HoldChangeRequest {
    fn schema() -> Shape {
        any_of([at::<OtherDetails>(), at::<Extension>()])
    }
}

impl HoldChangeRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 if it is not JSON, 422 with everything that is wrong with it.
    pub fn from_body(body: &Bytes) -> Result<Self, Problem> {
        Fields::read(parse_json(body)?)
    }

    /// The request for this hold in a form that does not depend on how it was spelled.
    #[must_use]
    pub fn canonical(&self, hold: HoldId) -> Vec<u8> {
        let wants = [u8::from(self.extend), u8::from(self.details.is_some())];
        let details = self.details.as_ref().map_or(&[][..], |details| &details.0);
        [&hold.bytes()[..], &wants, details].concat()
    }
}

impl FromFields for HoldChangeRequest {
    fn from_fields(fields: &mut Fields) -> Self {
        fields.refuse_null(&["details"]);
        let before = fields.errors_so_far();
        let details = details(fields);
        let extend = fields.optional_bool("extend").unwrap_or(false);
        if details.is_none() && !extend && fields.errors_so_far() == before {
            fields.error("details", "or \"extend\": true must be given, so that there is a change");
        }
        Self { details, extend }
    }
}

/// An object, written the same however it was spelled: names in order, no white space.
fn details(fields: &mut Fields) -> Option<Words> {
    let value = fields.take("details")?;
    let written = match &value {
        Value::Object(_) => serde_json::to_vec(&value).ok(),
        _ => None,
    };
    let Some(written) = written else {
        fields.error("details", "must be a JSON object");
        return Some(Words::default());
    };
    if written.len() > DETAILS_BYTES {
        fields.error("details", format!("must have at most {DETAILS_BYTES} bytes as JSON"));
    }
    Some(Words::new(&written))
}

/// How a hold stands, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HoldStatus)]
pub enum HoldStatusBody {
    /// Its places are set aside.
    Held,
    /// Its time is over.
    Expired,
    /// Its owner gave it back, or its event was cancelled.
    Released,
    /// It has become a booking.
    Confirmed,
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldBody {
    /// Its id.
    pub hold_id: Id,
    /// Its id once more.
    pub id: Id,
    /// Of which event.
    pub event_id: Id,
    /// Whose.
    pub user_id: Id,
    /// How many places.
    pub quantity: u32,
    /// The details of the coming booking, as they are kept.
    #[schema(value_type = serde_json::Map<String, Value>)]
    pub details: Box<RawValue>,
    /// How it stands.
    pub status: HoldStatusBody,
    /// Until when its places are set aside.
    pub expires_at: Time,
    /// When it was made.
    pub created_at: Time,
    /// Its place in the event's history when it was made.
    pub seq: u64,
}

impl HoldBody {
    /// The hold of a reply with its details.
    ///
    /// # Errors
    /// 500 if the details are not JSON, which they were when they were taken.
    pub fn of(
        event: EventId,
        hold: &Hold,
        status: HoldStatusBody,
        details: &Words,
    ) -> Result<Self, Problem> {
        let id = Id::from(hold.id(event));
        Ok(Self {
            hold_id: id,
            id,
            event_id: Id::from(event),
            user_id: Id::from(hold.user),
            quantity: hold.quantity.get(),
            details: serde_json::from_slice(&details.0)
                .map_err(|error| Problem::internal(&error))?,
            status,
            expires_at: Time(hold.expires_at),
            created_at: Time(hold.made_at),
            seq: hold.seq.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::{Seq, Timestamp, UserId};
    use serde_json::json;

    use super::*;

    const ID: &str = "0198c0de-0000-7000-8000-0123456789ab";

    fn place(body: &Value) -> Result<HoldRequest, Problem> {
        HoldRequest::from_body(&Bytes::from(body.to_string()))
    }

    fn change(body: &Value) -> Result<HoldChangeRequest, Problem> {
        HoldChangeRequest::from_body(&Bytes::from(body.to_string()))
    }

    #[test]
    fn details_are_the_same_however_they_are_spelled() {
        let spelled = |details: &str| {
            let body = format!(r#"{{"event_id":"{ID}","details":{details}}}"#);
            HoldRequest::from_body(&Bytes::from(body)).unwrap()
        };
        let one = spelled(r#"{"b": [1, {"y":2,"x":1}], "a": "é"}"#);
        assert_eq!(one, spelled("{\n\"a\":\"\\u00e9\",\"b\":[1,{\"x\":1,\"y\":2}]}"));
        assert_eq!(one.canonical(), spelled(r#"{"a":"é","b":[1,{"x":1,"y":2}]}"#).canonical());
        assert_eq!(&*one.details.0, r#"{"a":"é","b":[1,{"x":1,"y":2}]}"#.as_bytes());
        assert_ne!(one.canonical(), spelled(r#"{"a":"e"}"#).canonical());
        assert_eq!(&*place(&json!({"event_id": ID})).unwrap().details.0, b"{}");
    }

    #[test]
    fn wrong_bodies_name_what_is_wrong() {
        // The name, the quotes and the braces are eight bytes of it.
        let fits = "x".repeat(DETAILS_BYTES - 8);
        let longer = format!("{fits}x");
        place(&json!({"event_id": ID, "details": {"a": fits}})).unwrap();
        for (body, field) in [
            (json!({}), "event_id"),
            (json!({"event_id": ID, "quantity": 0}), "quantity"),
            (json!({"event_id": ID, "details": []}), "details"),
            (json!({"event_id": ID, "details": "{}"}), "details"),
            (json!({"event_id": ID, "details": {"a": longer}}), "details"),
            (json!({"event_id": ID, "extend": true}), "extend"),
        ] {
            let problem = place(&body).unwrap_err();
            assert_eq!(problem.code().status(), 422, "{body}");
            assert_eq!(problem.errors()[0].field, field, "{body}");
        }
        for (body, field) in [
            (json!({}), "details"),
            (json!({"extend": false}), "details"),
            (json!({"details": null}), "details"),
            (json!({"details": 3}), "details"),
            (json!({"extend": "yes"}), "extend"),
            (json!({"quantity": 2, "extend": true}), "quantity"),
        ] {
            let problem = change(&body).unwrap_err();
            assert_eq!(problem.code().status(), 422, "{body}");
            assert_eq!(problem.errors()[0].field, field, "{body}");
        }
    }

    #[test]
    fn the_schemas_say_what_is_read() {
        use crate::document::probe::disagreements;

        let hold = json!({"event_id": ID, "quantity": 2, "details": {"seats": ["A1"]}});
        let found = disagreements::<HoldRequest>(&hold, |body| place(&body).map(drop));
        assert_eq!(found, Vec::<String>::new());
        let other = json!({"details": {"seats": ["A2"]}});
        let found = disagreements::<OtherDetails>(&other, |body| change(&body).map(drop));
        assert_eq!(found, Vec::<String>::new());
        let both = json!({"details": {"seats": ["A2"]}, "extend": true});
        let found = disagreements::<Extension>(&both, |body| change(&body).map(drop));
        // With details it may be missing or anything: that is the other schema.
        let other = ["extend = null is taken", "extend: whether it must be there"];
        assert_eq!(found, other);
    }

    #[test]
    fn the_canonical_form_tells_changes_apart() {
        let (a, b) = (HoldId([1; 16]), HoldId([2; 16]));
        let extend = change(&json!({"extend": true})).unwrap();
        let details = change(&json!({"details": {}})).unwrap();
        let both = change(&json!({"details": {}, "extend": true})).unwrap();
        let all = [
            extend.canonical(a),
            extend.canonical(b),
            details.canonical(a),
            both.canonical(a),
            change(&json!({"details": {"x": 1}})).unwrap().canonical(a),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(!all[..i].contains(one), "{i}");
        }
    }

    #[test]
    fn a_hold_is_written_as_the_contract_says() {
        let hold = Hold {
            seq: Seq(7),
            user: UserId([2; 16]),
            quantity: Seats::ONE,
            made_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(600_000),
            extensions: 0,
        };
        let event = EventId([1; 16]);
        let details = Words::new(br#"{"seats":["A1"]}"#);
        let body = HoldBody::of(event, &hold, HoldStatusBody::Held, &details).unwrap();
        let id = hold.id(event);
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            format!(
                "{{\"hold_id\":\"{id}\",\"id\":\"{id}\",\"event_id\":\"{event}\",\
                 \"user_id\":\"02020202-0202-0202-0202-020202020202\",\"quantity\":1,\
                 \"details\":{{\"seats\":[\"A1\"]}},\"status\":\"held\",\
                 \"expires_at\":\"1970-01-01T00:10:00.000Z\",\
                 \"created_at\":\"1970-01-01T00:00:00.000Z\",\"seq\":7}}"
            )
        );
    }
}
