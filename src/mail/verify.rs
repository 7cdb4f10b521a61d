//! The self-check of a message: another program's parser must find in it what was put in. Done once for each mailing
//! when it is queued, so that a composing fault is found before mail is sent.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::frame::{InlinePicture, Parts, base_name};
use super::headers::{LINE_LIMIT, one_line};

/// Fields that must occur exactly once at the top of a message.
pub(crate) const ONCE: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Id",
    "List-Unsubscribe",
    "List-Owner",
    "List-Help",
    "MIME-Version",
    "Content-Type",
];

/// The expected content of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// The subject.
    pub subject: &'a str,
    /// The text part.
    pub text: &'a str,
    /// The HTML part.
    pub html: &'a str,
    /// The other parts.
    pub parts: Parts<'a>,
    /// Whether List-Unsubscribe-Post must be there.
    pub one_click: bool,
}

/// Checks a whole message.
///
/// # Errors
/// What is wrong with it: a fault of this program, or content that mail cannot carry.
pub(crate) fn verify(message: &[u8], expected: &Expected<'_>) -> Result<(), String> {
    check_lines(message)?;
    check_fields(message, expected.one_click)?;
    // mail-parser has panicked on odd input before; here that is a finding like any other.
    catch_unwind(AssertUnwindSafe(|| check_content(message, expected)))
        .unwrap_or_else(|_| Err("the parser of the self-check stopped".to_owned()))
}

/// RFC 5321 §2.3.8, RFC 5322 §2.1.1.
fn check_lines(message: &[u8]) -> Result<(), String> {
    for line in message.split_inclusive(|o| *o == b'\n') {
        let Some(bare) = line.strip_suffix(b"\r\n") else {
            return Err("a line does not end in CR LF".to_owned());
        };
        if bare.contains(&b'\r') || bare.contains(&0) {
            return Err("a line contains a bare CR or a NUL".to_owned());
        }
        if bare.len() > LINE_LIMIT {
            return Err(format!("a line has {} bytes, more than {LINE_LIMIT}", bare.len()));
        }
    }
    Ok(())
}

fn check_fields(message: &[u8], one_click: bool) -> Result<(), String> {
    let head = message.windows(4).position(|w| w == b"\r\n\r\n").map_or(message, |end| &message[..end]);
    let head = String::from_utf8_lossy(head);
    let count = |name: &str| {
        head.lines().filter(|line| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name))).count()
    };
    let post = one_click.then_some("List-Unsubscribe-Post");
    for name in ONCE.into_iter().chain(post) {
        if count(name) != 1 {
            return Err(format!("{name} occurs {} times, not once", count(name)));
        }
    }
    Ok(())
}

fn check_content(message: &[u8], expected: &Expected<'_>) -> Result<(), String> {
    let parsed = MessageParser::default().parse(message).ok_or("it cannot be read at all")?;
    same("the subject", parsed.subject().unwrap_or_default(), &one_line(expected.subject))?;
    same("the text part", &parsed.body_text(0).unwrap_or_default(), expected.text)?;
    same("the HTML part", &parsed.body_html(0).unwrap_or_default(), expected.html)?;
    if let Some(calendar) = expected.parts.calendar {
        let part = parsed.parts.iter().find(|part| part.is_content_type("text", "calendar"));
        let part = part.ok_or("the calendar part is missing")?;
        let method = part.content_type().and_then(|kind| kind.attribute("method")).unwrap_or_default();
        if method != calendar.method || !calendar.text.contains(&format!("\r\nMETHOD:{method}\r\n")) {
            return Err(format!("the calendar's method is {method:?}, not {:?}", calendar.method));
        }
        same("the calendar part", &String::from_utf8_lossy(part.contents()), &calendar.text)?;
    }
    check_pictures(&parsed, expected)?;
    for attachment in expected.parts.attachments {
        let is_it = |part: &MessagePart<'_>| {
            part.content_disposition().is_some_and(|kind| kind.is_attachment())
                && part.contents() == attachment.bytes.as_slice()
        };
        if !parsed.parts.iter().any(is_it) {
            return Err(format!("the attachment {:?} is not read back as it was written", attachment.file_name));
        }
    }
    Ok(())
}

/// RFC 2387, RFC 2392: each picture is once in the multipart/related that begins with the HTML, and the HTML refers to no
/// others. Templates of an installation may leave some out: mail programs list these as files.
fn check_pictures(message: &Message<'_>, expected: &Expected<'_>) -> Result<(), String> {
    let pictures = expected.parts.pictures;
    let referred = expected.html.split("\"cid:").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    let referred: BTreeSet<&str> = referred.collect();
    let given: BTreeSet<&str> = pictures.iter().map(|picture| picture.content_id.as_str()).collect();
    if !referred.is_subset(&given) || given.len() != pictures.len() {
        return Err(format!("the HTML part shows the pictures {referred:?}, and the message has {given:?}"));
    }
    let inline = |part: &&MessagePart<'_>| part.content_id().is_some();
    let found: Vec<&MessagePart<'_>> = message.parts.iter().filter(inline).collect();
    if found.len() != pictures.len() {
        return Err(format!("{} pictures are read back, not {}", found.len(), pictures.len()));
    }
    for (part, picture) in found.iter().zip(pictures) {
        if !is_picture(part, picture) {
            return Err(format!("the picture {:?} is not read back as it was written", picture.file_name));
        }
    }
    if pictures.is_empty() { Ok(()) } else { check_related(message, pictures.len()) }
}

fn is_picture(part: &MessagePart<'_>, picture: &InlinePicture) -> bool {
    let kind = part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()));
    part.content_id() == Some(picture.content_id.as_str())
        && kind.as_deref() == Some(picture.media_type)
        && part.content_disposition().is_some_and(|kind| kind.is_inline())
        && part.attachment_name() == Some(base_name(&picture.file_name).as_str())
        && part.contents() == picture.bytes.as_slice()
}

/// The HTML comes first within multipart/related, and all pictures follow it there.
fn check_related(message: &Message<'_>, pictures: usize) -> Result<(), String> {
    let related = message.parts.iter().find(|part| part.is_content_type("multipart", "related"));
    let related = related.ok_or("the pictures are not in a multipart/related")?;
    let of_html = related.content_type().and_then(|kind| kind.attribute("type")) == Some("text/html");
    let PartType::Multipart(inside) = &related.body else { return Err("multipart/related has no parts".to_owned()) };
    let first = inside.first().and_then(|id| message.parts.get(usize::try_from(*id).ok()?));
    let begins = first.is_some_and(|part| part.is_content_type("text", "html"));
    match of_html && begins && inside.len() == pictures + 1 {
        true => Ok(()),
        false => Err("multipart/related does not hold the HTML part and its pictures".to_owned()),
    }
}

fn same(what: &str, found: &str, expected: &str) -> Result<(), String> {
    // Parsers return line ends differently; the lines are the same.
    match found.lines().eq(expected.lines()) {
        true => Ok(()),
        false => Err(format!("{what} is not read back as it was written")),
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
