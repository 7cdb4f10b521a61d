//! Finds which of some addresses occur anywhere in a message: in header fields, texts, attachments, embedded
//! messages, in any transfer encoding and charset. Used to find everything that concerns one person.

use std::collections::{BTreeSet, HashMap};

use crate::base::address::Address;

use super::incoming::Incoming;
use super::incoming_encoded::{from_base64, from_quoted_printable};

/// Maximum length of a domain that is searched, in bytes: 255 (RFC 1035 §2.3.4), in Unicode perhaps more.
const LONGEST_DOMAIN: usize = 1024;
/// Maximum number of places before one `@` at which the address may begin: other servers put theirs before it, with
/// such separators.
const MOST_BEGINNINGS: usize = 16;
/// Characters after which an address may begin inside a longer local part. Not a dot or a hyphen: those are part of
/// another person's longer name.
const SEPARATORS: [char; 6] = ['+', '=', '\'', '|', '`', '{'];

/// The addresses to search for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By domain, in lower case.
    domains: HashMap<String, Locals>,
}

/// Local parts at one domain, in lower case.
#[derive(Clone, Debug, Default)]
struct Locals {
    /// The key ([`Address::key`]) of each address.
    keys: HashMap<String, String>,
    /// Their lengths, in bytes: a text of another length need not be looked up.
    lengths: BTreeSet<usize>,
}

impl Wanted {
    /// Searches for these addresses, in any case, with their domains in ASCII and in Unicode (RFC 5890).
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Self {
        let mut wanted = Self::default();
        for address in addresses {
            let key = address.key();
            let (domain, _) = idna::domain_to_unicode(address.domain());
            wanted.add(&format!("{}@{domain}", address.local_part()).to_lowercase(), &key);
            wanted.add(&key.to_lowercase(), &key);
        }
        wanted
    }

    fn add(&mut self, spelling: &str, key: &str) {
        if let Some((local, domain)) = spelling.rsplit_once('@') {
            let locals = self.domains.entry(domain.to_owned()).or_default();
            locals.lengths.insert(local.len());
            locals.keys.insert(local.to_owned(), key.to_owned());
        }
    }

    /// The keys of the addresses that occur in a text. The work grows with the length of the text only.
    pub fn in_text(&self, text: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.collect(text, &mut found);
        found
    }

    /// The keys of the addresses that occur in a message, or in arbitrary bytes.
    pub fn in_message(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.collect(&String::from_utf8_lossy(bytes), &mut found);
        // What the parser cannot read was searched as raw text above.
        let message = Incoming::parse(bytes).ok();
        if let Some(message) = &message {
            self.collect_message(message, &mut found);
        }
        if !message.is_some_and(|message| message.is_whole()) {
            self.collect_unread(bytes, &mut found);
        }
        found
    }

    /// Searches what was too much to parse as a message: all of it as quoted-printable, and each run of base64.
    fn collect_unread<'a>(&'a self, bytes: &[u8], found: &mut BTreeSet<&'a str>) {
        self.collect(&String::from_utf8_lossy(&from_quoted_printable(bytes)), found);
        let is_encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(byte);
        for run in bytes.split(|byte| !is_encoded(byte)).filter(|run| run.len() >= SHORTEST_RUN) {
            // Lines before may be text that happens to look like base64: each position in a group of four is tried.
            for skipped in 0..4 {
                let decoded = from_base64(run.get(skipped..).unwrap_or_default());
                self.collect(&String::from_utf8_lossy(&decoded), found);
            }
        }
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
                None => self.collect(&String::from_utf8_lossy(&part.bytes), found),
            }
            part.file_name.iter().for_each(|name| self.collect(name, found));
            part.message.iter().for_each(|inner| self.collect_message(inner, found));
        }
    }

    fn collect<'a>(&'a self, text: &str, found: &mut BTreeSet<&'a str>) {
        let text = text.to_lowercase();
        // Other servers embed the address in one of their own: "bounces+karin=example.org@relay.example.com".
        for (at, sign) in text.match_indices(['@', '=']) {
            let right = &text[at + sign.len()..];
            let right = &right[..right.floor_char_boundary(LONGEST_DOMAIN)];
            let domain = &right[..right.find(|c| !is_domain(c)).unwrap_or(right.len())];
            if let Some(locals) = self.domains.get(domain.trim_end_matches(['.', '-'])) {
                candidates(&text[..at], &locals.lengths, |local| {
                    found.extend(locals.keys.get(local).map(String::as_str));
                });
            }
        }
    }
}

/// Calls back with each text at the end of `left` that may be the local part and has one of these lengths: at most
/// [`MOST_BEGINNINGS`].
fn candidates(left: &str, lengths: &BTreeSet<usize>, mut candidate: impl FnMut(&str)) {
    // One character more than the longest: if it belongs to the local part, that is too long.
    let far = lengths.last().map_or(0, |longest| longest + char::MAX.len_utf8());
    let near = &left[left.floor_char_boundary(left.len().saturating_sub(far))..];
    let begin = near.char_indices().rev().find(|(_, c)| !is_local(*c)).map_or(0, |(at, c)| at + c.len_utf8());
    let local = &near[begin..];
    let separated = local.rmatch_indices(SEPARATORS).take(MOST_BEGINNINGS - 1);
    for at in separated.map(|(at, separator)| at + separator.len()).chain([0]) {
        if lengths.contains(&(local.len() - at)) {
            candidate(&local[at..]);
        }
    }
}

/// Minimum length of a base64 run that is decoded: an address of eight bytes has more.
const SHORTEST_RUN: usize = 12;

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// RFC 5321 §4.1.2 `atext` and the dot, with the characters added by RFC 6531 §3.3.
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

    #[test]
    fn an_address_has_few_beginnings_however_long_what_stands_before_it() {
        let lengths: BTreeSet<usize> = (0..=64).collect();
        for sign in ["=", "+", "a", "=a", "+=", "\u{e5}", "@"] {
            let mut tried = Vec::new();
            candidates(&sign.repeat(100_000), &lengths, |local| tried.push(local.len()));
            assert!(tried.len() <= MOST_BEGINNINGS, "{sign}: {tried:?}");
            assert!(tried.iter().all(|length| *length <= 64), "{sign}: {tried:?}");
        }
        let mut tried = 0;
        candidates(&"+a".repeat(1000), &[9].into(), |_| tried += 1);
        assert_eq!(tried, 1, "only what has a length that is looked for");
        for before in ["x=".repeat(100_000), "x".repeat(100_000)] {
            assert_eq!(wanted().in_text(&format!("{before}+karin.ek@example.org")).len(), 1);
            assert_eq!(wanted().in_text(&format!("{before}xkarin.ek@example.org")).len(), 0);
            assert_eq!(wanted().in_text(&format!("{before}\u{e5}karin.ek@example.org")).len(), 0);
        }
    }

    #[test]
    fn what_is_too_much_to_read_is_searched_all_the_same() {
        let parts = "--x\r\n\r\n\r\n".repeat(5000);
        for hidden in
            ["Content-Transfer-Encoding: base64\r\n\r\na2FyaW4uZWtAZXhhbXBsZS5vcmc=", "\r\nkari=6E.ek@exam=\r\nple.org"]
        {
            let message = format!(
                "From: b@example.com\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{parts}--x\r\n{hidden}\r\n--x--\r\n"
            );
            assert_eq!(wanted().in_message(message.as_bytes()).len(), 1, "{hidden}");
        }
    }
}
