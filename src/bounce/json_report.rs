//! Reports that mail services send as JSON in a mail instead of RFC 3464: an object with a type and lists of
//! recipients. The names are those of Amazon SES, which others have adopted.

use serde_json::Value;

use crate::mail::incoming::Incoming;
use crate::model::classify::{Class, Diagnosis};

use super::diagnosis::Said;
use super::original::Original;
use super::{Kind, Reader, Reading, RecipientReading, Verdict, evidence};

/// Maximum bytes of JSON that are read.
const MAX: usize = 256 * 1024;

/// The report, if the text of the message is one.
pub(super) fn read(reader: &Reader, mail: &Incoming, original: &Original) -> Option<Reading> {
    let text = mail.text().trim_start();
    if !text.starts_with('{') || text.len() > MAX {
        return None;
    }
    // The text after the object is for people. A line folded inside a string by a mail program is rejoined.
    let repaired: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let whole: Value = serde_json::Deserializer::from_str(&repaired).into_iter().next()?.ok()?;
    let inner = whole.get("Message").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    let report: Value = inner.unwrap_or(whole);
    let kind = ["notificationType", "eventType", "event"].iter().find_map(|name| report.get(name)?.as_str());
    let (kind, list) = match kind?.to_ascii_lowercase().as_str() {
        "bounce" => ("bounce", "bouncedRecipients"),
        "complaint" => ("complaint", "complainedRecipients"),
        "delivery" => ("delivery", "recipients"),
        _ => return None,
    };
    let about = report.get(kind)?;
    let entries = about.get(list)?.as_array()?;
    let recipients = entries.iter().take(500).map(|entry| recipient(reader, original, kind, (about, entry))).collect();
    let kind = match kind {
        "bounce" => Kind::Bounce,
        "complaint" => Kind::Complaint,
        _ => Kind::Notice,
    };
    let mut original = original.clone();
    let headers = report.get("mail").and_then(|mail| mail.get("commonHeaders"));
    let id = headers.and_then(|headers| headers.get("messageId")).and_then(Value::as_str);
    original.message_id = id.map(|id| id.trim_matches(['<', '>']).to_owned()).or(original.message_id);
    let source = report.get("mail").and_then(|mail| mail.get("source")).and_then(Value::as_str);
    original.senders.extend(source.map(str::to_owned));
    Some(Reading { kind, recipients, original })
}

fn recipient(reader: &Reader, original: &Original, kind: &str, (about, entry): (&Value, &Value)) -> RecipientReading {
    let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let address = word(entry, "emailAddress").or_else(|| entry.as_str().map(str::to_owned));
    let words = match kind {
        "bounce" => word(entry, "diagnosticCode").unwrap_or_default(),
        "complaint" => word(about, "complaintFeedbackType").unwrap_or_else(|| "complaint".to_owned()),
        _ => word(about, "smtpResponse").unwrap_or_else(|| "delivered".to_owned()),
    };
    let mut reading = RecipientReading {
        address: address.and_then(|text| super::address::first(&text)),
        also: Vec::new(),
        status: None,
        code: None,
        verdict: Verdict::None,
        waits: false,
        class: Class::Notice,
        why: "the message was delivered".to_owned(),
        counts: false,
        evidence: evidence(&words),
    };
    if kind == "complaint" {
        reading.verdict = Verdict::Complaint;
        reading.class = Class::Complaint;
        reading.why = "the reader reported the message as unwanted".to_owned();
    }
    if kind == "delivery" {
        reading.status = words.split_whitespace().find(|word| word.starts_with("2.")).map(str::to_owned);
    }
    if kind == "bounce" {
        let said = Said::new(&words);
        reading.status = word(entry, "status").or(said.status);
        let by_status = reading.status.as_deref().map(|status| status.starts_with('5'));
        let by_type = word(about, "bounceType").map(|kind| kind == "Permanent");
        let permanent = by_status.or(by_type).unwrap_or(true);
        let (stage, code, enhanced) = (said.stage, said.code, reading.status.as_deref());
        let ours = original.ours(reading.address.as_deref());
        let classified = reader.classifier.diagnose(&Diagnosis { stage, code, enhanced, text: &words, ours: &ours });
        reading.code = code;
        reading.verdict = if permanent { Verdict::Permanent } else { Verdict::Temporary };
        reading.class = classified.class;
        let is_success = reading.status.as_deref().is_some_and(|status| status.starts_with("2."));
        reading.counts = !is_success && classified.counts(permanent);
        reading.why = classified.why;
    }
    reading
}
