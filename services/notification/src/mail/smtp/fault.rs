//! Which of the four reasons a broken step is.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::Code;

use crate::mail::NotSent;

/// Characters of a server's answer that are kept.
const ANSWER: usize = 300;

/// What stands for an address or a password.
const STRUCK: &str = "(...)";

/// Answers that say something about the server or about us, whatever they answer: it closes,
/// it is out of step, it wants a log-in or another one, it wants encryption.
const NOT_ABOUT_THE_MESSAGE: [u16; 6] = [421, 503, 530, 534, 535, 538];

/// What lettre calls an answer that ended before its line did.
const CUT_OFF: &str = "incomplete response";

/// Stands for an answer to the log-in that cannot be read.
const UNREADABLE: &str = "the answer cannot be read";

/// A step of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    Greeting,
    StartTls,
    Login,
    Again,
    Sender,
    Recipient,
    Data,
    Body,
}

/// How far a message had got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its recipient has not been named.
    Before,
    /// Its recipient has, its body has not been begun.
    Recipient,
    /// Its body has been begun.
    Body,
}

/// What must not be in a text.
pub(super) struct Secrets<'a> {
    pub(super) address: Option<&'a str>,
    pub(super) password: Option<&'a str>,
}

/// Why a step was not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server said no.
    Refused { step: Step, code: u16, text: String },
    /// No answer came, or none that can be read.
    Broken { step: Step, text: String },
    /// Nothing was even tried.
    Address(&'static str),
}

impl Fault {
    pub(super) fn broken(step: Step, error: &Error) -> Self {
        // A refusal carries the answer as its cause, all else whatever happened.
        let cause = error.source().map_or_else(|| error.to_string(), root_of);
        // Some servers repeat the command that they refuse, and there the name and the password
        // are in it, in base64. Nothing that the server says to a log-in goes into a text.
        let secret = step == Step::Login;
        match error.status() {
            Some(code) => {
                let text = if secret { String::new() } else { cause };
                Self::Refused { step, code: code.into(), text }
            }
            None if cause == CUT_OFF => {
                Self::Broken { step, text: "the server closed the connection".to_owned() }
            }
            // What cannot be read is quoted by whoever could not.
            None if secret && error.is_response() => {
                Self::Broken { step, text: UNREADABLE.to_owned() }
            }
            None => Self::Broken { step, text: cause },
        }
    }

    pub(super) fn io(step: Step, error: &io::Error) -> Self {
        Self::Broken { step, text: error.to_string() }
    }

    pub(super) fn slow(step: Step, limit: Duration) -> Self {
        Self::Broken { step, text: format!("no answer within {limit:?}") }
    }

    /// An answer that says neither yes nor no.
    pub(super) fn odd(step: Step, code: Code) -> Self {
        Self::Broken {
            step,
            text: format!("the server answered {code}, which is no answer to that"),
        }
    }

    /// Whether the conversation can go on.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { code, .. } => !NOT_ABOUT_THE_MESSAGE.contains(code),
            Self::Broken { .. } => false,
            Self::Address(_) => true,
        }
    }

    /// What it means for the message.
    pub(super) fn reason(self, phase: Phase, secrets: &Secrets<'_>) -> NotSent {
        match self {
            Self::Address(why) => NotSent::Unfit(why.to_owned()),
            Self::Broken { step, text } => {
                let text = format!("{step}: {}", secrets.strike_out(&text));
                match phase {
                    Phase::Before => NotSent::Down(text),
                    Phase::Recipient => NotSent::Silent(text),
                    Phase::Body => NotSent::Unknown(text),
                }
            }
            Self::Refused { step, code, text } => {
                let text = secrets.strike_out(&text);
                let text =
                    format!("{step}: the server answered {code} {text}").trim_end().to_owned();
                let elsewhere = phase == Phase::Before || NOT_ABOUT_THE_MESSAGE.contains(&code);
                match code {
                    _ if elsewhere => NotSent::Down(text),
                    500.. => NotSent::Never(text),
                    _ => NotSent::Later(text),
                }
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Greeting => "greeting",
            Self::StartTls => "STARTTLS",
            Self::Login => "logging in",
            Self::Again => "RSET",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming the recipient",
            Self::Data => "DATA",
            Self::Body => "sending the message",
        })
    }
}

impl Secrets<'_> {
    /// One line of what somebody said, not too long, without what must not be in it.
    fn strike_out(&self, text: &str) -> String {
        let text = match self.password {
            Some(password) => text.replace(password, STRUCK),
            None => text.to_owned(),
        };
        let user = self.address.and_then(|address| address.rsplit_once('@')).map(|(user, _)| user);
        let words = text.split(|c: char| c.is_whitespace() || c.is_control());
        let words = words.filter(|word| !word.is_empty()).map(|word| {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let named = user.is_some_and(|user| bare.eq_ignore_ascii_case(user));
            // Any address at all: a server may name the one that it forwards to.
            if named || word.contains('@') { STRUCK } else { word }
        });
        words.collect::<Vec<_>>().join(" ").chars().take(ANSWER).collect()
    }
}

/// The last cause: the ones before it only say that there is one.
fn root_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
