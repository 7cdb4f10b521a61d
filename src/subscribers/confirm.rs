//! The answer to a question: its signed token proves that the sender reads the mail of the address that was asked. A
//! yes carries out the pending request, once and before its expiry; a no ends it.

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

/// The state of a pending request.
#[derive(Clone, Debug, PartialEq)]
pub enum Pending {
    /// Waiting for an answer.
    Open(PendingRequest),
    /// Already answered.
    Answered(PendingRequest),
    /// Expired, or never existed.
    Over,
}

/// The outcome of a confirmation.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirmed {
    /// Carried out now.
    Now(Box<Done>),
    /// Answered before: nothing is done.
    Before,
    /// Expired, or never existed.
    Over,
    /// It cannot be carried out, and a person must look at it.
    Not(NotDone),
}

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The request that was carried out.
    pub pending: PendingRequest,
    /// The list that it is about.
    pub list: List,
    /// The subscriber as written; number 0 if the address belongs to no subscriber and nothing had to change.
    pub subscriber: Subscriber,
    /// Whether a subscription changed: then the proof must be stored before the commit.
    pub changed: bool,
    /// Whether a suppression of the address was lifted.
    pub lifted: bool,
}

/// Why a confirmed request cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The list was removed.
    NoList(ListName),
    /// The list is closed to requests.
    InvitationOnly(ListName),
    /// The person left the list, or asked for no mail at all, after they made the request. To join, they must ask again.
    LeftSince(ListName),
    /// The address is suppressed for a reason that this request does not lift.
    Suppressed(SuppressionReason),
    /// The subscriber's record would be too large.
    TooLarge(TooLarge),
}

impl Rulebook {
    /// The state of a pending request.
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

    /// Carries out a pending request. `name` is the name of a person who is not a subscriber yet.
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
        let joins = pending.asks_for(&Action::Subscribe);
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
        let suppressed = match self.obstacle(&mut batch, pending, &subscriber, said.at).await? {
            Ok(suppressed) => suppressed,
            Err(why) => return not(why),
        };
        let lifted = suppressed.is_some();
        if lifted {
            self.lift(&mut batch, pending, &mut subscriber, said).await?;
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
            // A stranger has nothing to change; the answer is the same as for a member.
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

    /// Ends a pending request with a no: its token is then invalid.
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

    /// A request that has not expired.
    async fn request(&self, id: PendingRequestId, at: Timestamp) -> Result<Option<Read<PendingRequest>>, StoreError> {
        let (read, present) = (self.store.pending(id).await?, self.store.present(at).await?);
        Ok(read.filter(|read| !read.value.is_over(&present)))
    }

    /// Why a request must not be carried out; else the suppression that it lifts, if there is one. The batch conflicts if
    /// that changes before it is committed.
    async fn obstacle(
        &self,
        batch: &mut Batch,
        pending: &PendingRequest,
        subscriber: &Subscriber,
        now: Timestamp,
    ) -> Result<Result<Option<SuppressionReason>, NotDone>, StoreError> {
        let joins = pending.asks_for(&Action::Subscribe);
        let mut suppressed = None;
        if joins || pending.asks_for(&Action::Resume) {
            suppressed = self.suppressed(batch, &pending.address).await?;
        }
        let may_lift = matches!(suppressed, Some(SuppressionReason::Request | SuppressionReason::Erased)) && joins;
        if let Some(reason) = suppressed
            && !may_lift
        {
            return Ok(Err(NotDone::Suppressed(reason)));
        }
        let is_outdated = pending.is_outdated(subscriber, now)
            || (suppressed == Some(SuppressionReason::Request) && self.is_unwanted_since(pending, now).await?);
        Ok(if is_outdated { Err(NotDone::LeftSince(pending.list.clone())) } else { Ok(suppressed) })
    }

    /// Whether the address was suppressed after the person made the request. As with the end of a subscription, a time
    /// in the future is a wrong clock's.
    async fn is_unwanted_since(&self, pending: &PendingRequest, now: Timestamp) -> Result<bool, StoreError> {
        let found = self.store.suppression(&self.key.hash_address(&pending.address)).await?;
        Ok(found.is_some_and(|read| read.value.since > pending.asked && read.value.since <= now))
    }

    /// Lifts the suppression of the address. Subscriptions other than the requested one stay ended.
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

/// The outcome of a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// It is recorded.
    Now,
    /// Answered before.
    Before,
    /// Expired, or never existed.
    Over,
}

/// The exact words agreed to. A form shows them itself; for a question by mail the reply text is added.
fn ledger_words(pending: &PendingRequest, said: &Instruction) -> String {
    match said.by.channel() {
        Channel::Mail => format!("{} [reply: \u{201c}{}\u{201d}]", pending.words, said.words),
        _ if said.words.trim().is_empty() => pending.words.clone(),
        _ => said.words.clone(),
    }
}

/// A new subscriber record for the address.
fn blank(pending: &PendingRequest, name: Option<&str>) -> Subscriber {
    Subscriber {
        name: name.and_then(|name| super::import::row::one_line("the name", name).ok()).filter(|name| !name.is_empty()),
        ..Subscriber::blank(pending.address.clone(), pending.language.clone(), pending.asked)
    }
}
