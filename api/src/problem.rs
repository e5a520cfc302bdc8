//! Errors as the world sees them: `application/problem+json` after RFC 9457.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{StatusCode, header};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// The media type of every error body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What the `type` of every problem begins with; the code follows.
const TYPE_PREFIX: &str = "urn:eventflow:problem:";

/// Declares the closed set of codes as one table: variant, code, status, whether the
/// same request may succeed later, title.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $retryable:literal, $title:literal;)+) => {
        /// Why a request was not granted. Closed: clients may match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable `snake_case` name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// A short sentence for people, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// Whether the same request, sent again, may be granted.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)+ }
            }
        }
    };
}

error_codes! {
    /// The body is not JSON.
    InvalidJson = "invalid_json", BAD_REQUEST, false, "The body is not valid JSON";
    /// The query string, or an id in it, cannot be read.
    InvalidQuery = "invalid_query", BAD_REQUEST, false, "The query cannot be read";
    /// A header has a value that it cannot have.
    InvalidHeader = "invalid_header", BAD_REQUEST, false, "A header cannot be read";
    /// The request as such cannot be read.
    BadRequest = "bad_request", BAD_REQUEST, false, "The request cannot be read";
    /// No token, or not a good one.
    Unauthorized = "unauthorized", UNAUTHORIZED, false, "A valid access token is needed";
    /// Name and password do not fit.
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, false, "User name or password is wrong";
    /// Not the caller's to do.
    Forbidden = "forbidden", FORBIDDEN, false, "This is not yours to do";
    /// Not there, or not the caller's to see.
    NotFound = "not_found", NOT_FOUND, false, "Not found";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, false, "The method is not allowed here";
    /// Not enough free places, and waiting is not possible or not wanted.
    SoldOut = "sold_out", CONFLICT, false, "Sold out";
    /// Sales have not begun.
    NotYetOpen = "not_yet_open", CONFLICT, false, "Sales have not begun";
    /// Sales are over.
    SalesClosed = "sales_closed", CONFLICT, false, "Sales are closed";
    /// The person has a booking here.
    AlreadyBooked = "already_booked", CONFLICT, false, "Already booked";
    /// More places wanted than there are in all.
    ExceedsCapacity = "exceeds_capacity", CONFLICT, false, "More places than the event has";
    /// More places wanted than one booking may have.
    TooManySeats = "too_many_seats", CONFLICT, false, "More places than one booking may have";
    /// The person holds places here.
    HasHold = "has_hold", CONFLICT, false, "Places are held already";
    /// The hold's time is over and its places are gone or awaited.
    HoldExpired = "hold_expired", CONFLICT, false, "The hold has expired";
    /// The hold has been extended as often as it may.
    NoMoreExtensions = "no_more_extensions", CONFLICT, false, "The hold cannot be extended again";
    /// The event has its greatest number of open holds.
    TooManyHolds = "too_many_holds", CONFLICT, true, "Too many holds are open";
    /// The waitlist has its greatest length.
    WaitlistFull = "waitlist_full", CONFLICT, false, "The waitlist is full";
    /// The new capacity is below what is booked and held.
    CapacityBelowSold = "capacity_below_sold", CONFLICT, false, "The capacity is below what is booked and held";
    /// Something with this id is there already.
    AlreadyExists = "already_exists", CONFLICT, false, "It exists already";
    /// A name or address that must be unique is taken.
    Taken = "taken", CONFLICT, false, "Name or address is taken";
    /// Only a notification that failed can be sent again.
    NotFailed = "not_failed", CONFLICT, false, "It has not failed";
    /// The event has had its most messages of its organizer within a day.
    TooManyMessages = "too_many_messages", TOO_MANY_REQUESTS, true, "Too many messages to the attendees";
    /// `If-Match` named another version.
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, false, "It has changed since";
    /// The body is too large.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, false, "The body is too large";
    /// The body is of another type than can be read here.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, false, "The body's type is not supported";
    /// Well-formed but wrong; every error is listed.
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, false, "Some fields are not valid";
    /// The key was used with another body.
    KeyReused = "key_reused", UNPROCESSABLE_ENTITY, false, "The idempotency key was used with another body";
    /// The caller has as many remembered keys here as it may.
    TooManyKeys = "too_many_keys", TOO_MANY_REQUESTS, true, "Too many idempotency keys";
    /// The caller sends more than it may.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, true, "Too many requests";
    /// The request's body did not arrive in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, true, "The request took too long to arrive";
    /// More comes in than can be served.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, true, "Too busy right now";
    /// It cannot be done now.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, true, "Not available right now";
    /// It may or may not have happened.
    OutcomeUnknown = "outcome_unknown", SERVICE_UNAVAILABLE, true, "The outcome is unknown";
    /// The lists are so far behind that nothing new is taken.
    ProjectionBehind = "projection_behind", SERVICE_UNAVAILABLE, true, "The lists are catching up";
    /// The change is durable, the catalog cannot show it yet.
    CatalogBehind = "catalog_behind", SERVICE_UNAVAILABLE, true, "The catalog is catching up";
    /// It took too long; nothing was changed.
    Timeout = "timeout", SERVICE_UNAVAILABLE, true, "It took too long";
    /// A bug or a broken machine.
    Internal = "internal", INTERNAL_SERVER_ERROR, false, "Something went wrong here";
}

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, as the client wrote it.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub detail: Cow<'static, str>,
}

