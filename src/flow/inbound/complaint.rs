//! Complaints: a reader told their provider that our mail is unwanted (RFC 5965).
//!
//! Anybody can write a report; one ends a subscription only if the message that it returns carries a token that we signed
//! (RFC 5965 §5: a report is no proof by itself). To which of our addresses it came does not matter. Others are read by a
//! person, and so are reports of other things, such as failed authentication (RFC 6591).

use crate::base::id::{MailingId, SubscriberId};
use crate::base::token::{Key, Purpose};
use crate::bounce::{self, Kind, Reading};
use crate::flow::bounces::{self, Report};
use crate::mail::incoming::Incoming;
use crate::model::bounce::{BounceEffect, BounceSource, Verdict, evidence};
use crate::model::classify::Class;
use crate::model::consent::ConsentSource;
use crate::model::inbound::InboundKind;
use crate::model::subscriber::SubscriptionState;
use crate::model::suppression::{Suppression, SuppressionReason};
use crate::store::{keys, subscribers, suppressions};

use super::destination::BounceToken;
use super::triage::InboundParts;
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
    let Some(token) = delivery_of(&parts.key, &item.message).filter(|_| unwanted && reading.kind == Kind::Complaint)
    else {
        return Ok(None);
    };
    let Some(mailing) = parts.store.mailing(token.mailing).await? else { return Ok(None) };
    let Some(before) = parts.store.subscriber(token.subscriber).await? else {
        let note = format!("about {} to {}, who was erased", token.mailing, token.subscriber);
        return Ok(Some(Effects::none(InboundKind::Complaint, note)));
    };
    let report = report(item, token, &said);
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
            let words = format!("the reader calls it unwanted (mailing {}): {}", token.mailing, report.words);
            let mut subscriber = before.value.clone();
            for list in &mailing.value.audience.lists {
                let source = ConsentSource::System { rule: RULE.to_owned() };
                if subscriber.state_on(list).is_some_and(|state| state != SubscriptionState::Ended)
                    && subscriber.change(list, SubscriptionState::Ended, report.at, source, words.clone()).is_ok()
                {
                    ended += 1;
                }
            }
            if ended > 0 {
                subscribers::put_changed(batch, &before, &subscriber);
            }
            let hash = parts.key.hash_address(&subscriber.address);
            if parts.store.suppression(&hash).await?.is_none() {
                let (address, reason) = (Some(subscriber.address.clone()), SuppressionReason::Complaint);
                let suppression = Suppression { address, reason, since: report.at, note: words };
                suppressions::put(batch, &hash, None, &suppression);
            }
            BounceEffect::Ended
        }
    };
    let known = parts.store.bounce(token.mailing, token.subscriber).await?;
    let (stamp, known) = known.map_or((None, None), |read| (Some(read.stamp), Some(read.value)));
    bounces::put(batch, stamp, known, &report, effect);
    let (mailing, subscriber) = (token.mailing, token.subscriber);
    effects.note = format!("about {mailing} to {subscriber}: {}, {ended} subscriptions ended", effect.word());
    Ok(Some(effects))
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

/// The delivery that the returned message was, by a token of ours in its header: its unsubscribe links, its envelope
/// sender. Its Message-ID proves nothing, for it stands in every answer to it; nor does the report's own header.
fn delivery_of(key: &Key, message: &Incoming) -> Option<BounceToken> {
    let returned = message.embedded()?;
    let fields = ["List-Unsubscribe", "Return-Path", "X-Envelope-From", "Original-Mail-From"];
    let named = fields.iter().flat_map(|name| returned.headers_named(name));
    named.flat_map(|field| field.raw.split(|c: char| !c.is_ascii_alphanumeric())).find_map(|word| delivery(key, word))
}

fn delivery(key: &Key, word: &str) -> Option<BounceToken> {
    if word.len() < SHORTEST_TOKEN {
        return None;
    }
    let purposes = [Purpose::Unsubscribe, Purpose::Bounce];
    purposes.iter().find_map(|purpose| match key.verify(*purpose, word)?.as_slice() {
        [mailing, subscriber] | [mailing, subscriber, _] => {
            Some(BounceToken { mailing: MailingId(*mailing), subscriber: SubscriberId(*subscriber) })
        }
        _ => None,
    })
}
