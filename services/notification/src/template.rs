//! Built-in templates, and those that an administrator has set instead.
//!
//! What people wrote is escaped in HTML, always; a subject is one line, whatever is in it.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use parking_lot::RwLock;
use storage::notices::{NoticeKind, StoredTemplate};

use crate::letters::Letter;

/// Most steps that a template may take: it cannot run for ever.
const FUEL: u64 = 50_000;

/// How deep templates may nest.
const DEPTH: usize = 20;

/// Longest subject, in characters; what is beyond is cut off.
const SUBJECT_CHARS: usize = 200;

/// Most bytes of a body that a template makes; beyond, the built-in one is used.
const BODY_BYTES: usize = 128 * 1024;

/// What surrounds the HTML of all built-in templates.
const LAYOUT: (&str, &str) = ("layout.html", include_str!("templates/layout.html"));

macro_rules! built_in {
    ($name:literal) => {
        [
            include_str!(concat!("templates/", $name, ".subject")),
            include_str!(concat!("templates/", $name, ".txt")),
            include_str!(concat!("templates/", $name, ".html")),
        ]
    };
}

/// Subject, text and HTML of a kind.
const fn built_in(kind: NoticeKind) -> [&'static str; 3] {
    match kind {
        NoticeKind::BookingConfirmed => built_in!("booking_confirmed"),
        NoticeKind::BookingWaitlisted => built_in!("booking_waitlisted"),
        NoticeKind::BookingPromoted => built_in!("booking_promoted"),
        NoticeKind::BookingCancelled => built_in!("booking_cancelled"),
        NoticeKind::HoldExpired => built_in!("hold_expired"),
        NoticeKind::EventChanged => built_in!("event_changed"),
        NoticeKind::EventCancelled => built_in!("event_cancelled"),
        NoticeKind::EventReminder => built_in!("event_reminder"),
        NoticeKind::OrganizerMessage => built_in!("organizer_message"),
    }
}

/// What the names of the three parts end with; HTML is escaped by its ending.
const ENDINGS: [&str; 3] = [".subject", ".txt", ".html"];

/// A notice's texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Texts {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// What is wrong with a template, and in which part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongTemplate {
    /// `subject`, `text` or `html`.
    pub(crate) part: &'static str,
    /// A sentence for whoever wrote it.
    pub(crate) why: String,
}

/// All templates.
pub(crate) struct Templates {
    built_in: Environment<'static>,
    set: RwLock<Environment<'static>>,
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
    });
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_recursion_limit(DEPTH);
    environment.set_fuel(Some(FUEL));
    environment
        .add_template(LAYOUT.0, LAYOUT.1)
        .expect("the built-in templates are compiled in every test");
    environment
}

fn name(kind: NoticeKind, part: usize) -> String {
    format!("{}{}", kind.as_str(), ENDINGS[part])
}

impl Templates {
    /// The built-in ones alone.
    pub(crate) fn new() -> Self {
        let mut built_in_ones = environment();
        for kind in NoticeKind::ALL {
            for (part, source) in built_in(*kind).into_iter().enumerate() {
                built_in_ones
                    .add_template_owned(name(*kind, part), source)
                    .expect("the built-in templates are compiled in every test");
            }
        }
        Self { built_in: built_in_ones, set: RwLock::new(environment()) }
    }

    /// What a kind's built-in template says.
    pub(crate) fn source(kind: NoticeKind) -> StoredTemplate {
        let [subject, text, html] = built_in(kind).map(|source| source.trim_end().to_owned());
        StoredTemplate { kind, subject, text, html }
    }

    /// Use a template from now on, if it can be used.
    pub(crate) fn set(&self, template: &StoredTemplate) -> Result<(), WrongTemplate> {
        self.try_out(template)?;
        let mut set = self.set.write();
        for (part, source) in parts(template).into_iter().enumerate() {
            // It was compiled a moment ago.
            let _same = set.add_template_owned(name(template.kind, part), source.clone());
        }
        Ok(())
    }

    /// Use the built-in one again.
    pub(crate) fn unset(&self, kind: NoticeKind) {
        let mut set = self.set.write();
        for part in 0..ENDINGS.len() {
            set.remove_template(&name(kind, part));
        }
    }

    /// Compile and render a template, without using it.
    pub(crate) fn try_out(&self, template: &StoredTemplate) -> Result<(), WrongTemplate> {
        let mut environment = environment();
        let letter = Letter::example(template.kind);
        let names = ["subject", "text", "html"];
        for (part, (source, names)) in parts(template).into_iter().zip(names).enumerate() {
            let wrong = |error: &minijinja::Error| WrongTemplate { part: names, why: told(error) };
            let name = name(template.kind, part);
            environment.add_template_owned(name.clone(), source.clone()).map_err(|e| wrong(&e))?;
            let rendered = environment.get_template(&name).and_then(|t| t.render(Serde(&letter)));
            let rendered = rendered.map_err(|error| wrong(&error))?;
            if rendered.trim().is_empty() || rendered.len() > BODY_BYTES {
                let why = format!("must make 1 to {BODY_BYTES} bytes");
                return Err(WrongTemplate { part: names, why });
            }
        }
        Ok(())
    }

    /// The texts of a letter. A template that was set and fails on this letter, although it
    /// was tried, is not in anybody's way: then the built-in one is used.
    pub(crate) fn render(&self, kind: NoticeKind, letter: &Letter) -> Texts {
        {
            let set = self.set.read();
            match render(&set, kind, letter) {
                Ok(texts) if texts.text.len().max(texts.html.len()) <= BODY_BYTES => return texts,
                Ok(_) => tracing::warn!(kind = kind.as_str(), "a template makes too much"),
                Err(error) if error.kind() == ErrorKind::TemplateNotFound => {}
                Err(error) => {
                    tracing::warn!(kind = kind.as_str(), %error, "a template cannot be used");
                }
            }
        }
        render(&self.built_in, kind, letter).expect("built-in templates render every letter")
    }
}

fn parts(template: &StoredTemplate) -> [&String; 3] {
    [&template.subject, &template.text, &template.html]
}

fn render(
    environment: &Environment<'_>,
    kind: NoticeKind,
    letter: &Letter,
) -> Result<Texts, minijinja::Error> {
    let part = |part| environment.get_template(&name(kind, part))?.render(Serde(letter));
    Ok(Texts { subject: one_line(&part(0)?), text: part(1)?, html: part(2)? })
}

/// The text as one line that can stand in a header.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    if line.chars().count() > SUBJECT_CHARS {
        line = line.chars().take(SUBJECT_CHARS - 1).chain(['…']).collect();
    }
    line
}

/// A template's fault, for whoever wrote it.
fn told(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
    match error.line() {
        Some(line) => format!("cannot be used (line {line}): {what}"),
        None => format!("cannot be used: {what}"),
    }
}

#[cfg(test)]
mod tests;
