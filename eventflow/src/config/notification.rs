//! The settings of the notification service.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::section::{kind, section, within};
use super::sections::{DAY_MS, MONTH_S};
use super::{ConfigError, is_origin};

/// Ten years, in seconds.
const YEARS_S: u32 = 3_650 * 86_400;

section! {
    /// The notification service.
    Notification, "notification", notification::Options {
        from: text from;
        pages_url: text pages_url;
        reminders: spans reminders_s;
        retry_ms: millis retry in 100..=DAY_MS;
        retry_max_ms: millis retry_max in 100..=DAY_MS;
        give_up_s: seconds give_up in 60..=MONTH_S;
        keep_s: seconds keep in 86_400..=YEARS_S;
        messages_per_day: number messages_per_day in 0..=1_000;
        notices_per_day: number notices_per_day in 0..=1_000_000;
        share_percent: number share_percent in 1..=100;
        @own mail_dir: PathBuf = PathBuf::new();
        @own smtp: Smtp = Smtp::default();
    }
}

/// How a span is written: a number and its unit.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A span like `24h` in seconds.
fn parse_span(text: &str) -> Option<u32> {
    let unit = text.chars().next_back()?;
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let count: u32 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    count.checked_mul(seconds).filter(|span| (1..=notification::REMINDER_MAX_S).contains(span))
}

/// Spans in seconds as they are written: in the largest unit that fits, but a day in hours.
pub(super) fn spans_setting(spans: Vec<u32>) -> Vec<String> {
    let written = |seconds: u32| {
        let fits = |unit: u32| seconds >= unit && seconds.is_multiple_of(unit);
        let is_day = |unit: u32| unit == 86_400 && seconds == unit;
        let unit = UNITS.into_iter().find(|&(_, unit)| fits(unit) && !is_day(unit));
        let (name, unit) = unit.unwrap_or(('s', 1));
        format!("{}{name}", seconds / unit)
    };
    spans.into_iter().map(written).collect()
}

/// The way back; what cannot be read was refused before.
pub(super) fn spans_option(texts: &[String]) -> Vec<u32> {
    texts.iter().filter_map(|text| parse_span(text)).collect()
}

/// The SMTP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "config/eventflow.toml documents every setting")]
pub struct Smtp {
    pub host: String,
    pub port: u32,
    pub tls: String,
    pub username: String,
    pub password_file: PathBuf,
    pub ca_file: PathBuf,
    pub timeout_ms: u32,
    pub connections: u32,
}

impl Default for Smtp {
    fn default() -> Self {
        let smtp = notification::Smtp::default();
        Self {
            host: smtp.host,
            port: smtp.port.into(),
            tls: "starttls".to_owned(),
            username: String::new(),
            password_file: PathBuf::new(),
            ca_file: PathBuf::new(),
            timeout_ms: u32::try_from(smtp.timeout.as_millis()).unwrap_or(u32::MAX),
            connections: u32::try_from(smtp.connections).unwrap_or(u32::MAX),
        }
    }
}

impl Smtp {
    fn tls(&self) -> Option<notification::Tls> {
        match self.tls.as_str() {
            "none" => Some(notification::Tls::None),
            "starttls" => Some(notification::Tls::StartTls),
            "implicit" => Some(notification::Tls::Implicit),
            _ => None,
        }
    }

    fn in_range(&self) -> Result<(), ConfigError> {
        within("notification.smtp.port", self.port, 1..=65_535)?;
        within("notification.smtp.timeout_ms", self.timeout_ms, 100..=600_000)?;
        within("notification.smtp.connections", self.connections, 1..=32)?;
        if self.tls().is_none() {
            let expected = "\"none\", \"starttls\" or \"implicit\"";
            return Err(ConfigError::invalid("notification.smtp.tls", expected));
        }
        let (name, password) = (!self.username.is_empty(), is_given(&self.password_file));
        if name != password {
            let expected = "given if `notification.smtp.username` is, and only then";
            return Err(ConfigError::invalid("notification.smtp.password_file", expected));
        }
        Ok(())
    }

