//! Delivery status notifications (RFC 3464, RFC 6533): in their own part, in a part with another type, or in the text
//! itself.

use crate::mail::incoming::{Incoming, Part};
use crate::model::classify::{Class, Classified, Counts, Diagnosis};

use super::diagnosis::{self, Said};
use super::kind::Signs;
use super::lines::Text;
use super::original::Original;
use super::shapes::{self, Candidate};
use super::status_fields::{Group, address_of, groups};
use super::{Reader, RecipientReading, Verdict, address, evidence};

/// Maximum number of recipients in one report.
const MAX_RECIPIENTS: usize = 500;

/// What a report says about each recipient; `None` without a report.
pub(super) fn read(
    reader: &Reader,
    mail: &Incoming,
    text: &Text,
    original: &Original,
    signs: &Signs,
) -> Option<Vec<RecipientReading>> {
    // People also forward reports and quote their fields.
    if !signs.is_marked() {
        return None;
    }
    let groups = report(mail, text)?;
    let per_recipient: Vec<&Group> = groups.iter().filter(|group| is_recipient(group)).take(MAX_RECIPIENTS).collect();
    let candidates = shapes::find(text, &reader.wording);
    let is_only = per_recipient.len() == 1;
    let mut readings: Vec<RecipientReading> = Vec::new();
    for group in per_recipient {
        let case = Case { reader, mail, text, original, signs, candidates: &candidates, is_only };
        let reading = case.read(group);
        let again = readings.iter_mut().find(|one| one.address == reading.address && one.verdict == reading.verdict);
        match again {
            Some(_) => {}
            None => readings.push(reading),
        }
    }
    readings.retain(|one| one.address.is_some() || is_only);
    // A report without addresses is a free-form bounce with an empty form in it.
    let named = readings.iter().any(|one| one.address.is_some());
    (named || !readings.is_empty() && candidates.is_empty()).then_some(readings)
}

fn is_recipient(group: &Group) -> bool {
    let names = ["final-recipient", "original-recipient", "action", "x-actual-recipient"];
    names.iter().any(|name| group.get(name).is_some())
}

/// The groups of the report, if there is one.
fn report(mail: &Incoming, text: &Text) -> Option<Vec<Group>> {
    let is_report = |part: &&Part| {
        matches!(part.content_type.as_str(), "message/delivery-status" | "message/global-delivery-status")
            || part.content_type != "text/html" && !part.is_text_body && {
                let start = &part.bytes[..part.bytes.len().min(300)].to_ascii_lowercase();
                start.starts_with(b"reporting-mta:") || memchr::memmem::find(start, b"\nreporting-mta:").is_some()
            }
    };
    let parts = mail.parts().iter().filter(is_report);
    let found: Vec<Group> = parts
        .flat_map(|part| groups(&String::from_utf8_lossy(&part.bytes[..part.bytes.len().min(256 * 1024)])))
        .collect();
    if found.iter().any(is_recipient) {
        return Some(found);
    }
    let has_fields = text.lines().iter().any(|line| line.lower.starts_with("final-recipient:"));
    has_fields.then(|| {
        let first = text.lines().iter().position(|line| {
            ["reporting-mta:", "original-envelope-id:", "action:", "final-recipient:", "original-recipient:"]
                .iter()
                .any(|name| line.lower.starts_with(name))
        });
        let lines = text.lines()[first.unwrap_or(0)..].iter();
        let lines: Vec<String> =
            lines.map(|line| if line.is_indented { format!(" {}", line.text) } else { line.text.clone() }).collect();
        groups(&lines.join("\n"))
    })
}

/// One recipient of a report, with the rest of the message.
struct Case<'a> {
    reader: &'a Reader,
    mail: &'a Incoming,
    text: &'a Text,
    original: &'a Original,
    signs: &'a Signs,
    candidates: &'a [Candidate],
    is_only: bool,
}

