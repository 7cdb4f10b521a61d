//! DKIM (RFC 6376): the public keys with which the relay signs. Only whoever runs the relay knows its selectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::authentication::names::{Answer, read_key};
use crate::doctor::finding::{Area, Finding, Severity};

use super::{Domain, finding, not_seen, tags};

/// Octets of the shortest RSA key of 2,048 bits in its DER form; one of 1,024 has about 160.
const LONG_ENOUGH: usize = 256;

/// Judges the keys of a domain.
pub fn judge(domain: &Domain) -> Vec<Finding> {
    if domain.keys.is_empty() {
        return vec![finding(
            Severity::Warning,
            "dkim-unknown",
            format!("whether mail from {} is signed is not known", domain.name),
            "Without a DKIM signature of your domain large receivers refuse mailings, and forwarded mail fails DMARC.",
            "Let the relay sign with a key of this domain, and name its selectors in [doctor] dkim_selectors.",
        )];
    }
    domain.keys.iter().map(|(selector, answer)| key(&domain.name, selector, answer)).collect()
}

fn key(domain: &str, selector: &str, answer: &Answer<Vec<String>>) -> Finding {
    let place = format!("{selector}._domainkey.{domain}");
    let records = match answer {
        Answer::Failed(why) => return not_seen("dkim", &format!("the DKIM key {place}"), why),
        Answer::None => {
            return finding(
                Severity::Error,
                "dkim-missing",
                format!("there is no DKIM key at {place}"),
                "What the relay signs with this selector counts as not signed.",
                format!(
                    "Add this record, with the key that your relay gives:  {place}. IN TXT \"v=DKIM1; k=rsa; p=KEY\""
                ),
            );
        }
        Answer::Found(records) => records,
    };
    let [record] = records.as_slice() else {
        let what = format!("there are {} TXT records at {place}", records.len());
        let why = "Which of them receivers take is chance (RFC 6376 §3.6.2.2).";
        return finding(Severity::Error, "dkim-several", what, why, "Leave only the one with the relay's key.");
    };
    let tags = tags(record);
    let tag = |name: &str| tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str());
    if tag("p") == Some("") {
        let what = format!("the DKIM key {place} is revoked (p= is empty)");
        let why = "What is signed with it fails.";
        return finding(
            Severity::Error,
            "dkim-revoked",
            what,
            why,
            "Sign with another selector, or publish the key again.",
        );
    }
    let is_rsa = tag("k").is_none_or(|kind| kind.eq_ignore_ascii_case("rsa"));
    let key: String = tag("p").unwrap_or_default().split_whitespace().collect();
    let octets = STANDARD.decode(key).ok().filter(|octets| !is_rsa || is_whole(octets));
    let wrong = match (read_key(record), &octets) {
        (Err(why), _) => Some(why),
        (Ok(()), None) => Some("the key in p= is cut off or damaged".to_owned()),
        (Ok(()), Some(_)) => None,
    };
    if let Some(why) = wrong {
        return finding(
            Severity::Error,
            "dkim-wrong",
            format!("the DKIM key {place} cannot be read: {why}"),
            "What is signed with it counts as not signed.",
            "Copy the record from your relay once more; a long key is split into strings, with nothing lost between them.",
        );
    }
    let length = octets.map_or(usize::MAX, |octets| octets.len());
    if is_rsa && length < LONG_ENOUGH {
        let what = format!("the DKIM key {place} is shorter than 2048 bits");
        let why = "It can be broken; receivers begin to treat such signatures as none (RFC 8301).";
        return finding(Severity::Warning, "dkim-short", what, why, "Make a key of 2048 bits with a new selector.");
    }
    let flags = tag("t").unwrap_or_default();
    if flags.split(':').any(|flag| flag.trim() == "y") {
        let what = format!("the DKIM key {place} says that the domain is only testing (t=y)");
        let why = "Receivers may treat signed mail as unsigned.";
        return finding(Severity::Warning, "dkim-testing", what, why, "Take t=y out when the signatures are right.");
    }
    Finding::good(Area::Dns, "dkim", format!("there is a DKIM key at {place}"))
}

/// Whether octets are one whole DER sequence (X.690 §8.1.3): what an RSA key is.
fn is_whole(octets: &[u8]) -> bool {
    let length = match octets {
        [0x30, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        [0x30, 0x81, length, ..] => 3 + usize::from(*length),
        [0x30, length, ..] if *length < 0x80 => 2 + usize::from(*length),
        _ => return false,
    };
    octets.len() == length
}
