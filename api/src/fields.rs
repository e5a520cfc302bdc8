//! Reads an object field by field and remembers everything that is wrong with it, so
//! that a client learns of all its mistakes at once.
//!
//! A reader asks for each field it knows. An asked-for field that is missing or wrong
//! gives a stand-in value and an error; [`Fields::finish`] reports the errors, among
//! them every field nobody asked for. Nothing read before `finish` may be acted on.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::problem::{ErrorCode, FieldError, Problem};
use crate::wire::{Id, Money, parse_id};

/// Most errors of fields that are listed; beyond that the list says no more.
pub const LISTED_ERRORS: usize = 50;

/// Longest name of an unknown field that is repeated to the client, in characters.
const ECHOED_NAME_CHARS: usize = 64;

/// An object being read.
#[derive(Debug)]
pub struct Fields {
    left: Map<String, Value>,
    errors: Vec<FieldError>,
}

/// What can be read from an object.
pub trait FromFields: Sized {
    /// Ask for every field that it knows; errors are collected in `fields`.
    fn from_fields(fields: &mut Fields) -> Self;
}

impl Fields {
    /// The fields of a JSON object.
    ///
    /// # Errors
    /// 422 if it is not an object.
    pub fn of(value: Value) -> Result<Self, Problem> {
        match value {
            Value::Object(left) => Ok(Self { left, errors: Vec::new() }),
            _ => Err(Problem::new(ErrorCode::ValidationFailed, "The body must be a JSON object.")),
        }
    }

    /// Reads a whole body.
    ///
    /// # Errors
    /// 422 with every error of every field.
    pub fn read<T: FromFields>(value: Value) -> Result<T, Problem> {
        let mut fields = Self::of(value)?;
        let read = T::from_fields(&mut fields);
        fields.finish()?;
        Ok(read)
    }

    /// Whether the object has this field, be it `null`, and nobody asked for it yet.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// These fields may be missing, but if they are there they have a value.
    pub fn refuse_null(&mut self, names: &[&'static str]) {
        for &name in names {
            if self.left.get(name).is_some_and(Value::is_null) {
                self.left.remove(name);
                self.error(name, "must not be null");
            }
        }
    }

    /// Takes a field as it is; `None` if it is missing or `null`.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// These fields may be there, and mean nothing.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.left.remove(*name);
        }
    }

    /// Something is wrong with a field.
    pub fn error(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) {
        if self.errors.len() < LISTED_ERRORS {
            self.errors.push(FieldError { field: field.into(), detail: detail.into() });
        }
    }

    /// A text with a number of characters in `chars`, surrounding white space removed.
    pub fn string(&mut self, name: &'static str, chars: RangeInclusive<usize>) -> String {
        self.optional_string(name, chars).unwrap_or_else(|| self.missing(name))
    }

    /// Like [`Fields::string`], but of several lines: line breaks and tabs may be in it.
    pub fn text(&mut self, name: &'static str, chars: RangeInclusive<usize>) -> String {
        self.optional_text(name, chars).unwrap_or_else(|| self.missing(name))
    }

    /// Like [`Fields::string`], or nothing. A line goes into headers, subjects and
    /// calendars: no control character may be in it.
    pub fn optional_string(
        &mut self,
        name: &'static str,
        chars: RangeInclusive<usize>,
    ) -> Option<String> {
        self.optional(name, chars, char::is_control)
    }

    /// Like [`Fields::text`], or nothing.
    pub fn optional_text(
        &mut self,
        name: &'static str,
        chars: RangeInclusive<usize>,
    ) -> Option<String> {
        self.optional(name, chars, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    }

    fn optional(
        &mut self,
        name: &'static str,
        chars: RangeInclusive<usize>,
        refused: impl Fn(char) -> bool,
    ) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => {
                let text = trimmed(text);
                let length = text.chars().count();
                if !chars.contains(&length) {
                    let (least, most) = (chars.start(), chars.end());
                    self.error(name, format!("must have {least} to {most} characters"));
                } else if text.chars().any(refused) {
                    self.error(name, "must not contain control characters");
                }
                Some(text)
            }
            _ => Some(self.mistyped(name, "a string")),
        }
    }

    /// A text exactly as it was sent, with a number of characters in `chars`: for
    /// passwords, where white space counts.
    pub fn secret(&mut self, name: &'static str, chars: RangeInclusive<usize>) -> String {
        match self.take(name) {
            Some(Value::String(text)) => {
                if !chars.contains(&text.chars().count()) {
                    let (least, most) = (chars.start(), chars.end());
                    self.error(name, format!("must have {least} to {most} characters"));
                }
                text
            }
            Some(_) => self.mistyped(name, "a string"),
            None => self.missing(name),
        }
    }

    /// A whole number in `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> i64 {
        self.optional_integer(name, range).unwrap_or_else(|| self.missing(name))
    }

    /// Like [`Fields::integer`], or nothing.
    pub fn optional_integer(
        &mut self,
        name: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.take(name)?;
        let Value::Number(number) = value else {
            return Some(self.mistyped(name, "a whole number"));
        };
        let whole = number.as_i64().or_else(|| whole_double(&number));
        match whole {
            Some(whole) if range.contains(&whole) => Some(whole),
            None if number.is_f64() && number.as_f64().is_some_and(|n| n.fract() != 0.0) => {
                Some(self.mistyped(name, "a whole number"))
            }
            _ => {
                self.error(name, format!("must be from {} to {}", range.start(), range.end()));
                Some(0)
            }
        }
    }

    /// `true` or `false`, or nothing.
    pub fn optional_bool(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            _ => Some(self.mistyped(name, "true or false")),
        }
    }

    /// An id, or nothing.
    pub fn optional_id(&mut self, name: &'static str) -> Option<Id> {
        match self.take(name)? {
            Value::String(text) => match parse_id(&text) {
                Some(id) => Some(id),
                None => {
                    self.error(name, "must be a UUID");
                    Some(Id([0; 16]))
                }
            },
            _ => {
                self.error(name, "must be a UUID");
                Some(Id([0; 16]))
            }
        }
    }

    /// An id.
    pub fn id(&mut self, name: &'static str) -> Id {
        self.optional_id(name).unwrap_or_else(|| {
            let _: String = self.missing(name);
            Id([0; 16])
        })
    }

    /// An amount of money, or nothing.
    pub fn optional_money(&mut self, name: &'static str) -> Option<Money> {
        let money = match self.take(name)? {
            Value::Number(number) => Money::from_number(&number),
            _ => {
                self.error(name, "must be a number");
                return Some(Money(0));
            }
        };
        if money.is_none() {
            self.error(name, "must be from 0 to 1000000000 with at most two decimals");
        }
        Some(money.unwrap_or(Money(0)))
    }

    /// How many errors were found so far: a check of several fields together makes sense
    /// only if none of them was wrong by itself.
    #[must_use]
    pub fn errors_so_far(&self) -> usize {
        self.errors.len()
    }

    /// A required field is missing: notes it and gives a stand-in.
    pub fn missing<T: Default>(&mut self, name: &'static str) -> T {
        self.error(name, "is missing");
        T::default()
    }

    /// Ends the reading: fields nobody asked for are errors too.
    ///
    /// # Errors
    /// 422 with every error found.
    pub fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.left).into_iter().map(|(name, _)| name) {
            let echoed: String = name.chars().take(ECHOED_NAME_CHARS).collect();
            self.error(echoed, "is not a known field");
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        let detail = match self.errors.as_slice() {
            [one] => format!("The field \"{}\" {}.", one.field, one.detail),
            many => format!("{} fields are not valid.", many.len()),
        };
        Err(Problem::new(ErrorCode::ValidationFailed, detail).fields(self.errors))
    }

    fn mistyped<T: Default>(&mut self, name: &'static str, wanted: &str) -> T {
        self.error(name, format!("must be {wanted}"));
        T::default()
    }
}

