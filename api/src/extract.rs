//! `Json`, `Path` and `Query` whose failures are Problems.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{StatusCode, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fields::{Fields, FromFields};
use crate::problem::{ErrorCode, Problem};
use crate::wire::{Id, parse_id};

/// Most bytes of a request's body on our JSON routes; give it to
/// `axum::extract::DefaultBodyLimit::max`.
pub const BODY_BYTES: usize = 64 * 1024;

/// A JSON body read by [`FromFields`].
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// Parameters of the path; what cannot be one of ours is not found.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// Parameters of the query, read by [`FromQuery`].
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// A body's bytes, after its type and length were checked.
#[derive(Clone, Debug)]
pub struct JsonBytes(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_type(request.headers())?;
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => {
                        Problem::new(ErrorCode::PayloadTooLarge, "The body is larger than allowed.")
                    }
                    _ => Problem::new(ErrorCode::BadRequest, "The body could not be read."),
                }
            })?;
        Ok(Self(bytes))
    }
}

impl<T: FromFields, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonBytes(bytes) = JsonBytes::from_request(request, state).await?;
        Fields::read(parse_json(&bytes)?).map(Self)
    }
}

/// The body as a JSON value. Nesting is bounded by the parser; of a repeated name the
/// last value counts.
///
/// # Errors
/// 400 if it is not JSON.
pub fn parse_json(bytes: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let place = if bytes.is_empty() {
            "The body is empty.".to_owned()
        } else {
            format!("The JSON ends or breaks at line {}, column {}.", error.line(), error.column())
        };
        Problem::new(ErrorCode::InvalidJson, place)
    })
}

/// A body without a type is taken as JSON: there is nothing else it could be here.
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    let is_json = essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 5
            && essence.as_bytes()[essence.len() - 5..].eq_ignore_ascii_case(b"+json"));
    if is_json {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::UnsupportedMediaType, "The body must be application/json."))
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(ErrorCode::NotFound, "There is nothing with this id.")),
        }
    }
}

/// What can be read from a query string.
pub trait FromQuery: Sized {
    /// Ask for every parameter that it knows; errors are collected in `query`.
    ///
    /// # Errors
    /// 400 for what cannot be read at all.
    fn from_query(query: &mut QueryFields) -> Result<Self, Problem>;
}

/// A query string being read. Parameters that nobody asks for mean nothing; of a
/// repeated one the last counts.
#[derive(Debug)]
pub struct QueryFields {
    pairs: Vec<(String, String)>,
    wrong: Vec<crate::problem::FieldError>,
}

impl QueryFields {
    /// The parameters of an address.
    ///
    /// # Errors
    /// 400 if the query is not form-encoded.
    pub fn of(uri: &Uri) -> Result<Self, Problem> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::new(ErrorCode::InvalidQuery, "The query cannot be read."))?;
        Ok(Self { pairs: pairs.0, wrong: Vec::new() })
    }

    /// A parameter's text, if it is there and not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(key, _)| key == name)?;
        Some(found.1.trim()).filter(|text| !text.is_empty())
    }

    /// A parameter's text of at most `chars` characters.
    pub fn bounded_text(&mut self, name: &'static str, chars: usize) -> Option<String> {
        let text = self.text(name)?.to_owned();
        if text.chars().count() > chars {
            self.wrong(name, format!("must have at most {chars} characters"));
        }
        Some(text)
    }

    /// A whole number from `least` to `most`.
    pub fn number(&mut self, name: &'static str, least: usize, most: usize) -> Option<usize> {
        let text = self.text(name)?;
        match text.parse::<usize>() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            Ok(_) => {
                self.wrong(name, format!("must be from {least} to {most}"));
                None
            }
            Err(_) => {
                self.wrong(name, format!("must be a whole number from {least} to {most}"));
                None
            }
        }
    }

    /// An id.
    ///
    /// # Errors
    /// 400 if it is not one.
    pub fn id(&self, name: &str) -> Result<Option<Id>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse_id(text).map(Some).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidQuery, format!("The parameter \"{name}\" is not an id."))
        })
    }

    /// Something is wrong with a parameter.
    pub fn wrong(&mut self, name: &'static str, detail: impl Into<String>) {
        let detail = std::borrow::Cow::Owned(detail.into());
        self.wrong.push(crate::problem::FieldError { field: name.into(), detail });
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with every error found.
    pub fn finish(self) -> Result<(), Problem> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        let detail = "Some parameters of the query are not valid.";
        Err(Problem::new(ErrorCode::ValidationFailed, detail).fields(self.wrong))
    }
}

