//! `GET /users/check-username`.

use api::auth::{USERNAME_CHARS, is_username};
use api::extract::{FromQuery, QueryFields, json_response};
use api::headers::client_address;
use api::{Problem, Query};
use axum::extract;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::State;

/// The name that is asked for.
pub(super) struct Wanted(String);

impl FromQuery for Wanted {
    fn from_query(query: &mut QueryFields) -> Result<Self, Problem> {
        let Some(name) = query.bounded_text("username", *USERNAME_CHARS.end()) else {
            query.wrong("username", "is missing");
            return Ok(Self(String::new()));
        };
        let name = name.trim().to_owned();
        if !USERNAME_CHARS.contains(&name.chars().count()) || !is_username(&name) {
            query.wrong("username", "is not a possible user name");
        }
        Ok(Self(name))
    }
}

pub(super) async fn check(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    Query(Wanted(name)): Query<Wanted>,
) -> Result<Response, Problem> {
    let answer = state.accounts.check_username(&name, client_address(&headers)).await?;
    Ok(json_response(StatusCode::OK, &answer))
}
