//! The contents of the signed tokens in our addresses: which delivery it was, and which subscription a link ends.

use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::base::token::{Key, Purpose, content_hash};
use crate::model::subscriber::Subscriber;
use crate::store::{Store, StoreError};

/// The content of the token in an envelope sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BounceToken {
    /// The mailing that was delivered.
    pub mailing: MailingId,
    /// The recipient.
    pub subscriber: SubscriberId,
}

/// The content of the token in an unsubscribe address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeToken {
    /// The mailing that contained it; 0 for a notice.
    pub mailing: MailingId,
    /// The recipient.
    pub subscriber: SubscriberId,
    /// The index of the list among the lists of the mailing's audience, sorted by name; for a notice, a short hash of
    /// the list's name.
    pub place: u64,
}

/// The content of the token in the address for one reader's answer to an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RsvpToken {
    /// The mailing that invited.
    pub mailing: MailingId,
    /// The reader who was invited. Someone to whom they forwarded the invitation may answer in their own name.
    pub subscriber: SubscriberId,
}

impl RsvpToken {
    /// The invitation that a signed token identifies; `None` if the token is not ours.
    pub(crate) fn verify(key: &Key, token: &str) -> Option<Self> {
        match key.verify(Purpose::Rsvp, token)?.as_slice() {
            [mailing, subscriber] => Some(Self { mailing: MailingId(*mailing), subscriber: SubscriberId(*subscriber) }),
            _ => None,
        }
    }
}

impl BounceToken {
    /// The delivery that a signed token identifies; `None` if the token is not ours.
    pub(crate) fn verify(key: &Key, token: &str) -> Option<Self> {
        match key.verify(Purpose::Bounce, token)?.as_slice() {
            [mailing, subscriber] => Some(Self { mailing: MailingId(*mailing), subscriber: SubscriberId(*subscriber) }),
            _ => None,
        }
    }
}

impl UnsubscribeToken {
    /// The subscription that a signed token identifies; `None` if the token is not ours.
    pub fn verify(key: &Key, token: &str) -> Option<Self> {
        match key.verify(Purpose::Unsubscribe, token)?.as_slice() {
            [mailing, subscriber, place] => {
                Some(Self { mailing: MailingId(*mailing), subscriber: SubscriberId(*subscriber), place: *place })
            }
            _ => None,
        }
    }

    /// The token of an unsubscribe address in a notice: no mailing, the subscriber, and a short hash of the list's
    /// name, to keep the local part within 64 bytes.
    pub fn of_notice(key: &Key, list: &ListName, subscriber: SubscriberId) -> String {
        key.sign(Purpose::Unsubscribe, &[0, subscriber.0, short_hash(list)])
    }

    /// Whether it comes from a notice.
    pub(crate) fn is_of_notice(&self) -> bool {
        self.mailing.0 == 0
    }

    /// The lists that it ends for its subscriber: one, or more if lists of a notice share a short hash; empty if the
    /// mailing is no longer stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn lists(&self, store: &Store, subscriber: &Subscriber) -> Result<Vec<ListName>, StoreError> {
        if self.is_of_notice() {
            let names = subscriber.subscriptions.keys();
            return Ok(names.filter(|name| short_hash(name) == self.place).cloned().collect());
        }
        let Some(mailing) = store.mailing(self.mailing).await? else { return Ok(Vec::new()) };
        let place = usize::try_from(self.place).unwrap_or(usize::MAX);
        Ok(mailing.value.audience.lists.iter().nth(place).cloned().into_iter().collect())
    }
}

fn short_hash(list: &ListName) -> u64 {
    let hash = content_hash(list.as_str().as_bytes());
    u64::from(u16::from_be_bytes([hash[0], hash[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_notice_is_an_address_for_every_list() {
        let key = Key::new([7; 32]);
        for name in ["a", "a-list-of-20-letters", "a-very-long-list-name-of-forty-letters-x"] {
            let token = UnsubscribeToken::of_notice(&key, &name.parse().unwrap(), SubscriberId(100_000_000));
            let local = format!("{}-unsubscribe+{token}", &name[..name.len().min(20)]);
            assert!(local.len() <= 64, "{local}");
        }
    }
}
