//! DKIM (RFC 6376): the public keys of the relay's signatures. Only the relay's operator knows its selectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::authentication::names::{Answer, read_key};
use crate::doctor::finding::{Area, Finding, Severity};

use super::{Domain, finding, not_seen, tags};

/// Recommended bits of an RSA key (RFC 8301 §3.2: signers should use 2048).
const LONG_ENOUGH: usize = 2048;
/// Minimum bits of an RSA key: verifiers must not accept a signature with a shorter one (RFC 8301 §3.2).
const SHORTEST: usize = 1024;

/// Evaluates the keys of a domain.
pub fn evaluate(domain: &Domain) -> Vec<Finding> {
    if domain.keys.is_empty() {
        return vec![finding(
            Severity::Warning,
            "dkim-unknown",
            format!("it is unknown whether mail from {} is signed", domain.name),
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
                "Signatures of the relay with this selector are not valid.",
                format!(
                    "Add this record, with the key that your relay gives:  {place}. IN TXT \"v=DKIM1; k=rsa; p=KEY\""
                ),
            );
        }
        Answer::Found(records) => records,
    };
    let [record] = records.as_slice() else {
        let what = format!("there are {} TXT records at {place}", records.len());
        let why = "It is undefined which of them receivers use (RFC 6376 §3.6.2.2).";
        return finding(Severity::Error, "dkim-several", what, why, "Leave only the one with the relay's key.");
    };
    let tags = tags(record);
    let tag = |name: &str| tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str());
    if tag("p") == Some("") {
        let what = format!("the DKIM key {place} is revoked (p= is empty)");
        let why = "Signatures with it fail.";
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
    let bytes = STANDARD.decode(key).ok().filter(|bytes| !is_rsa || is_whole(bytes));
    let bits = bytes.as_deref().filter(|_| is_rsa).and_then(rsa_bits);
    if let Some(bits) = bits.filter(|bits| *bits < SHORTEST) {
        let what = format!("the DKIM key {place} has {bits} bits, and keys under {SHORTEST} are not accepted");
        let why = "Receivers treat mail signed with it as unsigned (RFC 8301 §3.2), and it can be broken in hours.";
        return finding(Severity::Error, "dkim-too-short", what, why, "Create a key of 2048 bits with a new selector.");
    }
    let wrong = match (read_key(record), &bytes) {
        (Err(why), _) => Some(why),
        (Ok(()), None) => Some("the key in p= is cut off or damaged".to_owned()),
        (Ok(()), Some(_)) => None,
    };
    if let Some(why) = wrong {
        return finding(
            Severity::Error,
            "dkim-wrong",
            format!("the DKIM key {place} cannot be read: {why}"),
            "Mail signed with it counts as unsigned.",
            "Copy the record from your relay once more; a long key is split into strings, with nothing lost between them.",
        );
    }
    if let Some(bits) = bits.filter(|bits| *bits < LONG_ENOUGH) {
        let what = format!("the DKIM key {place} has {bits} bits, fewer than {LONG_ENOUGH}");
        let why = "It can be broken; some receivers ignore such signatures (RFC 8301).";
        return finding(Severity::Warning, "dkim-short", what, why, "Create a key of 2048 bits with a new selector.");
    }
    let flags = tag("t").unwrap_or_default();
    if flags.split(':').any(|flag| flag.trim() == "y") {
        let what = format!("the DKIM key {place} says that the domain is only testing (t=y)");
        let why = "Receivers may treat signed mail as unsigned.";
        return finding(Severity::Warning, "dkim-testing", what, why, "Remove t=y when the signatures are valid.");
    }
    Finding::good(Area::Dns, "dkim", format!("there is a DKIM key at {place}"))
}

/// Bits of the modulus of an RSA key, as SubjectPublicKeyInfo (RFC 5280 §4.1) or bare RSAPublicKey (RFC 8017 §A.1.1).
fn rsa_bits(der: &[u8]) -> Option<usize> {
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    const SEQUENCE: u8 = 0x30;
    let (_, body, _) = element(der).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (first, content, rest) = element(body)?;
    let modulus = match first {
        INTEGER => content,
        // The algorithm; then the bare key in a bit string, after the count of unused bits.
        SEQUENCE => {
            let (_, bits, _) = element(rest).filter(|(tag, ..)| *tag == BIT_STRING)?;
            let (_, key, _) = element(bits.get(1..)?).filter(|(tag, ..)| *tag == SEQUENCE)?;
            element(key).filter(|(tag, ..)| *tag == INTEGER)?.1
        }
        _ => return None,
    };
    let leading = modulus.iter().position(|byte| *byte != 0)?;
    Some((modulus.len() - leading) * 8 - modulus[leading].leading_zeros() as usize)
}

/// The first DER element (X.690 §8.1): its tag, its content, and the rest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = match rest {
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [length, rest @ ..] if *length < 0x80 => (usize::from(*length), rest),
        _ => return None,
    };
    Some((*tag, rest.get(..length)?, rest.get(length..)?))
}

/// Whether bytes are exactly one DER sequence, as an RSA key is.
fn is_whole(der: &[u8]) -> bool {
    element(der).is_some_and(|(tag, _, rest)| tag == 0x30 && rest.is_empty())
}
