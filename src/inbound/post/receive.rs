//! A mail to a list's own address: who may post, and what must happen before a post is sent.

use chrono::Duration;

use crate::base::address::Address;
use crate::base::id::PostId;
use crate::composition::list_identity::ListIdentity;
use crate::composition::notices::is_of_program;
use crate::inbound::{Effects, HandleError, Item};
use crate::mail::header_check::{Doubt, author_and_doubt};
use crate::mail::incoming::Incoming;
use crate::mail::posted::{body_of, with_line_ends};
use crate::mailings::decide::{asked, send_post};
use crate::model::inbound::{InboundKind, Via};
use crate::model::list::{List, ListKind, Moderation};
use crate::model::post::{Hold, HoldReason, Post, PostState};
use crate::model::subscriber::SubscriptionState;
use crate::store::blobs::BlobError;
use crate::store::engine::{Batch, EngineError};
use crate::store::posts::{COUNTER, Seen, put_post, put_seen};
use crate::store::{Read, StoreError};

use super::PostService;
use super::ask::Reading;

/// Days for which a second copy of a message is recognised.
pub const SEEN_DAYS: i64 = 7;
/// Questions to one author per day, so that forged posts cannot fill their mailbox.
const QUESTIONS: u32 = 20;

/// The outcome of a mail to a list's own address.
#[derive(Debug)]
pub enum Received {
    /// Handled, with these effects.
    Done(Effects),
    /// No effects: the list's owner must read it, for this reason.
    ForOwner(String),
}

/// What must happen before a post is sent.
enum Next {
    /// Nothing: it is sent at once.
    Send,
    /// Hold it for a decision; with what speaks against the post.
    Hold(HoldReason, Option<String>),
    /// It is not a post: the owner must read it, for this reason.
    Owner(String),
}

impl PostService {
    /// Decides what a mail to a list's own address does.
    ///
    /// # Errors
    /// [`HandleError`].
    pub(crate) async fn receive(&self, item: &Item, list: &Read<List>) -> Result<Received, HandleError> {
        let (message, now) = (&item.message, self.clock.now());
        let for_owner = |why: &str| Ok(Received::ForOwner(why.to_owned()));
        if is_own(&list.value, &self.key, message) {
            return Ok(Received::Done(Effects::none(InboundKind::Loop, "it was sent by this list before")));
        }
        // RFC 3834 §2, RFC 5321 §4.5.5: mail from a program, or with an empty envelope sender, is not a post.
        if is_of_program(item.inbound.arrival.sender.as_deref(), message) || !message.may_be_answered() {
            return for_owner("a program sent it");
        }
        // From here on every decision is made about the bytes that are kept and sent.
        let bytes = with_line_ends(&item.bytes);
        let (author, doubt) = match author_and_doubt(&bytes) {
            Ok((author, doubt)) => (author, doubt),
            Err(error) => return for_owner(&error.to_string()),
        };
        // A person who may not send to an announce list causes no lookup, and nothing of their mail is kept.
        if list.value.kind == ListKind::Announce && !list.value.is_sender(&author.address) {
            return for_owner("its author may not send to this list");
        }
        let mark = mark(message, &bytes);
        let (seen, present) = (self.store.seen_message(&list.value.name, &mark).await?, self.store.present(now).await?);
        if let Some(seen) = seen.as_ref().filter(|seen| !present.has_lasted(seen.value.at, Duration::days(SEEN_DAYS))) {
            let note = format!("a second copy of post {}", seen.value.post);
            return Ok(Received::Done(Effects::none(InboundKind::Post, note)));
        }
        let authentication = self.authenticator.authenticate(&item.inbound.arrival, &bytes, &author.address).await;
        let mut post = Post {
            id: PostId(0),
            list: list.value.name.clone(),
            author: author.address,
            author_name: author.name,
            subject: message.subject().to_owned(),
            message_id: message.message_id().map(str::to_owned),
            blob: crate::model::release::Blob { sha256: [0; 32], size: 0 },
            received: now,
            authentication,
            state: PostState::Expired { at: now },
        };
        let reading = Reading { message, doubtful: doubt.is_some() };
        let mut next = match self.next(&post, &list.value, item.inbound.arrival.via, doubt).await? {
            Next::Owner(why) => return Ok(Received::ForOwner(why)),
            next => next,
        };
        // A possible automatic reply of a member is neither sent to everyone without a check nor dropped.
        if matches!(next, Next::Send) && self.words.reader().may_be_automatic_post(message) {
            next = Next::Hold(HoldReason::Moderation, Some("it may be an automatic reply".to_owned()));
        }
        let mut batch = Batch::new();
        if matches!(next, Next::Hold(HoldReason::Confirmation, _))
            && !self.notices.at_most(&mut batch, &post.author, "post-confirm", QUESTIONS).await?
        {
            return for_owner("its author was asked too often today");
        }
        post.id = PostId(self.store.allocate(COUNTER, 1).await?);
        // Made durable before the commit that refers to it; storing the same bytes again changes nothing.
        post.blob = self.blobs.put(None, bytes.as_slice()).await.map_err(not_kept)?;
        let note = self.begin(&mut batch, &mut post, list, next, reading).await?;
        put_post(&mut batch, &post, None);
        let copy = Seen { post: post.id, at: now };
        put_seen(&mut batch, &post.list, &mark, &copy, seen.map(|seen| seen.stamp));
        Ok(Received::Done(Effects { batch, kind: InboundKind::Post, note, notify: true, bounce: None }))
    }

