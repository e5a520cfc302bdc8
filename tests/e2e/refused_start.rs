//! A start that cannot be: one clear sentence, and an exit code that is not 0.

use std::fs;
use std::net::TcpListener;

use harness::events::create;
use harness::people::People;
use harness::server::{Ended, Home, Server, run_to_end};

use crate::stage::new_id;

/// The sentence names all of this, and there is nothing else but log lines.
#[track_caller]
fn refused(ended: &Ended, named: &[&str]) {
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(!ended.output.contains("panicked"), "{}", ended.output);
    let sentences: Vec<&str> =
        ended.output.lines().filter(|line| line.starts_with("eventflow: ")).collect();
    assert_eq!(sentences.len(), 1, "one sentence:\n{}", ended.output);
    for word in named {
        assert!(sentences[0].contains(word), "{word:?} in {:?}", sentences[0]);
    }
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

async fn run(home: &Home, arguments: &[&str]) -> Ended {
    let data = home.data();
    let mut all = vec!["run", "--listen", "127.0.0.1:0", "--data", text(&data)];
    all.extend(arguments);
    run_to_end(home, &all).await
}

#[tokio::test]
async fn a_second_process_on_the_folder() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let ended = run(&home, &[]).await;
    refused(&ended, &[text(&home.data())]);
    // The first goes on as if nothing had been.
    let organizer = People::of(&home.data()).attendee(new_id());
    create(&mut server.client(), &organizer, "Undisturbed", 3).await;
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn a_port_in_use() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = home.data();
    let ended = run_to_end(&home, &["run", "--listen", &address, "--data", text(&data)]).await;
    refused(&ended, &[&address]);
}

#[tokio::test]
async fn a_folder_that_cannot_be_one() {
    let home = Home::new();
    fs::write(home.data(), "a file").unwrap();
    let ended = run(&home, &[]).await;
    refused(&ended, &[text(&home.data())]);
    assert_eq!(fs::read_to_string(home.data()).unwrap(), "a file");
}

#[tokio::test]
async fn a_damaged_ledger() {
    for damage in ["not a database, but long enough to be looked at as one", ""] {
        let home = Home::new();
        assert!(Server::start(&home).await.stop().await.success());
        let ledger = home.data().join("ledger.db");
        let whole = fs::read(&ledger).unwrap();
        let mut damaged = whole.clone();
        if damage.is_empty() {
            // The header is whole, what it leads to is not.
            damaged[100..].fill(0xa5);
        } else {
            damaged = damage.repeat(100).into_bytes();
        }
        fs::write(&ledger, &damaged).unwrap();
        let ended = run(&home, &[]).await;
        refused(&ended, &["ledger.db"]);
        // Whoever repairs it finds it as it was.
        assert_eq!(fs::read(&ledger).unwrap(), damaged);
        fs::write(&ledger, &whole).unwrap();
        assert!(Server::start(&home).await.stop().await.success());
    }
}

#[tokio::test]
async fn a_signing_key_that_is_none() {
    let home = Home::new();
    assert!(Server::start(&home).await.stop().await.success());
    fs::write(home.data().join("signing-key.pem"), "no key").unwrap();
    refused(&run(&home, &[]).await, &["signing-key.pem"]);
}

#[tokio::test]
async fn settings_that_are_none() {
    let home = Home::new();
    let file = home.beside("wrong.toml");
    fs::write(&file, "[gateway]\nno_such_setting = 1\n").unwrap();
    refused(&run(&home, &["--config", text(&file)]).await, &["no_such_setting"]);
    refused(&run(&home, &["--config", "no-such-file.toml"]).await, &["no-such-file.toml"]);
    let data = home.data();
    let ended = run_to_end(&home, &["run", "--listen", "nowhere", "--data", text(&data)]).await;
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(ended.output.contains("nowhere"), "{ended:?}");
}
