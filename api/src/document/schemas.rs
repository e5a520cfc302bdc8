//! Schemas in few words, for what readers take and for what has no derived schema.

use std::ops::RangeInclusive;

use serde_json::{Value, json};
pub use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, KnownFormat, Object, Ref, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{AllOfBuilder, RefOr};
pub use utoipa::{PartialSchema, ToSchema};

use crate::page::LONG_CURSOR_CHARS;
use crate::problem::ErrorCode;
use crate::wire::{CENTS_MAX, Id, Money, Time};

/// A schema, or where it is.
pub type Shape = RefOr<Schema>;

/// A line: at least one character that shows, no control character.
const LINE: &str = "^[^\\u0000-\\u001F\\u007F-\\u009F]*[^\\s\\u0000-\\u001F\\u007F-\\u009F]\
                    [^\\u0000-\\u001F\\u007F-\\u009F]*$";

/// A text of several lines: of control characters only line breaks and tabs.
const TEXT: &str = "^[^\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F]*$";

/// The same, with at least one character that shows.
const SAYING_TEXT: &str = "^[^\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F]*\
                           [^\\s\\u0000-\\u001F\\u007F-\\u009F]\
                           [^\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F-\\u009F]*$";

/// Our only spelling of an id, or `me`.
const ID_OR_ME: &str =
    "^(me|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$";

fn of(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind)
}

/// As [`crate::Fields::string`] reads it.
#[must_use]
pub fn line(chars: &RangeInclusive<usize>) -> ObjectBuilder {
    string(chars).pattern(Some(LINE))
}

/// As [`crate::Fields::text`] reads it.
#[must_use]
pub fn text(chars: &RangeInclusive<usize>) -> ObjectBuilder {
    let pattern = if *chars.start() > 0 { SAYING_TEXT } else { TEXT };
    string(chars).pattern(Some(pattern))
}

/// Any text of so many characters.
#[must_use]
pub fn string(chars: &RangeInclusive<usize>) -> ObjectBuilder {
    let least = Some(*chars.start()).filter(|least| *least > 0);
    of(Type::String).min_length(least).max_length(Some(*chars.end()))
}

/// As [`crate::Fields::secret`] reads it.
#[must_use]
pub fn secret(chars: &RangeInclusive<usize>) -> ObjectBuilder {
    string(chars).format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
}

/// A whole number.
#[must_use]
pub fn integer(range: &RangeInclusive<i64>) -> ObjectBuilder {
    of(Type::Integer).minimum(Some(*range.start() as f64)).maximum(Some(*range.end() as f64))
}

/// A text, whatever is in it.
#[must_use]
pub fn any_text() -> ObjectBuilder {
    of(Type::String)
}

/// `true` or `false`.
#[must_use]
pub fn boolean() -> ObjectBuilder {
    of(Type::Boolean)
}

/// One of these words.
#[must_use]
pub fn choice(words: &[&str]) -> ObjectBuilder {
    of(Type::String).enum_values(Some(words.iter().copied()))
}

/// An id.
#[must_use]
pub fn id() -> ObjectBuilder {
    of(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned())))
}

/// Of this custom or common format.
#[must_use]
pub fn formatted(schema: ObjectBuilder, format: &str) -> ObjectBuilder {
    schema.format(Some(SchemaFormat::Custom(format.to_owned())))
}

/// An id of a person, or `me`.
#[must_use]
pub fn id_or_me() -> ObjectBuilder {
    of(Type::String).pattern(Some(ID_OR_ME)).examples(["me"])
}

