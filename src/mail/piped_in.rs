//! A message piped in by a mail system, or saved to a file: converts it to the form used on the wire, and extracts
//! what it says about its envelope.
//!
//! Postfix, Exim and sendmail put the envelope before the message in one or more of these forms: a line `From SENDER
//! DATE` as in an mbox, Return-Path, X-Original-To, Delivered-To.

use super::incoming::Incoming;

/// A message in the form used on the wire (RFC 5322 §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PipedIn {
    /// The message. Each line ends in CR LF.
    pub bytes: Vec<u8>,
    /// The sender in a first line `From SENDER DATE`, which is not part of the message.
    pub separator_sender: Option<String>,
}

/// What a message says about its envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvelopeHints {
    /// The envelope sender; empty for the null reverse-path. `None` if unknown.
    pub sender: Option<String>,
    /// The original recipients, from the newest X-Original-To, then the newest Delivered-To.
    pub delivered_to: Vec<String>,
    /// The addressees: To, Cc, Bcc, and the same with Resent-.
    pub addressed_to: Vec<String>,
}

impl PipedIn {
    /// Removes the separator line and ends all lines with CR LF.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let (separator_sender, message) = match bytes.strip_prefix(b"From ") {
            Some(rest) => {
                let (line, message) = match rest.iter().position(|byte| *byte == b'\n') {
                    Some(end) => (&rest[..end], &rest[end + 1..]),
                    None => (rest, &[][..]),
                };
                let sender = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
                (Some(String::from_utf8_lossy(sender).into_owned()), message)
            }
            None => (None, bytes),
        };
        Self { bytes: with_crlf(message), separator_sender }
    }

    /// What the message says about its envelope. Any of it may be forged: it says where a message may be meant to go,
    /// and proves nothing.
    pub(crate) fn hints(&self, message: &Incoming) -> EnvelopeHints {
        let newest =
            |name| message.headers_named(name).next().map(|field| bare(&field.value)).filter(|a| !a.is_empty());
        let all = |name: &str| message.correspondents(name).into_iter().map(|c| c.address.clone()).collect::<Vec<_>>();
        let return_path = message.header("Return-Path").map(bare);
        // Sendmail and Postfix write MAILER-DAEMON there for the null reverse-path.
        let separator = self.separator_sender.as_deref().map(|sender| match sender {
            "MAILER-DAEMON" | "<>" => String::new(),
            sender => sender.to_owned(),
        });
        let from = || message.from().map(|from| from.address.clone()).filter(|address| !address.is_empty());
        let mut addressed_to: Vec<String> =
            ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"].into_iter().flat_map(all).collect();
        addressed_to.retain(|address| !address.is_empty());
        EnvelopeHints {
            sender: return_path.or(separator).or_else(from),
            delivered_to: [newest("X-Original-To"), newest("Delivered-To")].into_iter().flatten().collect(),
            addressed_to,
        }
    }
}

/// An address without blanks and angle brackets.
fn bare(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text).trim().to_owned()
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32 + 2);
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..end]);
        out.extend_from_slice(b"\r\n");
        let ending = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = rest.get(end + ending..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(bytes: &[u8]) -> EnvelopeHints {
        let handed = PipedIn::new(bytes);
        handed.hints(&Incoming::parse(&handed.bytes).unwrap())
    }

    #[test]
    fn all_lines_end_in_cr_lf() {
        for (given, expected) in [
            (&b"a\nb\r\nc\rd\n\ne"[..], &b"a\r\nb\r\nc\r\nd\r\n\r\ne\r\n"[..]),
            (b"", b""),
            (b"\r\r\n\n", b"\r\n\r\n\r\n"),
            (b"whole\r\n", b"whole\r\n"),
        ] {
            assert_eq!(PipedIn::new(given).bytes, expected, "{given:?}");
        }
    }

    #[test]
    fn the_envelope_is_read_from_where_mail_systems_put_it() {
        let piped = b"From karin@example.net  Mon Nov  2 09:00:00 2026\n\
            Return-Path: <karin-env@example.net>\n\
            X-Original-To: media-subscribe@lists.example.org\n\
            Delivered-To: depesch@host.example.org\n\
            Delivered-To: older@example.net\n\
            From: Karin Ek <karin@example.net>\n\
            To: \"Media\" <media@lists.example.org>, red@example.net\n\
            Cc: Listan: ett@example.net, media-owner@lists.example.org;\n\nHej\n";
        let found = hints(piped);
        assert_eq!(found.sender.as_deref(), Some("karin-env@example.net"));
        assert_eq!(found.delivered_to, ["media-subscribe@lists.example.org", "depesch@host.example.org"]);
        let addressed =
            ["media@lists.example.org", "red@example.net", "ett@example.net", "media-owner@lists.example.org"];
        assert_eq!(found.addressed_to, addressed);
        assert!(PipedIn::new(piped).bytes.starts_with(b"Return-Path: "));
    }

    #[test]
    fn the_null_sender_stays_null() {
        assert_eq!(hints(b"Return-Path: <>\nFrom: mailer-daemon@example.net\n\nx\n").sender.as_deref(), Some(""));
        assert_eq!(
            hints(b"From MAILER-DAEMON Mon Nov  2 09:00:00 2026\nFrom: a@example.net\n\nx\n").sender.as_deref(),
            Some("")
        );
        assert_eq!(hints(b"From: a@example.net\n\nx\n").sender.as_deref(), Some("a@example.net"));
        assert_eq!(hints(b"Subject: x\n\nx\n").sender, None);
    }
}
