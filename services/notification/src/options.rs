//! What can be tuned.

use std::path::PathBuf;
use std::time::Duration;

/// Longest time before an event at which a reminder may go out, in seconds: a month.
pub const REMINDER_MAX_S: u32 = 31 * 86_400;

/// Most reminders of one event.
pub const REMINDERS_MAX: usize = 8;

/// Options of the notification service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Who the mail is from.
    pub from: String,
    /// The address of the pages, which mail links to.
    pub pages_url: String,
    /// How long before an event its reminders go out, in seconds.
    pub reminders_s: Vec<u32>,
    /// Pause before a notice that was refused for now is tried again; it doubles each time.
    pub retry: Duration,
    /// Longest such pause.
    pub retry_max: Duration,
    /// After this time a notice that did not go is given up.
    pub give_up: Duration,
    /// How long notices that are settled, and events that are over, are kept.
    pub keep: Duration,
    /// Most messages of organizers to the attendees of one event within a day.
    pub messages_per_day: u32,
    /// Most notices a person is sent of what happened within a day, half of them about what
    /// organizers did; 0 is as many as there are.
    /// It is far beyond what anybody needs, and ends what somebody does to fill a mailbox.
    pub notices_per_day: u32,
    /// How much of the time making and sending notices may take, in hundredths of one
    /// thread's: the rest is for bookings.
    pub share_percent: u32,
    /// The SMTP server; without one, mail is written into `mail_dir`.
    pub smtp: Option<Smtp>,
    /// The folder for mail without a server.
    pub mail_dir: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            from: "EventFlow <no-reply@eventflow.localhost>".to_owned(),
            pages_url: "http://localhost:8501".to_owned(),
            reminders_s: vec![86_400, 3_600],
            retry: Duration::from_secs(60),
            retry_max: Duration::from_secs(3_600),
            give_up: Duration::from_secs(3 * 86_400),
            keep: Duration::from_secs(90 * 86_400),
            messages_per_day: 10,
            notices_per_day: 200,
            share_percent: 25,
            smtp: None,
            mail_dir: PathBuf::from("mail"),
        }
    }
}

/// How the connection to an SMTP server is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    None,
    /// After `STARTTLS`, which the server must offer.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// An SMTP server.
#[derive(Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept secret.
    pub tls: Tls,
    /// Who logs in, if anybody has to.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<String>,
    /// Authorities that are believed instead of the system's, in PEM form.
    pub ca_pem: Option<Vec<u8>>,
    /// Longest time for each step of a hand-over.
    pub timeout: Duration,
    /// Most connections at once.
    pub connections: usize,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without name and password.
        write!(f, "{}:{} {:?}", self.host, self.port, self.tls)
    }
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            tls: Tls::StartTls,
            username: None,
            password: None,
            ca_pem: None,
            timeout: Duration::from_secs(30),
            connections: 4,
        }
    }
}
