//! The descriptive fields as they travel through an event's history: JSON, which the
//! engine carries and never reads. What is written here is read for ever, so fields are
//! only ever added, and a change of meaning gets a new version.

use engine::{Timestamp, Words};
use serde::{Deserialize, Serialize};

/// The version that is written today.
const VERSION: u8 = 1;

/// Words that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("words that cannot be read: {0}")]
pub struct UnreadableWords(String);

/// The descriptive fields that a fact sets; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Its title.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// Where it takes place.
    pub location: Option<String>,
    /// When it starts.
    pub starts_at: Option<Timestamp>,
    /// The IANA zone its times are meant in; `Some(None)` takes it away.
    pub timezone: Option<Option<String>>,
    /// What a place costs.
    pub price_cents: Option<i64>,
}

/// The written form.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_time: Option<i64>,
    /// Empty: no time zone from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price_cents: Option<i64>,
}

impl Description {
    /// As JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        let written = Written {
            v: VERSION,
            title: self.title.clone(),
            description: self.description.clone(),
            location: self.location.clone(),
            start_time: self.starts_at.map(Timestamp::millis),
            timezone: self.timezone.clone().map(Option::unwrap_or_default),
            price_cents: self.price_cents,
        };
        serde_json::to_string(&written).expect("strings and numbers are always JSON")
    }

    /// From the words of a fact.
    ///
    /// # Errors
    /// If they are not JSON of a version that is known here.
    pub fn from_words(words: &Words) -> Result<Self, UnreadableWords> {
        let written: Written =
            serde_json::from_slice(&words.0).map_err(|error| UnreadableWords(error.to_string()))?;
        if written.v != VERSION {
            return Err(UnreadableWords(format!("version {}", written.v)));
        }
        Ok(Self {
            title: written.title,
            description: written.description,
            location: written.location,
            starts_at: written.start_time.map(Timestamp::from_millis),
            timezone: written.timezone.map(|zone| Some(zone).filter(|zone| !zone.is_empty())),
            price_cents: written.price_cents,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(description: &Description) -> Description {
        Description::from_words(&Words::new(description.to_text().as_bytes())).unwrap()
    }

    #[test]
    fn words_come_back_as_they_were() {
        let nothing = Description::default();
        assert_eq!(nothing.to_text(), r#"{"v":1}"#);
        assert_eq!(back(&nothing), nothing);
        let all = Description {
            title: Some("Fair".to_owned()),
            description: Some(String::new()),
            location: Some("Hall \"1\"".to_owned()),
            starts_at: Some(Timestamp::from_millis(5)),
            timezone: Some(Some("Europe/Berlin".to_owned())),
            price_cents: Some(0),
        };
        assert_eq!(back(&all), all);
        let no_zone = Description { timezone: Some(None), ..Description::default() };
        assert_eq!(back(&no_zone), no_zone);
    }

    #[test]
    fn the_written_form_stays_readable() {
        let old =
            br#"{"v":1,"title":"A","start_time":7,"timezone":"","price_cents":150,"later":1}"#;
        let description = Description::from_words(&Words::new(old)).unwrap();
        assert_eq!(description.title.as_deref(), Some("A"));
        assert_eq!(description.timezone, Some(None));
        assert_eq!(description.price_cents, Some(150));
        for wrong in [&b"{"[..], b"{}", br#"{"v":2}"#] {
            assert!(Description::from_words(&Words::new(wrong)).is_err());
        }
    }
}
