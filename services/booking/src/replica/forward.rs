//! A request for an event that another replica owns is passed on to it: twice at most, with
//! the token that it came with, which is checked again there, and with the ownership that is
//! expected. The answer says who served, so that the next request goes there at once.

use std::time::Duration;

use actors::protocol::routing::{HOPS, Turn};
use api::headers::{CLIENT_ADDRESS, DEADLINE, FORWARDED, OWNER, Peer};
use api::problem::Elsewhere;
use api::upstream::UpstreamError;
use api::{ErrorCode, Problem};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use storage::{Epoch, PartitionId};
use tokio::time::{Instant, interval_at};

use super::Replica;
use crate::options::DEADLINE_MAX;
use crate::service::within;

/// Most bytes of a body that is passed on: what the gateway lets through.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// How often it is looked whether the replica that a request was passed on to is still the
/// one to ask.
const LOOK: Duration = Duration::from_millis(100);

/// Where a request came from, if another replica passed it on.
#[derive(Clone, Copy)]
struct Forwarded {
    partition: PartitionId,
    expected: Epoch,
    hops: u8,
}

impl Forwarded {
    fn parse(value: &HeaderValue) -> Option<Self> {
        let mut words = value.to_str().ok()?.split(' ');
        Some(Self {
            partition: PartitionId(words.next()?.parse().ok()?),
            expected: Epoch(words.next()?.parse().ok()?),
            hops: words.next()?.parse().ok()?,
        })
    }

    fn value(self) -> HeaderValue {
        let Self { partition, expected, hops } = self;
        HeaderValue::from_str(&format!("{} {} {hops}", partition.0, expected.0))
            .expect("numbers and spaces")
    }
}

/// Serve a request here, or have it served where its event is.
pub(super) async fn forward(
    State(replica): State<Replica>,
    mut request: Request,
    next: Next,
) -> Response {
    let came = request.headers_mut().remove(FORWARDED).as_ref().and_then(Forwarded::parse);
    let deadline =
        request.headers().get(DEADLINE).and_then(|value| value.to_str().ok()?.parse().ok());
    let left = deadline.map(|deadline: i64| {
        let now = replica.service.box_office().now().millis();
        Duration::from_millis(u64::try_from(deadline.saturating_sub(now)).unwrap_or(0))
    });
    if left == Some(Duration::ZERO) {
        let detail = "It was on its way for too long. Nothing was changed. Please try again.";
        return Problem::new(ErrorCode::Timeout, detail).retry_after(1).into_response();
    }
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, BODY_BYTES).await {
        Ok(body) => body,
        Err(_) => {
            let detail = "The body could not be read to its end.";
            return Problem::new(ErrorCode::BadRequest, detail).into_response();
        }
    };
    if let Some(came) = came {
        match replica.steward.turn(came.partition, came.expected, came.hops) {
            Turn::Serve(_) => {}
            Turn::PassOn { node, expected, hops } => {
                let Some(address) = replica.steward.address(&node) else { return moving() };
                let on = Forwarded { partition: came.partition, expected, hops };
                return pass_on(&replica, parts, body, on, &address).await;
            }
            Turn::SendBack(node) => {
                let address = node.and_then(|node| replica.steward.address(&node));
                return told(moving(), came.partition, address.as_deref());
            }
        }
    }
    let kept = parts.clone();
    let served = next.run(Request::from_parts(parts, Body::from(body.clone())));
    let response = within(left, served).await;
    let Some(Elsewhere { partition, address, epoch }) = response.extensions().get().cloned() else {
        return response;
    };
    let hops = came.map_or(0, |came| came.hops);
    if hops >= HOPS {
        return told(response, PartitionId(partition), Some(&address));
    }
    let on =
        Forwarded { partition: PartitionId(partition), expected: Epoch(epoch), hops: hops + 1 };
    pass_on(&replica, kept, body, on, &address).await
}

async fn pass_on(
    replica: &Replica,
    mut parts: Parts,
    body: Bytes,
    on: Forwarded,
    address: &str,
) -> Response {
    parts.headers.insert(FORWARDED, on.value());
    if let Some(Peer(client)) = parts.extensions.get::<Peer>()
        && let Ok(client) = HeaderValue::from_str(&client.to_string())
    {
        parts.headers.insert(CLIENT_ADDRESS, client);
    }
    let request = Request::from_parts(parts, Body::from(body));
    let answer = replica.client.call(address, request);
    let response = tokio::select! {
        answer = answer => match answer {
            Ok(response) => response,
            Err(error @ (UpstreamError::Refused | UpstreamError::Unreachable(_))) => {
                tracing::debug!(address, %error, "the owner cannot be reached");
                return moving();
            }
            Err(error) => error.into_problem().into_response(),
        },
        () = given_up(replica, on, address) => {
            UpstreamError::Lost("the owner has stopped answering".into())
                .into_problem()
                .into_response()
        }
    };
    // Who was asked may know better, and has said so then.
    if response.headers().contains_key(OWNER) {
        return response;
    }
    told(response, on.partition, Some(address))
}

/// Resolves when the replica that was asked is not the one to ask any more, or after the
/// longest time that anybody waits.
async fn given_up(replica: &Replica, on: Forwarded, address: &str) {
    let until = Instant::now() + DEADLINE_MAX;
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    loop {
        looks.tick().await;
        let still = match replica.steward.turn(on.partition, on.expected, 0) {
            Turn::PassOn { node, .. } => {
                replica.steward.address(&node).is_some_and(|now| now == address)
            }
            Turn::Serve(_) | Turn::SendBack(_) => false,
        };
        if !still || Instant::now() >= until {
            return;
        }
    }
}

/// Nobody serves it for the moment; nothing was done.
fn moving() -> Response {
    let detail = "This event is moving to another replica. Please try again.";
    Problem::new(ErrorCode::Unavailable, detail).retry_after(1).into_response()
}

/// An answer that says who serves the partition.
fn told(mut response: Response, partition: PartitionId, address: Option<&str>) -> Response {
    let owner = address
        .and_then(|address| HeaderValue::from_str(&format!("{} {address}", partition.0)).ok());
    if let Some(owner) = owner {
        response.headers_mut().insert(OWNER, owner);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_of_a_request_is_written_and_read() {
        let on = Forwarded { partition: PartitionId(17), expected: Epoch(4), hops: 2 };
        let value = on.value();
        assert_eq!(value, "17 4 2");
        let read = Forwarded::parse(&value).unwrap();
        assert_eq!(
            (read.partition, read.expected, read.hops),
            (on.partition, on.expected, on.hops)
        );
        for wrong in ["", "17", "17 4", "x 4 1", "17 4 300"] {
            let value = HeaderValue::from_str(wrong).unwrap();
            assert!(Forwarded::parse(&value).is_none(), "{wrong}");
        }
    }
}
