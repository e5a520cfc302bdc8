//! The text tables in `scenarios/`: the rules, line by line.

use crate::script::Stage;

/// Run a table; tell every line whose outcome is not the one written beside it.
fn check(table: &str) {
    let mut stage = Stage::new();
    let mut title = "";
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (number, line) in table.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(next) = line.strip_prefix("== ") {
            stage.check_replay();
            (stage, title) = (Stage::new(), next);
            continue;
        }
        let (left, expected) = line.split_once(" -> ").unwrap_or((line, ""));
        let outcome = stage.run(left.trim());
        checked += 1;
        if outcome != expected.trim() {
            let number = number + 1;
            wrong.push(format!("{title}, line {number}: {}\n    -> {outcome}", left.trim()));
        }
    }
    stage.check_replay();
    assert!(checked > 0, "an empty table checks nothing");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

macro_rules! tables {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            check(include_str!(concat!("scenarios/", stringify!($name), ".txt")));
        }
    )* };
}

tables! { sales holds expiry waitlist retries capacity cancel_event continuation }
