//! Complaints: a reader told their provider that our mail is unwanted (RFC 5965).
//!
//! Anybody can write a report; what one does hangs on what the message that it returns proves (RFC 5965 §5: a report is no
//! proof by itself). Its signed envelope sender, which only the receiver's server saw, ends every subscription of the
//! mailing and suppresses the address. A signed unsubscribe link stands at the foot of a mail and goes wherever that is
//! forwarded: it ends its own list, as it does when somebody follows it, and nothing else. To which of our addresses the
//! report came does not matter. Others are read by a person, and so are reports of other things, such as failed
//! authentication (RFC 6591).

use crate::base::id::ListName;
use crate::base::token::Key;
use crate::bounce::{self, Kind, Reading};
use crate::mail::incoming::Incoming;
use crate::model::bounce::{BounceEffect, BounceSource, Verdict, evidence};
use crate::model::classify::Class;
use crate::model::consent::ConsentSource;
use crate::model::inbound::InboundKind;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::store::engine::Batch;
use crate::store::{Read, keys, subscribers, suppressions};
use crate::subscribers::bounces;
use crate::subscribers::bounces::Report;

use super::command::lists_of;
use super::destination::{BounceToken, UnsubscribeToken};
use super::parts::InboundParts;
use super::{Effects, HandleError, Item};

/// What a reader means who wants no more mail (RFC 5965 §7.3, and what providers write besides).
const UNWANTED: [&str; 6] = ["abuse", "opt-out", "opt-out-list", "unsubscribe", "complaint", "miscategorized"];
/// The shortest token that there is: two numbers and its signature.
const SHORTEST_TOKEN: usize = 16;
/// The rule in the consent ledger.
const RULE: &str = "complaint";

/// Whether a message calls itself a report of abuse, or is one in Microsoft's manner.
pub fn is_complaint(message: &Incoming) -> bool {
    message.part("message/feedback-report").is_some() || bounce::is_junk_report(message)
}

/// Says what a complaint does; `None` when a person must read it.
///
/// # Errors
/// [`HandleError`].
pub async fn handle(parts: &InboundParts, item: &Item, reading: &Reading) -> Result<Option<Effects>, HandleError> {
    let said = reading.recipients.iter().map(|one| one.evidence.as_str()).find(|said| !said.is_empty());
    let said = said.unwrap_or_default().to_lowercase();
    let unwanted = said.rsplit(':').next().is_some_and(|kind| UNWANTED.contains(&kind.trim()));
    if !unwanted || reading.kind != Kind::Complaint {
        return Ok(None);
    }
    match proof(&parts.key, &item.message) {
        Some(Proof::Delivery(token)) => ends_all(parts, item, token, &said).await,
        Some(Proof::List(token)) => ends_one(parts, item, &token, &said).await,
        None => Ok(None),
    }
}

/// What the returned message proves.
enum Proof {
    /// That it was this delivery.
    Delivery(BounceToken),
    /// That whoever reports has had this link in hands.
    List(UnsubscribeToken),
}

async fn ends_all(
    parts: &InboundParts,
    item: &Item,
    token: BounceToken,
    said: &str,
) -> Result<Option<Effects>, HandleError> {
    let Some(mailing) = parts.store.mailing(token.mailing).await? else { return Ok(None) };
    let Some(before) = parts.store.subscriber(token.subscriber).await? else { return Ok(Some(erased(&token))) };
    let report = report(item, token, said);
    let score = parts.store.score(token.subscriber).await?;
    let (score, stamp) = score.map_or_else(Default::default, |read| (read.value, Some(read.stamp)));
    let mut effects =
        Effects { bounce: Some(Class::Complaint), ..Effects::none(InboundKind::Complaint, String::new()) };
    let batch = &mut effects.batch;
    // What is true of this address and score must be so still when it applies.
    batch.expect_read(keys::score(token.subscriber), stamp);
    batch.expect(keys::subscriber(token.subscriber), before.stamp.clone());
    let mut ended = 0;
    let effect = match bounces::is_former_address(&parts.store, &score, &before.value, &report).await? {
        true => BounceEffect::FormerAddress,
        false => {
            ended = end(batch, &before, mailing.value.audience.lists.iter(), &report);
            let hash = parts.key.hash_address(&before.value.address);
            if parts.store.suppression(&hash).await?.is_none() {
                let (address, reason) = (Some(before.value.address.clone()), SuppressionReason::Complaint);
                let suppression = Suppression { address, reason, since: report.at, note: words(&report) };
                suppressions::put(batch, &hash, None, &suppression);
            }
            BounceEffect::Ended
        }
    };
    note(parts, batch, &report, effect).await?;
    let (mailing, subscriber) = (token.mailing, token.subscriber);
    effects.note = format!("about {mailing} to {subscriber}: {}, {ended} subscriptions ended", effect.word());
    Ok(Some(effects))
}

