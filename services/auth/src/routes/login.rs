//! `POST /auth/login`: form-encoded, multipart or JSON.

use api::extract::{json_response, parse_json};
use api::headers::client_address;
use api::{ErrorCode, Problem};
use axum::body::Bytes;
use axum::extract::{self, FromRequest, Multipart, Request};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::State;
use super::session::not_stored;

/// Most parts of a multipart body that are looked at.
const PARTS: usize = 16;

pub(super) async fn login(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    credentials: Credentials,
) -> Result<Response, Problem> {
    let Credentials { username, password } = credentials;
    let token = state.accounts.log_in(&username, password, client_address(&headers)).await?;
    Ok(not_stored(json_response(StatusCode::OK, &token)))
}

/// Name (or address) and password, however they were sent.
pub(super) struct Credentials {
    username: String,
    password: String,
}

/// How a body is written.
enum Form {
    UrlEncoded,
    Multipart,
    Json,
}

impl<S: Send + Sync> FromRequest<S> for Credentials {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match form(request.headers())? {
            Form::UrlEncoded => {
                let bytes = read(request, state).await?;
                Found::of(form_urlencoded::parse(&bytes)).finish()
            }
            Form::Json => {
                let bytes = read(request, state).await?;
                let Value::Object(mut fields) = parse_json(&bytes)? else {
                    let detail = "The body must be a JSON object.";
                    return Err(Problem::new(ErrorCode::ValidationFailed, detail));
                };
                let mut found = Found::default();
                for (name, slot) in found.slots() {
                    *slot = match fields.remove(name) {
                        None | Some(Value::Null) => Field::Missing,
                        Some(Value::String(text)) => Field::Text(text),
                        Some(_) => Field::NotText,
                    };
                }
                found.finish()
            }
            Form::Multipart => multipart(request, state).await,
        }
    }
}

/// A body without a type is taken as JSON, as everywhere.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Form::Json) };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => Ok(Form::UrlEncoded),
        "multipart/form-data" => Ok(Form::Multipart),
        "application/json" => Ok(Form::Json),
        _ => Err(Problem::new(
            ErrorCode::UnsupportedMediaType,
            "Log in with application/x-www-form-urlencoded, multipart/form-data or \
             application/json.",
        )),
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|e| unreadable(e.status()))
}

async fn multipart<S: Send + Sync>(request: Request, state: &S) -> Result<Credentials, Problem> {
    let mut parts =
        Multipart::from_request(request, state).await.map_err(|e| unreadable(e.status()))?;
    let mut found = Found::default();
    for _ in 0..PARTS {
        let Some(part) = parts.next_field().await.map_err(|e| unreadable(e.status()))? else {
            return found.finish();
        };
        let name = part.name().unwrap_or("").to_owned();
        if let Some((_, slot)) = found.slots().into_iter().find(|(known, _)| *known == name) {
            *slot = Field::Text(part.text().await.map_err(|e| unreadable(e.status()))?);
        }
    }
    Err(Problem::new(ErrorCode::BadRequest, "The body has too many parts."))
}

fn unreadable(status: StatusCode) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(ErrorCode::PayloadTooLarge, "The body is larger than allowed.")
        }
        _ => Problem::new(ErrorCode::BadRequest, "The body could not be read."),
    }
}

/// One field as far as it was found.
#[derive(Default)]
enum Field {
    #[default]
    Missing,
    NotText,
    Text(String),
}

/// The two fields as far as they were found. Others mean nothing here: clients of
/// OAuth 2 send a `grant_type` and more along.
#[derive(Default)]
struct Found {
    username: Field,
    password: Field,
}

impl Found {
    fn slots(&mut self) -> [(&'static str, &mut Field); 2] {
        [("username", &mut self.username), ("password", &mut self.password)]
    }

    /// From pairs; of a repeated name the last counts.
    fn of<'a>(
        pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    ) -> Self {
        let mut found = Self::default();
        for (name, value) in pairs {
            if let Some((_, slot)) = found.slots().into_iter().find(|(known, _)| *known == name) {
                *slot = Field::Text(value.into_owned());
            }
        }
        found
    }

    fn finish(mut self) -> Result<Credentials, Problem> {
        let detail = "User name and password are needed.";
        let mut problem = Problem::new(ErrorCode::ValidationFailed, detail);
        for (name, slot) in self.slots() {
            match slot {
                Field::Text(text) if !text.is_empty() => {}
                Field::NotText => problem = problem.field(name, "must be a string"),
                Field::Missing | Field::Text(_) => problem = problem.field(name, "is missing"),
            }
        }
        match (self.username, self.password) {
            (Field::Text(username), Field::Text(password)) if problem.errors().is_empty() => {
                Ok(Credentials { username: username.trim().to_owned(), password })
            }
            _ => Err(problem),
        }
    }
}
