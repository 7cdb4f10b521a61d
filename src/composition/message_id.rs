//! The Message-IDs of deliveries: how they are made and parsed.
//!
//! Each recipient of a release gets a Message-ID of their own; all recipients of a post share one, so that replies
//! stay in one thread.

use crate::base::id::{MailingId, SubscriberId};
use crate::base::token::{Key, Purpose};
use crate::model::mailing::{Mailing, MailingContent};
use crate::store::{Store, StoreError};

/// The Message-ID of one delivery, without angle brackets (RFC 5322 §3.6.4). `None`: that of all deliveries of a
/// post.
pub(crate) fn message_id(key: &Key, mailing: MailingId, subscriber: Option<SubscriberId>, domain: &str) -> String {
    let numbers = [mailing.0, subscriber.map_or(0, |id| id.0)];
    format!("{mailing}.{}@{domain}", key.sign(Purpose::MessageId, &numbers))
}

/// The mailing that one of our own Message-IDs belongs to, and the subscriber, if it is that of a single delivery.
/// Angle brackets are optional.
pub(crate) fn named(key: &Key, message_id: &str) -> Option<(MailingId, Option<SubscriberId>)> {
    let (local, _) = message_id.trim().trim_matches(['<', '>']).rsplit_once('@')?;
    let (name, token) = local.split_once('.')?;
    match key.verify(Purpose::MessageId, token)?.as_slice() {
        [mailing, reader] if name.parse() == Ok(MailingId(*mailing)) => {
            Some((MailingId(*mailing), (*reader != 0).then_some(SubscriberId(*reader))))
        }
        _ => None,
    }
}

/// The Message-IDs of one mailing.
#[derive(Clone, Debug)]
pub(crate) struct MessageIds {
    key: Key,
    mailing: MailingId,
    is_post: bool,
    domain: String,
}

impl MessageIds {
    /// Those of `mailing`; `own` is the configured domain, without which that of the mailing's first list is used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn of(
        store: &Store,
        key: &Key,
        own: Option<String>,
        mailing: &Mailing,
    ) -> Result<Self, StoreError> {
        let is_post = matches!(mailing.content, MailingContent::Post(_));
        let mut domain = own;
        for name in &mailing.audience.lists {
            if domain.is_none() {
                domain = store.list(name).await?.map(|list| list.value.address.domain().to_owned());
            }
        }
        Ok(Self { key: key.clone(), mailing: mailing.id, is_post, domain: domain.unwrap_or_default() })
    }

    /// The Message-ID of the delivery to one subscriber.
    pub(crate) fn to(&self, subscriber: SubscriberId) -> String {
        message_id(&self.key, self.mailing, (!self.is_post).then_some(subscriber), &self.domain)
    }
}
