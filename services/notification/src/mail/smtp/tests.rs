mod conversations;

use std::time::Duration;

use super::fault::{Fault, Phase, Secrets, Step};
use super::*;

fn options() -> SmtpOptions {
    SmtpOptions {
        host: "127.0.0.1".to_owned(),
        port: 25,
        tls: Tls::None,
        username: None,
        password: None,
        ca_pem: None,
        timeout: Duration::from_secs(10),
        connections: 2,
        from: "EventFlow <events@example.com>".to_owned(),
        hello_name: None,
    }
}

fn refused(options: &SmtpOptions) -> String {
    Smtp::new(options).err().unwrap_or_else(|| panic!("taken: {options:?}"))
}

fn login(host: &str, tls: Tls, ca_pem: Option<Vec<u8>>) -> SmtpOptions {
    let (username, password) = (Some("ann".to_owned()), Some("secret-word".to_owned()));
    SmtpOptions { host: host.to_owned(), tls, username, password, ca_pem, ..options() }
}

fn authority() -> Vec<u8> {
    rcgen::generate_simple_self_signed(["mail.example".to_owned()]).unwrap().cert.pem().into()
}

#[test]
fn a_password_goes_over_tls_or_not_out_of_this_machine() {
    for host in ["mail.example", "10.0.0.1", "localhost.example", "::2", "0.0.0.0"] {
        let why = refused(&login(host, Tls::None, None));
        assert!(why.contains("in the open") && !why.contains("secret-word"), "{why}");
        for tls in [Tls::StartTls, Tls::Implicit] {
            Smtp::new(&login(host, tls, Some(authority()))).unwrap();
        }
    }
    for host in ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"] {
        Smtp::new(&login(host, Tls::None, None)).unwrap();
    }
    // Without a password there is nothing to protect but the messages.
    Smtp::new(&SmtpOptions { host: "mail.example".to_owned(), ..options() }).unwrap();
}

#[test]
fn half_a_login_is_refused() {
    let half = SmtpOptions { password: None, ..login("127.0.0.1", Tls::None, None) };
    assert!(refused(&half).contains("go together"));
    let half = SmtpOptions { username: None, ..login("127.0.0.1", Tls::None, None) };
    assert!(refused(&half).contains("go together"));
    for password in ["", "a\0b"] {
        let empty = Some(password.to_owned());
        refused(&SmtpOptions { password: empty, ..login("127.0.0.1", Tls::None, None) });
    }
}

#[test]
fn bounds_and_names_are_checked() {
    for connections in [0, 33] {
        assert!(refused(&SmtpOptions { connections, ..options() }).contains("1 to 32"));
    }
    for timeout in [Duration::ZERO, Duration::from_secs(601)] {
        assert!(refused(&SmtpOptions { timeout, ..options() }).contains("time limit"));
    }
    for host in ["", "a b", "a\r\n"] {
        refused(&SmtpOptions { host: host.to_owned(), ..options() });
    }
    for hello in ["", "a\r\nMAIL FROM:<>", "münchen.example"] {
        refused(&SmtpOptions { hello_name: Some(hello.to_owned()), ..options() });
    }
    assert!(refused(&SmtpOptions { from: "nobody".to_owned(), ..options() }).contains("nobody"));
}

#[test]
fn a_file_of_authorities_must_have_one() {
    for tls in [Tls::StartTls, Tls::Implicit] {
        for pem in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let pem = Some(pem.as_bytes().to_vec());
            refused(&SmtpOptions { tls, ca_pem: pem, ..options() });
        }
    }
    assert!(refused(&SmtpOptions { ca_pem: Some(authority()), ..options() }).contains("no TLS"));
}

#[test]
fn options_do_not_show_the_password() {
    assert!(!format!("{:?}", login("127.0.0.1", Tls::None, None)).contains("secret-word"));
}

/// What a refusal means.
fn meaning(phase: Phase, code: u16) -> &'static str {
    let fault = Fault::Refused { step: Step::Recipient, code, text: String::new() };
    name(&fault.reason(phase, &Secrets { address: None, password: None }))
}

fn name(reason: &NotSent) -> &'static str {
    match reason {
        NotSent::Down(_) => "down",
        NotSent::Later(_) => "later",
        NotSent::Silent(_) => "silent",
        NotSent::Never(_) => "never",
        NotSent::Unfit(_) => "unfit",
        NotSent::Unknown(_) => "unknown",
    }
}

#[test]
fn what_a_refusal_means_is_a_matter_of_when_and_of_the_code() {
    for (code, before, recipient, body) in [
        (450, "down", "later", "later"),
        (451, "down", "later", "later"),
        (550, "down", "never", "never"),
        (554, "down", "never", "never"),
        (421, "down", "down", "down"),
        (503, "down", "down", "down"),
        (530, "down", "down", "down"),
        (535, "down", "down", "down"),
    ] {
        let all = [Phase::Before, Phase::Recipient, Phase::Body].map(|phase| meaning(phase, code));
        assert_eq!(all, [before, recipient, body], "{code}");
    }
}

#[test]
fn what_a_break_means_is_a_matter_of_when() {
    let meanings = [Phase::Before, Phase::Recipient, Phase::Body].map(|phase| {
        let fault = Fault::slow(Step::Data, Duration::from_secs(1));
        name(&fault.reason(phase, &Secrets { address: None, password: None }))
    });
    assert_eq!(meanings, ["down", "silent", "unknown"]);
}

#[test]
fn texts_name_no_address_and_no_password() {
    let secrets = Secrets { address: Some("ann.miller@example.org"), password: Some("hunter2") };
    let answer = "5.1.1 <ann.miller@example.org>: user Ann.Miller unknown,\r\n\
                  try eve@example.net, hunter2=hunter2 \u{1b}[31m";
    let text = answer.to_owned();
    let reason = Fault::Refused { step: Step::Recipient, code: 550, text }
        .reason(Phase::Recipient, &secrets);
    let expected = "naming the recipient: the server answered 550 5.1.1 (...) user (...) unknown, \
                    try (...) (...)=(...) [31m";
    assert_eq!(reason, NotSent::Never(expected.to_owned()));

    let endless = Fault::Refused { step: Step::Body, code: 451, text: "ü".repeat(100_000) };
    let NotSent::Later(text) = endless.reason(Phase::Body, &secrets) else { panic!("not later") };
    assert!(text.chars().count() < 400);
}
