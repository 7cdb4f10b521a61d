//! The extensions that a relay offers after EHLO, and the commands that use them.

use std::borrow::Cow;

use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter, RcptParameter};
use lettre::transport::smtp::response::Response;

use crate::mail::relayable::{fits, relayable};

use super::Envelope;
use super::Pieces;

/// The extensions a relay offers; lettre knows only some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// RFC 2920.
    pub(super) pipelining: bool,
    /// RFC 6152.
    pub(super) eight_bit: bool,
    /// RFC 6531.
    pub(super) utf8: bool,
    /// RFC 3461.
    pub(super) dsn: bool,
    /// RFC 3207.
    pub(super) start_tls: bool,
    /// RFC 1870: offered, with the maximum message size in bytes, 0 if the relay does not say.
    pub(super) size: Option<u64>,
    /// RFC 4954: mechanisms, upper case.
    pub(super) auth: Vec<String>,
}

impl Extensions {
    /// Parses a reply to EHLO: the first line is the relay's name, each other line offers one extension.
    pub(super) fn from_response(response: &Response) -> Self {
        let mut offered = Self::default();
        for line in response.message().skip(1) {
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "PIPELINING" => offered.pipelining = true,
                "8BITMIME" => offered.eight_bit = true,
                "SMTPUTF8" => offered.utf8 = true,
                "DSN" => offered.dsn = true,
                "STARTTLS" => offered.start_tls = true,
                "SIZE" => offered.size = Some(words.next().and_then(|most| most.parse().ok()).unwrap_or(0)),
                "AUTH" => offered.auth.extend(words.map(str::to_ascii_uppercase)),
                _ => {}
            }
        }
        offered
    }

    /// The message changed as this relay requires: in ASCII if it offers no 8BITMIME (RFC 6152 §3). `None` if it goes
    /// unchanged, also if a change would break a signature, which [`Extensions::obstacle`] then reports.
    pub(super) fn fitted(&self, message: Pieces<'_>) -> Option<Vec<u8>> {
        if self.eight_bit || message.iter().all(|piece| fits(piece, false)) {
            return None;
        }
        relayable(&message.concat(), false).map(Cow::into_owned).ok()
    }

    /// Why a message can never go over this relay; `None` if it can.
    pub(super) fn obstacle(&self, envelope: &Envelope, message: Pieces<'_>) -> Option<String> {
        let eight_bit = !is_ascii(message);
        let length = message.iter().map(|piece| piece.len()).sum::<usize>();
        if envelope.needs_smtputf8() && !self.utf8 {
            return Some("the address has letters beyond ASCII and the relay offers no SMTPUTF8 (RFC 6531)".to_owned());
        }
        if eight_bit && !self.eight_bit {
            let why = relayable(&message.concat(), false).err().map(|unfit| format!(": {unfit}")).unwrap_or_default();
            return Some(format!(
                "the message has bytes beyond ASCII and the relay offers no 8BITMIME (RFC 6152){why}"
            ));
        }
        match self.size {
            Some(most) if most > 0 && length as u64 > most => Some(format!(
                "the message has {length} bytes and the relay accepts at most {most}: make its attachments smaller"
            )),
            _ => None,
        }
    }

    /// The commands MAIL and RCPT, without CRLF.
    pub(super) fn envelope_commands(&self, envelope: &Envelope, message: Pieces<'_>) -> [String; 2] {
        let mut mail = format!("MAIL FROM:<{}>", envelope.reverse_path());
        let mut recipient = format!("RCPT TO:<{}>", envelope.recipient);
        let mut add = |parameter: MailParameter| mail.push_str(&format!(" {parameter}"));
        if self.size.is_some() {
            add(MailParameter::Size(message.iter().map(|piece| piece.len()).sum()));
        }
        if self.eight_bit && !is_ascii(message) {
            add(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if envelope.needs_smtputf8() {
            add(MailParameter::SmtpUtfEight);
        }
        if self.dsn {
            // RFC 3461 §4: bounces need not return the message, and identify the subscriber as we wrote them.
            add(MailParameter::Other { keyword: "RET".to_owned(), value: Some("HDRS".to_owned()) });
            let id: String = envelope.envelope_id.chars().filter(char::is_ascii_graphic).take(100).collect();
            if !id.is_empty() {
                add(MailParameter::Other { keyword: "ENVID".to_owned(), value: Some(id) });
            }
            recipient.push_str(" NOTIFY=FAILURE");
            if !envelope.recipient.needs_smtputf8() {
                let value = Some(format!("rfc822;{}", envelope.recipient));
                let original = RcptParameter::Other { keyword: "ORCPT".to_owned(), value };
                recipient.push_str(&format!(" {original}"));
            }
        }
        [mail, recipient]
    }
}

fn is_ascii(message: Pieces<'_>) -> bool {
    message.iter().all(|piece| piece.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(recipient: &str, id: &str) -> Envelope {
        Envelope {
            sender: Some("bounce@lists.example.org".parse().unwrap()),
            recipient: recipient.parse().unwrap(),
            envelope_id: id.to_owned(),
        }
    }

    #[test]
    fn reads_offers() {
        let reply = "250-mx.example\r\n250-pipelining\r\n250-SIZE 1000\r\n250-AUTH plain LOGIN\r\n250 DSN\r\n";
        let offered = Extensions::from_response(&reply.parse().unwrap());
        let auth = vec!["PLAIN".to_owned(), "LOGIN".to_owned()];
        let expected = Extensions { pipelining: true, dsn: true, size: Some(1000), auth, ..Extensions::default() };
        assert_eq!(offered, expected);
        assert!(
            offered.obstacle(&envelope("a@example.org", ""), [&[b'a'; 500], &[b'a'; 501]]).unwrap().contains("1000")
        );
    }

    #[test]
    fn asks_only_for_what_is_offered() {
        let none = Extensions::default();
        let commands = none.envelope_commands(&envelope("a@example.org", "m1"), [b"x", b""]);
        assert_eq!(commands, ["MAIL FROM:<bounce@lists.example.org>", "RCPT TO:<a@example.org>"]);
        let all = Extensions { size: Some(0), dsn: true, eight_bit: true, utf8: true, ..Extensions::default() };
        let commands = all.envelope_commands(&envelope("a+b@example.org", "m1+2\r\nRCPT"), [b"", "å".as_bytes()]);
        assert_eq!(
            commands,
            [
                "MAIL FROM:<bounce@lists.example.org> SIZE=2 BODY=8BITMIME RET=HDRS ENVID=m1+2B2RCPT",
                "RCPT TO:<a+b@example.org> NOTIFY=FAILURE ORCPT=rfc822;a+2Bb@example.org",
            ]
        );
    }

    #[test]
    fn says_what_stands_in_the_way() {
        let none = Extensions::default();
        assert!(none.obstacle(&envelope("å@example.org", ""), [b"x", b""]).unwrap().contains("SMTPUTF8"));
        assert!(none.obstacle(&envelope("a@example.org", ""), [b"x", "å".as_bytes()]).unwrap().contains("8BITMIME"));
        assert_eq!(none.obstacle(&envelope("a@example.org", ""), [b"x", b""]), None);
    }
}
