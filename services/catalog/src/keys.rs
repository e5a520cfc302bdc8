//! Kept answers: a write whose key was answered before is told the same, byte for byte.

use api::headers::{digest, fingerprint};
use api::identity::Credentials;
use api::{Caller, IdempotencyKey, refusal};
use axum::http::StatusCode;
use engine::{KeyOrigin, Timestamp};
use serde_json::Value;
use storage::{CatalogStore, KeptAnswer};

use crate::error::Refused;
use crate::options::Options;
use crate::service::Service;

/// Who writes, with which key.
pub(crate) struct Writer {
    pub(crate) caller: Caller,
    pub(crate) credentials: Credentials,
    pub(crate) key: IdempotencyKey,
}

/// A write that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    pub(crate) version: u32,
    /// Whether the same was answered before.
    pub(crate) replayed: bool,
}

/// One use of a key: which call, with which body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) digest: [u8; 16],
    pub(crate) fingerprint: [u8; 8],
}

impl Writer {
    /// This writer's use of the key for a call, e.g. `POST /events`, with a body.
    pub(crate) fn usage(&self, call: &str, body: &Value) -> Use {
        // Objects keep their names sorted, so equal values are written alike.
        let canonical = body.to_string();
        let key = self.key.value().as_bytes();
        Use {
            digest: digest(self.caller.user, call, key).0,
            fingerprint: fingerprint(canonical.as_bytes()).0,
        }
    }

    /// Until when what this key did is remembered.
    pub(crate) fn keep_until(&self, options: &Options, now: Timestamp) -> Timestamp {
        now.plus(match self.key.origin() {
            KeyOrigin::Client => options.client_key_memory,
            KeyOrigin::Edge => options.edge_key_memory,
        })
    }

    /// What this use of the key was answered before, if it was.
    ///
    /// # Errors
    /// 422 if the key was used with another body.
    pub(crate) async fn kept(
        &self,
        store: &dyn CatalogStore,
        usage: Use,
        now: Timestamp,
    ) -> Result<Option<Accepted>, Refused> {
        let Some(kept) = store.kept_answer(self.caller.user, usage.digest, now).await? else {
            return Ok(None);
        };
        if kept.fingerprint != usage.fingerprint {
            return Err(refusal::key_reused().into());
        }
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        Ok(Some(Accepted { status, body: kept.body, version: kept.version, replayed: true }))
    }

    /// Keep an answer, and return the one that is kept: two uses of a key at the same time
    /// may have been rendered with different live counts, and only one of them can be
    /// repeated. When keeping fails the write is done all the same, and so it is
    /// answered: a repeat is then rendered anew.
    pub(crate) async fn keep(
        &self,
        service: &Service,
        usage: Use,
        accepted: Accepted,
    ) -> Result<Accepted, Refused> {
        let (store, now) = (service.store(), service.now());
        let answer = KeptAnswer {
            principal: self.caller.user,
            digest: usage.digest,
            fingerprint: usage.fingerprint,
            status: accepted.status.as_u16(),
            body: accepted.body.clone(),
            version: accepted.version,
            keep_until: self.keep_until(service.options(), now),
        };
        if let Err(error) = store.keep_answer(answer, now).await {
            tracing::warn!(%error, "an answer could not be kept");
            return Ok(accepted);
        }
        match self.kept(store, usage, now).await? {
            Some(first) if first.body != accepted.body => Ok(first),
            _ => Ok(accepted),
        }
    }
}