    async fn begin(
        &self,
        batch: &mut Batch,
        post: &mut Post,
        list: &Read<List>,
        next: Next,
        reading: Reading<'_>,
    ) -> Result<String, HandleError> {
        let now = self.clock.now();
        let Next::Hold(reason, against) = next else {
            let mailing = send_post(&self.store, self.zone, batch, post, (list, None, now)).await?;
            post.state = PostState::Approved { at: now, by: None, mailing };
            return Ok(format!("post {} goes out as mailing {mailing}", post.id));
        };
        let asked = asked(reason, post, &list.value);
        post.state = PostState::Held(Hold::new(reason, now, asked));
        self.ask(batch, post, &list.value, reading).await?;
        let against = against.map(|against| format!(": {against}")).unwrap_or_default();
        Ok(format!("post {} is held for {}{against}", post.id, reason.word()))
    }

    async fn next(&self, post: &Post, list: &List, via: Via, doubt: Option<Doubt>) -> Result<Next, StoreError> {
        let (doubt, by) = (doubt.map(|doubt| doubt.to_string()), &post.authentication);
        let rule = match (list.kind, doubt) {
            // Its readers would see another author than the one who would be asked.
            (ListKind::Announce, Some(doubt)) => return Ok(Next::Owner(doubt)),
            // The author's domain disowns it: a question would only bother the person whose address was forged.
            (ListKind::Announce, None) if by.is_forged() => {
                return Ok(Next::Owner("its author's domain disowns it".to_owned()));
            }
            (ListKind::Announce, None) => return Ok(Next::Hold(HoldReason::Confirmation, None)),
            (ListKind::Discussion, doubt) => (list.posting.moderation, doubt),
        };
        let member = self.is_member(&post.author, list).await?;
        let objection = || by.objection(via == Via::Smtp, list.posting.unproven).map(|objection| objection.to_string());
        let against = rule.1.or_else(|| if member { objection() } else { None });
        Ok(match (rule.0, member && against.is_none()) {
            (Moderation::All, _) => Next::Hold(HoldReason::Moderation, against),
            (_, true) if list.approval => Next::Hold(HoldReason::Approval, None),
            (_, true) => Next::Send,
            (Moderation::None, false) => Next::Owner(against.unwrap_or_else(|| "its author is no member".to_owned())),
            (Moderation::NonMembers, false) => Next::Hold(HoldReason::Moderation, against),
        })
    }

    async fn is_member(&self, author: &Address, list: &List) -> Result<bool, StoreError> {
        let read = self.store.subscriber_by_address(author).await?;
        let state = read.and_then(|read| read.value.state_on(&list.name));
        // A paused subscriber may still post.
        Ok(matches!(state, Some(SubscriptionState::Active | SubscriptionState::Paused)))
    }
}

/// Whether a message was sent by this list: it contains the list's own List-Id (RFC 2919 §3; RFC 5321 §6.3).
fn is_own(list: &List, key: &crate::base::token::Key, message: &Incoming) -> bool {
    let own = ListIdentity::new(list, 0, key).fields.id;
    let is = |value: &str| {
        let id = value.rsplit_once('<').map_or(value, |(_, id)| id).trim().trim_end_matches('>');
        id.eq_ignore_ascii_case(&own)
    };
    message.headers_named("List-Id").any(|field| is(&field.value))
}

/// Identifies copies of a message: its Message-ID, or author, date and body if it has none.
fn mark(message: &Incoming, bytes: &[u8]) -> Vec<u8> {
    match message.message_id() {
        Some(id) => [b"id ", id.as_bytes()].concat(),
        None => {
            let header = |name: &str| message.header(name).unwrap_or_default().to_owned();
            [b"body ", header("From").as_bytes(), header("Date").as_bytes(), b"\n", body_of(bytes)].concat()
        }
    }
}

fn not_kept(error: BlobError) -> HandleError {
    match error {
        BlobError::Io { action, path, error } => {
            let reason = format!("{}: {error}", path.display());
            HandleError::Store(StoreError::Engine(EngineError::Unavailable { action, reason }))
        }
        other => HandleError::Broken(other.to_string()),
    }
}
