use super::*;
use engine::Timestamp;

fn mail() -> Mail {
    Mail {
        id: [0x11; 16],
        to_address: "ann@example.org".to_owned(),
        to_name: Some("Ann Müller".to_owned()),
        subject: "Dein Platz: Grüße".to_owned(),
        text: "Hallo Ann,\n\ndein Platz ist sicher.\n".to_owned(),
        html: "<p>Hallo Ann</p>\n".to_owned(),
        created_at: Timestamp::from_millis(1_764_100_000_123),
    }
}

fn sender() -> Sender {
    Sender::parse("EventFlow <events@example.com>").unwrap()
}

fn written(mail: &Mail) -> String {
    String::from_utf8(sender().letter(mail).unwrap().bytes).unwrap()
}

/// The headers of the message itself, a line each.
fn headers(text: &str) -> Vec<String> {
    let head = text.split_once("\r\n\r\n").unwrap().0.replace("\r\n ", " ");
    head.split("\r\n").map(ToOwned::to_owned).collect()
}

/// What a reader shows of a header: every encoded word in it is decoded, as the more lenient of
/// them do, and what is between two of them is left out.
fn shown(header: &str) -> String {
    let (mut shown, mut rest, mut after_word) = (Vec::new(), header, false);
    while let Some((before, word)) = rest.split_once("=?") {
        let mut parts = word.splitn(4, '?');
        let (charset, how) = (parts.next().unwrap(), parts.next().unwrap());
        let text = parts.next().unwrap();
        assert_eq!(charset, "utf-8");
        if !after_word || !before.trim().is_empty() {
            shown.extend_from_slice(before.as_bytes());
        }
        shown.extend(if how == "q" { from_q(text) } else { from_base64(text) });
        rest = parts.next().unwrap().strip_prefix('=').unwrap();
        after_word = true;
    }
    shown.extend_from_slice(rest.as_bytes());
    String::from_utf8(shown).unwrap()
}

fn from_q(text: &str) -> Vec<u8> {
    let mut parts = text.split('=');
    let mut bytes = parts.next().unwrap().replace('_', " ").into_bytes();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].replace('_', " ").bytes());
    }
    bytes
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for digit in text.trim_end_matches('=').chars() {
        bits = bits << 6 | u32::try_from(DIGITS.find(digit).unwrap()).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn a_text_that_looks_like_an_encoded_word_is_shown_as_it_was_written() {
    for text in [
        // What it stands for would be turned around, end a line, or be a name.
        "=?utf-8?b?4oCu?=",
        "Hello =?utf-8?q?=0D=0ABcc:_eve?= there",
        "Größe =?iso-8859-1?q?=61?= Grüße =?utf-8?b?QQ==?=",
        "x=?utf-8?q?a?=y =?",
        "=?=?utf-8?q?a?=?=",
        "(=?utf-8?q?a_b?=)",
        "=?utf-8?q?",
        &"ü\u{1f389}=?utf-8?q?a?= a_b ".repeat(6),
    ] {
        let text = text.trim();
        let mail = Mail { subject: text.to_owned(), to_name: Some(text.to_owned()), ..mail() };
        let written = written(&mail);
        // Of a line with an encoded word in it (RFC 2047); those of addresses are lettre's.
        let subject = written.split_once("Subject: ").unwrap().1.split_once("Auto-").unwrap().0;
        assert!(format!("Subject: {subject}").lines().all(|line| line.len() <= 76), "{subject}");
        let headers = headers(&written);
        assert_eq!(headers.len(), 8, "{headers:?}");
        assert_eq!(shown(&headers[3]), format!("To: {text} <ann@example.org>"));
        assert_eq!(shown(&headers[4]), format!("Subject: {text}"));
    }
}

#[test]
fn a_senders_name_that_looks_like_an_encoded_word_is_shown_as_it_was_written() {
    let from = "=?utf-8?b?4oCu?= <events@example.com>";
    let letter = Sender::parse(from).unwrap().letter(&mail()).unwrap();
    let headers = headers(&String::from_utf8(letter.bytes).unwrap());
    assert_eq!(shown(&headers[2]), format!("From: {from}"));
}

#[test]
fn a_message_has_these_headers_and_no_others() {
    let headers = headers(&written(&mail()));
    assert_eq!(
        headers,
        [
            "Message-ID: <11111111-1111-1111-1111-111111111111@example.com>",
            "Date: Tue, 25 Nov 2025 19:46:40 +0000",
            "From: EventFlow <events@example.com>",
            "To: =?utf-8?b?QW5uIE3DvGxsZXI=?= <ann@example.org>",
            "Subject: Dein Platz: =?utf-8?b?R3LDvMOfZQ==?=",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: multipart/alternative; \
             boundary=\"=_11111111111111111111111111111111\"",
        ]
    );
}

#[test]
fn the_same_message_is_the_same_to_the_byte() {
    assert_eq!(written(&mail()), written(&mail()));
}

#[test]
fn lines_are_short_and_ascii_whatever_the_text() {
    let long = "日本語 und Grüße ".repeat(500) + "\nnew\r\nmac\rend";
    let mail = Mail {
        subject: "ü".repeat(2_000),
        to_name: Some("é".repeat(2_000)),
        text: long.clone(),
        html: long,
        ..mail()
    };
    let text = written(&mail);
    assert!(text.is_ascii());
    assert!(text.split("\r\n").all(|line| line.len() <= 78), "a line is too long");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "an end of line is odd");
    assert!(!text.contains("=0D") && !text.contains("=0A"), "an end of line is no end of line");
}

