//! Whether a reader takes what its schema says, and nothing else: each field is tried at its
//! bounds and beyond, with other types, with `null`, left out, and under a name that nobody
//! knows. For tests; a rule that ties fields together is beyond it.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use crate::problem::Problem;

/// Longest text that is tried, in characters; beyond, a bound is taken on trust.
const TEXT_MOST: u64 = 20_000;

/// Where reader and schema disagree, a sentence each. `example` is a good body with as many
/// fields as can be there together; `read` is the reader.
#[must_use]
pub fn disagreements<T: PartialSchema>(
    example: &Value,
    read: impl Fn(Value) -> Result<(), Problem>,
) -> Vec<String> {
    let schema = serde_json::to_value(T::schema()).unwrap_or_default();
    of_schema(&schema, example, read)
}

/// The same, for a schema as JSON.
#[must_use]
pub fn of_schema(
    schema: &Value,
    example: &Value,
    read: impl Fn(Value) -> Result<(), Problem>,
) -> Vec<String> {
    let mut found = Vec::new();
    let Some(body) = example.as_object() else { return vec!["the example is no object".into()] };
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    if let Err(problem) = read(example.clone()) {
        found.push(format!("the example is refused: {:?}", problem.errors()));
    }
    for name in body.keys().filter(|name| !properties.contains_key(*name)) {
        found.push(format!("the example's field {name} is not in the schema"));
    }
    for (name, property) in properties {
        for (value, good) in values(property, body.get(name)) {
            let mut tried = body.clone();
            tried.insert(name.clone(), value.clone());
            let wrong = read(tried.into()).is_err_and(|problem| blames(&problem, name));
            if wrong == good {
                let verb = if good { "refused" } else { "taken" };
                let shown: String = value.to_string().chars().take(60).collect();
                found.push(format!("{name} = {shown} is {verb}"));
            }
        }
    }
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for name in properties.keys() {
        let mut tried = body.clone();
        tried.remove(name);
        let missed = read(tried.into()).is_err_and(|problem| blames(&problem, name));
        if missed != required.iter().any(|required| required == name) {
            found.push(format!("{name}: whether it must be there"));
        }
    }
    let mut tried = body.clone();
    tried.insert("nobody_knows_this".to_owned(), json!(1));
    if read(tried.into()).is_err() != (schema["additionalProperties"] == json!(false)) {
        found.push("whether fields that nobody knows are refused".to_owned());
    }
    found
}

fn blames(problem: &Problem, name: &str) -> bool {
    problem.errors().iter().any(|error| error.field == name)
}

/// Values to try, and whether they are good.
fn values(schema: &Value, example: Option<&Value>) -> Vec<(Value, bool)> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        // Anything goes.
        _ => return vec![(json!(null), true), (json!("x"), true), (json!({"a": [1]}), true)],
    };
    let is = |kind: &str| kinds.contains(&kind);
    let mut values = vec![(json!(null), is("null")), (json!([]), is("array"))];
    values.push((json!("\u{1}"), false));
    if let Some(example) = example {
        values.push((example.clone(), true));
    }
    if is("string") {
        values.extend(texts(schema));
        values.push((json!(17), false));
    } else {
        values.push((json!("x"), false));
    }
    if is("integer") || is("number") {
        values.extend(numbers(schema, is("integer")));
    }
    if is("boolean") {
        values.extend([(json!(true), true), (json!(false), true), (json!(0), false)]);
    }
    if let Some(words) = schema["enum"].as_array() {
        values.retain(|(value, good)| !good || words.contains(value));
        values.extend(words.iter().map(|word| (word.clone(), true)));
    }
    if schema["format"] == "password" {
        values.retain(|(value, _)| value != "\u{1}");
    }
    values
}

fn texts(schema: &Value) -> Vec<(Value, bool)> {
    let of = |length: u64| json!("b".repeat(usize::try_from(length).unwrap_or(0)));
    let least = schema["minLength"].as_u64().unwrap_or(0);
    let free = schema["format"].is_null() || schema["format"] == "password";
    let mut values = Vec::new();
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| *most < TEXT_MOST) {
        values.push((of(most + 1), false));
        if free {
            values.push((of(most), true));
        }
    }
    if free {
        values.push((of(least), true));
    } else {
        values.push((json!("neither this nor that"), false));
    }
    if least > 0 {
        values.push((of(least - 1), false));
    }
    values
}

fn numbers(schema: &Value, whole: bool) -> Vec<(Value, bool)> {
    let mut values = vec![(json!(1.234), false), (json!(true), false)];
    if whole {
        values.push((json!(1.5), false));
        values.push((json!(1.0), schema["minimum"].as_f64() <= Some(1.0)));
    } else {
        values.push((json!(1.25), true));
    }
    if let Some(least) = schema["minimum"].as_i64() {
        values.extend([(json!(least), true), (json!(least - 1), false)]);
    }
    if let Some(most) = schema["maximum"].as_i64() {
        values.extend([(json!(most), true), (json!(most + 1), false)]);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{Fields, FromFields};

    struct Told;

    impl FromFields for Told {
        fn from_fields(fields: &mut Fields) -> Self {
            fields.string("name", 2..=5);
            fields.optional_integer("count", 1..=9);
            fields.refuse_null(&["flag"]);
            fields.optional_bool("flag");
            Self
        }
    }

    fn found(change: impl Fn(&mut Value)) -> Vec<String> {
        let mut schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 2, "maxLength": 5},
                "count": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
                "flag": {"type": "boolean"},
            },
        });
        change(&mut schema);
        let example = json!({"name": "abc", "count": 3, "flag": true});
        of_schema(&schema, &example, |body| Fields::read::<Told>(body).map(drop))
    }

    #[test]
    fn a_schema_that_says_the_same_passes() {
        assert_eq!(found(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_lie_is_found() {
        let lies: [fn(&mut Value); 8] = [
            |schema| schema["properties"]["name"]["maxLength"] = json!(6),
            |schema| schema["properties"]["name"]["minLength"] = json!(1),
            |schema| schema["properties"]["count"]["maximum"] = json!(8),
            |schema| schema["properties"]["count"]["type"] = json!("integer"),
            |schema| schema["properties"]["flag"]["type"] = json!(["boolean", "null"]),
            |schema| schema["required"] = json!([]),
            |schema| schema["additionalProperties"] = json!(true),
            |schema| schema["properties"]["more"] = json!({"type": "boolean"}),
        ];
        for (number, lie) in lies.into_iter().enumerate() {
            assert_ne!(found(lie), Vec::<String>::new(), "lie {number}");
        }
    }
}