/// An error on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    code: ErrorCode,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    figures: serde_json::Map<String, Value>,
    retry_after: Option<u32>,
    elsewhere: Option<Box<Elsewhere>>,
}

/// Where an event is served, if not by the replica that was asked. Put into the answer's
/// extensions for whoever passes the request on; never told to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The share of all events that it belongs to.
    pub partition: u16,
    /// Where its owner is reached, `host:port`.
    pub address: String,
    /// The ownership that is expected there.
    pub epoch: u64,
}

impl Problem {
    /// A problem with this code; `detail` is a sentence for the person who reads it and
    /// never tells anything internal.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            figures: serde_json::Map::new(),
            retry_after: None,
            elsewhere: None,
        }
    }

    /// Say who serves it.
    #[must_use]
    pub fn elsewhere(mut self, elsewhere: Elsewhere) -> Self {
        self.elsewhere = Some(Box::new(elsewhere));
        self
    }

    /// Who serves it, if that is known.
    #[must_use]
    pub fn served_at(&self) -> Option<&Elsewhere> {
        self.elsewhere.as_deref()
    }

    /// Add a figure that helps, e.g. `available`.
    #[must_use]
    pub fn with(mut self, name: &str, figure: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), figure.into());
        self
    }

    /// Add an error of one field.
    #[must_use]
    pub fn field(
        mut self,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        self
    }

    /// Add errors of fields.
    #[must_use]
    pub fn fields(mut self, errors: Vec<FieldError>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// Say after how many seconds another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Its code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with which field.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// A figure by its name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<&Value> {
        self.figures.get(name)
    }

    /// Nothing there, or nothing the caller may see.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no such {what}."))
    }

    /// A bug or a broken machine: logged once here, told without details.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(ErrorCode::Internal, "The request failed because of an error on our side.")
    }

    /// Something this service needs is away: logged once here, told without details.
    #[must_use]
    pub fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::warn!(%cause, "not available");
        Self::new(ErrorCode::Unavailable, "This is not available right now. Please try again.")
            .retry_after(1)
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("{TYPE_PREFIX}{}", self.code.as_str()))?;
        map.serialize_entry("title", self.code.title())?;
        map.serialize_entry("status", &self.code.status().as_u16())?;
        map.serialize_entry("detail", &self.detail)?;
        map.serialize_entry("code", self.code.as_str())?;
        map.serialize_entry("retryable", &self.code.retryable())?;
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        for (name, figure) in &self.figures {
            map.serialize_entry(name, figure)?;
        }
        map.end()
    }
}

impl Serialize for FieldError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("field", &self.field)?;
        map.serialize_entry("detail", &self.detail)?;
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let elsewhere = self.elsewhere.take();
        let body = serde_json::to_vec(&self).unwrap_or_else(|_| b"{}".to_vec());
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(elsewhere) = elsewhere {
            response.extensions_mut().insert(*elsewhere);
        }
        response
    }
}

/// What a router answers where it has no such path.
pub async fn no_such_path() -> Problem {
    Problem::new(ErrorCode::NotFound, "There is nothing at this path.")
}

/// What a router answers where the path has no such method.
pub async fn no_such_method() -> Problem {
    Problem::new(ErrorCode::MethodNotAllowed, "This path does not have this method.")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut seen = HashSet::new();
        for code in ErrorCode::ALL {
            assert!(seen.insert(code.as_str()), "{} twice", code.as_str());
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(code.status().as_u16() >= 400);
        }
    }

    #[test]
    fn whatever_is_not_now_may_be_tried_again() {
        for code in ErrorCode::ALL {
            let not_now = matches!(code.status().as_u16(), 429 | 503);
            assert!(!not_now || code.retryable(), "{}", code.as_str());
        }
    }

    #[test]
    fn a_problem_has_its_members_in_order() {
        let problem = Problem::new(ErrorCode::SoldOut, "No places left.").with("available", 0);
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"urn:eventflow:problem:sold_out","title":"Sold out","status":409,"detail":"No places left.","code":"sold_out","retryable":false,"available":0}"#
        );
    }

    #[test]
    fn errors_of_fields_are_listed() {
        let problem = Problem::new(ErrorCode::ValidationFailed, "Wrong.")
            .field("title", "is missing")
            .field("price", "is negative");
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["errors"][1]["field"], "price");
        assert_eq!(json["errors"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn headers_fit_the_code() {
        let response = Problem::new(ErrorCode::Unauthorized, "No token.").into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        let response = Problem::new(ErrorCode::Overloaded, "Busy.").retry_after(2).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert!(response.headers().get(WWW_AUTHENTICATE).is_none());
    }
}
