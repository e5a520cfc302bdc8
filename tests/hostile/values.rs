//! What cannot be the value of a field.

use serde_json::{Value, json};

use crate::routes::Kind;

/// Longer than any text may be, and short enough for a body.
const LONG: usize = 40_000;

/// Values that a field of this kind cannot have, whatever its name.
pub(crate) fn bad(kind: Kind) -> Vec<Value> {
    let mut values = of_another_type(kind);
    values.extend(match kind {
        Kind::Text => vec![json!("x".repeat(LONG)), json!("a\0b"), json!("a\u{7}b")],
        Kind::Form => vec![
            json!("x".repeat(LONG)),
            json!("a\0b@example.org"),
            json!("two words"),
            json!("\u{1}\u{2}\u{3}"),
            json!("a@b@c"),
            json!(""),
        ],
        Kind::Password => vec![json!("x".repeat(LONG)), json!("short"), json!("")],
        Kind::Secret => Vec::new(),
        Kind::Count => [
            "0",
            "-1",
            "1.5",
            "1e300",
            "-1e300",
            "2000000000",
            "4294967297",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "123456789012345678901234567890",
        ]
        .map(number)
        .to_vec(),
        Kind::Money => ["-1", "-0.01", "0.001", "19.999", "1000000000.01", "1e300", "-1e300"]
            .map(number)
            .to_vec(),
        Kind::Time => [
            "",
            "yesterday",
            "-1",
            "17",
            "2099-13-01T00:00:00Z",
            "2099-02-30T00:00:00Z",
            "2099-06-01T25:00:00Z",
            "2099-06-01T18:00:00+99:00",
            "-000001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "+12345-01-01T00:00:00Z",
            "2099-06-01T18:00:00Z[Europe/Berlin]",
        ]
        .map(|text| json!(text))
        .to_vec(),
        Kind::Zone => ["", "Mars/Olympus", "../etc/passwd", "+02:00"].map(|t| json!(t)).to_vec(),
        Kind::Flag => vec![json!("true"), json!("yes"), json!(0), json!(1)],
        Kind::Id => [
            "",
            "17",
            "null",
            "0198c0de00007000800001234567890a",
            "{0198c0de-0000-7000-8000-0123456789ab}",
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        ]
        .map(|text| json!(text))
        .to_vec(),
        Kind::Object => vec![json!({ "x": "y".repeat(17 * 1024) })],
        Kind::Switches => Vec::new(),
        Kind::Choice => ["", "nobody", "CONFIRMED"].map(|text| json!(text)).to_vec(),
    });
    values
}

/// One value of each JSON type that is not the field's own.
fn of_another_type(kind: Kind) -> Vec<Value> {
    let own = |value: &Value| match kind {
        Kind::Text | Kind::Form | Kind::Password | Kind::Secret => value.is_string(),
        Kind::Time | Kind::Zone | Kind::Id | Kind::Choice => value.is_string(),
        Kind::Count | Kind::Money => value.is_number(),
        Kind::Flag => value.is_boolean(),
        Kind::Object | Kind::Switches => value.is_object(),
    };
    let all = [json!("text"), json!(17), json!(true), json!([]), json!(["x"]), json!({"x": 1})];
    all.into_iter().filter(|value| !own(value)).collect()
}

/// A number by its spelling: some fit no Rust type.
fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
