//! Laying one layer of settings over another.

use std::ffi::OsStr;

use toml::{Table, Value};

use super::ConfigError;

/// How the names of our variables begin.
const PREFIX: &str = "EVENTFLOW_";

/// Between section and key in a variable's name, because keys have single underscores.
const SEPARATOR: &str = "__";

/// Lay `over` over `table`, which has every setting there is.
pub(super) fn overlay(table: &mut Table, over: Table, place: &str) -> Result<(), ConfigError> {
    overlay_at(table, over, place, "")
}

fn overlay_at(
    table: &mut Table,
    over: Table,
    place: &str,
    section: &str,
) -> Result<(), ConfigError> {
    for (name, value) in over {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        match (table.get_mut(&name), value) {
            (None, _) => return Err(ConfigError::Unknown { place: place.to_owned(), key }),
            (Some(Value::Table(inner)), Value::Table(over)) => {
                overlay_at(inner, over, place, &key)?;
            }
            (Some(current), value) if fits(current, &value) => *current = value,
            (Some(current), _) => {
                let expected = kind(current).to_owned();
                return Err(ConfigError::Invalid { place: place.to_owned(), key, expected });
            }
        }
    }
    Ok(())
}

/// Lay one variable of the environment over `table`; one that isn't ours is left alone.
pub(super) fn overlay_variable(
    table: &mut Table,
    name: &OsStr,
    value: &OsStr,
) -> Result<(), ConfigError> {
    let Some(path) = name.to_string_lossy().strip_prefix(PREFIX).map(str::to_owned) else {
        return Ok(());
    };
    let place = format!("the environment variable {}", name.to_string_lossy());
    let path = path.to_ascii_lowercase();
    let key = path.replace(SEPARATOR, ".");
    let current = find(table, path.split(SEPARATOR));
    let Some(current) = current.filter(|value| !value.is_table()) else {
        return Err(ConfigError::Unknown { place, key });
    };
    match value.to_str().and_then(|text| parsed(current, text)) {
        Some(value) => {
            *current = value;
            Ok(())
        }
        None => Err(ConfigError::Invalid { place, key, expected: kind(current).to_owned() }),
    }
}

fn find<'a, 'b>(
    table: &'a mut Table,
    mut path: impl Iterator<Item = &'b str>,
) -> Option<&'a mut Value> {
    let mut value = table.get_mut(path.next()?)?;
    for name in path {
        value = value.as_table_mut()?.get_mut(name)?;
    }
    Some(value)
}

/// A variable's text as a value of the same kind as the current one.
fn parsed(current: &Value, text: &str) -> Option<Value> {
    match current {
        Value::String(_) => Some(Value::String(text.to_owned())),
        // Negative numbers don't occur.
        Value::Integer(_) => text.parse::<u32>().ok().map(|n| Value::Integer(n.into())),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => None,
    }
}

fn fits(current: &Value, value: &Value) -> bool {
    match (current, value) {
        (Value::Integer(_), Value::Integer(n)) => u32::try_from(*n).is_ok(),
        (Value::Array(_), Value::Array(items)) => items.iter().all(Value::is_str),
        _ => current.same_type(value),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list of texts",
        _ => "a section",
    }
}
