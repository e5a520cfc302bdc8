//! Pings, hints and tails as replicas write them to one another. Both ends are of one
//! installation; while it is upgraded they may be of two versions, so what is not understood
//! is told as a failure, and the asker asks again.

use actors::protocol::coverage::Read;
use actors::protocol::suspicion::Pong;
use actors::{TailAnswer, TailQuestion, TailRows, Wanted};
use api::wire::Id;
use api::{ErrorCode, Problem};
use engine::{BookingId, BookingStatus, EventId, HoldId, Seats, Seq, Timestamp, UserId, Words};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use storage::{
    BookingRow, Chain, Epoch, HoldChange, HoldStatus, HoldStep, MemberState, OutboxEntry,
    PartitionId, Position,
};

/// A body of another replica.
pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        tracing::warn!(%error, "another replica cannot be understood");
        unreadable()
    })
}

fn unreadable() -> Problem {
    Problem::new(ErrorCode::InvalidJson, "The call of another replica cannot be read.")
}

pub(super) const fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Starting => "starting",
        MemberState::Ready => "ready",
        MemberState::Draining => "draining",
    }
}

/// See [`Pong`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PongBody {
    from: String,
    state: String,
    store_age: u64,
    silent: Vec<String>,
}

impl From<Pong> for PongBody {
    fn from(pong: Pong) -> Self {
        Self {
            from: pong.from.to_string(),
            state: state(pong.state).to_owned(),
            store_age: pong.store_age,
            silent: pong.silent.iter().map(ToString::to_string).collect(),
        }
    }
}

impl PongBody {
    pub(super) fn to_pong(&self) -> Option<Pong> {
        Some(Pong {
            from: self.from.parse().ok()?,
            state: match self.state.as_str() {
                "starting" => MemberState::Starting,
                "ready" => MemberState::Ready,
                "draining" => MemberState::Draining,
                _ => return None,
            },
            store_age: self.store_age,
            silent: self.silent.iter().map(|one| one.parse().ok()).collect::<Option<_>>()?,
        })
    }
}

/// A partition is free.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HintCall {
    pub(super) partition: u16,
    pub(super) epoch: u64,
}

/// Which places of a queue are wanted.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PositionsCall {
    pub(super) seqs: Vec<u64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Booking,
    User,
    Event,
    Hold,
}

/// See [`TailQuestion`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TailsCall {
    kind: Kind,
    id: Id,
    behind: Vec<(u16, u64)>,
}

impl From<&TailQuestion> for TailsCall {
    fn from(question: &TailQuestion) -> Self {
        let (kind, id) = match question.wanted {
            Wanted::Booking(id) => (Kind::Booking, Id(id.bytes())),
            Wanted::User(id) => (Kind::User, Id(id.bytes())),
            Wanted::Event(id) => (Kind::Event, Id(id.bytes())),
            Wanted::Hold(id) => (Kind::Hold, Id(id.bytes())),
        };
        let behind = question.behind.iter().map(|(p, at)| (p.0, at.0)).collect();
        Self { kind, id, behind }
    }
}

impl TailsCall {
    pub(super) fn to_question(&self) -> TailQuestion {
        let id = self.id.0;
        let wanted = match self.kind {
            Kind::Booking => Wanted::Booking(BookingId(id)),
            Kind::User => Wanted::User(UserId(id)),
            Kind::Event => Wanted::Event(EventId(id)),
            Kind::Hold => Wanted::Hold(HoldId(id)),
        };
        let behind = self.behind.iter().map(|&(p, at)| (PartitionId(p), Position(at))).collect();
        TailQuestion { wanted, behind }
    }
}

/// See [`TailAnswer`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TailsBody {
    /// Partition, epoch, how far.
    covered: Vec<(u16, u64, u64)>,
    rows: Vec<RowBody>,
    holds: Vec<HoldChangeBody>,
    /// Event, seq, time.
    cancelled: Vec<(Id, u64, i64)>,
}

impl From<TailAnswer> for TailsBody {
    fn from(answer: TailAnswer) -> Self {
        let TailRows { rows, holds, cancelled } = answer.rows;
        let covered = answer.covered.iter();
        Self {
            covered: covered.map(|(p, read)| (p.0, read.epoch.0, read.followed.0)).collect(),
            rows: rows.iter().map(RowBody::from).collect(),
            holds: holds.iter().map(HoldChangeBody::from).collect(),
            cancelled: cancelled
                .iter()
                .map(|(event, seq, at)| (Id::from(*event), seq.0, at.millis()))
                .collect(),
        }
    }
}

impl TailsBody {
    pub(super) fn to_answer(&self) -> Option<TailAnswer> {
        let covered = self.covered.iter().map(|&(partition, epoch, followed)| {
            (PartitionId(partition), Read { epoch: Epoch(epoch), followed: Position(followed) })
        });
        let cancelled = self
            .cancelled
            .iter()
            .map(|&(event, seq, at)| (EventId::from(event), Seq(seq), Timestamp::from_millis(at)));
        Some(TailAnswer {
            covered: covered.collect(),
            rows: TailRows {
                rows: self.rows.iter().map(RowBody::to_row).collect::<Option<_>>()?,
                holds: self.holds.iter().map(HoldChangeBody::to_change).collect::<Option<_>>()?,
                cancelled: cancelled.collect(),
            },
        })
    }
}

