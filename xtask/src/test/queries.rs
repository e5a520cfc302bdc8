//! What a query of Prometheus asks for. To Prometheus itself a name that nobody tells of is
//! no fault: an alert on it is evaluated, finds nothing, and never goes off.

use std::collections::BTreeSet;
use std::fs;
use std::iter::Peekable;
use std::str::Chars;

use anyhow::{Result, bail, ensure};

use crate::process::root;

/// What Prometheus itself notes at every look.
const ITS_OWN: [&str; 1] = ["up"];

/// Words between a function and the labels that it sums up by.
const SUMS: [&str; 2] = ["by", "without"];

/// Words between two names and the labels that they share.
const MATCHES: [&str; 4] = ["on", "ignoring", "group_left", "group_right"];

/// Other words that are no names.
const WORDS: [&str; 7] = ["and", "or", "unless", "offset", "bool", "inf", "nan"];

/// What a histogram is told of as.
const OF_HISTOGRAMS: [&str; 3] = ["_bucket", "_sum", "_count"];

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Open,
    Close,
}

/// All names that can be asked for, out of the table in `docs/metrics.md`.
///
/// # Errors
/// When there is no such table.
pub(super) fn told() -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/metrics.md"))?;
    let mut names: BTreeSet<String> = ITS_OWN.map(str::to_owned).into();
    for line in text.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(name), Some(kind)) = (cells.next(), cells.next()) else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        if kind == "histogram" {
            names.extend(OF_HISTOGRAMS.map(|end| format!("{name}{end}")));
        } else {
            names.insert(name.to_owned());
        }
    }
    ensure!(names.len() > ITS_OWN.len(), "docs/metrics.md has no table of names");
    Ok(names)
}

/// Refuses a query that asks for a name that is not among `told`.
///
/// # Errors
/// With the query and the name; also when it asks for none.
pub(super) fn asks_for_what_is_told(query: &str, told: &BTreeSet<String>) -> Result<()> {
    let names = names(query);
    ensure!(!names.is_empty(), "asks for nothing: {query}");
    if let Some(name) = names.iter().find(|name| !told.contains(*name)) {
        bail!("nobody tells of {name}: {query}");
    }
    Ok(())
}

/// The names that a query asks for.
fn names(query: &str) -> Vec<String> {
    let mut tokens = tokens(query).into_iter().peekable();
    let mut names = Vec::new();
    while let Some(token) = tokens.next() {
        let Token::Word(word) = token else { continue };
        let next = tokens.peek();
        if SUMS.contains(&&*word) || MATCHES.contains(&&*word) {
            if next == Some(&Token::Open) {
                tokens.by_ref().find(|token| *token == Token::Close);
            }
            continue;
        }
        // Before a bracket, or before what it sums up by, stands a function.
        let function = match next {
            Some(Token::Open) => true,
            Some(Token::Word(next)) => SUMS.contains(&&**next),
            _ => false,
        };
        if !function && !WORDS.contains(&&*word) {
            names.push(word);
        }
    }
    names
}

/// Words and round brackets; not what stands in quotes or in other brackets.
fn tokens(query: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '"' | '\'' | '`' => skip_text(&mut rest, letter),
            '{' => skip_matchers(&mut rest),
            '[' => drop(rest.by_ref().find(|&letter| letter == ']')),
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            _ if in_word(letter) => {
                let mut word = String::from(letter);
                while let Some(letter) = rest.next_if(|&letter| in_word(letter)) {
                    word.push(letter);
                }
                // Numbers and periods are no words.
                if !letter.is_ascii_digit() {
                    tokens.push(Token::Word(word));
                }
            }
            _ => {}
        }
    }
    tokens
}

fn in_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

fn skip_text(rest: &mut Peekable<Chars<'_>>, end: char) {
    while let Some(letter) = rest.next() {
        if letter == '\\' && end != '`' {
            rest.next();
        } else if letter == end {
            return;
        }
    }
}

fn skip_matchers(rest: &mut Peekable<Chars<'_>>) {
    while let Some(letter) = rest.next() {
        match letter {
            '}' => return,
            '"' | '\'' | '`' => skip_text(rest, letter),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The queries of the alerts that are shipped, as they stand in their file.
    fn shipped() -> Vec<String> {
        let text = fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).unwrap();
        let ends = |line: &str| line.starts_with("for:") || line.starts_with("labels:");
        let query = |part: &str| {
            let lines = part.lines().map(str::trim).filter(|line| *line != ">-");
            lines.take_while(|line| !ends(line)).collect::<Vec<_>>().join(" ")
        };
        text.split("expr:").skip(1).map(query).collect()
    }

    #[test]
    fn names_are_found_in_queries() {
        for (query, found) in [
            ("up{job=\"x\"} == 0", vec!["up"]),
            ("min by (instance, part) (a_ready) == 0", vec!["a_ready"]),
            ("sum(rate(a_total{s=~\"5..(}\"}[5m])) by (b) / c > 0.01", vec!["a_total", "c"]),
            ("sum by (job) (a) < max_over_time(sum by (job) (a)[1h:1m])", vec!["a", "a"]),
            ("a and on (b) c unless d offset 5m", vec!["a", "c", "d"]),
            ("a * on (b) group_left (c) d > bool 1e3", vec!["a", "d"]),
            ("1 + 2", vec![]),
        ] {
            assert_eq!(names(query), found, "{query}");
        }
    }

    #[test]
    fn a_name_that_nobody_tells_of_is_refused() {
        let told = told().unwrap();
        let refused = |query: &str| asks_for_what_is_told(query, &told).is_err();
        assert!(!refused("process_open_fds / process_max_fds > 0.9"));
        assert!(refused("process_open_fds / proces_max_fds > 0.9"));
        assert!(!refused("rate(eventflow_commit_duration_seconds_bucket[5m])"));
        assert!(refused("rate(eventflow_commit_duration_seconds[5m])"), "a histogram's own name");
        assert!(refused("eventflow_commits_total_bucket"), "a counter has no buckets");
        assert!(refused("1 + 2"));
    }

    #[test]
    fn the_alerts_ask_for_what_is_told() {
        let (told, queries) = (told().unwrap(), shipped());
        assert!(queries.len() > 5, "{queries:?}");
        for query in queries {
            asks_for_what_is_told(&query, &told).unwrap();
        }
    }
}
