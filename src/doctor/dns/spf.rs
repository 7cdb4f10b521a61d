//! SPF (RFC 7208): one record, which allows the relay and no others.

use std::net::IpAddr;

use crate::authentication::names::{Answer, SpfVerdict};
use crate::doctor::finding::{Area, Finding, Severity};

use super::{Domain, Leaving, finding, not_seen, spf_terms};

const WHY: &str = "Receivers take mail from a domain without working SPF for spam, or refuse it; large ones demand it.";

/// Evaluates the record of a domain.
pub fn evaluate(domain: &Domain, leaving: &Leaving) -> Vec<Finding> {
    let name = &domain.name;
    let texts = match &domain.texts {
        Answer::Found(texts) => texts.as_slice(),
        Answer::None => &[],
        Answer::Failed(why) => return vec![not_seen("spf", &format!("the SPF record of {name}"), why)],
    };
    let records: Vec<&String> = texts.iter().filter(|text| is_spf(text)).collect();
    let record = match records.as_slice() {
        [] => return vec![missing(name, leaving)],
        [one] => one.as_str(),
        several => {
            let what = format!("{name} has {} SPF records", several.len());
            let remedy = format!("Merge them into one: {}", joined(several));
            let why = "With more than one, all are invalid (RFC 7208 §4.5). ".to_owned() + WHY;
            return vec![finding(Severity::Error, "spf-several", what, why, remedy)];
        }
    };
    if let Some(wrong) = wrong_term(domain, record) {
        return vec![wrong];
    }
    let mut found = Vec::new();
    let everybody = matches!(domain.stranger, SpfVerdict::Pass);
    if everybody {
        found.push(finding(
            Severity::Error,
            "spf-everybody",
            format!("the SPF record of {name} allows every machine in the world to send: {record}"),
            "Anyone can send in your name, and receivers trust such a record less than none.",
            format!("End it with -all (or ~all) in place of what allows all, e.g. {}", with_end(record)),
        ));
    }
    match domain.stranger {
        SpfVerdict::Wrong => found.push(finding(
            Severity::Error,
            "spf-wrong",
            format!("the SPF record of {name} cannot be evaluated: {record}"),
            format!(
                "It needs more than 10 look-ups, includes a name without a record, or has an error; then it is not \
                 valid (RFC 7208 §4.6.4). {WHY}"
            ),
            "Remove unused includes, and put addresses (ip4:, ip6:) in place of a, mx and ptr.",
        )),
        SpfVerdict::Failed => {
            found.push(not_seen(
                "spf",
                &format!("what the SPF record of {name} includes"),
                "a name server does not answer",
            ));
        }
        SpfVerdict::Neutral if !everybody => found.push(finding(
            Severity::Warning,
            "spf-open-end",
            format!("the SPF record of {name} says nothing about machines that it does not list: {record}"),
            "Anyone can send in your name and still passes as neutral.",
            format!("End it with -all (or ~all): {}", with_end(record)),
        )),
        _ => {}
    }
    if !everybody && !matches!(domain.stranger, SpfVerdict::Wrong | SpfVerdict::Failed) {
        let guessed = matches!(leaving, Leaving::Relay(_));
        found.extend(domain.ours.iter().map(|(address, verdict)| ours(name, record, *address, *verdict, guessed)));
        if domain.ours.is_empty() && found.is_empty() {
            found.push(Finding::good(
                Area::Dns,
                "spf",
                format!("{name} has an SPF record that can be evaluated: {record}"),
            ));
        }
    }
    found
}

/// A syntax error in a term, in the record itself or in one that it refers to.
fn wrong_term(domain: &Domain, record: &str) -> Option<Finding> {
    let why = "One invalid term makes the whole record a permanent error, whatever else it contains (RFC 7208 §4.6): it \
               is not valid, and some receivers refuse the mail.";
    if let Some((term, reason)) = spf_terms::first_wrong(record) {
        let what = format!("the SPF record of {} has an invalid term, {term}: {reason}", domain.name);
        let remedy = format!("Correct or remove {term} in:  {}. IN TXT \"{record}\"", domain.name);
        return Some(finding(Severity::Error, "spf-term", what, why, remedy));
    }
    let included = domain.included.iter().flat_map(|(name, records)| records.iter().map(move |record| (name, record)));
    let (name, (term, reason)) =
        included.into_iter().find_map(|(name, record)| Some((name, spf_terms::first_wrong(record)?)))?;
    let what = format!(
        "the SPF record of {} leads to that of {name}, which has an invalid term, {term}: {reason}",
        domain.name
    );
    let remedy = format!("Ask the owner of {name} to correct it, or replace that include by the addresses.");
    Some(finding(Severity::Error, "spf-term", what, why, remedy))
}

/// Whether a TXT record is an SPF record (RFC 7208 §4.5).
pub(super) fn is_spf(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text == "v=spf1" || text.starts_with("v=spf1 ")
}

fn mechanism(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("ip4:{address}"),
        IpAddr::V6(address) => format!("ip6:{address}"),
    }
}

fn missing(name: &str, leaving: &Leaving) -> Finding {
    let known: Vec<String> = leaving.addresses().iter().map(|address| mechanism(*address)).collect();
    let who = match (leaving, known.is_empty()) {
        (Leaving::Configured(_), false) => known.join(" "),
        _ => "include:NAME-FROM-YOUR-RELAY".to_owned(),
    };
    let remedy = format!("Add this record:  {name}. IN TXT \"v=spf1 {who} -all\"");
    finding(Severity::Error, "spf-missing", format!("{name} has no SPF record"), WHY, remedy)
}

fn ours(name: &str, record: &str, address: IpAddr, verdict: SpfVerdict, guessed: bool) -> Finding {
    let severity = match verdict {
        SpfVerdict::Pass => {
            return Finding::good(Area::Dns, "spf", format!("SPF of {name} allows {address} to send"));
        }
        SpfVerdict::Failed => return not_seen("spf", &format!("the SPF result of {name} for {address}"), "no answer"),
        _ if guessed => Severity::Warning,
        _ => Severity::Error,
    };
    let whose = if guessed { "the relay's address" } else { "the address" };
    let unless = match guessed {
        true => " If the relay sends from other addresses, name those in [doctor] addresses.",
        false => "",
    };
    let remedy =
        format!("Change the record to:  {name}. IN TXT \"{}\"{unless}", with_mechanism(record, &mechanism(address)));
    let what = format!("SPF of {name} does not allow {whose} {address} to send ({verdict:?}): {record}");
    finding(severity, "spf-not-ours", what, WHY, remedy)
}

/// The record with one more mechanism, before the final mechanism for all others.
fn with_mechanism(record: &str, mechanism: &str) -> String {
    let words: Vec<&str> = record.split_whitespace().collect();
    let is_end = |word: &&str| {
        word.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all") || word.starts_with("redirect=")
    };
    let end = words.iter().position(is_end).unwrap_or(words.len());
    [&words[..end], &[mechanism], &words[end..]].concat().join(" ")
}

/// The record with an end that allows no others.
fn with_end(record: &str) -> String {
    let is_all = |word: &&str| word.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all");
    let kept: Vec<&str> = record.split_whitespace().filter(|word| !is_all(word)).collect();
    format!("\"{} -all\"", kept.join(" "))
}

fn joined(records: &[&String]) -> String {
    let rest = |record: &&String| record.get("v=spf1".len()..).unwrap_or_default().trim().to_owned();
    let all: Vec<String> = records.iter().map(rest).collect();
    with_end(&format!("v=spf1 {}", all.join(" ")))
}
