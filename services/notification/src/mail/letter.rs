//! What a message looks like on the wire.
//!
//! Lines are short and ASCII whatever the text: both parts are quoted-printable, headers are
//! encoded words. The one exception is an address that is not ASCII before its `@`, which
//! only a server that knows SMTPUTF8 takes. A domain that is not ASCII goes in its ASCII form.
//! A text that looks like an encoded word is encoded too: readers show it as it was written,
//! and not what it would stand for, which nobody has cleaned.
//!
//! Nothing in a name or a subject can end a header: control characters are spaces here. An
//! address with one is no address.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use uuid::Uuid;

use super::{Mail, NotSent};

/// Characters of a subject; more are cut off. Written out plainly they stay below the 998
/// of a line.
const SUBJECT: usize = 500;

/// Characters of a name; more are cut off.
const NAME: usize = 200;

/// How an encoded word begins (RFC 2047).
const ENCODED: &str = "=?";

/// Bytes of a subject that one encoded word stands for at most, at three characters each: with
/// what is around them they stay below the 75 of a word and the 76 of a line.
const WORD: usize = 16;

/// The last millisecond of the year 9999, where dates of mail end.
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// Who sends.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    mailbox: Mailbox,
}

/// A message as it travels.
pub(super) struct Letter {
    pub(super) from: Address,
    pub(super) to: Address,
    /// All of it, with CRLF at the ends of lines.
    pub(super) bytes: Vec<u8>,
}

impl Letter {
    /// Whether it needs a server that knows SMTPUTF8.
    pub(super) fn international(&self) -> bool {
        !self.to.user().is_ascii()
    }
}

impl Sender {
    /// Reads `EventFlow <events@example.org>` or a bare address.
    ///
    /// # Errors
    /// When it is neither, or is not ASCII before its `@`: too few servers would take it.
    pub(super) fn parse(from: &str) -> Result<Self, String> {
        let wrong = || format!("`{from}` is not a mailbox: `Name <address>` or an address");
        if from.contains(char::is_control) {
            return Err(wrong());
        }
        let mailbox: Mailbox = from.trim().parse().map_err(|_| wrong())?;
        let email = in_ascii(mailbox.email).ok_or_else(wrong)?;
        if !email.user().is_ascii() {
            return Err(format!("`{from}` is not ASCII before its `@`: few servers take such"));
        }
        Ok(Self { mailbox: Mailbox::new(mailbox.name, email) })
    }

    /// The address.
    pub(super) fn address(&self) -> &Address {
        &self.mailbox.email
    }

    /// The part of the address behind the `@`, in ASCII.
    pub(super) fn domain(&self) -> &str {
        self.mailbox.email.domain()
    }

    /// The message as it travels.
    ///
    /// # Errors
    /// `Never`, when the address cannot be one.
    pub(super) fn letter(&self, mail: &Mail) -> Result<Letter, NotSent> {
        let never = |why: &str| NotSent::Unfit(why.to_owned());
        let to = address(&mail.to_address).ok_or_else(|| never("the address cannot be one"))?;
        let name = mail.to_name.as_deref().map(|name| clean(name, NAME));
        let name = name.filter(|name| !name.is_empty());
        let id = Uuid::from_bytes(mail.id);
        let automatic = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        // Of the id, so that a repeat is the same to the byte. No line of quoted-printable
        // can be it: there is no `=_` in one.
        let parts = MultiPart::alternative().boundary(format!("=_{}", id.simple()));
        let message = Message::builder()
            .message_id(Some(format!("<{}@{}>", id.hyphenated(), self.domain())))
            .date(date(mail.created_at.millis()))
            .from(self.mailbox.clone())
            .to(Mailbox::new(name, to.clone()))
            .raw_header(subject(clean(&mail.subject, SUBJECT)))
            .raw_header(automatic)
            .multipart(
                parts
                    .singlepart(part(ContentType::TEXT_PLAIN, &mail.text)?)
                    .singlepart(part(ContentType::TEXT_HTML, &mail.html)?),
            );
        let message =
            message.map_err(|error| never(&format!("no message can be made: {error}")))?;
        Ok(Letter { from: self.mailbox.email.clone(), to, bytes: message.formatted() })
    }
}

/// One part, in lines that every server takes.
fn part(kind: ContentType, text: &str) -> Result<SinglePart, NotSent> {
    // A lone CR counts as the end of a line to some readers and as nothing to others.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable);
    let body = body.map_err(|_| NotSent::Unfit("the text cannot be encoded".to_owned()))?;
    Ok(SinglePart::builder().header(kind).body(body))
}

/// The subject. lettre writes what is ASCII as it is, what looks like an encoded word too; in
/// names it encodes that.
fn subject(text: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Subject");
    if !text.contains(ENCODED) {
        return HeaderValue::new(name, text);
    }
    let encoded = encoded_words(&text);
    HeaderValue::dangerous_new_pre_encoded(name, text, encoded)
}

/// All of a text in encoded words, a line each.
fn encoded_words(text: &str) -> String {
    let mut lines = String::new();
    let mut word = 0;
    for c in text.chars() {
        if lines.is_empty() || word + c.len_utf8() > WORD {
            // Readers leave out what is between two encoded words.
            lines.push_str(if lines.is_empty() { "=?utf-8?q?" } else { "?=\r\n =?utf-8?q?" });
            word = 0;
        }
        word += c.len_utf8();
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            if byte.is_ascii_alphanumeric() {
                lines.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(lines, "={byte:02X}");
            }
        }
    }
    lines + "?="
}

/// An address, with its domain in ASCII.
fn address(text: &str) -> Option<Address> {
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return None;
    }
    in_ascii(text.parse().ok()?)
}

fn in_ascii(address: Address) -> Option<Address> {
    if address.domain().is_ascii() {
        return Some(address);
    }
    let domain = idna::domain_to_ascii(address.domain()).ok()?;
    Address::new(address.user(), domain).ok()
}

/// One line, not too long, without control characters.
fn clean(text: &str, most: usize) -> String {
    let spaced: String = text.chars().map(|c| if breaks(c) { ' ' } else { c }).take(most).collect();
    spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether it may begin a new line for somebody.
fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The nearest date that mail can write.
fn date(millis: i64) -> SystemTime {
    let millis = millis.clamp(0, LAST_MILLIS);
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs())
}

#[cfg(test)]
mod tests;
