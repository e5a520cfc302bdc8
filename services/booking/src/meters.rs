//! What is counted of commands: which, and what became of them. What is accepted counts by
//! the state it led to, what is not by its code, which is what the client is told as well.
//! Each series is looked up in the recorder once.

use std::sync::OnceLock;

use actors::Receipt;
use api::{ErrorCode, Problem};
use engine::{BookingStatus, Reply};
use metrics::{Counter, Gauge, counter, gauge};

/// The commands that people give, by their names.
const COMMANDS: [&str; 9] = [
    "open",
    "change",
    "cancel_event",
    "book",
    "confirm",
    "cancel",
    "place_hold",
    "change_hold",
    "release_hold",
];

/// What may become of a command that is accepted, and what is no outcome at all: another
/// replica serves the event.
const OUTCOMES: [&str; 6] = ["confirmed", "waitlisted", "cancelled", "done", "replayed", ELSEWHERE];

/// See [`OUTCOMES`].
const ELSEWHERE: &str = "elsewhere";

/// What is counted here.
pub(crate) struct Meters {
    commands: [ByOutcome; COMMANDS.len()],
    streams: Gauge,
}

struct ByOutcome {
    accepted: [OnceLock<Counter>; OUTCOMES.len()],
    /// By the place in the list of all codes.
    refused: Vec<OnceLock<Counter>>,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let by_outcome = |_| ByOutcome {
            accepted: Default::default(),
            refused: ErrorCode::ALL.iter().map(|_| OnceLock::new()).collect(),
        };
        Self { commands: COMMANDS.map(by_outcome), streams: gauge!("eventflow_streams_open") }
    }

    /// A command of this name has come to its end.
    pub(crate) fn count(&self, command: &str, outcome: &Result<Receipt, Problem>) {
        let Some(place) = COMMANDS.iter().position(|known| *known == command) else { return };
        let counter = |outcome: &'static str| {
            counter!(
                "eventflow_commands_total",
                "command" => COMMANDS[place], "outcome" => outcome
            )
        };
        let of = &self.commands[place];
        let counted = match word(outcome) {
            Ok(word) => {
                let found = OUTCOMES.iter().position(|known| *known == word);
                found.map(|found| of.accepted[found].get_or_init(|| counter(word)))
            }
            Err(code) => of
                .refused
                .get(code as usize)
                .map(|counted| counted.get_or_init(|| counter(code.as_str()))),
        };
        if let Some(counted) = counted {
            counted.increment(1);
        }
    }

    /// So many streams are open.
    pub(crate) fn set_streams(&self, open: usize) {
        self.streams.set(open as f64);
    }
}

/// One of [`OUTCOMES`], or a code.
fn word(outcome: &Result<Receipt, Problem>) -> Result<&'static str, ErrorCode> {
    match outcome {
        Ok(Receipt { replayed: true, .. }) => Ok("replayed"),
        Ok(Receipt { reply: Reply::Booking(reply), .. }) => Ok(match reply.booking.status {
            BookingStatus::Confirmed => "confirmed",
            BookingStatus::Waitlisted => "waitlisted",
            BookingStatus::Cancelled => "cancelled",
        }),
        Ok(_) => Ok("done"),
        Err(problem) if problem.served_at().is_some() => Ok(ELSEWHERE),
        Err(problem) => Err(problem.code()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_place() {
        for (place, code) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(*code as usize, place, "{code:?}");
        }
    }

    #[test]
    fn the_state_or_the_code_is_what_counts() {
        let done = Receipt { reply: Reply::Ran, replayed: false };
        assert_eq!(word(&Ok(done.clone())), Ok("done"));
        assert_eq!(word(&Ok(Receipt { replayed: true, ..done })), Ok("replayed"));
        let refused = Problem::new(ErrorCode::SoldOut, "x");
        assert_eq!(word(&Err(refused)), Err(ErrorCode::SoldOut));
        let elsewhere = api::problem::Elsewhere { partition: 1, address: "a".into(), epoch: 1 };
        let moved = Problem::new(ErrorCode::Unavailable, "x").elsewhere(elsewhere);
        assert_eq!(word(&Err(moved)), Ok(ELSEWHERE));
    }
}
