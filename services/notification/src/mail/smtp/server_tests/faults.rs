//! Every fault at every step: what it means, and what is said of it.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::support::{PATIENT, SHORT, Server, VERDICT, to};
use crate::mail::smtp::{Smtp, SmtpOptions, Tls};
use crate::mail::{Mailer, NotSent};

const ANN: &str = "ann@example.org";

/// Sends one message to a server with one rule; what comes of it, and what has arrived.
async fn outcome(rule: Value, hasty: bool) -> (NotSent, usize) {
    let mut server = Server::with(json!([rule])).await;
    let smtp = if hasty { server.hasty() } else { server.smtp() };
    let refused = smtp.send(&to(ANN)).await.unwrap_err();
    assert!(smtp.idle.lock().len() <= 1);
    let text = match &refused {
        NotSent::Down(text)
        | NotSent::Later(text)
        | NotSent::Silent(text)
        | NotSent::Unfit(text)
        | NotSent::Never(text)
        | NotSent::Unknown(text) => text,
    };
    assert!(!text.contains("example.org") && !text.contains("ann"), "{text}");
    (refused, server.mails().await.len())
}

fn answer(at: &str, text: &str) -> Value {
    json!({ "at": at, "do": "answer", "text": text })
}

#[tokio::test]
async fn refused_over_the_recipient_or_the_message() {
    for (at, step) in
        [("RCPT", "naming the recipient"), ("DATA", "DATA"), ("MESSAGE", "sending the message")]
    {
        let (refused, arrived) =
            outcome(answer(at, "451 4.2.0 <ann@example.org> busy"), false).await;
        let text = format!("{step}: the server answered 451 4.2.0 (...) busy");
        assert_eq!((refused, arrived), (NotSent::Later(text), 0), "{at}");

        let (refused, arrived) = outcome(answer(at, "550 5.1.1 no ann here"), false).await;
        let text = format!("{step}: the server answered 550 5.1.1 no (...) here");
        assert_eq!((refused, arrived), (NotSent::Never(text), 0), "{at}");

        let (refused, arrived) = outcome(answer(at, "421 4.3.2 closing"), false).await;
        let text = format!("{step}: the server answered 421 4.3.2 closing");
        assert_eq!((refused, arrived), (NotSent::Down(text), 0), "{at}");
    }
}

#[tokio::test]
async fn refused_before_the_recipient_is_named() {
    for (at, step) in [("CONNECT", "greeting"), ("EHLO", "greeting"), ("MAIL", "naming the sender")]
    {
        for code in ["421 4.3.2 closing", "450 not now", "554 5.7.1 not you"] {
            let (refused, arrived) = outcome(answer(at, code), false).await;
            let text = format!("{step}: the server answered {code}");
            assert_eq!((refused, arrived), (NotSent::Down(text), 0), "{at}");
        }
    }
}

#[tokio::test]
async fn closed_without_a_word() {
    for (at, text) in [("CONNECT", "greeting: "), ("EHLO", "greeting: "), ("MAIL", "naming the s")]
    {
        let (refused, arrived) = outcome(json!({ "at": at, "do": "close" }), false).await;
        let down = matches!(&refused, NotSent::Down(why) if why.starts_with(text));
        assert!(down && arrived == 0, "{at}: {refused:?}");
    }
    for at in ["RCPT", "DATA"] {
        let (refused, arrived) = outcome(json!({ "at": at, "do": "close" }), false).await;
        assert!(matches!(refused, NotSent::Silent(_)) && arrived == 0, "{at}: {refused:?}");
    }
    // Nobody knows: here it has not arrived ...
    let (refused, arrived) = outcome(json!({ "at": "BODY", "do": "close" }), false).await;
    assert!(matches!(refused, NotSent::Unknown(_)) && arrived == 0, "{refused:?}");
    // ... and here it has.
    let (refused, arrived) = outcome(json!({ "at": "MESSAGE", "do": "close" }), false).await;
    assert!(matches!(refused, NotSent::Unknown(_)) && arrived == 1, "{refused:?}");
}

#[tokio::test]
async fn silence_and_dripping_end_with_the_time_limit() {
    let steps = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "MESSAGE"];
    let cases = ["hang", "drip"].map(|act| steps.map(|at| ends_with_the_time_limit(act, at)));
    // Together: each of them has to wait.
    join_all(cases.into_iter().flatten()).await;
}

