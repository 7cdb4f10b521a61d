//! Disposition notifications (RFC 8098): read receipts, and rejections by Sieve and delivery agents in this form.

use crate::mail::incoming::{Incoming, Part};
use crate::model::classify::{Class, Diagnosis};

use super::diagnosis::Said;
use super::kind::{Signs, silent};
use super::lines::Text;
use super::original::Original;
use super::status_fields::{Group, address_of, groups};
use super::{Kind, Reader, RecipientReading, Verdict, evidence};

/// Maximum bytes of the notification that are read.
const MAX: usize = 64 * 1024;

/// The reading of a disposition notification, if the message contains one.
pub(super) fn read(
    reader: &Reader,
    mail: &Incoming,
    text: &Text,
    original: &Original,
    signs: &Signs,
) -> Option<(Kind, Vec<RecipientReading>)> {
    let groups = notification(mail)?;
    let field = |name: &str| groups.iter().find_map(|group| group.get(name).and_then(address_of));
    let disposition = groups.iter().find_map(|group| group.get("disposition")).unwrap_or_default();
    let lower = disposition.to_ascii_lowercase();
    // RFC 5429 §2.2.1: a Sieve script that rejects says "deleted", and so does a program that deletes a mail unread.
    // Only the text distinguishes them.
    let is_rejected = signs.says_failure() && ["deleted", "denied", "failed"].iter().any(|word| lower.contains(word));
    if !is_rejected {
        let address = field("original-recipient").or_else(|| field("final-recipient"));
        let evidence = evidence(&format!("Disposition: {disposition}"));
        return Some((Kind::Notice, vec![silent(address, Class::Notice, "a read receipt", &evidence)]));
    }
    let address = field("final-recipient").or_else(|| field("original-recipient"));
    let words = text.joined();
    let (said, ours) = (Said::new(&words), original.ours(address.as_deref()));
    let (stage, code, enhanced) = (said.stage, said.code, said.status.as_deref());
    let classified = reader.classifier.diagnose(&Diagnosis { stage, code, enhanced, text: &words, ours: &ours });
    let is_permanent = said.is_permanent().unwrap_or(true);
    let reading = RecipientReading {
        counts: classified.counts(is_permanent),
        verdict: if is_permanent { Verdict::Permanent } else { Verdict::Temporary },
        status: said.status,
        code: said.code,
        ..silent(address, classified.class, &classified.why, &evidence(&words))
    };
    Some((Kind::Bounce, vec![reading]))
}

fn notification(mail: &Incoming) -> Option<Vec<Group>> {
    let kinds = ["message/disposition-notification", "message/global-disposition-notification"];
    let part: &Part = kinds.iter().find_map(|kind| mail.part(kind))?;
    Some(groups(&String::from_utf8_lossy(&part.bytes[..part.bytes.len().min(MAX)])))
}
