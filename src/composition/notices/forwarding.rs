//! Forwards a message to a person, unread and unchanged, and never in a loop.
//!
//! A forwarded message gets our own fields put before it (RFC 5322 §3.6.6), among them a mark that only this list of
//! this installation makes. A message that comes in with that mark was here before, and is not forwarded again. A
//! message with the null sender is forwarded with it, so that no mail sent because of a bounce can bounce to us.

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

/// The result of forwarding a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Sent as this notice.
    As(NoticeId),
    /// It was here before: nothing is sent. Record it as [`crate::model::inbound::InboundKind::Loop`].
    Loop,
    /// The same message was forwarded to this person today, from another of our addresses.
    Before,
    /// This person was sent [`FORWARDS_A_DAY`] today: it is listed in their next digest.
    InDigest,
}

/// Maximum number of messages forwarded to one person a day; the others are listed in a digest.
pub const FORWARDS_A_DAY: u32 = 60;

impl Forwarded {
    /// The result as text for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::As(notice) => format!("as notice {notice}"),
            Self::Loop => "not again, because it was forwarded before".to_owned(),
            Self::Before => "only once, because the same message came to another of our addresses today".to_owned(),
            Self::InDigest => "in the next digest: too many came today".to_owned(),
        }
    }
}

/// Identifies a message that came to several of our addresses: by what its author wrote, without what servers added
/// on the way; if it cannot be parsed, by its location.
fn mark(key: &Key, inbound: &Inbound, message: &Incoming) -> String {
    if message.headers().is_empty() {
        return key.mark(&format!("forward {:?}", inbound.place));
    }
    let header = ["Message-ID", "From", "Date", "Subject"].map(|name| message.header(name).unwrap_or_default());
    let parts = message.parts().iter().flat_map(|part| content_hash(&part.bytes));
    key.mark(&format!("forward\n{}\n{}", header.join("\n"), to_hex(&parts.collect::<Vec<u8>>())))
}

/// The mark of messages sent by this installation for `list`, or for itself: meaningless to others.
pub fn loop_mark(key: &Key, list: Option<&List>) -> String {
    key.mark(&format!("loop {}", list.map_or(String::new(), |list| list.address.key())))
}

/// Whether a message carries the mark of `list`: it was here before (RFC 5321 §6.3).
pub(crate) fn carries_mark(message: &Incoming, key: &Key, list: Option<&List>) -> bool {
    let mark = loop_mark(key, list);
    message.headers_named(LOOP_FIELD).any(|field| field.value.trim() == mark)
}

/// The subject of a mail that contains a forwarded message.
fn subject(list: &List, inbound: &Inbound) -> String {
    match list.language.as_str() {
        "sv" => format!("Vidarebefordrat: {}", inbound.id),
        _ => format!("Passed on: {}", inbound.id),
    }
}

impl Notices {
    /// Whether an incoming message was sent for `list` by this installation before.
    pub(crate) fn is_loop(&self, message: &Incoming, list: Option<&List>) -> bool {
        carries_mark(message, &self.inner.key, list)
    }

    /// Forwards an incoming message to `to`, unchanged: its bytes stay in the spool and are read when it is sent. A
    /// message for a sensitive list is put inside a message of our own, because its header names the list. The same
    /// message goes to one person once a day, and of others no more than [`FORWARDS_A_DAY`].
    ///
    /// # Errors
    /// [`NoticeError`]: nothing was put into the batch.
    pub async fn forward(
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
            tracing::warn!(inbound = %inbound.id, "a message waits for the next digest: too many were forwarded to one person today");
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
            // Its own To field names the list: so it goes inside, where only its recipient sees it.
            Some(list) => {
                let reply_to = message.reply_address().and_then(|author| author.address.parse().ok());
                enclosing_header(&head, &subject(list, inbound), reply_to.map(Mailbox::bare).as_ref())
            }
            None => resent_header(&head),
        };
        let sender = match (&inbound.arrival.sender, &origin.list) {
            // Signed, so that a bounce is matched to the notice (see `inbound/returned`).
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
