//! Against a real server, told what to do wrong.

mod faults;
mod support;

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;

use super::{SmtpOptions, Tls};
use crate::mail::{Mail, Mailer, NotSent};
use support::{PATIENT, Server, to};

#[tokio::test]
async fn a_message_arrives_as_it_was_written() {
    let mut server = Server::with(json!([])).await;
    let mail = to("ann@example.org");
    let smtp = server.smtp();
    smtp.send(&mail).await.unwrap();
    smtp.settle().await.unwrap();
    let arrived = server.mails().await;
    assert_eq!(arrived.len(), 1);
    let arrived = &arrived[0];
    assert_eq!(arrived["from"], "events@example.com");
    assert_eq!(arrived["to"], json!(["ann@example.org"]));
    assert_eq!(arrived["text"], mail.text.as_str());
    assert_eq!(arrived["html"], mail.html.as_str());
    assert_eq!(arrived["type"], "multipart/alternative");
    assert_eq!(arrived["defects"], json!([]));
    let headers = &arrived["headers"];
    assert_eq!(headers["Subject"], "Dein Platz: Grüße");
    assert_eq!(headers["To"], "Ann Müller <ann@example.org>");
    assert_eq!(headers["From"], "EventFlow <events@example.com>");
    assert_eq!(headers["Message-ID"], "<42424242-4242-4242-4242-424242424242@example.com>");
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    assert_eq!(headers["Date"], "Tue, 25 Nov 2025 19:46:40 +0000");
}

#[tokio::test]
async fn names_and_subjects_come_through_and_add_nothing() {
    let mut server = Server::with(json!([])).await;
    let name = "Eve <eve@example.org>, \"M\"\r\nBcc: m@example.org";
    let subject = "x\r\nBcc: m@example.org\r\n\r\nbody \u{1f389}";
    let mail = Mail {
        to_name: Some(name.to_owned()),
        subject: subject.to_owned(),
        text: "tab\there, percent =3D, trailing blank \r\nold end\rnew end\n".to_owned(),
        ..to("ann@example.org")
    };
    server.smtp().send(&mail).await.unwrap();
    let arrived = server.mails().await.remove(0);
    assert_eq!(arrived["headers"].as_object().unwrap().len(), 8);
    assert_eq!(arrived["headers"]["Subject"], "x Bcc: m@example.org body \u{1f389}");
    let shown = arrived["headers"]["To"].as_str().unwrap();
    assert!(shown.ends_with(" <ann@example.org>") && shown.contains("Eve"), "{shown}");
    assert_eq!(arrived["to"], json!(["ann@example.org"]));
    let text = "tab\there, percent =3D, trailing blank \nold end\nnew end\n";
    assert_eq!(arrived["text"], text);
}

#[tokio::test]
async fn connections_are_kept_for_a_round_and_no_longer() {
    let mut server = Server::with(json!([])).await;
    let smtp = server.smtp();
    for _ in 0..3 {
        smtp.send(&to("ann@example.org")).await.unwrap();
    }
    assert_eq!(server.connections().await, 1);
    smtp.settle().await.unwrap();
    assert!(smtp.idle.lock().is_empty());
    smtp.send(&to("ann@example.org")).await.unwrap();
    assert_eq!(server.connections().await, 2);
    assert_eq!(server.mails().await.len(), 4);
}

