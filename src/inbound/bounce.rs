//! Mail to the envelope senders of our own mail: reports about deliveries.
//!
//! The signed token in the address identifies the subscriber (RFC 3464 §2.3 leaves that to the sender); the report
//! states what happened. A report without a valid token proves nothing and changes nothing; a person reads it, as they
//! do a message not written by a program. [`Rulebook::bounce`] decides the consequences.

use std::sync::Arc;

use crate::base::address::Address;
use crate::bounce::{Kind, Reading, RecipientReading};
use crate::model::bounce::{BouncePolicy, BounceSource, Verdict};
use crate::model::classify::Class;
use crate::model::inbound::InboundKind;
use crate::subscribers::bounced::Bounced;
use crate::subscribers::bounces::{Doubts, Noted, Report};
use crate::subscribers::rulebook::Rulebook;
use crate::subscribers::tokens::BounceToken;

use super::{Effects, HandleError, Item};

/// Handles bounces.
pub struct BounceHandler {
    /// Decides the consequences.
    pub rulebook: Rulebook,
    /// The policy by which bounces suspend a subscriber.
    pub policy: BouncePolicy,
    /// Decides which bounces are not believed.
    pub doubts: Arc<Doubts>,
}

impl BounceHandler {
    /// Returns what a message to an envelope sender does; `None` if a person must read it.
    ///
    /// # Errors
    /// [`HandleError`].
    pub(crate) async fn handle(
        &self,
        item: &Item,
        reading: &Reading,
        token: BounceToken,
    ) -> Result<Option<Effects>, HandleError> {
        let kind = match reading.kind {
            Kind::Bounce => InboundKind::Bounce,
            Kind::AutoReply => InboundKind::AutoReply,
            Kind::Notice => InboundKind::Notice,
            Kind::Complaint | Kind::Other => return Ok(None),
        };
        let erased = || format!("about {}, who was erased", token.subscriber);
        let Some(subscriber) = self.rulebook.store.subscriber(token.subscriber).await? else {
            return Ok(Some(Effects::none(kind, erased())));
        };
        let report = report(item, reading, token, &subscriber.value.address);
        let decided = self.rulebook.bounce(&self.policy, &self.doubts, &subscriber.value, report.clone()).await?;
        let note = match decided.outcome {
            Bounced::Probe => format!("about a probe to {}: {}", token.subscriber, report.verdict.word()),
            Bounced::Noted(noted) => words(&report, &noted),
            Bounced::NotBelieved(noted) => format!("{}; not believed: it is said of too many", words(&report, &noted)),
            Bounced::NoSubscriber => erased(),
        };
        Ok(Some(Effects { batch: decided.batch, bounce: Some(report.class), ..Effects::none(kind, note) }))
    }
}

/// Summary for the log and for operators; contains no address.
fn words(report: &Report, noted: &Noted) -> String {
    let Report { mailing, subscriber, .. } = report;
    let again = if noted.again { ", not the first" } else { "" };
    let (class, verdict, effect) = (report.class.word(), report.verdict.word(), noted.effect.word());
    format!("about {mailing} to {subscriber}: {class}, {verdict}{again}; {effect}")
}

fn report(item: &Item, reading: &Reading, token: BounceToken, address: &Address) -> Report {
    let is_theirs = |one: &&RecipientReading| one.address.iter().chain(&one.also).any(|named| is_same(named, address));
    let heaviest = |of: &mut dyn Iterator<Item = &RecipientReading>| of.max_by_key(|one| weight(one)).cloned();
    let theirs = heaviest(&mut reading.recipients.iter().filter(is_theirs));
    let named = reading.recipients.iter().any(|one| one.address.is_some());
    // The report names an address that theirs forwards to: the only one, or one of several of which this one failed.
    let names_other = theirs.is_none() && named;
    let some_arrived = reading.recipients.iter().any(|one| one.verdict == Verdict::None);
    let one = theirs.or_else(|| heaviest(&mut reading.recipients.iter()));
    let at = item.inbound.arrival.at;
    let source = BounceSource::Mail(item.inbound.id);
    let (mailing, subscriber) = (token.mailing, token.subscriber);
    Report {
        mailing,
        subscriber,
        at,
        sent_to: None,
        verdict: one.as_ref().map_or(Verdict::None, verdict),
        class: one.as_ref().map_or(Class::Other, |one| one.class),
        counts: one.as_ref().is_some_and(|one| one.counts && !one.waits) && !(names_other && some_arrived),
        names_other,
        status: one.as_ref().and_then(|one| one.status.clone()),
        words: one.map(|one| if one.evidence.is_empty() { one.why } else { one.evidence }).unwrap_or_default(),
        source,
    }
}

fn verdict(one: &RecipientReading) -> Verdict {
    match one.verdict {
        Verdict::Temporary if one.waits => Verdict::Delayed,
        Verdict::Complaint => Verdict::None,
        verdict => verdict,
    }
}

fn weight(one: &RecipientReading) -> (bool, Verdict) {
    (one.counts, verdict(one))
}

/// Whether a report names the subscriber: their address, or its local part at another domain, since mail systems have
/// more than one name. The part after `+` is ignored (RFC 5233).
fn is_same(named: &str, address: &Address) -> bool {
    let mailbox = |local: &str| local.split('+').next().unwrap_or_default().to_lowercase();
    match named.rsplit_once('@') {
        Some((local, _)) => mailbox(local) == mailbox(address.local_part()),
        None => mailbox(named) == mailbox(address.local_part()),
    }
}
