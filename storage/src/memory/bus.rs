//! The message bus in memory.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now;
use super::signal::Signal;
use crate::bus::{Delivery, Message, MessageBus};
use crate::commit::{PartitionId, Position};
use crate::error::StorageError;

/// The message bus in memory.
#[derive(Debug, Default)]
pub struct MemoryBus {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cursors: BTreeMap<PartitionId, Position>,
    /// The message with number `n` is at index `n - 1`.
    messages: Vec<Message>,
    subscribers: BTreeMap<String, u64>,
    signal: Signal,
}

impl State {
    fn after(&self, subscriber: &str, limit: usize) -> Vec<Delivery> {
        let done = self.subscribers.get(subscriber).copied().unwrap_or(0);
        let skip = usize::try_from(done).unwrap_or(usize::MAX);
        let waiting = self.messages.iter().zip(1..).skip(skip).take(limit);
        waiting
            .map(|(message, number)| Delivery {
                number,
                era: message.era,
                event: message.event,
                seq: message.seq,
                kind: message.kind.to_owned(),
                body: message.body.clone(),
            })
            .collect()
    }
}

impl MessageBus for MemoryBus {
    fn cursor(&self, partition: PartitionId) -> BoxFuture<'_, Result<Position, StorageError>> {
        now(self.state.lock().cursors.get(&partition).copied().unwrap_or_default())
    }

    fn publish(
        &self,
        partition: PartitionId,
        messages: Vec<Message>,
        upto: Position,
    ) -> BoxFuture<'_, Result<(), StorageError>> {
        let mut state = self.state.lock();
        for message in messages {
            let same = |stored: &Message| {
                (stored.era, stored.event, stored.seq) == (message.era, message.event, message.seq)
            };
            if !state.messages.iter().any(same) {
                state.messages.push(message);
            }
        }
        let cursor = state.cursors.entry(partition).or_default();
        *cursor = upto.max(*cursor);
        state.signal.changed();
        now(())
    }

    fn next<'a>(
        &'a self,
        subscriber: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, StorageError>> {
        Box::pin(poll_fn(move |cx| {
            let mut state = self.state.lock();
            let deliveries = state.after(subscriber, limit.max(1));
            if deliveries.is_empty() {
                state.signal.wait(cx);
                return Poll::Pending;
            }
            Poll::Ready(Ok(deliveries))
        }))
    }

    fn has_next<'a>(&'a self, subscriber: &'a str) -> BoxFuture<'a, Result<bool, StorageError>> {
        now(!self.state.lock().after(subscriber, 1).is_empty())
    }

    fn acknowledge<'a>(
        &'a self,
        subscriber: &'a str,
        number: u64,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        let mut state = self.state.lock();
        let last = state.messages.len() as u64;
        let done = state.subscribers.entry(subscriber.to_owned()).or_default();
        *done = number.min(last).max(*done);
        now(())
    }
}