#[tokio::test]
async fn there_are_no_more_connections_than_configured() {
    let mut server = Server::with(json!([])).await;
    let smtp = Arc::new(server.smtp());
    let mail = to("ann@example.org");
    let sent = join_all((0..40).map(|_| smtp.send(&mail))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(server.mails().await.len(), 40);
    assert_eq!(server.connections().await, 2);
}

#[tokio::test]
async fn after_a_refusal_the_connection_goes_on() {
    let rules = json!([
        { "at": "RCPT", "do": "answer", "text": "550 5.1.1 unknown", "to": "gone@example.org" },
        { "at": "RCPT", "do": "answer", "text": "451 4.2.0 busy", "to": "busy@example.org" },
    ]);
    let mut server = Server::with(rules).await;
    let smtp = server.smtp();
    for _ in 0..2 {
        assert!(matches!(smtp.send(&to("gone@example.org")).await, Err(NotSent::Never(_))));
        assert!(matches!(smtp.send(&to("busy@example.org")).await, Err(NotSent::Later(_))));
        smtp.send(&to("ann@example.org")).await.unwrap();
    }
    assert_eq!(server.connections().await, 1);
    let to: Vec<_> = server.mails().await.into_iter().map(|mail| mail["to"].clone()).collect();
    assert_eq!(to, [json!(["ann@example.org"]), json!(["ann@example.org"])]);
}

#[tokio::test]
async fn a_connection_that_the_server_has_given_up_is_replaced() {
    for rule in [
        json!({ "at": "RSET", "do": "answer", "text": "421 4.4.2 idle for too long", "times": 1 }),
        json!({ "at": "RSET", "do": "close", "times": 1 }),
    ] {
        let mut server = Server::with(json!([rule])).await;
        let smtp = server.smtp();
        smtp.send(&to("ann@example.org")).await.unwrap();
        smtp.send(&to("ann@example.org")).await.unwrap();
        assert_eq!(server.connections().await, 2);
        assert_eq!(server.mails().await.len(), 2);
    }
}

#[tokio::test]
async fn a_conversation_that_broke_is_not_gone_on_with() {
    for rule in [
        json!({ "at": "RCPT", "do": "hang" }),
        json!({ "at": "RCPT", "do": "answer", "text": "421 4.3.2 closing" }),
        json!({ "at": "DATA", "do": "answer", "text": "250 fine" }),
        json!({ "at": "MESSAGE", "do": "close" }),
    ] {
        let mut server = Server::with(json!([rule])).await;
        let smtp = server.hasty();
        smtp.send(&to("ann@example.org")).await.unwrap_err();
        assert!(smtp.idle.lock().is_empty(), "{rule}");
        smtp.send(&to("ann@example.org")).await.unwrap_err();
        assert_eq!(server.connections().await, 2, "{rule}");
    }
}

#[tokio::test]
async fn encrypted_by_an_authority_of_our_own_and_logged_in() {
    for tls in [Tls::StartTls, Tls::Implicit] {
        let wish = json!({ "user": "ann", "password": "s e c r ä t" });
        let mut server = Server::encrypted(tls, "127.0.0.1", wish).await;
        let login = |password: &str| SmtpOptions {
            username: Some("ann".to_owned()),
            password: Some(password.to_owned()),
            ..server.options()
        };
        let smtp = super::Smtp::new(&login("s e c r ä t")).unwrap();
        let wrong = super::Smtp::new(&login("s e c r e t")).unwrap();
        smtp.send(&to("ann@example.org")).await.unwrap();
        let refused = wrong.send(&to("ann@example.org")).await.unwrap_err();
        let NotSent::Down(why) = refused else { panic!("{refused:?}") };
        assert!(why.starts_with("logging in: the server answered 535"), "{why}");
        assert_eq!(server.mails().await.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_wants_a_login_refuses_all_and_not_this_one() {
    let wish = json!({ "user": "ann", "password": "secret" });
    let server = Server::listen(Tls::None, None, wish).await;
    let refused = server.smtp().send(&to("ann@example.org")).await.unwrap_err();
    assert!(matches!(&refused, NotSent::Down(why) if why.contains("530")), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_cannot_be_believed_gets_nothing() {
    for tls in [Tls::StartTls, Tls::Implicit] {
        let mut named = Server::encrypted(tls, "localhost", json!({})).await;
        let refused = named.smtp().send(&to("ann@example.org")).await.unwrap_err();
        assert!(
            matches!(&refused, NotSent::Down(why) if why.contains("certificate")),
            "{refused:?}"
        );
        assert!(named.mails().await.is_empty());

        let mut other = Server::encrypted(tls, "127.0.0.1", json!({})).await;
        let stranger = SmtpOptions { ca_pem: named.options().ca_pem, ..other.options() };
        let smtp = super::Smtp::new(&stranger).unwrap();
        let refused = smtp.send(&to("ann@example.org")).await.unwrap_err();
        assert!(
            matches!(&refused, NotSent::Down(why) if why.contains("certificate")),
            "{refused:?}"
        );
        assert!(other.mails().await.is_empty());
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let mut plain = Server::with(json!([])).await;
    let other = Server::encrypted(Tls::StartTls, "127.0.0.1", json!({})).await;
    let options = SmtpOptions { port: plain.options().port, ..other.options() };
    let refused = super::Smtp::new(&options).unwrap().send(&to("ann@example.org")).await;
    assert!(matches!(&refused, Err(NotSent::Down(why)) if why.contains("STARTTLS")), "{refused:?}");
    assert!(plain.mails().await.is_empty());
}

#[tokio::test]
async fn answers_slipped_in_before_tls_are_not_taken_for_the_servers() {
    let slipped = "250-test.invalid\r\n250 8BITMIME";
    let rules = json!([{ "at": "STARTTLS", "do": "inject", "text": slipped }]);
    let mut server = Server::encrypted(Tls::StartTls, "127.0.0.1", json!({ "rules": rules })).await;
    let refused = server.smtp().send(&to("ann@example.org")).await.unwrap_err();
    assert!(matches!(&refused, NotSent::Down(why) if why.starts_with("STARTTLS")), "{refused:?}");
    assert!(server.mails().await.is_empty());
}

#[tokio::test]
async fn an_address_that_is_not_ascii_needs_a_server_that_takes_it() {
    let jürgen = to("jürgen@bücher.example");
    let mut old = Server::with(json!([])).await;
    let smtp = old.smtp();
    let refused = smtp.send(&jürgen).await.unwrap_err();
    let why = "the address is not ASCII, and the server does not take such (SMTPUTF8)";
    assert_eq!(refused, NotSent::Unfit(why.to_owned()));
    smtp.send(&to("ann@bücher.example")).await.unwrap();
    assert_eq!(old.mails().await[0]["to"], json!(["ann@xn--bcher-kva.example"]));
    assert_eq!(old.connections().await, 1);

    let mut new = Server::listen(Tls::None, None, json!({ "utf8": true })).await;
    new.smtp().send(&jürgen).await.unwrap();
    let arrived = new.mails().await.remove(0);
    assert_eq!(arrived["to"], json!(["jürgen@xn--bcher-kva.example"]));
    assert!(arrived["options"].as_array().unwrap().contains(&json!("SMTPUTF8")), "{arrived}");
    let raw = arrived["raw"].as_str().unwrap();
    assert!(raw.contains("<jürgen@xn--bcher-kva.example>"), "{raw}");
}

#[tokio::test]
async fn a_sending_that_is_given_up_leaves_no_connection_behind() {
    let rules = json!([{ "at": "MESSAGE", "do": "hang", "times": 1 }]);
    let mut server = Server::with(rules).await;
    let options = SmtpOptions { connections: 1, timeout: PATIENT, ..server.options() };
    let smtp = super::Smtp::new(&options).unwrap();
    {
        let mail = to("ann@example.org");
        let sending = smtp.send(&mail);
        let hung = server.wait_for("MESSAGE", 1);
        tokio::select! {
            sent = sending => panic!("{sent:?}"),
            () = hung => {}
        }
    }
    smtp.send(&to("ann@example.org")).await.unwrap();
    assert_eq!(server.connections().await, 2);
}