async fn ends_one(
    parts: &InboundParts,
    item: &Item,
    token: &UnsubscribeToken,
    said: &str,
) -> Result<Option<Effects>, HandleError> {
    let delivery = BounceToken { mailing: token.mailing, subscriber: token.subscriber };
    let Some(before) = parts.store.subscriber(token.subscriber).await? else { return Ok(Some(erased(&delivery))) };
    let lists = lists_of(&parts.store, token, &before.value).await?;
    if lists.is_empty() {
        return Ok(None);
    }
    let report = report(item, delivery, said);
    let mut effects =
        Effects { bounce: Some(Class::Complaint), ..Effects::none(InboundKind::Complaint, String::new()) };
    let batch = &mut effects.batch;
    batch.expect(keys::subscriber(token.subscriber), before.stamp.clone());
    let ended = end(batch, &before, lists.iter(), &report);
    // A notice is no delivery of a mailing.
    if token.mailing.0 != 0 {
        note(parts, batch, &report, BounceEffect::Ended).await?;
    }
    let (mailing, subscriber) = (token.mailing, token.subscriber);
    effects.note = format!("about {mailing} to {subscriber}, by an unsubscribe link: {ended} subscriptions ended");
    Ok(Some(effects))
}

fn erased(token: &BounceToken) -> Effects {
    Effects::none(InboundKind::Complaint, format!("about {} to {}, who was erased", token.mailing, token.subscriber))
}

fn words(report: &Report) -> String {
    format!("the reader calls it unwanted (mailing {}): {}", report.mailing, report.words)
}

/// Ends the subscriptions to these lists; says how many.
fn end<'a>(
    batch: &mut Batch,
    before: &Read<Subscriber>,
    lists: impl Iterator<Item = &'a ListName>,
    report: &Report,
) -> usize {
    let (mut subscriber, mut ended) = (before.value.clone(), 0);
    for list in lists {
        let source = ConsentSource::System { rule: RULE.to_owned() };
        if subscriber.state_on(list).is_some_and(|state| state != SubscriptionState::Ended)
            && subscriber.change(list, SubscriptionState::Ended, report.at, source, words(report)).is_ok()
        {
            ended += 1;
        }
    }
    if ended > 0 {
        subscribers::put_changed(batch, before, &subscriber);
    }
    ended
}

async fn note(
    parts: &InboundParts,
    batch: &mut Batch,
    report: &Report,
    effect: BounceEffect,
) -> Result<(), HandleError> {
    let known = parts.store.bounce(report.mailing, report.subscriber).await?;
    let (stamp, known) = known.map_or((None, None), |read| (Some(read.stamp), Some(read.value)));
    bounces::put(batch, stamp, known, report, effect);
    Ok(())
}

fn report(item: &Item, token: BounceToken, said: &str) -> Report {
    Report {
        mailing: token.mailing,
        subscriber: token.subscriber,
        at: item.inbound.arrival.at,
        sent_to: None,
        verdict: Verdict::Complaint,
        class: Class::Complaint,
        counts: false,
        names_other: false,
        status: None,
        words: evidence(said),
        source: BounceSource::Mail(item.inbound.id),
    }
}

/// What tokens of ours prove in the header of the returned message: its envelope sender before its unsubscribe links. Its
/// Message-ID proves nothing, for it stands in every answer to it; nor does the report's own header.
fn proof(key: &Key, message: &Incoming) -> Option<Proof> {
    let returned = message.embedded()?;
    let words = |fields: &[&str]| -> Vec<String> {
        let named = fields.iter().flat_map(|name| returned.headers_named(name));
        let words = named.flat_map(|field| field.raw.split(|c: char| !c.is_ascii_alphanumeric()));
        words.filter(|word| word.len() >= SHORTEST_TOKEN).map(str::to_owned).collect()
    };
    let senders = words(&["Return-Path", "X-Envelope-From", "Original-Mail-From"]);
    let delivery = senders.iter().find_map(|word| BounceToken::verify(key, word)).map(Proof::Delivery);
    delivery.or_else(|| {
        let links = words(&["List-Unsubscribe"]);
        links.iter().find_map(|word| UnsubscribeToken::verify(key, word)).map(Proof::List)
    })
}
