//! The answer to a question: whoever gives its signed token reads the mail of the address that was asked. A yes makes the
//! pending request come true, once and in time; a no ends it.

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, PendingRequestId, SubscriberId};
use crate::model::channel::Channel;
use crate::model::consent::ConsentSource;
use crate::model::list::{Joining, List};
use crate::model::pending_request::{Action, PendingRequest, PendingState};
use crate::model::subscriber::Subscriber;
use crate::model::suppression::SuppressionReason;
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::subscribers::TooLarge;
use crate::store::{Read, StoreError, lists, pending_requests, subscribers, suppressions};

use super::leave::end;
use super::rulebook::{Instruction, Rulebook};

/// Where a pending request stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Pending {
    /// It waits for an answer.
    Open(PendingRequest),
    /// It was answered.
    Answered(PendingRequest),
    /// Its time is over, or it never was.
    Over,
}

/// What a confirmation comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirmed {
    /// It is done.
    Now(Box<Done>),
    /// It was answered before: nothing is done.
    Before,
    /// Its time is over, or it never was.
    Over,
    /// It cannot be done, and a person must look.
    Not(NotDone),
}

/// A request that came true.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The request.
    pub pending: PendingRequest,
    /// Its list.
    pub list: List,
    /// The subscriber as written; number 0 where the address belongs to no subscriber and there was nothing to change.
    pub subscriber: Subscriber,
    /// Whether a subscription changed: then the proof must be kept before the commit.
    pub changed: bool,
    /// Whether the address may be mailed again that was suppressed.
    pub lifted: bool,
}

/// Why a confirmed request cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The list is gone.
    NoList(ListName),
    /// The list takes nobody who asks.
    InvitationOnly(ListName),
    /// The address is suppressed for a reason that this does not lift.
    Suppressed(SuppressionReason),
    /// The subscriber's record would be too large.
    TooLarge(TooLarge),
}

