//! The original message of a report, as far as it was returned: identifies the mailing and the subscriber.

use crate::mail::incoming::Incoming;

use super::address;

/// What is known of the original message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// Its Message-ID, without angle brackets.
    pub message_id: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// The addresses in its To.
    pub to: Vec<String>,
    /// The addresses in its From.
    pub from: Vec<String>,
    /// Addresses that may be its envelope sender, i.e. ours with the signed token, the most likely first.
    pub senders: Vec<String>,
    /// Its List-Unsubscribe, which also contains a signed token.
    pub list_unsubscribe: Option<String>,
    /// Recipient addresses in its Received fields, X-Failed-Recipients and similar ones.
    pub delivered_to: Vec<String>,
}

impl Original {
    /// Reads it from the returned message, from a part with its header fields, or from the text.
    pub(super) fn new(mail: &Incoming, in_text: Option<&str>) -> Self {
        let mut original = Self::default();
        let text = in_text.and_then(|text| Incoming::parse_headers(header_end(text).as_bytes()).ok());
        let returned = mail.embedded().filter(|one| !one.headers().is_empty()).cloned();
        let returned = returned.or_else(|| in_attachment(mail)).or(text);
        // The report was sent to the envelope sender (RFC 3464 §2).
        for name in ["Delivered-To", "X-Original-To", "To"] {
            let values = mail.headers_named(name).filter_map(|header| address::first(&header.raw));
            original.senders.extend(values);
        }
        if let Some(returned) = returned {
            original.read(&returned);
        }
        original.senders.dedup();
        original
    }

    fn read(&mut self, returned: &Incoming) {
        let all = |name: &str| -> Vec<String> {
            returned
                .headers_named(name)
                .flat_map(|header| address::find(&header.value))
                .map(|found| found.address)
                .collect()
        };
        self.message_id = returned.message_id().map(str::to_owned);
        self.subject = returned.header("Subject").map(str::to_owned);
        self.list_unsubscribe = returned.header("List-Unsubscribe").map(str::to_owned);
        self.to = all("To");
        self.from = all("From");
        for name in ["Return-Path", "X-Envelope-From", "Sender", "Errors-To"] {
            self.senders.extend(all(name));
        }
        for name in ["X-Envelope-To", "X-Original-To", "Envelope-To", "Delivered-To", "X-Receiver", "X-Rcpt-To"] {
            self.delivered_to.extend(all(name));
        }
        for received in returned.headers_named("Received").take(30) {
            let lower = received.value.to_ascii_lowercase();
            let place = lower.rfind(" for ").map(|at| at + 5);
            let found = place.and_then(|at| received.value.get(at..)).and_then(address::first);
            self.delivered_to.extend(found);
        }
    }

    /// The addresses that the message was sent from, without the recipient's: some write to themselves.
    pub(super) fn ours<'a>(&'a self, recipient: Option<&str>) -> Vec<&'a str> {
        let all = self.from.iter().chain(&self.senders).map(String::as_str);
        all.filter(|one| !recipient.is_some_and(|recipient| address::same(one, recipient))).collect()
    }

    /// Whether the message was sent from this address, or the report was sent to it.
    pub(super) fn is_sender(&self, one: &str) -> bool {
        self.from.iter().chain(&self.senders).any(|other| address::same(one, other))
    }
}

/// A part that contains a message's header and is labelled as text.
fn in_attachment(mail: &Incoming) -> Option<Incoming> {
    let texts = mail.parts().iter().filter(|part| !part.is_text_body).filter_map(|part| part.text.as_deref());
    let mut headers = texts.filter(|text| {
        let start = &text[..text.floor_char_boundary(4000)];
        ["Received:", "Message-ID:", "Message-Id:", "From:"].iter().any(|field| start.contains(field))
    });
    Incoming::parse_headers(header_end(headers.next()?).as_bytes()).ok()
}

/// The text up to its first empty line after fields.
fn header_end(text: &str) -> &str {
    let text = text.trim_start();
    let text = &text[..text.floor_char_boundary(32 * 1024)];
    let end = ["\r\n\r\n", "\n\n"].iter().filter_map(|mark| text.find(mark)).min();
    &text[..end.unwrap_or(text.len())]
}
