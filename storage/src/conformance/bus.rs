//! [`crate::MessageBus`]: in order, at least once, acknowledged by number.

use std::sync::Arc;

use engine::Seq;
use futures_util::future::{join, select};
use futures_util::pin_mut;

use super::Fresh;
use super::sample::event;
use crate::commit::{Epoch, Era, PartitionId, Position};
use crate::{Message, MessageBus, Stores};

const HERE: PartitionId = PartitionId(0);

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    messages_come_in_order_until_acknowledged(&fresh()).await;
    messages_are_not_doubled(&fresh()).await;
    subscribers_wait(&fresh()).await;
    cursors_only_move_forward(&fresh()).await;
}

fn message(what: u64, seq: u64) -> Message {
    Message {
        era: Era(1),
        epoch: Epoch(1),
        event: event(what),
        seq: Seq(seq),
        kind: "EventChanged",
        body: Arc::from(vec![what as u8, seq as u8]),
    }
}

async fn publish(bus: &dyn MessageBus, messages: &[Message], upto: u64) {
    bus.publish(HERE, messages.to_vec(), Position(upto)).await.expect("it is published");
}

/// What the subscriber gets next: event bytes and seq, and the number of the last.
async fn next(bus: &dyn MessageBus, subscriber: &str, limit: usize) -> (Vec<Arc<[u8]>>, u64) {
    let deliveries = bus.next(subscriber, limit).await.expect("deliveries");
    assert!(!deliveries.is_empty() && deliveries.len() <= limit);
    assert!(deliveries.is_sorted_by(|a, b| a.number < b.number), "numbers grow");
    let last = deliveries.last().map_or(0, |delivery| delivery.number);
    (deliveries.into_iter().map(|delivery| delivery.body).collect(), last)
}

fn bodies(messages: &[Message]) -> Vec<Arc<[u8]>> {
    messages.iter().map(|message| message.body.clone()).collect()
}

async fn messages_come_in_order_until_acknowledged(stores: &Stores) {
    let bus = &*stores.bus;
    let sent = [message(1, 1), message(2, 1), message(1, 2), message(1, 3)];
    let has_next = async |name| bus.has_next(name).await.expect("an answer");
    assert!(!has_next("one").await);
    publish(bus, &sent[..3], 3).await;
    publish(bus, &sent[3..], 4).await;
    assert!(has_next("one").await);
    let whole = bus.next("one", 10).await.expect("deliveries");
    for (delivery, message) in whole.iter().zip(&sent) {
        let (of, sent) = ((delivery.era, delivery.event), (message.era, message.event));
        assert_eq!((of, delivery.seq), (sent, message.seq));
        assert_eq!((delivery.kind.as_str(), &delivery.body), (message.kind, &message.body));
    }
    assert_eq!(whole.len(), sent.len());
    let (first, last) = next(bus, "one", 2).await;
    assert_eq!(first, bodies(&sent[..2]));
    let (again, _) = next(bus, "one", 2).await;
    assert_eq!(again, first, "not acknowledged, so once more");
    bus.acknowledge("one", last).await.expect("it is done");
    assert_eq!(next(bus, "one", 10).await.0, bodies(&sent[2..]));
    assert_eq!(next(bus, "two", 10).await.0, bodies(&sent), "each subscriber for itself");
    bus.acknowledge("one", whole[0].number).await.expect("it is done");
    assert_eq!(next(bus, "one", 10).await.0, bodies(&sent[2..]), "never back");
    bus.acknowledge("one", u64::MAX >> 1).await.expect("it is done");
    assert!(!has_next("one").await && has_next("two").await);
    let more = [message(3, 1)];
    publish(bus, &more, 5).await;
    assert_eq!(next(bus, "one", 10).await.0, bodies(&more), "never past what was there");
}

async fn messages_are_not_doubled(stores: &Stores) {
    let bus = &*stores.bus;
    let sent = [message(1, 1), message(1, 2)];
    publish(bus, &sent[..1], 1).await;
    publish(bus, &sent, 2).await;
    assert_eq!(next(bus, "one", 10).await.0, bodies(&sent));
    let other_era = Message { era: Era(2), ..message(1, 1) };
    publish(bus, &[other_era], 3).await;
    assert_eq!(next(bus, "one", 10).await.0.len(), 3, "another era is another history");
}

async fn subscribers_wait(stores: &Stores) {
    let bus = &*stores.bus;
    let sent = [message(1, 1), message(1, 2)];
    let (got, ()) = join(next(bus, "one", 10), publish(bus, &sent[..1], 1)).await;
    assert_eq!(got.0, bodies(&sent[..1]), "told while it waited");
    bus.acknowledge("one", got.1).await.expect("it is done");
    // Several wait at once; each is told. And whoever stops waiting loses nothing.
    let waiting = bus.next("one", 10);
    pin_mut!(waiting);
    let stopped = select(waiting, bus.cursor(HERE)).await;
    assert!(matches!(stopped, futures_util::future::Either::Right(_)), "nothing is there yet");
    let both = join(next(bus, "one", 10), next(bus, "one", 10));
    let ((one, two), ()) = join(both, publish(bus, &sent[1..], 2)).await;
    assert_eq!((one.0, two.0), (bodies(&sent[1..]), bodies(&sent[1..])));
}

async fn cursors_only_move_forward(stores: &Stores) {
    let bus = &*stores.bus;
    let cursor = async |partition| bus.cursor(PartitionId(partition)).await.expect("a cursor");
    assert_eq!(cursor(0).await, Position(0));
    publish(bus, &[], 7).await;
    assert_eq!(cursor(0).await, Position(7), "also when there was nothing to say");
    publish(bus, &[message(1, 1)], 3).await;
    assert_eq!(cursor(0).await, Position(7));
    assert_eq!(cursor(1).await, Position(0), "each partition has its own");
}
