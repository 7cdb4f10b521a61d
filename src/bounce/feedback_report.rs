//! Complaints: abuse reports (RFC 5965) and similar messages.

use crate::mail::incoming::{Incoming, Part};
use crate::model::classify::Class;

use super::kind::Signs;
use super::original::Original;
use super::status_fields::{Group, address_of, groups};
use super::{RecipientReading, Verdict, address, evidence};

/// The field that Microsoft's junk mail reporting adds to the header of the forwarded message.
const JUNK_REPORT: &str = "X-HmXmrOriginalRecipient";

/// The complaint, if the message is one. Receivers often hide the complainant; then only the token in the returned
/// message identifies them.
pub(super) fn read(
    mail: &Incoming,
    returned: Option<&str>,
    original: &Original,
    signs: &Signs,
) -> Option<Vec<RecipientReading>> {
    // People also forward and quote complaints.
    if signs.is_of_person() {
        return None;
    }
    if let Some(address) = junk_report(mail, returned) {
        return Some(vec![complaint(Some(address), "abuse")]);
    }
    let fields = fields(mail)?;
    let all = |name: &str| -> Vec<String> {
        fields.iter().flat_map(|group| group.all(name).filter_map(address_of).collect::<Vec<_>>()).collect()
    };
    let mut recipients = all("original-rcpt-to");
    if recipients.is_empty() {
        recipients = all("final-recipient");
    }
    if recipients.is_empty() {
        recipients = all("removal-recipient");
    }
    if recipients.is_empty() {
        recipients = original.to.clone();
    }
    let mut seen: Vec<String> = Vec::new();
    recipients.retain(|one| {
        let is_new = !seen.iter().any(|other| address::same(one, other));
        seen.push(one.clone());
        is_new
    });
    let kind = fields.iter().find_map(|group| group.get("feedback-type")).unwrap_or("abuse");
    match recipients.is_empty() {
        true => Some(vec![complaint(None, kind)]),
        false => Some(recipients.into_iter().take(500).map(|address| complaint(Some(address), kind)).collect()),
    }
}

/// The complainant in a message from Microsoft's junk mail reporting: not a formatted report, but the message itself
/// with an added field.
fn junk_report(mail: &Incoming, returned: Option<&str>) -> Option<String> {
    let in_text = returned.and_then(|text| Incoming::parse_headers(text.as_bytes()).ok());
    let all = [Some(mail), mail.embedded(), in_text.as_ref()];
    all.into_iter().flatten().find_map(|one| one.header(JUNK_REPORT).and_then(address::first))
}

/// Whether a message returns another in the way of Microsoft's junk mail reporting.
pub(crate) fn is_junk_report(mail: &Incoming) -> bool {
    mail.embedded().is_some_and(|returned| returned.header(JUNK_REPORT).is_some())
}

fn complaint(address: Option<String>, kind: &str) -> RecipientReading {
    RecipientReading {
        address,
        also: Vec::new(),
        status: None,
        code: None,
        verdict: Verdict::Complaint,
        waits: false,
        class: Class::Complaint,
        why: match kind.to_ascii_lowercase().as_str() {
            "opt-out" | "opt-out-list" | "unsubscribe" => "the reader wants no more mail".to_owned(),
            "auth-failure" => "the receiver reports that SPF, DKIM or DMARC did not pass".to_owned(),
            _ => "the reader reported the message as unwanted".to_owned(),
        },
        counts: false,
        evidence: evidence(&format!("Feedback-Type: {kind}")),
    }
}

/// The fields of the report.
fn fields(mail: &Incoming) -> Option<Vec<Group>> {
    let parts = mail.parts().iter();
    let has_type = |part: &&Part| part.content_type == "message/feedback-report";
    let looks_so = |part: &&Part| {
        let start = &part.bytes[..part.bytes.len().min(500)].to_ascii_lowercase();
        part.content_type != "text/html"
            && part.message.is_none()
            && (start.starts_with(b"feedback-type:") || memchr::memmem::find(start, b"\nfeedback-type:").is_some())
    };
    let part = parts.clone().find(has_type).or_else(|| parts.clone().find(looks_so))?;
    let bytes = &part.bytes[..part.bytes.len().min(64 * 1024)];
    Some(groups(&String::from_utf8_lossy(bytes)))
}
