//! Composes notices, mails of our own to one reader that belong to no mailing, and the fields that are put before a
//! forwarded message.

use crate::base::clock::Timestamp;

use super::compose::{Body, ComposeError, ListFields, add_body, push_date, push_list_id};
use super::frame::{Frame, Parts};
use super::headers::{Mailbox, push_ids, push_mailboxes, push_plain, push_text, push_uris};

/// Maximum number of ids in References: the first, which identifies the thread, and the last ones.
const REFERENCES: usize = 20;

/// The field that marks our own mail, to detect loops.
pub(crate) const LOOP_FIELD: &str = "X-Loop";

/// The header fields of a notice.
#[derive(Clone, Debug)]
pub(crate) struct NoticeHead<'a> {
    /// From.
    pub from: &'a Mailbox,
    /// The address for replies, if not From.
    pub reply_to: Option<&'a Mailbox>,
    /// To.
    pub to: &'a Mailbox,
    /// Subject.
    pub subject: &'a str,
    /// Date.
    pub date: Timestamp,
    /// Message-ID without brackets.
    pub message_id: &'a str,
    /// The message that it answers, if any: Auto-Submitted distinguishes the two (RFC 3834 §5).
    pub answers: Option<Answered<'a>>,
    /// The list that it concerns (RFC 2369, RFC 2919).
    pub list: Option<&'a ListFields>,
    /// The URI in List-Unsubscribe, if the reader can use it.
    pub unsubscribe: Option<&'a str>,
    /// The value of [`LOOP_FIELD`].
    pub loop_mark: &'a str,
}

/// The message that a notice answers: untrusted text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered<'a> {
    /// Its Message-ID, without brackets.
    pub message_id: Option<&'a str>,
    /// Its References, or its In-Reply-To if it has none (RFC 5322 §3.6.4).
    pub references: Vec<&'a str>,
}

/// The bytes of a notice: text and HTML as alternatives, with CRLF line ends.
///
/// # Errors
/// [`ComposeError`]: a header line is too long.
pub(crate) fn compose_notice(
    head: &NoticeHead<'_>,
    language: &str,
    text: &str,
    html: &str,
) -> Result<Vec<u8>, ComposeError> {
    let mut out = Vec::with_capacity(2048 + text.len() + html.len() * 5 / 4);
    push_mailboxes(&mut out, "From", &[head.from]);
    if let Some(reply_to) = head.reply_to {
        push_mailboxes(&mut out, "Reply-To", &[reply_to]);
    }
    push_mailboxes(&mut out, "To", &[head.to]);
    push_text(&mut out, "Subject", head.subject);
    push_date(&mut out, "Date", head.date);
    push_uris(&mut out, "Message-ID", &[head.message_id]);
    match &head.answers {
        Some(answered) => {
            push_thread(&mut out, answered);
            push_plain(&mut out, "Auto-Submitted", "auto-replied");
        }
        None => push_plain(&mut out, "Auto-Submitted", "auto-generated"),
    }
    // Exchange sends automatic answers unless told not to (MS-OXCMAIL 2.1.3.2.20).
    push_plain(&mut out, "X-Auto-Response-Suppress", "All");
    if let Some(list) = head.list {
        push_list_id(&mut out, list);
        push_uris(&mut out, "List-Owner", &[&list.owner]);
        push_uris(&mut out, "List-Help", &[&list.help]);
        if let Some(unsubscribe) = head.unsubscribe {
            push_uris(&mut out, "List-Unsubscribe", &[unsubscribe]);
        }
    }
    push_plain(&mut out, LOOP_FIELD, head.loop_mark);
    let seed: String = head.message_id.chars().take_while(|c| *c != '@').collect();
    let frame = Frame::new(language, &seed, Parts::default());
    add_body(out, &frame, (&Body::whole(text), &[]), (&Body::whole(html), &[]))
}

/// In-Reply-To and References (RFC 5322 §3.6.4, RFC 3834 §3.1.5).
fn push_thread(out: &mut Vec<u8>, answered: &Answered<'_>) {
    let Some(id) = answered.message_id else { return };
    if !push_ids(out, "In-Reply-To", &[id]) {
        return;
    }
    let mut thread = answered.references.clone();
    if thread.len() >= REFERENCES {
        let from = thread.len() - (REFERENCES - 2);
        thread.drain(1..from);
    }
    thread.retain(|one| *one != id);
    thread.push(id);
    push_ids(out, "References", &thread);
}

/// The fields put before a message that is forwarded unchanged (RFC 5322 §3.6.6).
#[derive(Clone, Debug)]
pub(crate) struct ResentHead<'a> {
    /// The forwarder.
    pub from: &'a Mailbox,
    /// The recipient.
    pub to: &'a Mailbox,
    /// The time.
    pub date: Timestamp,
    /// A Message-ID of its own, without brackets.
    pub message_id: &'a str,
    /// The value of [`LOOP_FIELD`].
    pub loop_mark: &'a str,
}

/// The bytes of these fields.
pub(crate) fn resent_header(head: &ResentHead<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    push_date(&mut out, "Resent-Date", head.date);
    push_mailboxes(&mut out, "Resent-From", &[head.from]);
    push_mailboxes(&mut out, "Resent-To", &[head.to]);
    push_uris(&mut out, "Resent-Message-ID", &[head.message_id]);
    push_plain(&mut out, LOOP_FIELD, head.loop_mark);
    out
}

/// The header of a message whose body is another whole message (`message/rfc822`, RFC 2046 §5.2.1): for forwarding
/// mail to an address that must not appear in a header. The bytes of that message follow.
pub(crate) fn enclosing_header(head: &ResentHead<'_>, subject: &str, reply_to: Option<&Mailbox>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    push_mailboxes(&mut out, "From", &[head.from]);
    push_mailboxes(&mut out, "To", &[head.to]);
    if let Some(reply_to) = reply_to {
        push_mailboxes(&mut out, "Reply-To", &[reply_to]);
    }
    push_text(&mut out, "Subject", subject);
    push_date(&mut out, "Date", head.date);
    push_uris(&mut out, "Message-ID", &[head.message_id]);
    push_plain(&mut out, "Auto-Submitted", "auto-generated");
    push_plain(&mut out, LOOP_FIELD, head.loop_mark);
    push_plain(&mut out, "MIME-Version", "1.0");
    push_plain(&mut out, "Content-Type", "message/rfc822");
    push_plain(&mut out, "Content-Transfer-Encoding", "8bit");
    out.extend_from_slice(b"\r\n");
    out
}
