//! Complaints that come by mail (RFC 5965). Anyone can write a report, and a report alone proves nothing (RFC 5965 §5):
//! its effect depends on what the returned message proves. That proof is extracted here; [`Rulebook::complain`] decides
//! the consequences. The report may come to any of our addresses. A report without proof, or about something else, such
//! as failed authentication (RFC 6591), is read by a person.

use crate::base::token::Key;
use crate::bounce::{self, Kind, Reading};
use crate::mail::incoming::Incoming;
use crate::model::bounce::BounceSource;
use crate::model::classify::Class;
use crate::model::inbound::InboundKind;
use crate::subscribers::complaint::{Complained, Complaint, ComplaintProof};
use crate::subscribers::rulebook::Rulebook;
use crate::subscribers::tokens::{BounceToken, UnsubscribeToken};

use super::{Effects, HandleError, Item};

/// Feedback types by which a reader wants no more mail (RFC 5965 §7.3, and others that providers use).
const UNWANTED: [&str; 6] = ["abuse", "opt-out", "opt-out-list", "unsubscribe", "complaint", "miscategorized"];
/// Length of the shortest possible token: two numbers and a signature.
const SHORTEST_TOKEN: usize = 16;

/// Whether a message claims to be an abuse report, or is one in Microsoft's format, and returns the message that it is
/// about, without which it proves nothing.
pub(crate) fn is_complaint(message: &Incoming) -> bool {
    let is_report = || message.part("message/feedback-report").is_some() || bounce::is_junk_report(message);
    message.embedded().is_some() && is_report()
}

/// Returns what a complaint does; `None` if a person must read it.
///
/// # Errors
/// [`HandleError`].
pub(crate) async fn handle(rules: &Rulebook, item: &Item, reading: &Reading) -> Result<Option<Effects>, HandleError> {
    let said = reading.recipients.iter().map(|one| one.evidence.as_str()).find(|said| !said.is_empty());
    let words = said.unwrap_or_default().to_lowercase();
    let unwanted = words.rsplit(':').next().is_some_and(|kind| UNWANTED.contains(&kind.trim()));
    if !unwanted || reading.kind != Kind::Complaint {
        return Ok(None);
    }
    let Some(proof) = proof(&rules.key, &item.message) else { return Ok(None) };
    let (mailing, subscriber) = proof.delivery();
    let (at, source) = (item.inbound.arrival.at, BounceSource::Mail(item.inbound.id));
    let decided = rules.complain(&Complaint { proof, at, words, source }).await?;
    let note = match decided.outcome {
        Complained::Unknown => return Ok(None),
        Complained::NoSubscriber => {
            let note = format!("about {mailing} to {subscriber}, who was erased");
            return Ok(Some(Effects::none(InboundKind::Complaint, note)));
        }
        Complained::FormerAddress => format!("about {mailing} to {subscriber}: former-address, 0 subscriptions ended"),
        Complained::Suppressed(ended) => {
            format!("about {mailing} to {subscriber}: ended, {} subscriptions ended", ended.len())
        }
        Complained::Left(ended) => {
            format!("about {mailing} to {subscriber}, by an unsubscribe link: {} subscriptions ended", ended.len())
        }
    };
    let effects = Effects::none(InboundKind::Complaint, note);
    Ok(Some(Effects { batch: decided.batch, bounce: Some(Class::Complaint), ..effects }))
}

/// What our tokens in the header of the returned message prove: its envelope sender first, then its unsubscribe links.
/// Its Message-ID proves nothing, because every reply contains it; nor does the report's own header.
fn proof(key: &Key, message: &Incoming) -> Option<ComplaintProof> {
    let returned = message.embedded()?;
    let words = |fields: &[&str]| -> Vec<String> {
        let named = fields.iter().flat_map(|name| returned.headers_named(name));
        let words = named.flat_map(|field| field.raw.split(|c: char| !c.is_ascii_alphanumeric()));
        words.filter(|word| word.len() >= SHORTEST_TOKEN).map(str::to_owned).collect()
    };
    let senders = words(&["Return-Path", "X-Envelope-From", "Original-Mail-From"]);
    let delivery = senders.iter().find_map(|word| BounceToken::verify(key, word)).map(ComplaintProof::Delivery);
    delivery.or_else(|| {
        let links = words(&["List-Unsubscribe"]);
        links.iter().find_map(|word| UnsubscribeToken::verify(key, word)).map(ComplaintProof::List)
    })
}
