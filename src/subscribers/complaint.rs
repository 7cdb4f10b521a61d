//! A reader reported our mail as unwanted to their provider (RFC 5965). The effect depends on what proves that the mail
//! was ours. The signed envelope sender of a delivery, which only the receiving server saw, ends every subscription of
//! its mailing and suppresses the address. A signed unsubscribe link is part of the mail and is forwarded with it: it
//! ends only the subscription to its own list, as following it does.

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::model::bounce::{BounceEffect, BounceSource, Verdict, evidence};
use crate::model::classify::Class;
use crate::model::consent::{COMPLAINT, ConsentSource};
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::{self, StoreError, subscribers, suppressions};

use super::bounces::{Report, is_former_address, put};
use super::leave::end;
use super::rulebook::{Instruction, Rulebook};
use super::tokens::{BounceToken, UnsubscribeToken};

/// What proves that a complaint is about our mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComplaintProof {
    /// The signed envelope sender of the delivery.
    Delivery(BounceToken),
    /// A signed unsubscribe link of the mail.
    List(UnsubscribeToken),
}

/// A reader's complaint.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// What proves which mail it is about.
    pub proof: ComplaintProof,
    /// When the complaint came.
    pub at: Timestamp,
    /// The provider's text.
    pub words: String,
    /// The source of the complaint.
    pub source: BounceSource,
}

/// The outcome of a complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complained {
    /// These subscriptions were ended, and the address is suppressed.
    Suppressed(Vec<ListName>),
    /// These subscriptions were ended.
    Left(Vec<ListName>),
    /// It is about a former address of the subscriber: recorded without effect.
    FormerAddress,
    /// The subscriber was erased.
    NoSubscriber,
    /// The mailing or the list no longer exists: a person must look at it.
    Unknown,
}

impl ComplaintProof {
    /// The delivery that the proof identifies; mailing 0 for a notice.
    pub(crate) fn delivery(&self) -> (MailingId, SubscriberId) {
        match self {
            Self::Delivery(BounceToken { mailing, subscriber })
            | Self::List(UnsubscribeToken { mailing, subscriber, .. }) => (*mailing, *subscriber),
        }
    }
}

impl Rulebook {
    /// Ends the subscriptions that a complaint is about.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complain(&self, complaint: &Complaint) -> Result<Decided<Complained>, StoreError> {
        match complaint.proof {
            ComplaintProof::Delivery(token) => self.end_delivery(token, complaint).await,
            ComplaintProof::List(token) => self.end_list(&token, complaint).await,
        }
    }

    async fn end_delivery(&self, token: BounceToken, complaint: &Complaint) -> Result<Decided<Complained>, StoreError> {
        let Some(mailing) = self.store.mailing(token.mailing).await? else {
            return Ok(Decided::unchanged(Complained::Unknown));
        };
        let Some(before) = self.store.subscriber(token.subscriber).await? else {
            return Ok(Decided::unchanged(Complained::NoSubscriber));
        };
        let (report, mut batch) = (complaint.report(), Batch::new());
        let score = self.store.score(token.subscriber).await?;
        let (score, stamp) = score.map_or_else(Default::default, |read| (read.value, Some(read.stamp)));
        // The decision depends on this address and score, so both must be unchanged at the commit.
        store::bounces::expect_score(&mut batch, token.subscriber, stamp);
        subscribers::expect(&mut batch, &before);
        if is_former_address(&self.store, &score, &before.value, &report).await? {
            self.note_complaint(&mut batch, &report, BounceEffect::FormerAddress).await?;
            return Ok(Decided { outcome: Complained::FormerAddress, batch });
        }
        let mut subscriber = before.value.clone();
        let ended = end(&mut subscriber, &mailing.value.audience.lists, &complaint.said());
        if !ended.is_empty() {
            subscribers::put_changed(&mut batch, &before, &subscriber);
        }
        let hash = self.key.hash_address(&subscriber.address);
        if self.store.suppression(&hash).await?.is_none() {
            let (address, reason) = (Some(subscriber.address), SuppressionReason::Complaint);
            let suppression = Suppression { address, reason, since: complaint.at, note: complaint.said().words };
            suppressions::put(&mut batch, &hash, None, &suppression);
        }
        self.note_complaint(&mut batch, &report, BounceEffect::Ended).await?;
        Ok(Decided { outcome: Complained::Suppressed(ended), batch })
    }

    async fn end_list(
        &self,
        token: &UnsubscribeToken,
        complaint: &Complaint,
    ) -> Result<Decided<Complained>, StoreError> {
        let Some(before) = self.store.subscriber(token.subscriber).await? else {
            return Ok(Decided::unchanged(Complained::NoSubscriber));
        };
        let lists = token.lists(&self.store, &before.value).await?;
        if lists.is_empty() {
            return Ok(Decided::unchanged(Complained::Unknown));
        }
        let mut batch = Batch::new();
        subscribers::expect(&mut batch, &before);
        let mut subscriber = before.value.clone();
        let ended = end(&mut subscriber, &lists, &complaint.said());
        if !ended.is_empty() {
            subscribers::put_changed(&mut batch, &before, &subscriber);
        }
        // A notice is not a delivery of a mailing.
        if !token.is_of_notice() {
            self.note_complaint(&mut batch, &complaint.report(), BounceEffect::Ended).await?;
        }
        Ok(Decided { outcome: Complained::Left(ended), batch })
    }

    async fn note_complaint(&self, batch: &mut Batch, report: &Report, effect: BounceEffect) -> Result<(), StoreError> {
        let known = self.store.bounce(report.mailing, report.subscriber).await?;
        let (stamp, known) = known.map_or((None, None), |read| (Some(read.stamp), Some(read.value)));
        put(batch, stamp, known, report, effect);
        Ok(())
    }
}

impl Complaint {
    fn said(&self) -> Instruction {
        let (mailing, _) = self.proof.delivery();
        let words = format!("the reader reported it as unwanted (mailing {mailing}): {}", evidence(&self.words));
        Instruction { by: ConsentSource::System { rule: COMPLAINT.to_owned() }, words, at: self.at }
    }

    fn report(&self) -> Report {
        let (mailing, subscriber) = self.proof.delivery();
        Report {
            mailing,
            subscriber,
            at: self.at,
            sent_to: None,
            verdict: Verdict::Complaint,
            class: Class::Complaint,
            counts: false,
            names_other: false,
            status: None,
            words: evidence(&self.words),
            source: self.source,
        }
    }
}