impl Case<'_> {
    fn read(&self, group: &Group) -> RecipientReading {
        let (address, also) = self.address(group);
        let action = group.get("action").unwrap_or("failed").to_ascii_lowercase();
        let diagnostic = group.get("diagnostic-code").map(|field| words(field).to_owned()).unwrap_or_default();
        let said = Said::new(&diagnostic);
        let field = group.get("status").and_then(|status| diagnosis::enhanced(status).or_else(|| success(status)));
        let status = match (&said.status, &field) {
            // The receiver's own code is more specific than the reporter's, who often only says "failed".
            (Some(quoted), _) if !quoted.ends_with(".0.0") => Some(quoted.clone()),
            (_, Some(field)) => Some(field.clone()),
            (quoted, None) => quoted.clone(),
        };
        // RFC 3463 §3.1: class 2 is a success, whatever the action says.
        if is_no_failure(&action) || field.as_deref().is_some_and(|field| field.starts_with("2.")) {
            return self.arrived(address, also, &action, status);
        }
        let is_delayed = action.starts_with("delayed");
        let Judged { classified, words, code, status } =
            self.classify(group, &diagnostic, (&said, status), address.as_deref());
        let by_status = status.as_deref().map(|status| status.starts_with('5'));
        let by_code = code.map(|code| code / 100 == 5);
        let is_permanent = !is_delayed && by_status.or(by_code).unwrap_or(true);
        RecipientReading {
            address,
            also,
            code,
            verdict: if is_permanent { Verdict::Permanent } else { Verdict::Temporary },
            waits: is_delayed,
            class: classified.class,
            // Only a failure counts; a delay may end well (RFC 3464 §2.3.3).
            counts: !is_delayed && classified.counts(is_permanent),
            why: classified.why,
            evidence: evidence(&format!("{action}; {}; {words}", group.get("status").unwrap_or("no status"))),
            status,
        }
    }

    fn arrived(
        &self,
        address: Option<String>,
        also: Vec<String>,
        action: &str,
        status: Option<String>,
    ) -> RecipientReading {
        RecipientReading {
            address,
            also,
            status,
            code: None,
            verdict: Verdict::None,
            waits: false,
            class: Class::Notice,
            why: format!("the message was {}", action.split_whitespace().next().unwrap_or("delivered")),
            counts: false,
            evidence: evidence(&format!("Action: {action}")),
        }
    }

    /// The address that failed, and the one before a forwarding (RFC 3464 §2.3.1, §2.3.2). If the field contains a
    /// file or a program, the rest of the message is used.
    fn address(&self, group: &Group) -> (Option<String>, Vec<String>) {
        let field = |name: &str| group.get(name).and_then(address_of);
        let [last, first, actual] = ["final-recipient", "original-recipient", "x-actual-recipient"].map(field);
        let address = last.clone().or_else(|| first.clone()).or_else(|| self.fallback()).or_else(|| actual.clone());
        let is_other = |one: &String| address.as_ref().is_some_and(|address| !address::same(one, address));
        let also = [last, first, actual].into_iter().flatten().filter(is_other).collect();
        (address, also)
    }

    /// The recipient according to the rest of the message, if there is only one.
    fn fallback(&self) -> Option<String> {
        if !self.is_only {
            return None;
        }
        let named = self.mail.header("X-Failed-Recipients").and_then(address::first);
        let beside = || self.candidates.first().map(|candidate| candidate.address.clone());
        let to = || self.original.to.first().filter(|_| self.original.to.len() == 1).cloned();
        named.or_else(beside).or_else(to)
    }

    /// The class: by the diagnostic code; if that is not specific, by other server replies, then by the text for
    /// people.
    fn classify(
        &self,
        group: &Group,
        diagnostic: &str,
        (said, status): (&Said, Option<String>),
        address: Option<&str>,
    ) -> Judged {
        let ours = self.original.ours(address);
        let diagnose = |text: &str, said: &Said, enhanced: Option<&str>| {
            let diagnosis = Diagnosis { stage: said.stage, code: said.code, enhanced, text, ours: &ours };
            self.reader.classifier.diagnose(&diagnosis)
        };
        let by_code = diagnose(diagnostic, said, status.as_deref());
        let vague = status.as_deref().is_none_or(is_vague);
        let needs_words =
            diagnostic.is_empty() && (vague || by_code.class == Class::Network) || by_code.class == Class::Other;
        let beside =
            self.candidates.iter().find(|one| address.is_some_and(|address| address::same(&one.address, address)));
        let beside = beside.map(|one| one.reason.clone()).unwrap_or_default();
        let fields = self.reader.wording.diagnostic_fields.iter().filter_map(|name| group.get(name));
        let mut sources: Vec<String> = fields.map(str::to_owned).collect();
        sources.push(beside);
        sources.extend(self.is_only.then(|| self.text.joined()));
        for words in sources.into_iter().filter(|words| !words.trim().is_empty()) {
            let there = Said::new(&words);
            // If the report leaves out the server's reply, its own code is a guess (OpenSMTPD).
            let is_quoted = diagnostic.is_empty() && there.code.is_some() && there.status.is_some();
            if !needs_words && !is_quoted {
                continue;
            }
            let more = there.status.clone().filter(|_| vague || is_quoted).filter(|more| !is_vague(more));
            let status = more.or_else(|| status.clone());
            let by_words = diagnose(&format!("{diagnostic} {words}"), &there, status.as_deref());
            if by_words.class != Class::Other {
                let (words, code) = (format!("{diagnostic} {words}"), said.code.or(there.code));
                return Judged { classified: by_words, words, code, status };
            }
        }
        let (words, code) = (diagnostic.to_owned(), said.code);
        if !needs_words {
            return Judged { classified: by_code, words, code, status };
        }
        let delayed = self.signs.is_delay();
        let why = if delayed { "the message waits at the receiver" } else { by_code.why.as_str() };
        let classified = Classified { why: why.to_owned(), counts: Counts::Never, ..by_code };
        Judged { classified, words, code, status }
    }
}

/// The result of a recipient's group.
struct Judged {
    classified: Classified,
    words: String,
    code: Option<u16>,
    status: Option<String>,
}

/// Whether a status only says that delivery failed.
fn is_vague(status: &str) -> bool {
    status.ends_with(".0.0") || status.ends_with(".5.0")
}

/// RFC 3464 §2.3.3: these say that the message was passed on.
fn is_no_failure(action: &str) -> bool {
    ["delivered", "deliverable", "relayed", "expanded"].iter().any(|word| action.starts_with(word))
}

fn success(status: &str) -> Option<String> {
    let word = status.split(|c: char| c.is_whitespace() || c == '(').next()?;
    (word.starts_with("2.") && word.split('.').count() == 3).then(|| word.to_owned())
}

/// A diagnostic code without its type (RFC 3464 §2.3.6), if it has one.
fn words(field: &str) -> &str {
    match field.split_once(';') {
        Some((kind, rest)) if !kind.trim().contains(' ') && kind.len() < 40 => rest.trim(),
        _ => field,
    }
}
