//! DMARC (RFC 7489): what receivers do with forged mail, and whether our own would pass.

use crate::authentication::names::{Answer, SpfVerdict, is_dmarc};
use crate::doctor::finding::{Area, Finding, Severity};

use super::{Domain, finding, not_seen, tags};

/// Evaluates the policy of a domain. Bounces go to the same domain as From, so a message that passes SPF is aligned,
/// even with strict alignment.
pub fn evaluate(domain: &Domain) -> Vec<Finding> {
    let name = &domain.name;
    let Some((holder, answer)) = domain.dmarc.iter().find(|(_, answer)| *answer != Answer::None) else {
        return vec![missing(name)];
    };
    let texts = match answer {
        Answer::Found(texts) => texts,
        Answer::Failed(why) => return vec![not_seen("dmarc", &format!("the DMARC record of {holder}"), why)],
        Answer::None => return vec![missing(name)],
    };
    let records: Vec<&String> = texts.iter().filter(|text| has_version(text)).collect();
    let record = match records.as_slice() {
        [] => {
            let meant = texts.iter().find(|text| text.to_ascii_lowercase().contains("dmarc1"));
            return vec![meant.map_or_else(|| missing(name), |meant| no_record(holder, meant))];
        }
        [one] => one.as_str(),
        several => {
            let what = format!("_dmarc.{holder} has {} DMARC records", several.len());
            let why = "With more than one, all are ignored (RFC 7489 §6.6.3).";
            return vec![finding(Severity::Error, "dmarc-several", what, why, "Leave one of them.")];
        }
    };
    if !is_dmarc(record) {
        return vec![finding(
            Severity::Error,
            "dmarc-wrong",
            format!("the DMARC record of {holder} cannot be read: {record}"),
            "It is ignored.",
            format!("Change it to:  _dmarc.{holder}. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@{holder}\""),
        )];
    }
    let tags = tags(record);
    let tag = |name: &str| tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.to_lowercase());
    let inherited = holder != name;
    let policy = tag("sp").filter(|_| inherited).or_else(|| tag("p")).unwrap_or_default();
    let mut found = vec![policy_finding(domain, holder, record, &policy)];
    if tag("rua").is_none() {
        found.push(finding(
            Severity::Note,
            "dmarc-no-reports",
            format!("the DMARC record of {holder} asks for no reports: {record}"),
            "You do not learn who sends in your name, nor when your own mail fails.",
            format!("Add \"; rua=mailto:dmarc@{holder}\" to it, with a mailbox that is read."),
        ));
    }
    found
}

/// Whether a record begins as required: `v=DMARC1`, in capitals, first (RFC 9989).
fn has_version(record: &str) -> bool {
    let first = record.split(';').next().unwrap_or_default();
    first.split_once('=').is_some_and(|(tag, value)| tag.trim().eq_ignore_ascii_case("v") && value.trim() == "DMARC1")
}

/// The finding for a record meant as DMARC that receivers ignore.
fn no_record(holder: &str, record: &str) -> Finding {
    let tags = tags(record);
    let rest: Vec<String> =
        tags.iter().filter(|(tag, _)| tag != "v").map(|(tag, value)| format!("; {tag}={value}")).collect();
    finding(
        Severity::Error,
        "dmarc-version",
        format!("the record at _dmarc.{holder} does not begin with v=DMARC1: {record}"),
        "Receivers ignore it: the version is written in capitals and comes first (RFC 9989). The domain has no DMARC policy.",
        format!("Change it to:  _dmarc.{holder}. IN TXT \"v=DMARC1{}\"", rest.concat()),
    )
}

fn missing(name: &str) -> Finding {
    finding(
        Severity::Error,
        "dmarc-missing",
        format!("{name} has no DMARC record"),
        "Anyone can write in your name, and large receivers refuse mailings from domains without one.",
        format!("Add this record:  _dmarc.{name}. IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@{name}\""),
    )
}

fn policy_finding(domain: &Domain, holder: &str, record: &str, policy: &str) -> Finding {
    let name = &domain.name;
    let spf = domain.ours.iter().any(|(_, verdict)| *verdict == SpfVerdict::Pass);
    let not_spf = !domain.ours.is_empty() && !spf;
    let signed = domain.keys.iter().any(|(_, answer)| matches!(answer, Answer::Found(_)));
    match policy {
        "reject" | "quarantine" if not_spf && !signed => finding(
            Severity::Error,
            "dmarc-fails",
            format!("{name} asks receivers to {policy} what fails DMARC, and our own mail fails: {record}"),
            "SPF does not let us send and no DKIM key is known: our mailings are refused or taken for spam.",
            "Fix SPF or DKIM (see there) before anything is sent; until then p=none.",
        ),
        "reject" | "quarantine" => {
            Finding::good(Area::Dns, "dmarc", format!("{name} has the DMARC policy {policy} (from {holder})"))
        }
        _ => finding(
            Severity::Note,
            "dmarc-none",
            format!("the DMARC policy of {name} only monitors (p=none): {record}"),
            "Mail forged in your name is still delivered.",
            format!(
                "When the reports show that your own mail passes: \"v=DMARC1; p=quarantine; …\" at _dmarc.{holder}."
            ),
        ),
    }
}
