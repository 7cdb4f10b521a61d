//! Repairs header fields from other programs so that any relay accepts them (RFC 5322 §2.1.1, §2.2): ASCII, no line
//! over 998 bytes, no control characters. Valid fields are not changed; others are parsed and rewritten, so that
//! readers see the same words.

use super::headers::{LINE_LIMIT, Mailbox, push_ids, push_mailboxes, push_parameter, push_text};
use super::incoming::Incoming;
use super::raw_header::{RawField, RawHeader};

/// Fields of mailboxes (RFC 5322 §3.6.2, §3.6.3, §3.6.6), in lower case.
const MAILBOXES: [&str; 11] = [
    "bcc",
    "cc",
    "from",
    "reply-to",
    "resent-bcc",
    "resent-cc",
    "resent-from",
    "resent-reply-to",
    "resent-sender",
    "resent-to",
    "to",
];
/// Fields of message ids (RFC 5322 §3.6.4).
const IDS: [&str; 4] = ["in-reply-to", "message-id", "references", "resent-message-id"];
/// Fields with parameters (RFC 2045 §5, RFC 2183).
const WITH_PARAMETERS: [&str; 2] = ["content-disposition", "content-type"];
/// Fields whose syntax has no free text: faults in them cannot be rewritten.
const FIXED: [&str; 8] = [
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
    "content-transfer-encoding",
    "date",
    "dkim-signature",
    "mime-version",
    "received",
];

/// A value with parameters, e.g. of Content-Type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// The text before the first semicolon.
    pub(super) value: String,
    /// Names as written, and values without quotes.
    pub(super) all: Vec<(String, String)>,
}

impl Parameters {
    /// Parses the first field of that name; empty if absent.
    pub(super) fn of(header: &RawHeader<'_>, name: &str) -> Self {
        header.named(name).next().map(|field| Self::read(&field.unfolded())).unwrap_or_default()
    }

    fn read(text: &str) -> Self {
        let mut pieces = split_outside_quotes(text).into_iter();
        let value = pieces.next().unwrap_or_default().trim().to_owned();
        let pair = |piece: String| {
            let (name, value) = piece.split_once('=')?;
            Some((name.trim().to_owned(), unquoted(value.trim())))
        };
        Self { value, all: pieces.filter_map(pair).collect() }
    }

    /// The parameter of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Appends the field.
    pub(super) fn push(&self, out: &mut Vec<u8>, name: &str) {
        let ascii = |text: &str| text.chars().filter(char::is_ascii_graphic).collect::<String>();
        out.extend_from_slice(format!("{name}: {}", ascii(&self.value)).as_bytes());
        for (name, value) in &self.all {
            let plain = value.bytes().all(|o| o.is_ascii_graphic() || o == b' ') && value.len() < LINE_LIMIT / 2;
            match (plain, name.ends_with('*')) {
                // RFC 2231 §4: already percent-encoded; must not be quoted.
                (true, true) => out.extend_from_slice(format!(";\r\n {}={value}", ascii(name)).as_bytes()),
                (true, false) => {
                    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
                    out.extend_from_slice(format!(";\r\n {}=\"{escaped}\"", ascii(name)).as_bytes());
                }
                (false, _) => push_parameter(out, ascii(name).trim_end_matches('*'), value),
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                pieces.push(std::mem::take(&mut piece));
                continue;
            }
            _ => {}
        }
        piece.push(c);
    }
    pieces.push(piece);
    pieces
}

fn unquoted(text: &str) -> String {
    let Some(inside) = text.strip_prefix('"') else { return text.to_owned() };
    let inside = inside.strip_suffix('"').unwrap_or(inside);
    let (mut out, mut escaped) = (String::with_capacity(inside.len()), false);
    for c in inside.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            c => {
                out.push(c);
                escaped = false;
            }
        }
    }
    out
}