/// See [`BookingRow`].
#[derive(Debug, Serialize, Deserialize)]
struct RowBody {
    id: Id,
    event: Id,
    user: Id,
    quantity: u32,
    /// `c`onfirmed, `w`aitlisted, `x` cancelled.
    status: char,
    seq: u64,
    made_at: i64,
    changed_at: i64,
    stamp: u64,
}

impl From<&BookingRow> for RowBody {
    fn from(row: &BookingRow) -> Self {
        Self {
            id: Id::from(row.id),
            event: Id::from(row.event),
            user: Id::from(row.user),
            quantity: row.quantity.get(),
            status: match row.status {
                BookingStatus::Confirmed => 'c',
                BookingStatus::Waitlisted => 'w',
                BookingStatus::Cancelled => 'x',
            },
            seq: row.seq.0,
            made_at: row.made_at.millis(),
            changed_at: row.changed_at.millis(),
            stamp: row.stamp.0,
        }
    }
}

impl RowBody {
    fn to_row(&self) -> Option<BookingRow> {
        Some(BookingRow {
            id: BookingId::from(self.id),
            event: EventId::from(self.event),
            user: UserId::from(self.user),
            quantity: Seats::new(self.quantity)?,
            status: match self.status {
                'c' => BookingStatus::Confirmed,
                'w' => BookingStatus::Waitlisted,
                'x' => BookingStatus::Cancelled,
                _ => return None,
            },
            seq: Seq(self.seq),
            made_at: Timestamp::from_millis(self.made_at),
            changed_at: Timestamp::from_millis(self.changed_at),
            stamp: Seq(self.stamp),
        })
    }
}

