//! `test_eventflow.sh` and `test_eventflow.ps1` are the same test in two languages: the same
//! steps, requests and checks in the same order. What a check asks of a body is in jq there
//! and in PowerShell here, so of those only the number is compared.

use std::fs;

use anyhow::{Context, Result};

use crate::process::root;

/// One script, and how it spells what both do.
struct Dialect {
    file: &'static str,
    /// At the end of a line that goes on.
    goes_on: char,
    /// Before a character that means itself.
    escape: char,
    /// How it spells `ACTS`, in their order.
    acts: [&'static str; 7],
}

/// What both do.
const ACTS: [Act; 7] =
    [Act::Step, Act::Ask, Act::Send, Act::Want, Act::WantProblem, Act::WantHeader, Act::Same];

const SHELL: Dialect = Dialect {
    file: "test_eventflow.sh",
    goes_on: '\\',
    escape: '\\',
    acts: ["step", "ask", "send", "want", "want_problem", "want_header", "cmp"],
};

const POWERSHELL: Dialect = Dialect {
    file: "test_eventflow.ps1",
    goes_on: '`',
    escape: '`',
    acts: ["Step", "Ask", "Send", "Want", "Want-Problem", "Want-Header", "Same"],
};

/// The conditions that every answer with a token has to meet have a name in both.
const NAMED: &str = "TOKEN_GOOD";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Step,
    Ask,
    Send,
    Want,
    WantProblem,
    WantHeader,
    Same,
}

/// Where the scripts differ first, if they do.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn problems() -> Result<Vec<String>> {
    let read = |dialect: &Dialect| {
        fs::read_to_string(root().join(dialect.file))
            .with_context(|| format!("cannot read {}", dialect.file))
    };
    Ok(difference(&read(&SHELL)?, &read(&POWERSHELL)?).into_iter().collect())
}

fn difference(shell: &str, powershell: &str) -> Option<String> {
    let here = acts(shell, &SHELL);
    let there = acts(powershell, &POWERSHELL);
    if here.is_empty() {
        return Some(format!("{}: no step was found", SHELL.file));
    }
    let end = (0, "nothing more".to_owned());
    (0..here.len().max(there.len()))
        .map(|n| (here.get(n).unwrap_or(&end), there.get(n).unwrap_or(&end)))
        .find(|(one, other)| one.1 != other.1)
        .map(|(one, other)| {
            format!(
                "{}:{} does `{}` where {}:{} does `{}`",
                POWERSHELL.file, other.0, other.1, SHELL.file, one.0, one.1
            )
        })
}

/// What a script does from its first step on, in words that both share, each with its line.
fn acts(text: &str, dialect: &Dialect) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut whole = String::new();
    let mut first = 0;
    for (number, line) in (1..).zip(text.lines()) {
        if whole.is_empty() {
            first = number;
        }
        let line = line.trim();
        if let Some(part) = line.strip_suffix(dialect.goes_on) {
            whole.push_str(part);
            continue;
        }
        whole.push_str(line);
        let words = words(&std::mem::take(&mut whole), dialect.escape);
        if let Some(act) = act(&words, dialect) {
            found.push((first, act));
        }
    }
    // Before the first step the same words stand in the helpers.
    let begin = found.iter().position(|(_, act)| act.starts_with("step ")).unwrap_or(found.len());
    found.split_off(begin)
}

/// One statement in words that both share; `None` for what is not compared.
fn act(words: &[String], dialect: &Dialect) -> Option<String> {
    let (name, rest) = words.split_first()?;
    let position = dialect.acts.iter().position(|act| act == name)?;
    let word = |n: usize| plain(rest.get(n).map_or("", String::as_str), dialect.escape);
    Some(match ACTS[position] {
        Act::Step => format!("step {}", word(0)),
        Act::Ask => format!("{} {}", word(0), word(1)),
        Act::Send => format!("{} {} as {}", word(0), word(1), word(2)),
        Act::Want => format!("want {}{}", word(0), conditions(rest, 1)),
        Act::WantProblem => format!("want problem {} {}{}", word(0), word(1), conditions(rest, 2)),
        Act::WantHeader => format!("want header {} like {}", word(0), word(1)),
        Act::Same => "the same bytes".to_owned(),
    })
}

/// How many conditions there are beyond the first words.
fn conditions(words: &[String], from: usize) -> String {
    let (named, own): (Vec<&String>, Vec<&String>) =
        words.iter().skip(from).partition(|word| word.contains(NAMED));
    let named = if named.is_empty() { "" } else { ", a token" };
    format!("{named}, {} conditions", own.len())
}

/// A word without its quotes.
fn plain(word: &str, escape: char) -> String {
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| word.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote)));
    inner.unwrap_or(word).replace(escape, "")
}

/// The words of the first statement in a line; what stands in quotes, braces or brackets
/// belongs together.
fn words(line: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut depth = 0_u32;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('"'), _) if letter == escape => {
                word.push(letter);
                word.extend(letters.next());
                continue;
            }
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '{' | '(') => depth += 1,
            (None, '}' | ')') => depth = depth.saturating_sub(1),
            (None, ';') if depth == 0 => break,
            (None, ' ') if depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(letter);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = r#"
send() { ask "$method" "$path"; }
step "log in"
ask POST /auth/login --form "a=b"
want 200 "${TOKEN_GOOD[@]}" '.a | length > 4'; A=$(take .a)
for path in "/x/$A" /y; do
    send GET "$path" "${A}x" ""
    want_problem 409 sold_out '.a == "b"' \
        '.c == 1'
done
want_header ETag "^b-$A\$"
cmp -s "$WORK/first" "$WORK/body" || wrong "the same"
"#;

    const THERE: &str = r#"
function Send { Ask $Method }
Step 'log in'
Ask POST '/auth/login' -Form @{ a = 'b' }
Want 200 @TOKEN_GOOD { $Answer.a.Length -gt 4 }; $A = Take a
foreach ($path in "/x/$A", '/y') {
    Send GET "$path" "${A}x" ''
    Want-Problem 409 sold_out { $Answer.a -ceq 'b' } `
        { ($Answer.c -join ' ') -ceq '1' }
}
Want-Header ETag "^b-$A`$"
Same $FIRST
"#;

    #[test]
    fn the_same_in_two_languages_has_no_difference() {
        assert_eq!(difference(HERE, THERE), None);
        assert_eq!(acts(HERE, &SHELL).len(), 7);
    }

    #[test]
    fn what_one_has_and_the_other_lacks_is_found() {
        for (from, to) in [
            ("Step 'log in'", "Step 'log out'"),
            ("'/auth/login'", "'/auth/logout'"),
            ("Ask POST", "Ask PUT"),
            ("${A}x", "${A}"),
            ("Want 200 @TOKEN_GOOD", "Want 200"),
            ("Want 200", "Want 201"),
            ("{ $Answer.a -ceq 'b' } ", ""),
            ("sold_out", "gone"),
            ("ETag", "Age"),
            ("^b-", "^c-"),
            ("Same $FIRST\n", ""),
        ] {
            assert!(THERE.contains(from), "{from}");
            assert!(difference(HERE, &THERE.replace(from, to)).is_some(), "{from} to {to}");
        }
        let found = difference(HERE, &format!("{THERE}Step 'more'\n")).expect("one step more");
        assert!(found.contains("does `step more` where test_eventflow.sh:0 does `nothing more`"));
        assert!(difference("", "").is_some(), "a file without steps is no test");
    }
}