/// Appends a field: unchanged if it is valid, otherwise rewritten. Returns `false` and appends nothing if it cannot
/// be rewritten: a non-ASCII address, a broken signature.
pub(super) fn push_sound(out: &mut Vec<u8>, field: &RawField<'_>) -> bool {
    if field.is_sound() {
        out.extend_from_slice(field.name);
        out.push(b':');
        out.extend_from_slice(field.value);
        return true;
    }
    let name = String::from_utf8_lossy(field.name).into_owned();
    let lower = name.to_ascii_lowercase();
    let lower = lower.as_str();
    if FIXED.contains(&lower) {
        return false;
    }
    if WITH_PARAMETERS.contains(&lower) {
        Parameters::read(&field.unfolded()).push(out, &name);
        return true;
    }
    let line = format!("{name}: {}\r\n", field.unfolded());
    let Ok(read) = Incoming::parse_headers(line.as_bytes()) else { return false };
    if MAILBOXES.contains(&lower) {
        let mailboxes: Vec<Mailbox> = read
            .correspondents(&name)
            .into_iter()
            .filter_map(|one| Some(Mailbox { name: Some(one.name.clone()), address: one.address.parse().ok()? }))
            .filter(|one| !one.address.needs_smtputf8())
            .collect();
        if !mailboxes.is_empty() {
            push_mailboxes(out, &name, &mailboxes.iter().collect::<Vec<_>>());
        }
        return !mailboxes.is_empty();
    }
    if IDS.contains(&lower) {
        let words: Vec<String> = field.unfolded().split_whitespace().map(str::to_owned).collect();
        let ids: Vec<&str> = words.iter().map(|word| word.trim_matches(['<', '>', ','])).collect();
        return push_ids(out, &name, &ids);
    }
    let value = read.header(&name).unwrap_or_default();
    if !value.is_empty() {
        push_text(out, &name, value);
    }
    !value.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(field: &[u8]) -> Option<String> {
        let header = RawHeader::new(field);
        let mut out = Vec::new();
        let kept = push_sound(&mut out, &header.fields[0]);
        assert!(out.is_ascii() && out.split(|byte| *byte == b'\n').all(|line| line.len() < 1000));
        kept.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_can_go_is_not_touched() {
        for field in
            ["Subject: Hej\r\n", "subject:  a\r\n\tb \r\n", "X-A:\r\n", "To: a@example.org (=?utf-8?q?=C3=A5?=)\r\n"]
        {
            assert_eq!(repaired(field.as_bytes()).as_deref(), Some(field));
        }
    }

    #[test]
    fn words_beyond_ascii_are_encoded() {
        for (field, expected) in [
            ("Subject: M\u{f6}te p\u{e5} torsdag\r\n".as_bytes(), "Subject: =?utf-8?q?M=C3=B6te_p=C3=A5_torsdag?=\r\n"),
            (b"Subject: M\xf6te p\xe5 torsdag\r\n", "Subject: =?utf-8?q?M=C3=B6te_p=C3=A5_torsdag?=\r\n"),
            (
                "To: \u{c5}sa <asa@example.org>,\r\n B <b@example.org>\r\n".as_bytes(),
                "To: =?utf-8?q?=C3=85sa?= <asa@example.org>,\r\n B <b@example.org>\r\n",
            ),
            (
                "Content-Type: application/pdf; name=\"\u{c5}r 1.pdf\"; x=y\r\n".as_bytes(),
                "Content-Type: application/pdf;\r\n name*=utf-8''%C3%85r%201.pdf;\r\n x=\"y\"\r\n",
            ),
        ] {
            assert_eq!(repaired(field).as_deref(), Some(expected));
        }
    }

    #[test]
    fn long_lines_are_folded_and_no_word_is_lost() {
        let field = format!("Subject: {}\r\n", "y".repeat(1200));
        let text = repaired(field.as_bytes()).unwrap();
        assert_eq!(Incoming::parse_headers(text.as_bytes()).unwrap().subject(), "y".repeat(1200));
        let field = format!("References: {}\r\n", "<abc@example.org> ".repeat(100));
        assert_eq!(repaired(field.as_bytes()).unwrap().matches("<abc@example.org>").count(), 100);
        let field = format!("To: {}\r\n", ["a@example.org"; 100].join(", "));
        assert_eq!(repaired(field.as_bytes()).unwrap().matches("a@example.org").count(), 100);
    }

    #[test]
    fn what_cannot_be_written_otherwise_is_left_out() {
        for field in ["To: \u{e5}sa@example.org\r\n", "DKIM-Signature: \u{e5}\r\n", "References: \u{e5}\r\n"] {
            assert_eq!(repaired(field.as_bytes()), None, "{field}");
        }
    }
}