#[test]
fn a_long_word_of_a_subject_stays_within_a_line() {
    let text = written(&Mail { subject: "a".repeat(5_000), ..mail() });
    assert!(text.split("\r\n").all(|line| line.len() <= 998));
}

#[test]
fn a_line_end_in_a_subject_or_a_name_ends_no_header() {
    for end in ["\r\n", "\n", "\r", "\u{b}", "\u{85}", "\u{2028}", "\0\n"] {
        let added = format!("x{end}Bcc: eve@example.org{end}{end}<script>");
        let mail = Mail { subject: added.clone(), to_name: Some(added), ..mail() };
        let headers = headers(&written(&mail));
        assert_eq!(headers.len(), 8, "{end:?}: {headers:?}");
        assert!(headers.iter().all(|line| !line.starts_with("Bcc")), "{headers:?}");
        assert_eq!(headers[4], "Subject: x Bcc: eve@example.org <script>");
    }
}

#[test]
fn a_name_cannot_be_an_address() {
    let name = "Eve <eve@example.org>, \"Mallory\" <mallory@example.org>";
    let letter = sender().letter(&Mail { to_name: Some(name.to_owned()), ..mail() }).unwrap();
    assert_eq!(letter.to.to_string(), "ann@example.org");
    let text = String::from_utf8(letter.bytes).unwrap();
    let to = headers(&text).into_iter().find(|line| line.starts_with("To: ")).unwrap();
    // All of the name is in words that mean nothing to whoever reads addresses.
    assert_eq!(to.matches(['<', '>', '@', ',', '"']).collect::<String>(), "<@>", "{to}");
}

#[test]
fn an_address_that_cannot_be_one_is_never_sent_to() {
    let wrong = [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@exa mple.org",
        "ann@example.org\r\nBcc: eve@example.org",
        "\"ann\r\nDATA\r\n\"@example.org",
        "ann@example.org>\r\nRCPT TO:<eve@example.org",
        "ann@example.org,eve@example.org",
        "<ann@example.org>",
        "ann@example..org",
    ];
    for to_address in wrong {
        let mail = Mail { to_address: to_address.to_owned(), ..mail() };
        match sender().letter(&mail) {
            Err(NotSent::Unfit(why)) => assert!(!why.contains("example"), "{why}"),
            Err(other) => panic!("{to_address:?}: {other:?}"),
            Ok(letter) => panic!("{to_address:?} became {}", letter.to),
        }
    }
}

#[test]
fn a_domain_goes_in_its_ascii_form() {
    let mail = Mail { to_address: "ann@bücher.example".to_owned(), ..mail() };
    let letter = sender().letter(&mail).unwrap();
    assert_eq!(letter.to.to_string(), "ann@xn--bcher-kva.example");
    assert!(!letter.international());
    assert!(letter.bytes.is_ascii());
}

#[test]
fn a_name_before_the_at_stays_as_it_is() {
    let mail = Mail { to_address: "jürgen@bücher.example".to_owned(), ..mail() };
    let letter = sender().letter(&mail).unwrap();
    assert_eq!(letter.to.to_string(), "jürgen@xn--bcher-kva.example");
    assert!(letter.international());
}

#[test]
fn dates_that_mail_cannot_write_are_moved() {
    for (millis, written_as) in [
        (-1, "Date: Thu, 01 Jan 1970 00:00:00 +0000"),
        (i64::MIN, "Date: Thu, 01 Jan 1970 00:00:00 +0000"),
        (i64::MAX, "Date: Fri, 31 Dec 9999 23:59:59 +0000"),
    ] {
        let mail = Mail { created_at: Timestamp::from_millis(millis), ..mail() };
        assert!(headers(&written(&mail)).contains(&written_as.to_owned()));
    }
}

#[test]
fn a_sender_is_a_mailbox() {
    for from in ["events@example.com", "EventFlow <events@example.com>", " <events@example.com> "] {
        assert_eq!(Sender::parse(from).unwrap().domain(), "example.com");
    }
    let domain = Sender::parse("events@bücher.example").unwrap();
    assert_eq!(domain.domain(), "xn--bcher-kva.example");
    for from in ["", "events", "a@b, c@d", "E <events@example.com>\r\nBcc: x@y", "jürgen@a.example"]
    {
        assert!(Sender::parse(from).is_err(), "{from:?}");
    }
}