/// Some clients write every number as a double: `2.0` is the whole number 2.
fn whole_double(number: &serde_json::Number) -> Option<i64> {
    let double = number.as_f64()?;
    let exact = double.fract() == 0.0 && double.abs() < 9_007_199_254_740_992.0;
    exact.then_some(double as i64)
}

fn trimmed(text: String) -> String {
    let inner = text.trim();
    if inner.len() == text.len() { text } else { inner.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors_of(problem: &Problem) -> Vec<(&str, &str)> {
        problem.errors().iter().map(|e| (e.field.as_ref(), e.detail.as_ref())).collect()
    }

    #[test]
    fn all_errors_come_at_once() {
        let value = json!({"title": " ", "capacity": "ten", "price": 1.999, "active": 1, "x": 0});
        let mut fields = Fields::of(value).unwrap();
        fields.string("title", 1..=200);
        fields.integer("capacity", 1..=10);
        fields.optional_money("price");
        fields.optional_bool("active");
        fields.id("event_id");
        let problem = fields.finish().unwrap_err();
        assert_eq!(problem.code(), ErrorCode::ValidationFailed);
        assert_eq!(
            errors_of(&problem),
            [
                ("title", "must have 1 to 200 characters"),
                ("capacity", "must be a whole number"),
                ("price", "must be from 0 to 1000000000 with at most two decimals"),
                ("active", "must be true or false"),
                ("event_id", "is missing"),
                ("x", "is not a known field"),
            ]
        );
    }

    #[test]
    fn what_is_right_is_read() {
        let value = json!({"title": "  Fair ", "n": 2.0, "flag": false, "gone": null});
        let mut fields = Fields::of(value).unwrap();
        assert_eq!(fields.string("title", 1..=10), "Fair");
        assert_eq!(fields.integer("n", 1..=10), 2);
        assert_eq!(fields.optional_bool("flag"), Some(false));
        assert_eq!(fields.optional_string("gone", 1..=10), None);
        assert_eq!(fields.optional_string("absent", 1..=10), None);
        fields.finish().unwrap();
    }

    #[test]
    fn numbers_stay_in_their_range() {
        for (value, detail) in [
            (json!(0), "must be from 1 to 10"),
            (json!(11), "must be from 1 to 10"),
            (json!(-1), "must be from 1 to 10"),
            (json!(1e300), "must be from 1 to 10"),
            (json!(u64::MAX), "must be from 1 to 10"),
            (json!(1.5), "must be a whole number"),
            (json!([1]), "must be a whole number"),
        ] {
            let mut fields = Fields::of(json!({"n": value})).unwrap();
            fields.integer("n", 1..=10);
            assert_eq!(errors_of(&fields.finish().unwrap_err()), [("n", detail)]);
        }
    }

    #[test]
    fn only_objects_have_fields() {
        for value in [json!([]), json!(1), json!(null), json!("x")] {
            assert_eq!(Fields::of(value).unwrap_err().code(), ErrorCode::ValidationFailed);
        }
    }

    #[test]
    fn the_list_of_errors_is_bounded() {
        let value: Map<_, _> = (0..1_000).map(|n| (format!("f{n}"), json!(n))).collect();
        let problem = Fields::of(Value::Object(value)).unwrap().finish().unwrap_err();
        assert_eq!(problem.errors().len(), LISTED_ERRORS);
    }
}
