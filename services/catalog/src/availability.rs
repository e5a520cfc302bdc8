//! Live counts, from booking in one batched call that wakes nobody; when booking is
//! down, the counts last seen, with the time they are from.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use api::internal::{COUNTS, CountsBody, IdsCall};
use api::wire::Id;
use api::{Problem, Upstream};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use engine::Timestamp;
use tokio::time::timeout;

use crate::options::Options;

/// Most events whose counts are remembered; when there are more, all are forgotten.
const REMEMBERED: usize = 10_000;

/// Counts of some events.
pub(crate) struct Counts {
    /// By event; events that booking does not know are missing.
    pub(crate) of: HashMap<Id, CountsBody>,
    /// The oldest of them is from then; `None` if all are live.
    pub(crate) as_of: Option<Timestamp>,
}

/// Asks booking, and remembers what it said.
#[derive(Default)]
pub(crate) struct Availability {
    // Held for a look-up or an insertion, never across an await.
    remembered: Mutex<HashMap<Id, (Timestamp, CountsBody)>>,
}

impl Availability {
    /// The counts of these events, live if possible.
    ///
    /// # Errors
    /// 503 when booking is down and not all of them were seen before.
    pub(crate) async fn counts(
        &self,
        booking: &Upstream,
        options: &Options,
        ids: &[Id],
        now: Timestamp,
    ) -> Result<Counts, Problem> {
        if ids.is_empty() {
            return Ok(Counts { of: HashMap::new(), as_of: None });
        }
        match live(booking, options, ids).await {
            Ok(of) => {
                self.remember(&of, now);
                Ok(Counts { of, as_of: None })
            }
            Err(cause) => {
                let remembered = self.recall(ids);
                remembered.ok_or_else(|| Problem::unavailable(&cause)).inspect(|_| {
                    tracing::warn!(cause, "events are shown with the counts last seen");
                })
            }
        }
    }

    fn remember(&self, of: &HashMap<Id, CountsBody>, now: Timestamp) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() + of.len() > REMEMBERED {
            remembered.clear();
        }
        remembered.extend(of.iter().map(|(id, counts)| (*id, (now, *counts))));
    }

    fn recall(&self, ids: &[Id]) -> Option<Counts> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of = HashMap::with_capacity(ids.len());
        let mut as_of: Option<Timestamp> = None;
        for id in ids {
            let (at, counts) = remembered.get(id)?;
            of.insert(*id, *counts);
            as_of = Some(as_of.map_or(*at, |oldest| oldest.min(*at)));
        }
        Some(Counts { of, as_of })
    }
}

async fn live(
    booking: &Upstream,
    options: &Options,
    ids: &[Id],
) -> Result<HashMap<Id, CountsBody>, String> {
    let call = serde_json::to_vec(&IdsCall { ids: ids.to_vec() }).map_err(|e| e.to_string())?;
    let request = Request::post(COUNTS)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(call))
        .map_err(|error| error.to_string())?;
    let answer = timeout(options.booking_patience, booking.ask(request))
        .await
        .map_err(|_| "booking took too long".to_owned())?
        .map_err(|error| error.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(format!("booking answered {}", answer.status));
    }
    let counts: Vec<Option<CountsBody>> =
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    if counts.len() != ids.len() {
        return Err("booking answered for another number of events".to_owned());
    }
    Ok(ids.iter().zip(counts).filter_map(|(id, counts)| Some((*id, counts?))).collect())
}