/// A time with its offset.
#[must_use]
pub fn time() -> ObjectBuilder {
    of(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// Money as it is read.
#[must_use]
pub fn money() -> ObjectBuilder {
    amount().multiple_of(Some(0.01))
}

fn amount() -> ObjectBuilder {
    of(Type::Number).minimum(Some(0.0)).maximum(Some(CENTS_MAX as f64 / 100.0))
}

/// A JSON object of any content.
#[must_use]
pub fn any_object() -> ObjectBuilder {
    of(Type::Object).additional_properties(Some(AdditionalProperties::FreeForm(true)))
}

/// An object of a type with these fields at least.
#[must_use]
pub fn object() -> ObjectBuilder {
    of(Type::Object)
}

/// Any value at all.
#[must_use]
pub fn anything() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

/// An object that has just the fields that are added to it.
#[must_use]
pub fn fields() -> ObjectBuilder {
    of(Type::Object).additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

/// The same, or `null`.
#[must_use]
pub fn or_null(schema: ObjectBuilder) -> ObjectBuilder {
    let object: Object = schema.build();
    let kinds = match &object.schema_type {
        SchemaType::Type(kind) => vec![kind.clone(), Type::Null],
        _ => return object.into(),
    };
    let words = object.enum_values.clone().map(|mut words| {
        words.push(Value::Null);
        words
    });
    ObjectBuilder::from(object).schema_type(SchemaType::Array(kinds)).enum_values(words)
}

/// One or several of these.
#[must_use]
pub fn any_of(shapes: impl IntoIterator<Item = Shape>) -> Shape {
    let all = shapes.into_iter().fold(AnyOfBuilder::new(), |all, shape| all.item(shape));
    RefOr::T(Schema::AnyOf(all.build()))
}

/// A list.
#[must_use]
pub fn list(items: Shape) -> Shape {
    RefOr::T(Schema::Array(ArrayBuilder::new().items(items).build()))
}

/// This, or `null`.
#[must_use]
pub fn maybe(shape: Shape) -> Shape {
    any_of([shape, of(Type::Null).into()])
}

/// An answer that is a sentence for people and nothing else.
#[must_use]
pub fn detail() -> ObjectBuilder {
    let detail = of(Type::String).description(Some("A sentence for people."));
    of(Type::Object).property("detail", detail).required("detail")
}

/// A place in a list of `bytes`, as one of our links has it.
#[must_use]
pub fn cursor(bytes: usize) -> ObjectBuilder {
    let whole = bytes / 3 * 4;
    // The last character of bytes that are not a multiple of three has bits to spare.
    let rest = match bytes % 3 {
        0 => "",
        1 => "[A-Za-z0-9_-][AQgw]",
        _ => "[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]",
    };
    any_text().pattern(Some(format!("^[A-Za-z0-9_-]{{{whole}}}{rest}$")))
}

/// A place in a list that tells the list as well, as one of our links has it.
#[must_use]
pub fn long_cursor() -> ObjectBuilder {
    string(&(1..=LONG_CURSOR_CHARS)).pattern(Some("^[A-Za-z0-9_-]+$"))
}

/// Words to look for. (A pattern for letters of any alphabet is not read alike everywhere.)
#[must_use]
pub fn words(chars: usize) -> ObjectBuilder {
    string(&(1..=chars)).description(Some("With a letter or a digit in it, of any alphabet."))
}

/// Where the schema of a type is.
#[must_use]
pub fn at<T: ToSchema>() -> Shape {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// A [`crate::Problem`] of one of these codes.
pub(super) fn problem_of(codes: &[ErrorCode]) -> Shape {
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let narrowed = of(Type::Object).property("code", choice(&words));
    let all = AllOfBuilder::new().item(at::<crate::Problem>()).item(narrowed);
    RefOr::T(Schema::AllOf(all.build()))
}

impl PartialSchema for Id {
    fn schema() -> Shape {
        id().into()
    }
}

impl ToSchema for Id {}

impl PartialSchema for Time {
    fn schema() -> Shape {
        time().description(Some("UTC, with milliseconds and `Z`.")).into()
    }
}

impl ToSchema for Time {}

impl PartialSchema for Money {
    fn schema() -> Shape {
        amount().description(Some("At most two decimals.")).into()
    }
}

impl ToSchema for Money {}

impl PartialSchema for ErrorCode {
    fn schema() -> Shape {
        let words: Vec<&str> = Self::ALL.iter().map(|code| code.as_str()).collect();
        choice(&words).description(Some("Stable; clients may match on it.")).into()
    }
}

impl ToSchema for ErrorCode {}

impl PartialSchema for crate::problem::FieldError {
    fn schema() -> Shape {
        let text = || of(Type::String);
        of(Type::Object)
            .property("field", text().description(Some("The field, as the client wrote it.")))
            .property("detail", text().description(Some("What is wrong with it.")))
            .required("field")
            .required("detail")
            .into()
    }
}

impl ToSchema for crate::problem::FieldError {}

impl PartialSchema for crate::Problem {
    fn schema() -> Shape {
        let text = |says: &str| of(Type::String).description(Some(says));
        let figures = "Beside these there are figures that help, by code: `available`, \
                       `waitlist_position`, `booking` and so on.";
        let required = ["type", "title", "status", "detail", "code", "retryable"];
        let problem = of(Type::Object)
            .description(Some(format!("An error after RFC 9457. {figures}")))
            .property("type", text("A URN with the code in it."))
            .property("title", text("The code in words."))
            .property("status", integer(&(400..=599)).description(Some("The HTTP status.")))
            .property("detail", text("A sentence that says what to do."))
            .property("code", at::<ErrorCode>())
            .property(
                "retryable",
                boolean().description(Some("Whether the same request may be granted later.")),
            )
            .property("errors", list(at::<crate::problem::FieldError>()))
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .examples([json!({
                "type": "urn:eventflow:problem:sold_out",
                "title": "Sold out",
                "status": 409,
                "detail": "There are not enough places left.",
                "code": "sold_out",
                "retryable": false,
                "available": 0,
                "waitlist_entries": 3,
            })]);
        required.into_iter().fold(problem, ObjectBuilder::required).into()
    }
}

impl ToSchema for crate::Problem {
    fn schemas(schemas: &mut Vec<(String, Shape)>) {
        schemas.push((ErrorCode::name().into_owned(), ErrorCode::schema()));
        type Field = crate::problem::FieldError;
        schemas.push((Field::name().into_owned(), Field::schema()));
    }
}