impl Rulebook {
    /// Where a pending request stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pending(&self, id: PendingRequestId, at: Timestamp) -> Result<Pending, StoreError> {
        Ok(match self.request(id, at).await? {
            None => Pending::Over,
            Some(read) if read.value.state == PendingState::Open => Pending::Open(read.value),
            Some(read) => Pending::Answered(read.value),
        })
    }

    /// Makes a pending request come true. `name` is what a person who is not known yet calls themselves.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn confirm(
        &self,
        id: PendingRequestId,
        name: Option<&str>,
        said: &Instruction,
    ) -> Result<Decided<Confirmed>, StoreError> {
        let Some(read) = self.request(id, said.at).await? else { return Ok(Decided::unchanged(Confirmed::Over)) };
        if read.value.state != PendingState::Open {
            return Ok(Decided::unchanged(Confirmed::Before));
        }
        let (pending, not) = (&read.value, |why| Ok(Decided::unchanged(Confirmed::Not(why))));
        let (joins, begins) = (pending.asks_for(&Action::Subscribe), pending.asks_for(&Action::Resume));
        let mut batch = Batch::new();
        let Some(list) = self.store.list(&pending.list).await? else {
            return not(NotDone::NoList(pending.list.clone()));
        };
        lists::expect(&mut batch, &list);
        if joins && list.value.joining == Joining::Closed {
            return not(NotDone::InvitationOnly(pending.list.clone()));
        }
        let before = self.store.subscriber_by_address(&pending.address).await?;
        let mut subscriber = before.as_ref().map_or_else(|| blank(pending, name), |read| read.value.clone());
        let mut lifted = false;
        if joins || begins {
            match self.suppressed(&mut batch, &pending.address).await? {
                None => {}
                // Their own confirmed wish to join lifts what they or an erasure put there, and no other.
                Some(SuppressionReason::Request | SuppressionReason::Erased) if joins => {
                    self.lift(&mut batch, pending, &mut subscriber, said).await?;
                    lifted = true;
                }
                Some(reason) => return not(NotDone::Suppressed(reason)),
            }
        }
        let was = subscriber.subscriptions.clone();
        pending.grant(&mut subscriber, said.at, &said.by, &ledger_words(pending, said));
        if let (true, Err(too_large)) = (joins, subscribers::admit(&subscriber)) {
            return not(NotDone::TooLarge(too_large));
        }
        match &before {
            None if joins => {
                subscriber.id = SubscriberId(self.store.allocate(subscribers::COUNTER, 1).await?);
                subscribers::put_new(&mut batch, &subscriber);
            }
            // A stranger has nothing to change; the answer is the same as a member's.
            None => subscribers::expect_unknown(&mut batch, &pending.address),
            Some(before) => {
                subscriber.updated = if subscriber == before.value { subscriber.updated } else { said.at };
                subscribers::put_changed(&mut batch, before, &subscriber);
            }
        }
        let changed = subscriber.subscriptions != was;
        if let (true, Some(sha256)) = (changed, said.by.evidence()) {
            pending_requests::put_evidence(&mut batch, sha256, subscriber.id);
        }
        pending_requests::put_changed(
            &mut batch,
            &read,
            &PendingRequest { state: PendingState::Granted { at: said.at }, ..pending.clone() },
        );
        let done = Done { pending: pending.clone(), list: list.value, subscriber, changed, lifted };
        Ok(Decided { outcome: Confirmed::Now(Box::new(done)), batch })
    }

    /// Ends a pending request with a no: its token is good for nothing any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn decline(&self, id: PendingRequestId, at: Timestamp) -> Result<Decided<Declined>, StoreError> {
        let Some(read) = self.request(id, at).await? else { return Ok(Decided::unchanged(Declined::Over)) };
        if read.value.state != PendingState::Open {
            return Ok(Decided::unchanged(Declined::Before));
        }
        let mut batch = Batch::new();
        pending_requests::put_changed(
            &mut batch,
            &read,
            &PendingRequest { state: PendingState::Declined { at }, ..read.value.clone() },
        );
        Ok(Decided { outcome: Declined::Now, batch })
    }

    /// A request whose time is not over.
    async fn request(&self, id: PendingRequestId, at: Timestamp) -> Result<Option<Read<PendingRequest>>, StoreError> {
        let (read, present) = (self.store.pending(id).await?, self.store.present(at).await?);
        Ok(read.filter(|read| !read.value.is_over(&present)))
    }

    /// Lets the address be mailed again. What else they were subscribed to before they asked for no mail at all stays ended.
    async fn lift(
        &self,
        batch: &mut Batch,
        pending: &PendingRequest,
        subscriber: &mut Subscriber,
        said: &Instruction,
    ) -> Result<(), StoreError> {
        let hash = self.key.hash_address(&pending.address);
        if let Some(found) = self.store.suppression(&hash).await? {
            suppressions::delete(batch, &hash, found.stamp);
        }
        let by = ConsentSource::System { rule: "asked for no mail at all, then for one list".to_owned() };
        let rule = Instruction { by, words: format!("begins again only for {}", pending.list), at: said.at };
        let others: Vec<_> = subscriber.subscriptions.keys().filter(|name| **name != pending.list).cloned().collect();
        end(subscriber, &others, &rule);
        Ok(())
    }
}

/// What a no comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// It is noted.
    Now,
    /// It was answered before.
    Before,
    /// Its time is over, or it never was.
    Over,
}

/// The exact words agreed to. A form shows them itself; to a question by mail belong the words of the reply.
fn ledger_words(pending: &PendingRequest, said: &Instruction) -> String {
    match said.by.channel() {
        Channel::Mail => format!("{} [reply: \u{201c}{}\u{201d}]", pending.words, said.words),
        _ if said.words.trim().is_empty() => pending.words.clone(),
        _ => said.words.clone(),
    }
}

/// A person who is not known yet.
fn blank(pending: &PendingRequest, name: Option<&str>) -> Subscriber {
    Subscriber {
        name: name.and_then(|name| super::import::row::one_line("the name", name).ok()).filter(|name| !name.is_empty()),
        ..Subscriber::blank(pending.address.clone(), pending.language.clone(), pending.asked)
    }
}