async fn ends_with_the_time_limit(act: &str, at: &str) {
    let began = Instant::now();
    let (refused, arrived) = outcome(json!({ "at": at, "do": act }), true).await;
    let took = began.elapsed();
    let expected = match at {
        "CONNECT" | "EHLO" | "MAIL" => matches!(refused, NotSent::Down(_)),
        "RCPT" | "DATA" => matches!(refused, NotSent::Silent(_)),
        _ => matches!(refused, NotSent::Unknown(_)),
    };
    assert!(expected, "{act} at {at}: {refused:?}");
    assert_eq!(arrived, usize::from(at == "MESSAGE"), "{act} at {at}");
    let text = format!("{refused:?}");
    assert!(text.contains("no answer within"), "{act} at {at}: {text}");
    // A body is answered later than a word, and still not whenever.
    let least = if matches!(at, "BODY" | "MESSAGE") { SHORT + VERDICT } else { SHORT };
    assert!(took >= least, "{act} at {at}: after {took:?}");
    assert!(took < least + PATIENT, "{act} at {at}: after {took:?}");
}

#[tokio::test]
async fn answers_that_are_none() {
    // To a yes where a 354 belongs, the message would be read as commands.
    let (refused, arrived) = outcome(answer("DATA", "250 fine"), false).await;
    assert!(matches!(&refused, NotSent::Silent(why) if why.contains("250")), "{refused:?}");
    assert_eq!(arrived, 0);
    let (refused, _) = outcome(answer("RCPT", "354 go on"), false).await;
    assert!(matches!(&refused, NotSent::Silent(why) if why.contains("354")), "{refused:?}");
    let (refused, _) = outcome(answer("MESSAGE", "354 go on"), false).await;
    assert!(matches!(&refused, NotSent::Unknown(why) if why.contains("354")), "{refused:?}");
    let (refused, _) = outcome(answer("MAIL", "hello"), false).await;
    assert!(matches!(refused, NotSent::Down(_)), "{refused:?}");
    let (refused, _) = outcome(answer("MESSAGE", "hello"), false).await;
    assert!(matches!(refused, NotSent::Unknown(_)), "{refused:?}");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let line = format!("250-{}\r\n", "x".repeat(900));
    let endless = line.repeat(1_000) + "250 end";
    let (refused, _) = outcome(answer("EHLO", &endless), false).await;
    assert!(matches!(&refused, NotSent::Down(why) if why.contains("too long")), "{refused:?}");
}

#[tokio::test]
async fn an_endless_line_is_not_listened_to_however_it_is_encrypted() {
    for tls in [Tls::None, Tls::StartTls, Tls::Implicit] {
        let endless = "250-".to_owned() + &"x".repeat(100_000);
        let rules = json!([{ "at": "MAIL", "do": "drip", "text": endless }]);
        let wish = json!({ "rules": rules });
        let server = match tls {
            Tls::None => Server::listen(tls, None, wish).await,
            _ => Server::encrypted(tls, "127.0.0.1", wish).await,
        };
        let refused = server.smtp().send(&to(ANN)).await.unwrap_err();
        let text = "naming the sender: a line of the answer is too long";
        assert_eq!(refused, NotSent::Down(text.to_owned()), "{tls:?}");
    }
}

#[tokio::test]
async fn nobody_there() {
    let nowhere = tokio::net::TcpSocket::new_v4().unwrap();
    nowhere.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = nowhere.local_addr().unwrap().port();
    let server = Server::with(json!([])).await;
    let smtp = Smtp::new(&SmtpOptions { port, ..server.options() }).unwrap();
    let refused = smtp.send(&to(ANN)).await.unwrap_err();
    assert!(
        matches!(&refused, NotSent::Down(why) if why.starts_with("connecting: ")),
        "{refused:?}"
    );
    assert!(matches!(smtp.knock().await, Err(NotSent::Down(_))), "nobody opens");
}

#[tokio::test]
async fn knocking_says_whether_mail_is_taken_and_sends_none() {
    let mut server = Server::with(json!([])).await;
    assert_eq!(server.smtp().knock().await, Ok(()));
    assert_eq!(server.mails().await.len(), 0);
    for at in ["CONNECT", "EHLO", "MAIL"] {
        let server = Server::with(json!([answer(at, "421 4.3.2 closing")])).await;
        let refused = server.smtp().knock().await;
        assert!(matches!(refused, Err(NotSent::Down(_))), "{at}: {refused:?}");
    }
}

#[tokio::test]
async fn a_message_that_may_have_arrived_comes_again_under_the_same_name() {
    let rules = json!([{ "at": "MESSAGE", "do": "close", "times": 1 }]);
    let mut server = Server::with(rules).await;
    let smtp = server.smtp();
    assert!(matches!(smtp.send(&to(ANN)).await, Err(NotSent::Unknown(_))));
    smtp.send(&to(ANN)).await.unwrap();
    let arrived = server.mails().await;
    assert_eq!(arrived.len(), 2);
    assert_eq!(arrived[0]["raw"], arrived[1]["raw"]);
}
