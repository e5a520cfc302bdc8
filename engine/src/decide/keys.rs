//! Idempotency keys: one effect per key.

use crate::booking_event::Answered;
use crate::command::Envelope;
use crate::decision::{Rejection, Reply};
use crate::inventory::{Inventory, Person};
use crate::limits::Limits;

/// The remembered reply if the envelope's key was answered before. A live key is never
/// forgotten to make room, because its repeat would then have a second effect.
pub(super) fn reply_to_repeat(
    inventory: &Inventory,
    envelope: &Envelope,
    principal: Person,
    limits: &Limits,
) -> Result<Option<Reply>, Rejection> {
    let Some(key) = &envelope.key else { return Ok(None) };
    let found = inventory.find_key(principal, key, envelope.at, limits);
    match found.answer {
        Some((fingerprint, _)) if fingerprint != key.fingerprint => Err(Rejection::KeyReused),
        Some((_, reply)) => Ok(Some(reply)),
        None if found.live >= limits.keys_per_principal => {
            Err(Rejection::TooManyKeys { limit: limits.keys_per_principal })
        }
        None => Ok(None),
    }
}

/// What is to be remembered of an accepted command.
pub(super) fn answered(envelope: &Envelope, reply: Reply) -> Option<Answered> {
    envelope.key.map(|key| Answered { key, principal: envelope.principal.user, reply })
}
