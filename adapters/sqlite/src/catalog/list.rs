//! Lists of documents: parts of texts and words by their indexes, everything else by the
//! order that is asked for.
//!
//! Of a list that is filtered there are two ways. What seldom occurs is looked up by the
//! indexes of texts, prices and times, and the few that are found are sorted. What occurs
//! often is looked for in the order of the list: the first page is found after a few steps.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use storage::{CatalogEntry, CatalogFilter, Order, SearchWords, Slice, SortBy, SortValue};

use super::{COLUMNS, entry_of};
use crate::value::int;

/// What occurs more often than this is looked for in the order of the list.
const SELDOM: i64 = 5_000;

/// Weights of title, location and description.
const RANK: &str = "bm25(catalog_words, 10.0, 5.0, 1.0)";

/// Conditions and their parameters.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }
}

pub(super) fn list(
    connection: &Connection,
    filter: &CatalogFilter,
    order: Order,
    slice: &Slice,
) -> rusqlite::Result<Vec<CatalogEntry>> {
    let mut indexed = texts(filter);
    ranges(filter, &mut indexed);
    let mut wanted = Conditions::default();
    if !indexed.sql.is_empty() && is_seldom(connection, &indexed)? {
        let few = format!(
            "number IN (SELECT number FROM catalog_document WHERE deleted = 0{})",
            indexed.sql
        );
        wanted.add(&few, indexed.values);
    } else {
        words_in_order(filter, &mut wanted);
        ranges(filter, &mut wanted);
    }
    parts_in_order(filter, &mut wanted);
    if let Some(active) = filter.is_active {
        wanted.add("is_active = ?", [Value::Integer(i64::from(active))]);
    }
    let (column, direction) = column(order);
    if let Some((value, id)) = &slice.after {
        let value = match value {
            SortValue::Number(number) => Value::Integer(*number),
            SortValue::Text(text) => Value::Text(text.clone()),
        };
        let than = if order.descending { "<" } else { ">" };
        let id = Value::Blob(id.0.to_vec());
        wanted.add(&format!("({column}, id) {than} (?, ?)"), [value, id]);
    }
    let sql = format!(
        "SELECT {COLUMNS} WHERE deleted = 0{} ORDER BY {column} {direction}, id {direction} \
         LIMIT ? OFFSET ?",
        wanted.sql
    );
    wanted.values.extend([slice.limit, slice.skip].map(|n| Value::Integer(int(n as u64))));
    connection.prepare_cached(&sql)?.query_map(params_from_iter(wanted.values), entry_of)?.collect()
}

pub(super) fn search(
    connection: &Connection,
    words: &SearchWords,
    skip: usize,
    limit: usize,
) -> rusqlite::Result<Vec<CatalogEntry>> {
    let sql = format!(
        "SELECT {} FROM catalog_words JOIN catalog_document ON number = catalog_words.rowid \
         WHERE catalog_words MATCH ?1 ORDER BY {RANK}, id LIMIT ?2 OFFSET ?3",
        columns_of("catalog_document")
    );
    connection
        .prepare_cached(&sql)?
        .query_map(
            rusqlite::params![of_words(words), int(limit as u64), int(skip as u64)],
            entry_of,
        )?
        .collect()
}

/// The columns of a document, by the name of their table: those of texts have the same.
fn columns_of(table: &str) -> String {
    let names = COLUMNS.split(" FROM ").next().unwrap_or_default();
    names.split(", ").map(|name| format!("{table}.{name}")).collect::<Vec<_>>().join(", ")
}

const fn column(order: Order) -> (&'static str, &'static str) {
    let column = match order.by {
        SortBy::Start => "starts_at",
        SortBy::Creation => "created_at",
        SortBy::Price => "price_cents",
        SortBy::Title => "title_lower",
    };
    (column, if order.descending { "DESC" } else { "ASC" })
}

/// The conditions on texts, by their indexes.
fn texts(filter: &CatalogFilter) -> Conditions {
    let mut texts = Conditions::default();
    let parts: Vec<String> = [("title", &filter.title), ("location", &filter.location)]
        .into_iter()
        .filter_map(|(column, part)| Some((column, part.as_ref()?)))
        .filter(|(_, part)| is_indexed(part))
        .map(|(column, part)| of_part(column, part))
        .collect();
    if !parts.is_empty() {
        let sql = "number IN (SELECT rowid FROM catalog_parts WHERE catalog_parts MATCH ?)";
        texts.add(sql, [Value::Text(parts.join(" AND "))]);
    }
    if let Some(words) = &filter.words {
        let sql = "number IN (SELECT rowid FROM catalog_words WHERE catalog_words MATCH ?)";
        texts.add(sql, [Value::Text(of_words(words))]);
    }
    texts
}

/// A part of a text as a search of every three characters: in quotes nothing means
/// anything.
fn of_part(column: &str, part: &str) -> String {
    let part = part.to_lowercase();
    format!("{column} : \"{}\"", part.replace('"', "\"\""))
}

/// Words as a search: letters and digits in quotes.
fn of_words(words: &SearchWords) -> String {
    let quoted: Vec<String> = words.words().iter().map(|word| format!("\"{word}\"")).collect();
    format!("{}*", quoted.join(" AND "))
}

/// Whether few documents fulfil conditions that have indexes.
fn is_seldom(connection: &Connection, indexed: &Conditions) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM catalog_document WHERE deleted = 0{} LIMIT ?)",
        indexed.sql
    );
    let limit = Value::Integer(SELDOM + 1);
    let values = indexed.values.iter().cloned().chain([limit]);
    let count: i64 =
        connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(count <= SELDOM)
}

/// Whether a part is found by its index: shorter ones are looked for document by document.
/// They occur so often that a page is soon full.
fn is_indexed(part: &str) -> bool {
    part.to_lowercase().chars().nth(2).is_some()
}

/// The conditions on parts of texts, document by document. `instr` has no wildcards, so nothing in
/// a filter needs escaping; lower case comes from extra columns, because SQLite's own
/// knows just ASCII.
fn parts_in_order(filter: &CatalogFilter, wanted: &mut Conditions) {
    for (column, part) in [("title_lower", &filter.title), ("location_lower", &filter.location)] {
        if let Some(part) = part {
            wanted.add(&format!("instr({column}, ?) > 0"), [Value::Text(part.to_lowercase())]);
        }
    }
}

fn words_in_order(filter: &CatalogFilter, wanted: &mut Conditions) {
    if let Some(words) = &filter.words {
        let sql = "EXISTS (SELECT 1 FROM catalog_words \
                   WHERE catalog_words MATCH ? AND catalog_words.rowid = number)";
        wanted.add(sql, [Value::Text(of_words(words))]);
    }
}

/// The conditions that other indexes answer.
fn ranges(filter: &CatalogFilter, wanted: &mut Conditions) {
    if let Some(organizer) = filter.organizer {
        wanted.add("organizer = ?", [Value::Blob(organizer.0.to_vec())]);
    }
    for (sql, number) in [
        ("starts_at >= ?", filter.starts_after.map(engine::Timestamp::millis)),
        ("starts_at < ?", filter.starts_before.map(engine::Timestamp::millis)),
        ("price_cents >= ?", filter.min_price),
        ("price_cents <= ?", filter.max_price),
    ] {
        if let Some(number) = number {
            wanted.add(sql, [Value::Integer(number)]);
        }
    }
}
