//! Mail to the envelope senders of our own mail: what came back about a delivery.
//!
//! The signed token in the address says *who* (RFC 3464 §2.3 leaves that to the sender), the report says *what*. Without a
//! valid token a report proves nothing and changes nothing; a person reads it. So does one that no program wrote.

use crate::base::address::Address;
use crate::base::id::MailingId;
use crate::bounce::{Kind, Reading, RecipientReading};
use crate::model::bounce::{BounceSource, Verdict};
use crate::model::classify::Class;
use crate::model::inbound::InboundKind;
use crate::subscribers::bounces::{Noted, Report, note};
use crate::subscribers::suspended;
use crate::subscribers::tokens::BounceToken;

use super::parts::InboundParts;
use super::{Effects, HandleError, Item};

/// What the envelope sender's token names when it was a probe and no mailing.
pub const PROBE: MailingId = MailingId(0);

/// Says what a message to an envelope sender does; `None` when a person must read it.
///
/// # Errors
/// [`HandleError`].
pub async fn handle(
    parts: &InboundParts,
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
    let Some(subscriber) = parts.rulebook.store.subscriber(token.subscriber).await? else {
        return Ok(Some(Effects::none(kind, format!("about {}, who was erased", token.subscriber))));
    };
    let mut report = report(item, reading, token, &subscriber.value.address);
    let domain = subscriber.value.address.domain();
    let is_believed = token.mailing == PROBE || parts.doubts.believes(&parts.rulebook.store, &report, domain).await?;
    report.counts &= is_believed;
    let mut effects = Effects { bounce: Some(report.class), ..Effects::none(kind, String::new()) };
    if token.mailing == PROBE {
        suspended::probe_came_back(&parts.rulebook.store, &mut effects.batch, &report).await?;
        effects.note = format!("about a probe to {}: {}", token.subscriber, report.verdict.word());
        return Ok(Some(effects));
    }
    let noted = note(&parts.rulebook.store, &parts.bounce, &mut effects.batch, &report).await?;
    effects.note = match noted {
        Some(noted) if is_believed => words(&report, &noted),
        Some(noted) => format!("{}; not believed: it is said of too many", words(&report, &noted)),
        None => format!("about {}, who was erased", token.subscriber),
    };
    Ok(Some(effects))
}

/// For the log and for people: no address in it.
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
    // An address behind theirs, where mail is passed on: to one, or to several of whom one failed.
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

/// Whether a report means the subscriber: their address, or its local part at another domain of theirs, since mail
/// systems have more names than one. What stands after `+` is the subscriber's own affair (RFC 5233).
fn is_same(named: &str, address: &Address) -> bool {
    let mailbox = |local: &str| local.split('+').next().unwrap_or_default().to_lowercase();
    match named.rsplit_once('@') {
        Some((local, _)) => mailbox(local) == mailbox(address.local_part()),
        None => mailbox(named) == mailbox(address.local_part()),
    }
}
