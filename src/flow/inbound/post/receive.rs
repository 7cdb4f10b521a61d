//! A mail to a list's own address: who may write there, and what must come before it goes out.

use chrono::Duration;

use crate::base::address::Address;
use crate::base::id::PostId;
use crate::flow::inbound::{Effects, HandleError, Item};
use crate::flow::letters::is_of_program;
use crate::flow::list_identity::ListIdentity;
use crate::mail::incoming::Incoming;
use crate::mail::posted::{body_of, with_line_ends};
use crate::model::inbound::InboundKind;
use crate::model::list::{List, ListKind, Moderation};
use crate::model::post::{Hold, HoldReason, Post, PostState};
use crate::model::subscriber::SubscriptionState;
use crate::store::blobs::BlobError;
use crate::store::engine::{Batch, EngineError};
use crate::store::posts::{COUNTER, Seen, put_post, put_seen};
use crate::store::{Read, StoreError};

use super::PostDesk;

/// A second copy of a message is known for so many days.
pub const SEEN_DAYS: i64 = 7;
/// Questions to one author a day: whoever forges them cannot fill their mailbox.
const QUESTIONS: u32 = 20;

/// What must come before a post goes out.
enum Next {
    /// Nothing.
    Send,
    /// Somebody's word.
    Hold(HoldReason),
    /// It is none: the owner reads it.
    Owner,
}

impl PostDesk {
    /// What a mail to a list's own address does; `None` when it is for its owner to read.
    ///
    /// # Errors
    /// [`HandleError`].
    pub async fn receive(&self, item: &Item, list: &Read<List>) -> Result<Option<Effects>, HandleError> {
        let (message, now) = (&item.message, self.clock.now());
        if is_own(&list.value, &self.key, message) {
            return Ok(Some(Effects::none(InboundKind::Loop, "it went out from this list before")));
        }
        // RFC 3834 §2, RFC 5321 §4.5.5: what a program sent, or nobody, is no post.
        if is_of_program(item.inbound.arrival.sender.as_deref(), message) || !message.may_be_answered() {
            return Ok(None);
        }
        let Some(author) = author(message) else { return Ok(None) };
        // Nothing is looked up, and nothing kept, for somebody who may not send to an announce list.
        if list.value.kind == ListKind::Announce && !list.value.is_sender(&author) {
            return Ok(None);
        }
        let octets = with_line_ends(&item.octets);
        let mark = mark(message, &octets);
        let seen = self.store.seen_message(&list.value.name, &mark).await?;
        if let Some(seen) = seen.as_ref().filter(|seen| now < seen.value.at + Duration::days(SEEN_DAYS)) {
            let note = format!("a second copy of post {}", seen.value.post);
            return Ok(Some(Effects::none(InboundKind::Post, note)));
        }
        let authentication = self.authenticator.authenticate(&item.inbound.arrival, &item.octets).await;
        let name = message.from().map(|from| from.name.trim().to_owned()).filter(|name| !name.is_empty());
        let mut post = Post {
            id: PostId(0),
            list: list.value.name.clone(),
            author,
            author_name: name,
            subject: message.subject().to_owned(),
            message_id: message.message_id().map(str::to_owned),
            blob: crate::model::release::Blob { sha256: [0; 32], size: 0 },
            received: now,
            authentication,
            state: PostState::Expired { at: now },
        };
        let mut next = self.next(&post, &list.value).await?;
        // What may be the automatic reply of a member who is away does not go to everybody unseen, and is not dropped.
        if matches!(next, Next::Send) && self.words.reader().may_be_automatic_post(message) {
            next = Next::Hold(HoldReason::Moderation);
        }
        if matches!(next, Next::Owner) {
            return Ok(None);
        }
        let mut batch = Batch::new();
        if matches!(next, Next::Hold(HoldReason::Confirmation))
            && !self.letters.at_most(&mut batch, &post.author, "post-confirm", QUESTIONS).await?
        {
            return Ok(None);
        }
        post.id = PostId(self.store.allocate(COUNTER, 1).await?);
        // Durable before the commit that names it; a second writing of the same octets changes nothing.
        post.blob = self.blobs.put(None, octets.as_slice()).await.map_err(not_kept)?;
        let note = self.begin(&mut batch, &mut post, list, next, message).await?;
        put_post(&mut batch, &post, None);
        let copy = Seen { post: post.id, at: now };
        put_seen(&mut batch, &post.list, &mark, &copy, seen.map(|seen| seen.stamp));
        Ok(Some(Effects { batch, kind: InboundKind::Post, note, wakes: true, bounce: None }))
    }

