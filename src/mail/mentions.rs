//! Which of some addresses stand anywhere in a message: in a header field, a text, an attachment, a message inside it,
//! whatever the transfer encoding and the charset. For finding everything that concerns one person.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::address::Address;

use super::incoming::Incoming;

/// Addresses to be looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Spelling in lower case, and the key ([`Address::key`]) of the address that it is of.
    spellings: BTreeMap<String, String>,
}

impl Wanted {
    /// These addresses, in whatever case, with their domains in ASCII and as people write them (RFC 5890).
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Self {
        let mut spellings = BTreeMap::new();
        for address in addresses {
            let key = address.key();
            let (domain, _) = idna::domain_to_unicode(address.domain());
            spellings.insert(format!("{}@{domain}", address.local_part()).to_lowercase(), key.clone());
            spellings.insert(key.clone(), key);
        }
        Self { spellings }
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.spellings.is_empty()
    }

    /// The keys of those that stand in a text.
    pub fn in_text(&self, text: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.collect(text, &mut found);
        found
    }

    /// The keys of those that stand in a message, or in octets that are none.
    pub fn in_message(&self, octets: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.collect(&String::from_utf8_lossy(octets), &mut found);
        // What the parser cannot read is searched as it stands, above.
        if let Ok(message) = Incoming::parse(octets) {
            self.collect_message(&message, &mut found);
        }
        found
    }

    fn collect_message<'a>(&'a self, message: &Incoming, found: &mut BTreeSet<&'a str>) {
        for header in message.headers() {
            self.collect(&header.value, found);
            self.collect(&header.raw, found);
        }
        self.collect(message.text(), found);
        for part in message.parts() {
            match &part.text {
                Some(text) => self.collect(text, found),
                None => self.collect(&String::from_utf8_lossy(&part.octets), found),
            }
            part.file_name.iter().for_each(|name| self.collect(name, found));
            part.message.iter().for_each(|inner| self.collect_message(inner, found));
        }
    }

    fn collect<'a>(&'a self, text: &str, found: &mut BTreeSet<&'a str>) {
        let text = text.to_lowercase();
        // Other servers write the address into one of their own: "bounces+karin=example.org@relay.example.com".
        for (at, sign) in text.match_indices(['@', '=']) {
            let right = &text[at + sign.len()..];
            let domain = &right[..right.find(|c| !is_domain(c)).unwrap_or(right.len())];
            let domain = domain.trim_end_matches(['.', '-']);
            let left = &text[..at];
            let begin = left
                .rfind(|c| !is_local(c))
                .map_or(0, |last| last + left[last..].chars().next().map_or(1, char::len_utf8));
            // A local part has at most 64 octets, in Unicode perhaps more.
            let begin = begin.max(left.floor_char_boundary(left.len().saturating_sub(256)));
            self.candidates(&left[begin..], domain, found);
        }
    }

    fn candidates<'a>(&'a self, left: &str, domain: &str, found: &mut BTreeSet<&'a str>) {
        let mut from = Some(0);
        while let Some(start) = from {
            let local = &left[start..];
            if let Some(key) = self.spellings.get(&format!("{local}@{domain}")) {
                found.insert(key);
            }
            // Not after a dot or a hyphen: those belong to somebody else's longer name.
            from = local.find(['+', '=', '\'', '|', '`', '{']).map(|next| start + next + 1);
        }
    }
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// RFC 5321 §4.1.2 `atext` and the dot, with the letters that RFC 6531 §3.3 adds.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        let addresses: Vec<Address> =
            ["Karin.Ek@example.org", "eva@skövde.example"].map(|text| text.parse().unwrap()).into();
        Wanted::new(&addresses)
    }

    #[test]
    fn every_spelling_is_found_and_no_other_address() {
        for text in [
            "karin.ek@example.org",
            "To: Karin <KARIN.EK@EXAMPLE.ORG>",
            "mailto:karin.ek@example.org.",
            "rfc822;karin.ek@example.org",
            "<bounces+karin.ek=example.org@relay.example.com>",
            "SRS0=abc=karin.ek@example.org",
            "'karin.ek@example.org'",
            "<bounces-7+karin.ek=example.org@relay.example.com>",
        ] {
            assert_eq!(wanted().in_text(text), ["karin.ek@example.org"].into(), "{text}");
        }
        assert_eq!(wanted().in_text("eva@skövde.example").len(), 1);
        for text in [
            "karin.ek@example.org.uk",
            "akarin.ek@example.org",
            "ann-karin.ek@example.org",
            "@",
            "=@=",
            "karin.ek@",
            "",
        ] {
            assert!(wanted().in_text(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn it_is_found_inside_encodings_and_messages() {
        let encoded = "From: a@example.com\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n\
            a2FyaW4uZWtAZXhhbXBsZS5vcmc=\r\n";
        let quoted = "From: a@example.com\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            kari=6E.ek@exam=\r\nple.org\r\n";
        for inner in [encoded, quoted] {
            let outer = format!(
                "From: b@example.com\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
                 Content-Type: message/rfc822\r\n\r\n{inner}\r\n--x--\r\n"
            );
            for message in [inner, &outer] {
                assert_eq!(wanted().in_message(message.as_bytes()).len(), 1, "{message}");
            }
        }
        let subject = "From: a@example.com\r\nSubject: =?utf-8?q?karin=2Eek=40example.org?=\r\n\r\nHej\r\n";
        assert_eq!(wanted().in_message(subject.as_bytes()).len(), 1);
    }
}