impl<T: FromQuery, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut query = QueryFields::of(&parts.uri)?;
        let read = T::from_query(&mut query)?;
        query.finish()?;
        Ok(Self(read))
    }
}

/// An answer with a JSON body.
#[must_use]
pub fn json_response<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => json_bytes(status, bytes),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

/// An answer whose JSON body is written already.
#[must_use]
pub fn json_bytes(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(axum::body::Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::DefaultBodyLimit;
    use axum::routing::{get, post};
    use tower::ServiceExt;

    use super::*;

    struct Pair(i64, String);

    impl FromFields for Pair {
        fn from_fields(fields: &mut Fields) -> Self {
            Self(fields.integer("n", 1..=9), fields.string("text", 1..=9))
        }
    }

    struct Search(Option<usize>, Option<Id>);

    impl FromQuery for Search {
        fn from_query(query: &mut QueryFields) -> Result<Self, Problem> {
            Ok(Self(query.number("limit", 1, 100), query.id("event")?))
        }
    }

    fn router() -> Router {
        Router::new()
            .route(
                "/json",
                post(|Json(Pair(n, text)): Json<Pair>| async move { format!("{n}{text}") }),
            )
            .route("/id/{id}", get(|Path(id): Path<Id>| async move { id.to_string() }))
            .route(
                "/query",
                get(|Query(Search(limit, event)): Query<Search>| async move {
                    format!("{limit:?} {event:?}")
                }),
            )
            .layer(DefaultBodyLimit::max(100))
    }

    async fn ask(request: http::Request<Body>) -> (u16, String) {
        let response = router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn post_json(body: impl Into<Body>, kind: &str) -> http::Request<Body> {
        http::Request::post("/json").header(CONTENT_TYPE, kind).body(body.into()).unwrap()
    }

    fn get_path(path: &str) -> http::Request<Body> {
        http::Request::get(path).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn bodies_fail_as_the_contract_says() {
        let json = "application/json; charset=utf-8";
        let right = ask(post_json(r#"{"n":1,"text":"x"}"#, json)).await;
        assert_eq!(right, (200, "1x".to_owned()));
        let nested = "[".repeat(90);
        let deep = format!(r#"{{"n":{}"#, "[".repeat(10_000));
        for (body, kind, status, code) in [
            ("{\"n\":", json, 400, "invalid_json"),
            ("", json, 400, "invalid_json"),
            (&nested, json, 400, "invalid_json"),
            (&deep, json, 413, "payload_too_large"),
            ("{}", json, 422, "validation_failed"),
            ("[]", "application/merge-patch+json", 422, "validation_failed"),
            (r#"{"n":1,"text":"x","n":20}"#, json, 422, "validation_failed"),
            ("n=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ] {
            let (got, text) = ask(post_json(body.to_owned(), kind)).await;
            assert_eq!(got, status, "{body} {text}");
            assert!(text.contains(code), "{body} {text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let deep = "[".repeat(60_000);
        assert_eq!(parse_json(deep.as_bytes()).unwrap_err().code(), ErrorCode::InvalidJson);
    }

    #[tokio::test]
    async fn ids_that_cannot_be_are_not_found_in_a_path_and_unreadable_in_a_query() {
        let id = "0198c0de-0000-7000-8000-0123456789ab";
        assert_eq!(ask(get_path(&format!("/id/{id}"))).await, (200, id.to_owned()));
        for wrong in ["/id/17", "/id/%ff", "/id/0198c0de000070008000-0123456789ab"] {
            assert_eq!(ask(get_path(wrong)).await.0, 404, "{wrong}");
        }
        assert_eq!(ask(get_path("/query?event=17")).await.0, 400);
        assert_eq!(ask(get_path(&format!("/query?event={id}"))).await.0, 200);
        for wrong in ["0", "101", "-1", "x", "99999999999999999999"] {
            let (status, text) = ask(get_path(&format!("/query?limit={wrong}"))).await;
            assert_eq!(status, 422, "{wrong}");
            assert!(text.contains(r#""field":"limit""#), "{text}");
        }
        let empty = ask(get_path("/query?limit=&other=1")).await;
        assert_eq!(empty, (200, "None None".to_owned()));
    }
}
