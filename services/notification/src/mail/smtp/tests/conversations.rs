//! Whole conversations with servers that say what the test says.

use engine::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;

/// What a server says that has nothing against anything.
fn polite(line: &str) -> String {
    let said = match line.split(' ').next().unwrap_or_default() {
        "" => "220 test.invalid",
        "EHLO" => "250-test.invalid\r\n250 AUTH PLAIN LOGIN",
        "AUTH" => "235 welcome",
        "DATA" => "354 go on",
        _ => "250 fine",
    };
    format!("{said}\r\n")
}

/// Takes one connection, and says `say` to each line: first to none at all, which is the
/// greeting, and to a whole body once, which comes as `.`.
async fn serve(listener: TcpListener, mut say: impl AsyncFnMut(&str) -> String) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), false);
    loop {
        if !body || line == "." {
            let said = say(&line).await;
            body = said.starts_with("354");
            // The other end may have heard enough.
            let _ = stream.write_all(said.as_bytes()).await;
        }
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return std::future::pending().await;
        }
        line.truncate(line.trim_end().len());
    }
}

/// What becomes of one message at such a server.
async fn sent(options: &SmtpOptions, say: impl AsyncFnMut(&str) -> String) -> Result<(), NotSent> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let smtp = Smtp::new(&SmtpOptions { port, ..options.clone() }).unwrap();
    let mail = Mail {
        id: [0x42; 16],
        to_address: "bob@example.org".to_owned(),
        to_name: None,
        subject: "Your place".to_owned(),
        text: "Hello\n".to_owned(),
        html: "<p>Hello</p>\n".to_owned(),
        created_at: Timestamp::from_millis(1_764_100_000_123),
    };
    tokio::select! {
        sent = smtp.send(&mail) => sent,
        () = serve(listener, say) => unreachable!("a server does not end"),
    }
}

#[tokio::test]
async fn a_polite_server_gets_the_message() {
    let mut lines = Vec::new();
    let login = login("127.0.0.1", Tls::None, None);
    let outcome = sent(&login, async |line| {
        lines.push(line.to_owned());
        polite(line)
    });
    outcome.await.unwrap();
    assert_eq!(lines.last().map(String::as_str), Some("."));
    assert!(lines.iter().any(|line| line.starts_with("AUTH PLAIN ")), "{lines:?}");
}

#[tokio::test]
async fn what_a_server_says_to_a_login_is_in_no_text() {
    // A server that repeats the command, one whose answer is none, and one that has read it.
    let login = login("127.0.0.1", Tls::None, None);
    for (before, said) in [
        ("501 5.5.4 syntax error: ", "logging in: the server answered 501"),
        ("", "logging in: the answer cannot be read"),
        ("535 not you, ann, with secret-word: ", "logging in: the server answered 535"),
    ] {
        let refused = sent(&login, async |line| match line.split_once(' ') {
            Some(("AUTH", _)) => format!("{before}{line}\r\n"),
            _ => polite(line),
        });
        assert_eq!(refused.await, Err(NotSent::Down(said.to_owned())));
    }
}

#[tokio::test]
async fn what_a_server_says_within_a_login_is_in_no_text() {
    let login = login("127.0.0.1", Tls::None, None);
    let mut asked = ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"].into_iter();
    let refused = sent(&login, async |line| match line.split(' ').next() {
        Some("EHLO") => "250-test.invalid\r\n250 AUTH LOGIN\r\n".to_owned(),
        Some("" | "QUIT") => polite(line),
        _ => asked.next().map_or_else(|| format!("501 {line}\r\n"), |asked| format!("{asked}\r\n")),
    });
    let said = "logging in: the server answered 501";
    assert_eq!(refused.await, Err(NotSent::Down(said.to_owned())));
}

/// While it lives the clock stands still.
struct Still;

impl Drop for Still {
    // Also when the client has given up meanwhile, and nobody listens to the server any more.
    fn drop(&mut self) {
        tokio::time::resume();
    }
}

/// Moves the clock on while the client waits, and nothing else does.
async fn pass(time: Duration) {
    tokio::time::pause();
    let _still = Still;
    tokio::time::advance(time).await;
}

#[tokio::test]
async fn a_server_may_look_a_message_through_for_ten_minutes() {
    for timeout in [Duration::from_secs(10), Duration::from_secs(600)] {
        let outcome = async |late: Duration| {
            sent(&SmtpOptions { timeout, ..options() }, async |line| {
                if line == "." {
                    pass(late).await;
                }
                polite(line)
            })
            .await
        };
        outcome(Duration::from_secs(600)).await.unwrap();
        // And not for ever.
        let given_up = outcome(Duration::from_secs(600) + 2 * timeout).await.unwrap_err();
        assert!(matches!(&given_up, NotSent::Unknown(why) if why.contains("no answer")));
    }
}

#[tokio::test]
async fn a_server_may_not_take_that_long_for_any_other_answer() {
    for at in ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        let options = login("127.0.0.1", Tls::None, None);
        let outcome = sent(&options, async |line| {
            if line.split(' ').next() == Some(at) {
                pass(2 * options.timeout).await;
            }
            polite(line)
        });
        let given_up = outcome.await.unwrap_err();
        let (NotSent::Down(why) | NotSent::Silent(why)) = given_up else { panic!("{given_up:?}") };
        assert!(why.contains("no answer"), "{at}: {why}");
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_not_listened_to() {
    for at in ["", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."] {
        let endless = "250-".to_owned() + &"x".repeat(100_000);
        let login = login("127.0.0.1", Tls::None, None);
        // After this much of a line the server falls silent, and does not close.
        let outcome = sent(&login, async |line| match line.split(' ').next() {
            Some(command) if command == at => endless.clone(),
            _ => polite(line),
        });
        let refused = outcome.await.unwrap_err();
        assert!(format!("{refused:?}").contains("a line of the answer is too long"), "{refused:?}");
    }
}
