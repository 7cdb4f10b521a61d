//! Erasure (GDPR Article 17): one commit removes everything that names the person and leaves the keyed hash of the
//! address, so that no import brings them back.
//!
//! Their deliveries and bounces stay in the ledgers, as numbers that lead to nobody: the counts must add up. Where a
//! server's reply repeats the address, it is taken out. A delivery in a chunk that is being worked on at this moment is left
//! to the dispatcher, which finds the subscriber gone and writes `suppressed (erased)`.

use crate::base::address::Address;
use crate::base::id::PostId;
use crate::flow::retention::is_over;
use crate::model::bounce::Bounce;
use crate::model::consent::ConsentSource;
use crate::model::ledger::{Cause, Delivery, DeliveryState};
use crate::model::subscriber::Subscriber;
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::store::bounces::{delete_way, put_bounce};
use crate::store::engine::{Batch, Commit};
use crate::store::{CONFLICT_TRIES, StoreError, keys, ledger, posts, rsvps, subscribers, suppressions, wishes};

use super::record::row_of;
use super::{Desk, PersonError};

/// Records looked at together.
const PAGE: usize = 500;

impl Desk {
    /// Erases a person, by number or address. An address of nobody that is suppressed keeps only its hash. Gives the hashes
    /// of their mails that were kept, as evidence of their consent or as posts: remove them, else the next look at attachments does.
    ///
    /// # Errors
    /// [`PersonError::NotFound`] when nothing is known of them; [`PersonError::Store`]: nothing was erased.
    pub async fn erase(&self, who: &str) -> Result<Vec<[u8; 32]>, PersonError> {
        for _ in 0..CONFLICT_TRIES {
            let mut batch = Batch::new();
            let (mut kept, mut subscriber) = (Vec::new(), None);
            let address = match self.find(who).await {
                Ok(found) => {
                    subscribers::delete(&mut batch, &found);
                    subscriber = Some(found.value.id);
                    kept = evidence(&found.value);
                    kept.iter().for_each(|sha256| wishes::delete_evidence(&mut batch, sha256));
                    for mailing in self.store.mailings().await? {
                        let mailing = mailing.value;
                        let Some(row) = row_of(&self.store, &mailing, found.value.id).await? else { continue };
                        let chunk = ledger::chunk_of(row.sequence);
                        let scrubbed = scrub(&row.delivery, &found.value.address);
                        if scrubbed != row.delivery && self.store.lease(mailing.id, chunk).await?.is_none() {
                            batch.expect_absent(keys::lease(mailing.id, chunk));
                            ledger::put_delivery(&mut batch, mailing.id, &row, &scrubbed);
                        }
                    }
                    for bounce in self.store.bounces_of(found.value.id).await? {
                        let evidence = without(&bounce.value.evidence, found.value.address.as_str());
                        put_bounce(&mut batch, Some(bounce.stamp), &Bounce { evidence, ..bounce.value.clone() });
                        delete_way(&mut batch, found.value.id, bounce.value.mailing);
                    }
                    found.value.address
                }
                Err(PersonError::NotFound(_)) => self.suppressed_stranger(who).await?,
                Err(error) => return Err(error),
            };
            self.forget_wishes(&mut batch, &address).await?;
            kept.extend(self.forget_posts(&mut batch, &address).await?);
            let hash = self.key.hash_address(&address);
            for (of, rsvp) in self.store.rsvps_of(&hash, subscriber).await? {
                rsvps::delete(&mut batch, &of, &rsvp);
            }
            let before = self.store.suppression(&hash).await?.map(|read| read.stamp);
            let erased =
                Suppression { address: None, reason: SuppressionReason::Erased, since: self.at, note: String::new() };
            suppressions::put(&mut batch, &hash, before, &erased);
            if self.store.commit(batch).await? == Commit::Applied {
                return Ok(kept);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// An address that belongs to no subscriber but is suppressed with its text, or has asked for something by mail, or
    /// answered an invitation.
    async fn suppressed_stranger(&self, who: &str) -> Result<Address, PersonError> {
        let not_found = || PersonError::NotFound(who.to_owned());
        let address: Address = who.parse().map_err(|_| not_found())?;
        match self.store.suppression(&self.key.hash_address(&address)).await? {
            Some(found) if found.value.address.is_some() => Ok(address),
            _ if self.forget_wishes(&mut Batch::new(), &address).await? => Ok(address),
            _ if !self.store.rsvps_of(&self.key.hash_address(&address), None).await?.is_empty() => Ok(address),
            _ => Err(not_found()),
        }
    }

    /// Forgets in `batch` what the owner of an address wrote to lists; gives the hashes of it. What a mailing is just
    /// sending stays, and goes by its age.
    async fn forget_posts(&self, batch: &mut Batch, address: &Address) -> Result<Vec<[u8; 32]>, StoreError> {
        let (mut hashes, mut after) = (Vec::new(), PostId(0));
        loop {
            let page = self.store.posts(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(hashes) };
            after = last.value.id;
            for read in page.iter().filter(|read| read.value.author.key() == address.key()) {
                if read.value.hold().is_some() || is_over(&self.store, &read.value).await? {
                    posts::delete(batch, read);
                    hashes.push(read.value.blob.sha256);
                }
            }
        }
    }

    /// Forgets in `batch` what was asked for by mail for an address; says whether there was anything.
    async fn forget_wishes(&self, batch: &mut Batch, address: &Address) -> Result<bool, StoreError> {
        let (mut found, mut cursor) = (false, None);
        loop {
            let (page, next) = self.store.scan_wishes(cursor, PAGE).await?;
            for wish in page.iter().filter(|wish| wish.value.address.key() == address.key()) {
                wishes::delete(batch, wish.value.id);
                found = true;
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }
}

/// Their own mails that are kept as evidence.
fn evidence(subscriber: &Subscriber) -> Vec<[u8; 32]> {
    let events = subscriber.subscriptions.values().flat_map(|subscription| &subscription.events);
    let kept = events.filter_map(|event| match &event.source {
        ConsentSource::Mail { evidence, .. } => *evidence,
        _ => None,
    });
    kept.collect()
}

/// The delivery without the address in any text.
fn scrub(delivery: &Delivery, address: &Address) -> Delivery {
    let mut delivery = delivery.clone();
    let text = match &mut delivery.state {
        DeliveryState::Accepted { reply, .. } => Some(&mut reply.text),
        DeliveryState::Deferred { cause, .. }
        | DeliveryState::Failed { cause, .. }
        | DeliveryState::Uncertain { cause, .. } => match cause {
            Cause::Reply { reply, .. } => Some(&mut reply.text),
            Cause::Connection(text) | Cause::Message(text) => Some(text),
            Cause::Stopped => None,
        },
        _ => None,
    };
    if let Some(text) = text {
        *text = without(text, address.as_str());
    }
    delivery
}

/// The text with every spelling of the address replaced.
fn without(text: &str, address: &str) -> String {
    // Only where lower case has as many octets do places in it mean places in the text.
    let (lower, address) = (text.to_lowercase(), address.to_lowercase());
    if !lower.contains(&address) {
        return text.to_owned();
    }
    match lower.len() == text.len() {
        true => {
            let (mut out, mut from) = (String::new(), 0);
            while let Some(at) = lower[from..].find(&address) {
                out.push_str(&text[from..from + at]);
                out.push_str("(erased)");
                from += at + address.len();
            }
            out.push_str(&text[from..]);
            out
        }
        false => lower.replace(&address, "(erased)"),
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn no_spelling_of_the_address_stays() {
        let text = "5.1.1 <Karin@Example.org>: karin@example.org is unknown";
        assert_eq!(without(text, "karin@example.org"), "5.1.1 <(erased)>: (erased) is unknown");
        assert_eq!(without("İ karin@example.org", "karin@example.org"), "i\u{307} (erased)");
        assert_eq!(without("5.1.1 unknown", "karin@example.org"), "5.1.1 unknown");
    }
}
