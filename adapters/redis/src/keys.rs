//! The names of keys. All keys of a partition carry its hash tag, so that one function
//! finds them in one slot of a Redis Cluster.

use engine::EventId;
use storage::PartitionId;

/// Names keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// In front of every key; for tests that share a server.
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn of(&self, partition: PartitionId, rest: &[u8]) -> Vec<u8> {
        let mut key = format!("{}{{p{}}}:", self.prefix, partition.0).into_bytes();
        key.extend_from_slice(rest);
        key
    }

    fn of_event(&self, partition: PartitionId, kind: &str, event: EventId) -> Vec<u8> {
        self.of(partition, format!("{kind}:{event}").as_bytes())
    }

    /// Every key of ours.
    pub(crate) fn pattern(&self) -> Vec<u8> {
        format!("{}{{p*", self.prefix).into_bytes()
    }

    /// The partition and the event of a key of ours, if it has them.
    pub(crate) fn parse(&self, key: &[u8]) -> Option<(PartitionId, Option<EventId>)> {
        let rest = key.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"{p")?;
        let (number, rest) = std::str::from_utf8(rest).ok()?.split_once("}:")?;
        let partition = PartitionId(number.parse().ok()?);
        let mut parts = rest.split(':');
        let kind = parts.next()?;
        let of_event = matches!(kind, "h" | "log" | "snap");
        let event = parts.next().filter(|_| of_event).and_then(event_of_text);
        Some((partition, event))
    }

    pub(crate) fn own(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"own")
    }

    pub(crate) fn outbox(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"ob")
    }

    pub(crate) fn cursors(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"cur")
    }

    pub(crate) fn due(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"due")
    }

    pub(crate) fn events(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"ev")
    }

    pub(crate) fn header(&self, partition: PartitionId, event: EventId) -> Vec<u8> {
        self.of_event(partition, "h", event)
    }

    pub(crate) fn log(&self, partition: PartitionId, event: EventId) -> Vec<u8> {
        self.of_event(partition, "log", event)
    }

    /// In front of the names of an event's snapshot chunks.
    pub(crate) fn snapshots(&self, partition: PartitionId, event: EventId) -> Vec<u8> {
        self.of(partition, format!("snap:{event}:").as_bytes())
    }

    pub(crate) fn members(&self) -> Vec<u8> {
        format!("{}members", self.prefix).into_bytes()
    }
}

/// An event's id out of its textual form.
fn event_of_text(text: &str) -> Option<EventId> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let pairs =
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Vec<u8> = pairs.collect::<Option<_>>()?;
    Some(EventId(bytes.try_into().ok()?)).filter(|event| event.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_whose_it_is() {
        let (keys, event) = (Keys::new("x:"), EventId([0xa7; 16]));
        let here = PartitionId(1_023);
        for key in [keys.header(here, event), keys.log(here, event)] {
            assert_eq!(keys.parse(&key), Some((here, Some(event))));
        }
        let chunk = [&keys.snapshots(here, event)[..], b"12:00-1:0"].concat();
        assert_eq!(keys.parse(&chunk), Some((here, Some(event))));
        for key in [keys.own(here), keys.outbox(here), keys.due(here), keys.events(here)] {
            assert_eq!(keys.parse(&key), Some((here, None)));
        }
        for other in [keys.members(), b"y:{p1}:own".to_vec(), b"x:{p}:own".to_vec()] {
            assert_eq!(keys.parse(&other), None);
        }
        assert_eq!(keys.parse(b"x:{p1}:h:not-an-id"), Some((PartitionId(1), None)));
    }
}
