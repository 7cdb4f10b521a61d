//! What signed tokens in addresses of ours say: whose delivery it was, and which subscription a link ends.

use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::base::token::{Key, Purpose, content_hash};
use crate::model::subscriber::Subscriber;
use crate::store::{Store, StoreError};

/// What the token of an envelope sender says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BounceToken {
    /// The mailing.
    pub mailing: MailingId,
    /// To whom it was.
    pub subscriber: SubscriberId,
}

/// What the token of an unsubscribe address says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeToken {
    /// The mailing that carried it; 0 for a notice.
    pub mailing: MailingId,
    /// To whom it was.
    pub subscriber: SubscriberId,
    /// The place of the list among the lists of the mailing's audience, in order of name; of a notice, a short hash of the
    /// list's name.
    pub place: u64,
}

impl BounceToken {
    /// The delivery that a signed token names; `None` for one that is not ours.
    pub fn verify(key: &Key, token: &str) -> Option<Self> {
        match key.verify(Purpose::Bounce, token)?.as_slice() {
            [mailing, subscriber] => Some(Self { mailing: MailingId(*mailing), subscriber: SubscriberId(*subscriber) }),
            _ => None,
        }
    }
}

impl UnsubscribeToken {
    /// The subscription that a signed token names; `None` for one that is not ours.
    pub fn verify(key: &Key, token: &str) -> Option<Self> {
        match key.verify(Purpose::Unsubscribe, token)?.as_slice() {
            [mailing, subscriber, place] => {
                Some(Self { mailing: MailingId(*mailing), subscriber: SubscriberId(*subscriber), place: *place })
            }
            _ => None,
        }
    }

    /// The token of an unsubscribe address that stands in a notice and not in a mailing: no mailing, the subscriber, and a
    /// short hash of the list's name, which leaves room within 64 bytes.
    pub fn of_notice(key: &Key, list: &ListName, subscriber: SubscriberId) -> String {
        key.sign(Purpose::Unsubscribe, &[0, subscriber.0, short_hash(list)])
    }

    /// Whether it stood in a notice.
    pub fn is_of_notice(&self) -> bool {
        self.mailing.0 == 0
    }

    /// The lists that it ends for its subscriber: one, except where two lists of a notice share a short hash; none where
    /// the mailing is not kept any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lists(&self, store: &Store, subscriber: &Subscriber) -> Result<Vec<ListName>, StoreError> {
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