    fn options(&self) -> Result<Option<notification::Smtp>, ConfigError> {
        if self.host.is_empty() {
            return Ok(None);
        }
        let file = |key: &str, file: &Path| match is_given(file) {
            true => std::fs::read(file).map(Some).map_err(|error| {
                let expected = format!("a file that can be read ({}: {error})", file.display());
                ConfigError::invalid(key, expected)
            }),
            false => Ok(None),
        };
        let password = file("notification.smtp.password_file", &self.password_file)?;
        let password = password.map(String::from_utf8).transpose().map_err(|_| {
            ConfigError::invalid("notification.smtp.password_file", "a file with a text")
        })?;
        Ok(Some(notification::Smtp {
            host: self.host.clone(),
            port: u16::try_from(self.port).unwrap_or_default(),
            tls: self.tls().unwrap_or(notification::Tls::StartTls),
            username: Some(self.username.clone()).filter(|name| !name.is_empty()),
            // Editors end a file with a line break; no password does.
            password: password.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()),
            ca_pem: file("notification.smtp.ca_file", &self.ca_file)?,
            timeout: std::time::Duration::from_millis(self.timeout_ms.into()),
            connections: self.connections as usize,
        }))
    }
}

fn is_given(file: &Path) -> bool {
    !file.as_os_str().is_empty()
}

impl Notification {
    /// Whether every value is one that it can be.
    pub(super) fn values_fit(&self) -> Result<(), ConfigError> {
        self.in_range()?;
        self.smtp.in_range()?;
        let spans = self.reminders.iter().map(|text| parse_span(text));
        let all: Option<Vec<u32>> = spans.collect();
        if all.is_none_or(|spans| spans.len() > notification::REMINDERS_MAX) {
            let expected = format!(
                "a list of at most {} spans like \"24h\", \"90m\", \"2d\", up to 31 days",
                notification::REMINDERS_MAX
            );
            return Err(ConfigError::invalid("notification.reminders", expected));
        }
        // Pages may lie below a path; what comes before it is an origin.
        let scheme_end = self.pages_url.find("://").map_or(0, |at| at + 3);
        let path = self.pages_url[scheme_end..]
            .find('/')
            .map_or(self.pages_url.len(), |at| scheme_end + at);
        let (origin, path) = self.pages_url.split_at(path);
        let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~".contains(c));
        if origin == "*" || !is_origin(origin) || !plain {
            let expected = "an address like \"https://tickets.example.org\"";
            return Err(ConfigError::invalid("notification.pages_url", expected));
        }
        Ok(())
    }

    /// The options of the notification service, with what is in the files that are named.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn options(&self, data: &Path) -> Result<notification::Options, ConfigError> {
        let mut options = notification::Options::default();
        self.apply(&mut options);
        options.mail_dir = match is_given(&self.mail_dir) {
            true => self.mail_dir.clone(),
            false => data.join(options.mail_dir),
        };
        options.smtp = self.smtp.options()?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        for (text, seconds) in
            [("24h", 86_400), ("1h", 3_600), ("90m", 5_400), ("2d", 172_800), ("5s", 5)]
        {
            assert_eq!(parse_span(text), Some(seconds), "{text}");
            assert_eq!(spans_setting(vec![seconds]), [text]);
        }
        for wrong in ["", "h", "24", "-1h", "1w", "0h", "32d", "99999999999h", "1 h", "1ü"] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        let wrong: [fn(&mut Notification); 8] = [
            |n| n.smtp.tls = "ssl".to_owned(),
            |n| n.smtp.port = 0,
            |n| n.smtp.username = "me".to_owned(),
            |n| n.smtp.password_file = "secret".into(),
            |n| n.reminders = vec!["soon".to_owned()],
            |n| n.reminders = vec!["1h".to_owned(); 9],
            |n| n.pages_url = "tickets.example.org".to_owned(),
            |n| n.pages_url = "http://x/?a=\"<".to_owned(),
        ];
        for (number, change) in wrong.into_iter().enumerate() {
            let mut settings = Notification::default();
            assert_eq!(settings.values_fit(), Ok(()));
            change(&mut settings);
            assert!(settings.values_fit().is_err(), "{number}");
        }
        let below = Notification {
            pages_url: "https://example.org/tickets/".to_owned(),
            ..Notification::default()
        };
        assert_eq!(below.values_fit(), Ok(()));
    }

    #[test]
    fn a_password_comes_from_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "geheim \n").unwrap();
        let mut settings = Notification::default();
        let data = Path::new("/d");
        assert_eq!(settings.options(data).unwrap().smtp, None);
        assert_eq!(settings.options(data).unwrap().mail_dir, Path::new("/d/mail"));
        settings.smtp.host = "mail.example.org".to_owned();
        settings.smtp.username = "me".to_owned();
        settings.smtp.password_file = file.path().to_owned();
        let smtp = settings.options(data).unwrap().smtp.unwrap();
        assert_eq!(smtp.password.as_deref(), Some("geheim "));
        settings.smtp.password_file = "/nowhere/at/all".into();
        assert!(settings.options(data).is_err());
    }
}
