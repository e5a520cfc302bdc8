//! How a cluster is, as a table that is drawn anew or as lines of what changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use super::life::open;
use super::look::Look;
use super::place::Node;

/// The numbers of a row: what the replica calls them, and the head of their column. A row
/// fits into 80 columns.
const NUMBERS: [(&str, &str); 6] = [
    ("partitions", "OPEN"),
    ("preparing", "PREP"),
    ("broken", "BROKEN"),
    ("highest_epoch", "EPOCH"),
    ("awake", "AWAKE"),
    ("lag", "LAG"),
];

/// A number in its column.
const WIDTH: usize = 6;

/// Of these, what changes a line is worth; the others change with every request.
const NEWS: [&str; 3] = ["partitions", "preparing", "broken"];

/// Where the table goes.
pub(crate) struct Screen {
    terminal: bool,
    /// Lines of the last drawing.
    drawn: usize,
    /// What was last said of each process.
    said: BTreeMap<Node, String>,
    /// And of the servers.
    servers: String,
    began: Instant,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        Self {
            terminal,
            drawn: 0,
            said: BTreeMap::new(),
            servers: String::new(),
            began: Instant::now(),
        }
    }

    /// Shows how it is now.
    pub(crate) fn show(&mut self, looks: &[Look], servers: &str) -> io::Result<()> {
        let text = if self.terminal {
            self.again(&table(looks, servers))
        } else {
            self.news(looks, servers)
        };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// In the place of the last one.
    fn again(&mut self, table: &str) -> String {
        let mut text = String::new();
        // A row that is too long for its terminal is cut off, not continued in the next.
        text.push_str("\x1b[?7l");
        if self.drawn > 0 {
            // Up to its first line, and away with everything from there on.
            let _ = write!(text, "\x1b[{}A\x1b[J", self.drawn);
        }
        self.drawn = table.lines().count();
        text + table + "\x1b[?7h"
    }

    /// The whole once, and then what is new.
    fn news(&mut self, looks: &[Look], servers: &str) -> String {
        let mut text = String::new();
        let now = self.began.elapsed().as_secs();
        if self.said.is_empty() {
            text.push_str(&table(looks, servers));
        } else if self.servers != servers {
            let _ = writeln!(text, "{now:>6} s  {servers}");
        }
        servers.clone_into(&mut self.servers);
        let first = self.said.is_empty();
        for look in looks {
            let mut said = format!("{:?} {}", look.pid, look.state());
            for field in NEWS {
                let _ = write!(said, " {:?}", look.number(field));
            }
            let old = self.said.insert(look.node, said.clone());
            if !first && old.is_none_or(|old| old != said) {
                let _ = writeln!(text, "{now:>6} s  {}", row(look));
            }
        }
        text
    }
}

/// One row for each process, and what is open in all.
pub(crate) fn table(looks: &[Look], servers: &str) -> String {
    let mut text = format!("{:<5} {:>7} {:<15} {:<8}", "NAME", "PID", "ADDRESS", "STATE");
    for (_, head) in NUMBERS {
        let _ = write!(text, " {head:>WIDTH$}");
    }
    text.push('\n');
    for look in looks {
        text.push_str(&row(look));
        text.push('\n');
    }
    let _ = writeln!(text, "{:<38} {:>WIDTH$}   {servers}", "open in all", open(looks));
    text
}

fn row(look: &Look) -> String {
    let pid = look.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    // As text: an address does not fill its column by itself.
    let address = look.address.to_string();
    let mut row = format!("{:<5} {pid:>7} {address:<15} {:<8}", look.node, look.state());
    for (field, _) in NUMBERS {
        let number = look.number(field).map_or_else(|| "-".to_owned(), |n| n.to_string());
        let _ = write!(row, " {number:>WIDTH$}");
    }
    row
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::look::sample;
    use super::*;

    fn looks() -> Vec<Look> {
        let said = |partitions: u64, lag: u64| json!({ "state": "ready", "partitions": partitions, "lag": lag });
        let mut front = sample(Node::Front, &json!(null));
        front.ready = true;
        vec![
            front,
            sample(Node::Replica(1), &said(500, 3)),
            sample(Node::Replica(2), &said(524, 0)),
        ]
    }

    fn screen(terminal: bool) -> Screen {
        Screen { terminal, ..Screen::new() }
    }

    #[test]
    fn rows_stand_below_their_heads() {
        let text = table(&looks(), "redis 1, cassandra dead");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        let end = lines[0].find("OPEN").unwrap() + "OPEN".len();
        assert!(lines[2][..end].ends_with(" 500"), "{text}");
        assert!(lines[4][..end].ends_with(" 1024"), "{text}");
        assert!(lines[4].ends_with("redis 1, cassandra dead"), "{text}");
        assert!(lines.iter().all(|line| line.len() <= 80), "{text}");
        assert!(lines[1].starts_with("front ") && lines[1].contains("ready"), "{text}");
    }

    #[test]
    fn a_terminal_is_drawn_over() {
        let mut screen = screen(true);
        assert_eq!(screen.again("a\nb\n"), "\x1b[?7la\nb\n\x1b[?7h");
        assert_eq!(screen.again("c\n"), "\x1b[?7l\x1b[2A\x1b[Jc\n\x1b[?7h");
        assert_eq!(screen.again("d\n"), "\x1b[?7l\x1b[1A\x1b[Jd\n\x1b[?7h");
    }

    #[test]
    fn elsewhere_only_what_is_new_is_said() {
        let mut screen = screen(false);
        let mut looks = looks();
        assert!(screen.news(&looks, "redis 1").starts_with("NAME"));
        assert_eq!(screen.news(&looks, "redis 1"), "");
        // Lag comes and goes with every request.
        looks[1] =
            sample(Node::Replica(1), &json!({ "state": "ready", "partitions": 500, "lag": 9 }));
        assert_eq!(screen.news(&looks, "redis 1"), "");
        looks[2].pid = None;
        let news = screen.news(&looks, "redis 1");
        assert!(
            news.lines().count() == 1 && news.contains("b2") && news.contains("dead"),
            "{news}"
        );
        looks.push(sample(Node::Replica(3), &json!({ "state": "starting" })));
        assert!(screen.news(&looks, "redis 1").contains("b3"));
        let news = screen.news(&looks, "redis dead");
        assert!(news.lines().count() == 1 && news.ends_with("redis dead\n"), "{news}");
    }
}