/// See [`HoldChange`].
#[derive(Debug, Serialize, Deserialize)]
struct HoldChangeBody {
    id: Id,
    event: Id,
    stamp: u64,
    at: i64,
    step: StepBody,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepBody {
    Placed { user: Id, quantity: u32, expires_at: i64, details: String },
    Changed { expires_at: i64, extensions: u8, details: Option<String> },
    Expired,
    Released,
    Confirmed,
    Held,
}

/// Details are JSON, and so are text.
fn text(words: &Words) -> String {
    String::from_utf8_lossy(&words.0).into_owned()
}

impl From<&HoldChange> for HoldChangeBody {
    fn from(change: &HoldChange) -> Self {
        let step = match &change.step {
            HoldStep::Placed { user, quantity, expires_at, details } => StepBody::Placed {
                user: Id::from(*user),
                quantity: quantity.get(),
                expires_at: expires_at.millis(),
                details: text(details),
            },
            HoldStep::Changed { expires_at, extensions, details } => StepBody::Changed {
                expires_at: expires_at.millis(),
                extensions: *extensions,
                details: details.as_ref().map(text),
            },
            HoldStep::Ended(HoldStatus::Expired) => StepBody::Expired,
            HoldStep::Ended(HoldStatus::Released) => StepBody::Released,
            HoldStep::Ended(HoldStatus::Confirmed) => StepBody::Confirmed,
            HoldStep::Ended(HoldStatus::Held) => StepBody::Held,
        };
        Self {
            id: Id(change.id.bytes()),
            event: Id::from(change.event),
            stamp: change.stamp.0,
            at: change.at.millis(),
            step,
        }
    }
}

impl HoldChangeBody {
    fn to_change(&self) -> Option<HoldChange> {
        let words = |text: &String| Words::new(text.as_bytes());
        let step = match &self.step {
            StepBody::Placed { user, quantity, expires_at, details } => HoldStep::Placed {
                user: UserId::from(*user),
                quantity: Seats::new(*quantity)?,
                expires_at: Timestamp::from_millis(*expires_at),
                details: words(details),
            },
            StepBody::Changed { expires_at, extensions, details } => HoldStep::Changed {
                expires_at: Timestamp::from_millis(*expires_at),
                extensions: *extensions,
                details: details.as_ref().map(words),
            },
            StepBody::Expired => HoldStep::Ended(HoldStatus::Expired),
            StepBody::Released => HoldStep::Ended(HoldStatus::Released),
            StepBody::Confirmed => HoldStep::Ended(HoldStatus::Confirmed),
            StepBody::Held => HoldStep::Ended(HoldStatus::Held),
        };
        Some(HoldChange {
            id: HoldId::from(self.id),
            event: EventId::from(self.event),
            stamp: Seq(self.stamp),
            at: Timestamp::from_millis(self.at),
            step,
        })
    }
}

/// A committed batch as a replica's tail has it, for whoever repairs a store.
#[derive(Debug, Serialize, Deserialize)]
pub struct TailEntry {
    position: u64,
    event: Id,
    first_seq: u64,
    last_seq: u64,
    epoch: u64,
    /// In hexadecimal digits, as is the blob.
    chain: String,
    at: i64,
    blob: String,
}

impl From<&OutboxEntry> for TailEntry {
    fn from(entry: &OutboxEntry) -> Self {
        Self {
            position: entry.position.0,
            event: Id::from(entry.event),
            first_seq: entry.first_seq.0,
            last_seq: entry.last_seq.0,
            epoch: entry.epoch.0,
            chain: hex(&entry.chain.0),
            at: entry.at.millis(),
            blob: hex(&entry.blob),
        }
    }
}

impl TailEntry {
    fn to_entry(&self) -> Option<OutboxEntry> {
        Some(OutboxEntry {
            position: Position(self.position),
            event: EventId::from(self.event),
            first_seq: Seq(self.first_seq),
            last_seq: Seq(self.last_seq),
            epoch: Epoch(self.epoch),
            chain: Chain(unhex(&self.chain)?.try_into().ok()?),
            at: Timestamp::from_millis(self.at),
            blob: unhex(&self.blob)?.into(),
        })
    }
}

/// The batches in the answer of `/internal/tail/{partition}`; `None` if it cannot be read.
#[must_use]
pub fn read_tail(body: &[u8]) -> Option<Vec<OutboxEntry>> {
    let entries: Vec<TailEntry> = serde_json::from_slice(body).ok()?;
    entries.iter().map(TailEntry::to_entry).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<HoldStep> {
        let at = Timestamp::from_millis(7);
        let words = |text: &str| Words::new(text.as_bytes());
        let (user, quantity) = (UserId([3; 16]), Seats::new(2).unwrap());
        let mut steps = vec![
            HoldStep::Placed { user, quantity, expires_at: at, details: words("{\"a\":\"ä\"}") },
            HoldStep::Changed { expires_at: at, extensions: 2, details: Some(words("{}")) },
            HoldStep::Changed { expires_at: at, extensions: 0, details: None },
        ];
        let ends =
            [HoldStatus::Held, HoldStatus::Expired, HoldStatus::Released, HoldStatus::Confirmed];
        steps.extend(ends.map(HoldStep::Ended));
        steps
    }

    #[test]
    fn what_tails_know_comes_over_as_it_was() {
        let (event, at) = (EventId([7; 16]), Timestamp::from_millis(5));
        let row = |status, n| BookingRow {
            id: BookingId([n; 16]),
            event,
            user: UserId([2; 16]),
            quantity: Seats::new(3).unwrap(),
            status,
            seq: Seq(4),
            made_at: at,
            changed_at: Timestamp::from_millis(6),
            stamp: Seq(9),
        };
        let change = |step| HoldChange { id: HoldId([4; 16]), event, stamp: Seq(8), at, step };
        let answer = TailAnswer {
            covered: vec![(PartitionId(3), Read { epoch: Epoch(2), followed: Position(11) })],
            rows: TailRows {
                rows: vec![
                    row(BookingStatus::Confirmed, 1),
                    row(BookingStatus::Waitlisted, 2),
                    row(BookingStatus::Cancelled, 3),
                ],
                holds: steps().into_iter().map(change).collect(),
                cancelled: vec![(event, Seq(12), at)],
            },
        };
        let json = serde_json::to_vec(&TailsBody::from(answer.clone())).unwrap();
        let read: TailsBody = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.to_answer(), Some(answer));
    }

    #[test]
    fn questions_pongs_and_batches_do_too() {
        for wanted in [
            Wanted::Booking(BookingId([1; 16])),
            Wanted::User(UserId([2; 16])),
            Wanted::Event(EventId([3; 16])),
            Wanted::Hold(HoldId([4; 16])),
        ] {
            let question = TailQuestion { wanted, behind: vec![(PartitionId(9), Position(8))] };
            let json = serde_json::to_vec(&TailsCall::from(&question)).unwrap();
            let read: TailsCall = serde_json::from_slice(&json).unwrap();
            assert_eq!(read.to_question(), question);
        }
        let pong = Pong {
            from: actors::protocol::Replica::new("b1", 7),
            state: MemberState::Draining,
            store_age: 12,
            silent: vec![actors::protocol::Replica::new("b2", 1)],
        };
        let json = serde_json::to_vec(&PongBody::from(pong.clone())).unwrap();
        let read: PongBody = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.to_pong(), Some(pong));
        let entry = OutboxEntry {
            position: Position(5),
            event: EventId([7; 16]),
            first_seq: Seq(3),
            last_seq: Seq(4),
            epoch: Epoch(2),
            chain: Chain([0xab; 16]),
            at: Timestamp::from_millis(9),
            blob: vec![0, 1, 0xff].into(),
        };
        let json = serde_json::to_vec(&[TailEntry::from(&entry)]).unwrap();
        assert_eq!(read_tail(&json), Some(vec![entry]));
        assert_eq!(read_tail(b"[{}]"), None);
    }
}
