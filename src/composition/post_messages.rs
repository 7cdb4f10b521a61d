//! Mailings of posts: a mail written to a list, sent on unchanged to each recipient, with the list's own fields,
//! envelope sender and unsubscribe address.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::base::id::{MailingId, SubscriberId};
use crate::base::token::{Key, Purpose};
use crate::mail::headers::Mailbox;
use crate::mail::posted::{Changes, PostedFrame, Reader};
use crate::model::list::{FromPolicy, List, ListKind, ReplyTo};
use crate::model::mailing::{Mailing, MailingContent};
use crate::model::post::Post;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::blobs::{BlobError, Blobs};
use crate::store::engine::EngineError;
use crate::store::{Store, StoreError};
use crate::transport::Envelope;

use super::list_identity::ListIdentity;
use super::message::{Message, MessageSource, PrepareError, PreparedMailing};
use super::message_id;
use super::notices::loop_mark;
use super::release_messages::MessageSettings;

/// The [`MessageSource`] of posts.
pub struct PostMessages {
    store: Store,
    blobs: Blobs,
    key: Key,
    clock: Arc<dyn Clock>,
    settings: MessageSettings,
}

/// A post that only lacks the recipient.
pub(crate) struct PreparedPost {
    mailing: MailingId,
    list: ListIdentity,
    frame: PostedFrame,
    key: Key,
    base_url: Option<String>,
    hash: String,
    message_id: String,
}

fn broken(what: impl Into<String>) -> PrepareError {
    PrepareError::Broken(what.into())
}

impl PostMessages {
    /// Creates a source over the store's posts and lists, signing with the installation's key.
    pub fn new(store: Store, blobs: Blobs, key: Key, clock: Arc<dyn Clock>, settings: MessageSettings) -> Self {
        Self { store, blobs, key, clock, settings }
    }

    /// Prepares a mailing of a post.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub(crate) async fn prepare_post(&self, mailing: &Mailing) -> Result<PreparedPost, PrepareError> {
        let MailingContent::Post(id) = mailing.content else {
            return Err(broken(format!("{} is not a post", mailing.content)));
        };
        let post = self.store.post(id).await?;
        let post = post.ok_or_else(|| broken(format!("post {id} no longer exists")))?.value;
        let list = self.store.list(&post.list).await?;
        let list = list.ok_or_else(|| broken(format!("the list of post {id} no longer exists")))?.value;
        let bytes = self.blobs.read(&post.blob.sha256).await.map_err(|error| match error {
            BlobError::Io { action, path, error } => {
                let reason = format!("{}: {error}", path.display());
                PrepareError::Store(StoreError::Engine(EngineError::Unavailable { action, reason }))
            }
            other => broken(format!("the bytes of post {id}: {other}")),
        })?;
        let identity = ListIdentity::new(&list, 0, &self.key);
        let domain = self.settings.message_domain.as_deref().unwrap_or(identity.domain());
        let changes = Changes {
            message_id: message_id::message_id(&self.key, mailing.id, None, domain),
            date: self.clock.now(),
            loop_mark: loop_mark(&self.key, Some(&list)),
            feedback_id: format!("{}:{}:post:depesch", mailing.id, id),
            ..changes(&post, &list, &identity)
        };
        Ok(PreparedPost {
            mailing: mailing.id,
            frame: PostedFrame::new(&bytes, &changes),
            message_id: changes.message_id,
            list: identity,
            key: self.key.clone(),
            // RFC 8058 §3.1 allows only https.
            base_url: self.settings.base_url.clone().filter(|url| url.starts_with("https://")),
            hash: super::approved::post_hash(&post.blob, &mailing.audience),
        })
    }
}

/// The header changes that the list makes in a post, by its own rules and those of the author's domain.
fn changes(post: &Post, list: &List, identity: &ListIdentity) -> Changes {
    let rewritten = match list.posting.from {
        FromPolicy::Keep => false,
        FromPolicy::Rewrite => true,
        FromPolicy::ByDmarc => post.authentication.policy.forbids_others(),
    };
    // A header that needs SMTPUTF8 (RFC 6531) cannot go to every recipient.
    let plain = !post.author.needs_smtputf8();
    let rewritten = rewritten || !plain;
    let author = Mailbox { name: post.author_name.clone(), address: post.author.clone() };
    let shown = identity.shown_address();
    let to_list = Mailbox { name: identity.title.clone(), address: shown.clone() };
    let reply_to = match list.posting.reply_to {
        ReplyTo::Author => rewritten.then(|| vec![author.clone()]),
        // An author whose address was removed from From must still be reachable.
        ReplyTo::List if rewritten => Some(vec![author.clone(), to_list]),
        ReplyTo::List => Some(vec![to_list]),
        ReplyTo::Both => Some(vec![author.clone(), to_list]),
    };
    let reply_to = reply_to.map(|all| all.into_iter().filter(|one| !one.address.needs_smtputf8()).collect());
    let name = post.author_name.as_deref().unwrap_or(post.author.local_part());
    let name = match &identity.title {
        Some(title) => format!("{name} via {title}"),
        None => name.to_owned(),
    };
    Changes {
        from: rewritten.then(|| Mailbox { name: Some(name), address: shown.clone() }),
        author,
        reply_to,
        post_address: (list.kind == ListKind::Discussion).then(|| shown.to_string()),
        loop_mark: String::new(),
        sensitive: identity.sensitive,
        message_id: String::new(),
        date: post.received,
        feedback_id: String::new(),
    }
}

impl MessageSource for PostMessages {
    fn prepare<'a>(
        &'a self,
        mailing: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        Box::pin(async move {
            let prepared: Arc<dyn PreparedMailing> = Arc::new(self.prepare_post(mailing).await?);
            Ok(prepared)
        })
    }
}

impl PreparedMailing for PreparedPost {
    fn make(&self, subscriber: &Subscriber) -> Result<Message, String> {
        if subscriber.state_on(&self.list.name) != Some(SubscriptionState::Active) {
            return Err("the subscriber is not active on the list that the post was written to".to_owned());
        }
        let token = self.key.sign(Purpose::Unsubscribe, &[self.mailing.0, subscriber.id.0, self.list.place]);
        let to = Mailbox { name: subscriber.name.clone(), address: subscriber.address.clone() };
        let https = self.base_url.as_ref().map(|base| format!("{base}/u/{token}"));
        let reader = Reader {
            to: &to,
            unsubscribe_https: https.as_deref(),
            unsubscribe_mailto: &format!("mailto:{}", self.list.unsubscribe_address(&token)),
        };
        let (bytes, shared_end) = self.frame.message(&self.list.fields, &reader);
        // RFC 5321 §3.9.2: the list's own envelope sender; nothing of the original envelope is kept.
        let bounces = self.list.bounce_address(&self.key.sign(Purpose::Bounce, &[self.mailing.0, subscriber.id.0]));
        let sender: Address = bounces.parse().map_err(|error| format!("the envelope sender {bounces}: {error}"))?;
        let envelope_id = format!("{}.{}", self.mailing, subscriber.id);
        Ok(Message {
            envelope: Envelope { sender: Some(sender), recipient: subscriber.address.clone(), envelope_id },
            bytes,
            shared_end,
        })
    }

    fn try_for(&self, _: &Subscriber) -> Result<(), String> {
        Ok(())
    }

    fn message_id(&self, _: SubscriberId) -> String {
        self.message_id.clone()
    }

    fn content_hash(&self) -> Result<String, String> {
        Ok(self.hash.clone())
    }
}