    async fn begin(
        &self,
        batch: &mut Batch,
        post: &mut Post,
        list: &Read<List>,
        next: Next,
        message: &Incoming,
    ) -> Result<String, HandleError> {
        let now = self.clock.now();
        let Next::Hold(reason) = next else {
            let mailing = self.send(batch, post, list, None).await?;
            post.state = PostState::Approved { at: now, by: None, mailing };
            return Ok(format!("post {} goes out as mailing {mailing}", post.id));
        };
        let asked = asked(reason, post, &list.value);
        post.state = PostState::Held(Hold::new(reason, now, asked));
        self.ask(batch, post, &list.value, message).await?;
        Ok(format!("post {} is held for {}", post.id, reason.word()))
    }

    async fn next(&self, post: &Post, list: &List) -> Result<Next, StoreError> {
        let forged = post.authentication.is_forged();
        Ok(match (list.kind, list.posting.moderation) {
            // Its domain says that it is not from there: a question would only trouble whose name was taken.
            (ListKind::Announce, _) if forged => Next::Owner,
            (ListKind::Announce, _) => Next::Hold(HoldReason::Confirmation),
            (ListKind::Discussion, Moderation::All) => Next::Hold(HoldReason::Moderation),
            (ListKind::Discussion, rule) => match (self.is_member(&post.author, list).await? && !forged, rule) {
                (true, _) if list.approval => Next::Hold(HoldReason::Approval),
                (true, _) => Next::Send,
                (false, Moderation::None) => Next::Owner,
                (false, _) => Next::Hold(HoldReason::Moderation),
            },
        })
    }

    async fn is_member(&self, author: &Address, list: &List) -> Result<bool, StoreError> {
        let read = self.store.subscriber_by_address(author).await?;
        let state = read.and_then(|read| read.value.state_on(&list.name));
        // Who rests from reading may still write.
        Ok(matches!(state, Some(SubscriptionState::Active | SubscriptionState::Paused)))
    }
}

/// Who is asked for their word on a post.
pub(super) fn asked(reason: HoldReason, post: &Post, list: &List) -> Vec<Address> {
    match reason {
        HoldReason::Confirmation => vec![post.author.clone()],
        HoldReason::Moderation => list.moderators().into_iter().cloned().collect(),
        HoldReason::Approval => {
            let others = list.moderators().into_iter().filter(|one| one.key() != post.author.key());
            others.cloned().collect()
        }
    }
}

/// Whether a message went out from this list: its own List-Id stands in it (RFC 2919 §3; RFC 5321 §6.3).
fn is_own(list: &List, key: &crate::base::token::Key, message: &Incoming) -> bool {
    let own = ListIdentity::new(list, 0, key).fields.id;
    let is = |value: &str| {
        let id = value.rsplit_once('<').map_or(value, |(_, id)| id).trim().trim_end_matches('>');
        id.eq_ignore_ascii_case(&own)
    };
    message.headers_named("List-Id").any(|field| is(&field.value))
}

/// The one mailbox in From. Several, or none, are no author (RFC 9989 leaves them out too).
fn author(message: &Incoming) -> Option<Address> {
    match message.correspondents("From").as_slice() {
        [one] => one.address.parse().ok(),
        _ => None,
    }
}

/// By what a second copy is known: the Message-ID, or the author, date and body where there is none.
fn mark(message: &Incoming, octets: &[u8]) -> Vec<u8> {
    match message.message_id() {
        Some(id) => [b"id ", id.as_bytes()].concat(),
        None => {
            let header = |name: &str| message.header(name).unwrap_or_default().to_owned();
            [b"body ", header("From").as_bytes(), header("Date").as_bytes(), b"\n", body_of(octets)].concat()
        }
    }
}

fn not_kept(error: BlobError) -> HandleError {
    match error {
        BlobError::Io { action, path, error } => {
            let reason = format!("{}: {error}", path.display());
            HandleError::Store(StoreError::Engine(EngineError::Io { action, reason }))
        }
        other => HandleError::Broken(other.to_string()),
    }
}
