//! A mail to a signed unsubscribe address (RFC 2369 §3.2): the token proves that whoever sends it has had our mail in hands,
//! so it acts at once, whatever stands in it and whoever sends it. It ends one subscription, for good; said twice it says
//! nothing new.

use serde_json::json;

use crate::base::id::{ListName, SubscriberId};
use crate::base::token::{Key, Purpose, content_hash};
use crate::composition::list_identity::ListIdentity;
use crate::composition::notices::{Draft, may_answer};
use crate::inbound::destination::UnsubscribeToken;
use crate::inbound::{Effects, HandleError, Item};
use crate::mail::incoming::Incoming;
use crate::model::consent::ConsentSource;
use crate::model::inbound::InboundKind;
use crate::model::list::List;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::{Store, StoreError, subscribers};

use super::confirm::message_id;
use super::{CommandService, DraftEffects};

/// The token of an unsubscribe address that stands in a letter and not in a mailing: no mailing, the subscriber, and a short
/// hash of the list's name, which leaves room within 64 bytes.
pub fn notice_token(key: &Key, list: &ListName, subscriber: SubscriberId) -> String {
    key.sign(Purpose::Unsubscribe, &[0, subscriber.0, short_hash(list)])
}

/// The lists that a signed unsubscribe token ends for its subscriber: one, save where two of a letter's lists share a short
/// hash; none where the mailing is not there any more.
///
/// # Errors
/// [`StoreError`].
pub async fn lists_of(
    store: &Store,
    token: &UnsubscribeToken,
    subscriber: &Subscriber,
) -> Result<Vec<ListName>, StoreError> {
    if token.mailing.0 == 0 {
        let names = subscriber.subscriptions.keys();
        return Ok(names.filter(|name| short_hash(name) == token.place).cloned().collect());
    }
    let Some(mailing) = store.mailing(token.mailing).await? else { return Ok(Vec::new()) };
    let place = usize::try_from(token.place).unwrap_or(usize::MAX);
    Ok(mailing.value.audience.lists.iter().nth(place).cloned().into_iter().collect())
}

fn short_hash(list: &ListName) -> u64 {
    let hash = content_hash(list.as_str().as_bytes());
    u64::from(u16::from_be_bytes([hash[0], hash[1]]))
}

impl CommandService {
    /// Where a mail ends this subscription.
    pub(super) fn unsubscribe_address(&self, list: &List, subscriber: SubscriberId) -> String {
        let token = notice_token(&self.key, &list.name, subscriber);
        ListIdentity::new(list, 0, &self.key).unsubscribe_address(&token)
    }

    pub(super) async fn signed_unsubscribe(
        &self,
        item: &Item,
        list: &List,
        token: &UnsubscribeToken,
    ) -> Result<Option<Effects>, HandleError> {
        // A report or an automatic reply is nobody's wish. Other marks of programs do not matter here: providers unsubscribe
        // for their users by program.
        if item.inbound.arrival.sender.is_none() || is_reply_or_report(&item.message) {
            return Ok(None);
        }
        let Some(before) = self.store.subscriber(token.subscriber).await? else {
            return Ok(Some(Effects::none(InboundKind::Command, "unsubscribes somebody who is not there any more")));
        };
        // A letter's token came to an address of the list that it is about.
        let meant = |name: &ListName| token.mailing.0 != 0 || *name == list.name;
        let lists = lists_of(&self.store, token, &before.value).await?;
        let Some(name) = lists.into_iter().find(meant) else { return Ok(None) };
        if !matches!(before.value.state_on(&name), Some(state) if state != SubscriptionState::Ended) {
            return Ok(Some(Effects::none(InboundKind::Command, "unsubscribes where it had ended before")));
        }
        let mut effects = DraftEffects::new();
        let mut subscriber = before.value.clone();
        let source = ConsentSource::Mail { message_id: message_id(item), evidence: None };
        let words = match token.mailing.0 {
            0 => "mail to the unsubscribe address of a letter".to_owned(),
            _ => format!("mail to the unsubscribe address of {}", token.mailing),
        };
        // Ending is never refused.
        let _ = subscriber.change(&name, SubscriptionState::Ended, self.clock.now(), source, words);
        subscribers::put_changed(&mut effects.batch, &before, &subscriber);
        effects.note("unsubscribed by a signed address");
        let suppressed = self.store.is_suppressed(&self.key.hash_address(&subscriber.address)).await?;
        if !suppressed
            && may_answer(item.inbound.arrival.sender.as_deref(), &item.message)
            && let Some(list) = self.store.list(&name).await?
        {
            let goodbye = Draft {
                template: "goodbye",
                language: &subscriber.language,
                to: &subscriber.address,
                list: Some(&list.value),
                answers: None,
                reply_to: None,
                unsubscribe: None,
                data: json!({ "address": subscriber.address.as_str() }),
            };
            self.notices.write(&mut effects.batch, goodbye).await?;
            effects.notify = true;
        }
        Ok(Some(effects.effects()))
    }
}

fn is_reply_or_report(message: &Incoming) -> bool {
    let submitted = message.header("Auto-Submitted").unwrap_or_default().to_ascii_lowercase();
    let report = message.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
    submitted.starts_with("auto-replied") || report.starts_with("multipart/report")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_notice_is_an_address_for_every_list() {
        let key = Key::new([7; 32]);
        for name in ["a", "a-list-of-20-letters", "a-very-long-list-name-of-forty-letters-x"] {
            let token = notice_token(&key, &name.parse().unwrap(), SubscriberId(100_000_000));
            let local = format!("{}-unsubscribe+{token}", &name[..name.len().min(20)]);
            assert!(local.len() <= 64, "{local}");
        }
    }
}
