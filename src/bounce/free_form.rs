//! Free-form bounces: each address that a shape found, with the diagnosis next to it; if no shape found one, the
//! recipient of the returned message.

use crate::mail::incoming::Incoming;
use crate::model::classify::{Class, Diagnosis};

use super::diagnosis::{self, Said};
use super::kind::Signs;
use super::lines::Text;
use super::original::Original;
use super::shapes::{self, Candidate, Shape};
use super::{Reader, RecipientReading, Verdict, address, evidence};

/// What the message says about each recipient.
pub(super) fn read(
    reader: &Reader,
    mail: &Incoming,
    text: &Text,
    candidates: Vec<Candidate>,
    original: &Original,
    signs: &Signs,
) -> Vec<RecipientReading> {
    let candidates = recipients(reader, mail, text, candidates, original);
    let words = Words { refusals: &text.refusals(), all: &text.joined(), original };
    if candidates.is_empty() {
        return vec![reading(reader, None, &words, signs)];
    }
    candidates.into_iter().map(|one| reading(reader, Some(one), &words, signs)).collect()
}

/// The candidates that are recipients; if there are none, those of the header and of the returned message.
fn recipients(
    reader: &Reader,
    mail: &Incoming,
    text: &Text,
    candidates: Vec<Candidate>,
    original: &Original,
) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let others: Vec<Candidate> = candidates.iter().filter(|one| !original.is_sender(&one.address)).cloned().collect();
    let is_quoted = |one: &Candidate| diagnosis::reply_code(&one.reason).is_some();
    // People write to themselves; a sender counts if there is no other address.
    for candidate in if others.is_empty() { candidates } else { others } {
        match found.iter_mut().find(|one| address::same(&one.address, &candidate.address)) {
            // A server's reply has priority over an explanation of the same address.
            Some(one) if one.reason.is_empty() || !is_quoted(one) && is_quoted(&candidate) => {
                one.reason = candidate.reason;
            }
            Some(_) => {}
            None => found.push(candidate),
        }
    }
    let weak = found.iter().all(|one| one.shape > Shape::Session);
    let bare = |address: String| Candidate { address, ..Candidate::new(Shape::Alone) };
    let named: Vec<Candidate> = mail
        .headers_named("X-Failed-Recipients")
        .flat_map(|header| address::find(&header.value))
        .map(|one| bare(one.address))
        .collect();
    if found.is_empty()
        || weak && !named.is_empty() && !found.iter().any(|one| named.iter().any(|n| n.address == one.address))
    {
        found = named;
    }
    if found.is_empty() {
        let reporter = mail.from().map(|from| from.address.as_str()).unwrap_or_default();
        let is_other = |one: &str| original.is_sender(one) || address::same(one, reporter);
        found.extend(shapes::only(text, &reader.wording, is_other));
    }
    if found.is_empty() {
        found.extend(local_part_alone(mail, text, original).map(bare));
    }
    if found.is_empty() {
        found.extend(in_summary(text).map(bare));
    }
    if found.is_empty() {
        let to = if original.to.is_empty() { &original.delivered_to } else { &original.to };
        let mut all: Vec<String> = to.iter().filter(|one| !original.is_sender(one)).cloned().collect();
        all.dedup();
        // Of several it is unknown which failed.
        found.extend(all.into_iter().take(1).filter(|_| to.len() == 1).map(bare));
    }
    found
}

/// The single address of a line that begins with "To:", in a summary of the message.
fn in_summary(text: &Text) -> Option<String> {
    let mut lines = text.lines().iter().filter(|line| line.lower.starts_with("to:"));
    let addresses = address::find(&lines.next()?.text);
    match (addresses.as_slice(), lines.next()) {
        ([one], None) => Some(one.address.clone()),
        _ => None,
    }
}

/// A line that is only a local part, or one with a separate remark: at the returned message's recipient domain,
/// otherwise at the reporting server.
fn local_part_alone(mail: &Incoming, text: &Text, original: &Original) -> Option<String> {
    let is_local = |word: &str| {
        word.len() >= 2
            && word.bytes().all(|o| o.is_ascii_alphanumeric() || matches!(o, b'.' | b'_' | b'-'))
            && word.bytes().any(|o| o.is_ascii_alphabetic())
    };
    let lines = text.lines().iter();
    let locals: Vec<&str> = lines
        .filter(|line| line.is_indented)
        .map(|line| first_column(&line.text))
        .filter(|word| is_local(word))
        .collect();
    let known = original.to.iter().chain(&original.delivered_to);
    let of_known = known.into_iter().find(|one| {
        one.split('@').next().is_some_and(|part| locals.iter().any(|local| local.eq_ignore_ascii_case(part)))
    });
    let domain =
        || mail.from().and_then(|from| from.address.split_once('@').map(|(_, domain)| domain.to_ascii_lowercase()));
    of_known.cloned().or_else(|| match locals.as_slice() {
        [local] => address::first(&format!("{local}@{}", domain()?)),
        _ => None,
    })
}

/// The text before a wide gap or a bracket, in lists of `user (reason)`.
fn first_column(line: &str) -> &str {
    let end = [" (", "\t", "  "].iter().filter_map(|gap| line.find(gap)).min();
    &line[..end.unwrap_or(line.len())]
}

/// The text of the message besides what is next to an address.
struct Words<'a> {
    /// The quoted server replies.
    refusals: &'a str,
    /// The whole text.
    all: &'a str,
    original: &'a Original,
}

fn reading(reader: &Reader, candidate: Option<Candidate>, words: &Words<'_>, signs: &Signs) -> RecipientReading {
    let (address, also, reason) = match candidate {
        Some(one) => (Some(one.address), one.also, one.reason),
        None => (None, Vec::new(), String::new()),
    };
    let Words { refusals, all, original } = *words;
    let reason = reason.as_str();
    let ours = original.ours(address.as_deref());
    let diagnose = |text: &str| {
        let said = Said::new(text);
        let enhanced = said.status.as_deref();
        let diagnosis = Diagnosis { stage: said.stage, code: said.code, enhanced, text, ours: &ours };
        (reader.classifier.diagnose(&diagnosis), said)
    };
    let (mut classified, mut said) = diagnose(reason);
    let mut words = reason;
    if classified.class == Class::Other && said.code.is_none() && said.status.is_none() {
        // Server replies have priority over the explanation around them.
        (classified, said) = diagnose(refusals);
        words = refusals;
    }
    if classified.class == Class::Other && (said.code.is_none() && said.status.is_none() || words == refusals) {
        (classified, said) = diagnose(all);
        words = all;
    }
    let is_delay = signs.is_delay();
    let is_permanent = !is_delay && said.is_permanent().unwrap_or(true);
    RecipientReading {
        address,
        also,
        status: said.status,
        code: said.code,
        verdict: if is_permanent { Verdict::Permanent } else { Verdict::Temporary },
        waits: is_delay,
        class: classified.class,
        counts: !is_delay && classified.counts(is_permanent),
        why: classified.why,
        evidence: evidence(words),
    }
}
