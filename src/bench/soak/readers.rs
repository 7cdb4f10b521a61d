//! What readers and their servers send back: bounces to the envelope sender of a message, and unsubscribe mails to
//! the address in its List-Unsubscribe field. Only real tokens work: both are read from what the relay accepted.

use serde_json::Value;
use tokio::sync::mpsc;

use crate::api::client::Client;
use crate::api::path::ApiPath;
use crate::base::clock::Clock;
use crate::bench::material;
use crate::mock_smtp::record::Received;

use super::books::{Books, Left};
use super::daemon::Daemon;
use super::dice::Dice;
use super::lmtp::hand_in;
use super::{AGAIN, LIST, until_done};

/// Maximum number of readers of each kind: the others should still get mail.
const MOST: usize = 60;
/// One message in this number bounces, and one makes its reader leave.
const ONE_IN: u64 = 30;

/// Answers some of the messages that the relay accepted, until dropped.
pub(crate) async fn readers(
    daemon: &Daemon,
    clock: &dyn Clock,
    books: &Books,
    mut taken: mpsc::Receiver<Received>,
    mut dice: Dice,
) {
    let mut number = 0;
    while let Some(message) = taken.recv().await {
        let (Some(reader), Some(leave)) = (message.recipients.first().cloned(), unsubscribe_address(&message.bytes))
        else {
            continue;
        };
        number += 1;
        match dice.below(ONE_IN) {
            0 if books.open().bounced.len() < MOST => {
                let report = material::status_report(&message.sender, &reader, &message.message_id, number);
                until_taken(daemon.port, "", &message.sender, &report).await;
                books.open().bounced.insert(reader);
            }
            1 if books.open().left_by_mail.len() < MOST => {
                let mail = format!(
                    "From: {reader}\r\nTo: {leave}\r\nMessage-ID: <leave{number}@reader.example>\r\n\
                     Subject: unsubscribe\r\n\r\nNo more, please.\r\n"
                );
                until_taken(daemon.port, &reader, &leave, &mail).await;
                books.open().left_by_mail.insert(reader.clone());
                until_gone(&daemon.client, &reader, books).await;
                let mut entries = books.open();
                let left = Left { at: clock.now(), mailings: entries.asked };
                entries.left.entry(reader).or_insert(left);
            }
            _ => {}
        }
    }
}

/// Sends it repeatedly until it is acknowledged; a token makes the second of two do nothing.
async fn until_taken(port: u16, sender: &str, recipient: &str, content: &str) {
    while !matches!(hand_in(port, sender, recipient, content).await, Ok(true)) {
        tokio::time::sleep(AGAIN).await;
    }
}

/// Waits until a mail takes effect: it is acknowledged when it is in the spool, and takes effect soon after.
async fn until_gone(client: &Client, reader: &str, books: &Books) {
    let path = || ApiPath::new("/v1/subscribers").segment(reader);
    loop {
        let shown: Value = until_done(books, "looking at a reader who leaves", || client.get(path())).await;
        if shown["subscriptions"][LIST]["state"] == "ended" {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The mailto address of the message's List-Unsubscribe field (RFC 2369 §3.2); `None` in notices.
fn unsubscribe_address(message: &[u8]) -> Option<String> {
    let header = memchr::memmem::find(message, b"\r\n\r\n").map_or(message, |end| &message[..end]);
    let header = String::from_utf8_lossy(header).replace("\r\n ", " ").replace("\r\n\t", " ");
    let field = header.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with("list-unsubscribe:"))?;
    let (_, address) = field.split_once("<mailto:")?;
    Some(address.split(['?', '>']).next()?.replace("%2B", "+"))
}

#[cfg(test)]
mod tests {
    use super::unsubscribe_address;

    #[test]
    fn finds_the_address_in_a_folded_field_of_the_header() {
        let message = b"From: a@example.org\r\nList-Unsubscribe:\r\n <mailto:soak-unsubscribe+x@lists.example.org?subject=leave>\r\n\r\nhi";
        assert_eq!(unsubscribe_address(message).as_deref(), Some("soak-unsubscribe+x@lists.example.org"));
        assert_eq!(unsubscribe_address(b"From: a\r\n\r\nList-Unsubscribe: <mailto:b@example.org>"), None);
    }
}
