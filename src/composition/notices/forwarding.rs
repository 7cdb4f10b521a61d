//! Passing a message on to a person, unread and unchanged, and never in a circle.
//!
//! What is passed on gets fields of its own before it (RFC 5322 §3.6.6), among them a mark that only this list of this
//! installation makes. What comes in with that mark was here before, and is not passed on again. What came with the null
//! sender is passed on with it, so that nothing ever bounces to us that we sent because of a bounce.

use crate::base::address::Address;
use crate::base::id::NoticeId;
use crate::base::token::{Key, Purpose, content_hash, to_hex};
use crate::mail::headers::Mailbox;
use crate::mail::incoming::Incoming;
use crate::mail::notice::{LOOP_FIELD, ResentHead, enclosing_header, resent_header};
use crate::model::inbound::Inbound;
use crate::model::list::{List, Privacy};
use crate::model::notice::NoticeBody;
use crate::store::engine::Batch;
use crate::store::later::{LaterForward, put_forward};
use crate::store::notices::put_new;

use super::{NoticeError, Notices, new_notice};

/// What became of a message that was to be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// It goes out as this notice.
    As(NoticeId),
    /// It was here before: nothing goes out. Note it as [`crate::model::inbound::InboundKind::Loop`].
    Loop,
    /// The same message was passed on to this person today, from another of our addresses.
    Before,
    /// This person was sent [`FORWARDS_A_DAY`] today: it stands in their next digest.
    InDigest,
}

/// How many messages are passed on to one person a day; the others stand in a digest.
pub const FORWARDS_A_DAY: u32 = 60;

impl Forwarded {
    /// What came of it, for people to read.
    pub fn words(&self) -> String {
        match self {
            Self::As(notice) => format!("as notice {notice}"),
            Self::Loop => "not again: it was passed on before".to_owned(),
            Self::Before => "once: the same message came to another address of ours today".to_owned(),
            Self::InDigest => "in the next digest: too many came today".to_owned(),
        }
    }
}

/// By what a message is known that came to several of our addresses: what its author wrote, not what servers added on the
/// way; where it cannot be read, where it lies.
fn mark(key: &Key, inbound: &Inbound, message: &Incoming) -> String {
    if message.headers().is_empty() {
        return key.mark(&format!("forward {:?}", inbound.place));
    }
    let header = ["Message-ID", "From", "Date", "Subject"].map(|name| message.header(name).unwrap_or_default());
    let parts = message.parts().iter().flat_map(|part| content_hash(&part.bytes));
    key.mark(&format!("forward\n{}\n{}", header.join("\n"), to_hex(&parts.collect::<Vec<u8>>())))
}

/// The mark of what this installation sent for `list`, or for itself: tells nothing to others.
pub fn loop_mark(key: &Key, list: Option<&List>) -> String {
    key.mark(&format!("loop {}", list.map_or(String::new(), |list| list.address.key())))
}

/// Whether a message carries the mark of `list`: it was here before (RFC 5321 §6.3).
pub fn carries_mark(message: &Incoming, key: &Key, list: Option<&List>) -> bool {
    let mark = loop_mark(key, list);
    message.headers_named(LOOP_FIELD).any(|field| field.value.trim() == mark)
}

/// What stands over a message that is passed on inside another.
fn subject(list: &List, inbound: &Inbound) -> String {
    match list.language.as_str() {
        "sv" => format!("Vidarebefordrat: {}", inbound.id),
        _ => format!("Passed on: {}", inbound.id),
    }
}

impl Notices {
    /// Whether a message that came in was sent for `list` by this installation before.
    pub fn is_loop(&self, message: &Incoming, list: Option<&List>) -> bool {
        carries_mark(message, &self.inner.key, list)
    }

    /// Passes a message that came in on to `to`, as it is: its bytes stay in the spool and are read when it is sent. What came
    /// for a sensitive list goes inside a message of our own, for its header names the list.
    /// The same message goes to one person once a day, and of all others no more than [`FORWARDS_A_DAY`].
    ///
    /// # Errors
    /// [`NoticeError`]: nothing was put into the batch.
    pub async fn pass_on(
        &self,
        batch: &mut Batch,
        inbound: &Inbound,
        message: &Incoming,
        to: &Address,
        list: Option<&List>,
    ) -> Result<Forwarded, NoticeError> {
        if self.is_loop(message, list) {
            return Ok(Forwarded::Loop);
        }
        let inner = &self.inner;
        let mut counted = Batch::new();
        if !self.once_a_day(&mut counted, to, &mark(&inner.key, inbound, message)).await? {
            return Ok(Forwarded::Before);
        }
        if !self.at_most(&mut counted, to, "forwards", FORWARDS_A_DAY).await? {
            tracing::warn!(inbound = %inbound.id, "a message waits for the next digest: too many were passed on to one person today");
            batch.append(counted);
            put_forward(batch, &LaterForward { inbound: inbound.id, list: list.map(|list| list.name.clone()) });
            return Ok(Forwarded::InDigest);
        }
        // "postmaster" may come without a domain (RFC 5321 §4.5.1).
        let domain = inbound.recipient.rsplit_once('@').map_or(to.domain(), |(_, domain)| domain);
        let origin = self.origin(list, Some(domain))?;
        let (id, now) = (self.next_id().await?, inner.clock.now());
        let from = match &origin.list {
            Some(list) => Mailbox { name: list.title.clone(), address: list.address_for("owner")? },
            None => origin.from.clone(),
        };
        let head = ResentHead {
            from: &from,
            to: &Mailbox::bare(to.clone()),
            date: now,
            message_id: &self.message_id(id, &origin.domain),
            loop_mark: &loop_mark(&inner.key, list),
        };
        let header = match list.filter(|list| list.privacy == Privacy::Sensitive) {
            // Its own To says to which list it came: so it goes inside, where only its reader sees it.
            Some(list) => {
                let reply_to = message.reply_address().and_then(|author| author.address.parse().ok());
                enclosing_header(&head, &subject(list, inbound), reply_to.map(Mailbox::bare).as_ref())
            }
            None => resent_header(&head),
        };
        let sender = match (&inbound.arrival.sender, &origin.list) {
            // Signed, so that what comes back finds the notice (see `inbound/returned`).
            (Some(_), Some(list)) => Some(list.bounce_address(&inner.key.sign(Purpose::Notice, &[id.0])).parse()?),
            (Some(_), None) => Some(origin.from.address),
            (None, _) => None,
        };
        let body = NoticeBody::Forwarded { header, place: inbound.place };
        batch.append(counted);
        put_new(batch, &new_notice(id, sender, to, body, "passed-on", now), None);
        Ok(Forwarded::As(id))
    }
}
