//! One parser for e-mail addresses, for checking and for sending alike, so that no two rooms read one differently.

use std::fmt;
use std::str::FromStr;

use super::unicode;

/// A mailbox that can be mailed: the local part as written (RFC 5321 §2.4), the domain in lower-case A-labels.
///
/// Quoted local parts and address literals are refused: no newsroom has one, and parsers disagree about them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is nothing.
    #[error("the address is empty")]
    Empty,
    /// It does not have the form `name@domain`.
    #[error("an address has the form name@domain; this one {0}")]
    Form(&'static str),
    /// A character that cannot be seen.
    #[error("invisible character {} in the address, as its character {place}; delete it", unicode::named(*.character))]
    Invisible {
        /// Which.
        character: char,
        /// Where, counted from 1 in characters.
        place: usize,
    },
    /// A character that looks like another, e.g. a full-width letter: it would make another mailbox of it.
    #[error(
        "{} in the address, as its character {place}, is another character than \u{201c}{plain}\u{201d}; write \
         \u{201c}{plain}\u{201d}", unicode::shown(*.character)
    )]
    Lookalike {
        /// Which.
        character: char,
        /// Where, counted from 1 in characters.
        place: usize,
        /// What it looks like.
        plain: String,
    },
    /// A character that no mailbox has.
    #[error(
        "an address has the form name@domain; this one has a character that does not belong before the @: {}, as its \
         character {place}", unicode::shown(*.character)
    )]
    Character {
        /// Which.
        character: char,
        /// Where, counted from 1 in characters.
        place: usize,
    },
    /// The domain is no domain name (RFC 5890).
    #[error("\u{201c}{0}\u{201d} is not a domain name")]
    Domain(String),
    /// RFC 5321 §4.5.3.1: 64 octets before the `@`, 254 in all.
    #[error("the address is longer than {0} octets")]
    TooLong(usize),
}

impl Address {
    /// Takes back what [`Address::as_str`] gave and the store kept, without checking it all again: a scan of a
    /// million subscribers cannot afford that. Anything from outside is parsed instead.
    ///
    /// # Errors
    /// [`AddressError::Form`] when it was never an address.
    pub fn from_stored(text: String) -> Result<Self, AddressError> {
        match text.rfind('@') {
            Some(at) if at > 0 && at + 1 < text.len() => Ok(Self { text, at }),
            _ => Err(AddressError::Form("has no @")),
        }
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// What stands after the `@`: lower case, A-labels (`xn--…`) where the name is international.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// By what two spellings of one mailbox are known as the same: all lower case.
    pub fn key(&self) -> String {
        self.text.to_lowercase()
    }

    /// By what the mailboxes of one person are counted as one: [`Address::key`] without the detail that many servers
    /// allow after a `+` (RFC 5233 §1). Only for limits: whether two addresses are one mailbox, their server decides.
    pub fn mailbox_key(&self) -> String {
        let user = self.local_part().split_once('+').map_or(self.local_part(), |(user, _)| user);
        match user.is_empty() {
            true => self.key(),
            false => format!("{user}@{}", self.domain()).to_lowercase(),
        }
    }

    /// Whether sending to it needs SMTPUTF8 (RFC 6531): the local part holds other than ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }

    /// For logs: enough to recognise, too little to mail, e.g. `k***@example.org`.
    pub fn masked(&self) -> String {
        let first: String = self.local_part().chars().take(1).collect();
        format!("{first}***@{}", self.domain())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads an address as people write and paste it: what cannot be seen at either end is taken off, the local part is
    /// composed (RFC 6532 §3.1), and the domain is taken in A-labels (RFC 5891 §5). Inside, an invisible character or one
    /// that only looks like another is refused by name.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches(unicode::is_unseen);
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        check_characters(text)?;
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(AddressError::Form("has no @"));
        };
        let local = &*unicode::nfc(local);
        if local.len() > 64 {
            return Err(AddressError::TooLong(64));
        }
        check_local_part(local)?;
        let wrong_domain = || AddressError::Domain(domain.chars().take(80).collect());
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| wrong_domain())?;
        if !domain.contains('.') || domain.ends_with('.') || domain.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(wrong_domain());
        }
        let whole = format!("{local}@{domain}");
        if whole.len() > 254 {
            return Err(AddressError::TooLong(254));
        }
        Ok(Self { text: whole, at: local.len() })
    }
}

/// Refuses, by name, what cannot be seen, and before the `@` what looks like another character. Behind it UTS #46 says
/// which characters are one.
fn check_characters(text: &str) -> Result<(), AddressError> {
    if text.is_ascii() {
        return Ok(());
    }
    let domain = text.rfind('@').unwrap_or(text.len());
    for (index, (at, character)) in text.char_indices().enumerate() {
        let place = index + 1;
        if unicode::is_invisible(character) {
            return Err(AddressError::Invisible { character, place });
        }
        if at < domain
            && !character.is_whitespace()
            && let Some(plain) = unicode::plain_form(character)
        {
            return Err(AddressError::Lookalike { character, place, plain });
        }
    }
    Ok(())
}

/// RFC 5321 §4.1.2 Dot-string, with the letters that RFC 6531 §3.3 adds.
fn check_local_part(local: &str) -> Result<(), AddressError> {
    if local.is_empty() {
        return Err(AddressError::Form("has nothing before the @"));
    }
    if local.split('.').any(str::is_empty) {
        return Err(AddressError::Form("begins, ends or repeats with a dot before the @"));
    }
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || (!c.is_ascii() && c.is_alphanumeric())
    };
    match local.chars().enumerate().find(|(_, c)| !allowed(*c)) {
        None => Ok(()),
        Some((index, character)) => Err(AddressError::Character { character, place: index + 1 }),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Masked, because what is printed for debugging ends in logs.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<String, AddressError> {
        text.parse::<Address>().map(|a| a.to_string())
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!(check(" Karin.Ek+press@Example.ORG "), Ok("Karin.Ek+press@example.org".into()));
        assert_eq!(check("redaktion@sköv.example"), Ok("redaktion@xn--skv-tna.example".into()));
        assert_eq!(check("åsa@example.org"), Ok("åsa@example.org".into()));
    }

    #[test]
    fn refuses_what_is_no_mailbox() {
        for wrong in [
            "",
            "a",
            "@example.org",
            "a@",
            "a@b",
            "a b@example.org",
            "a@exa mple.org",
            ".a@example.org",
            "a..b@example.org",
            "a@example.org\r\nRCPT TO:<b@example.org>",
            "\"a b\"@example.org",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a\0@example.org",
            "<a@example.org>",
        ] {
            assert!(check(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_taken_off_both_ends_alike() {
        for unseen in ["\u{a0}", "\u{200b}", "\u{feff}", "\u{200e}", "\u{ad}", "\u{2060}", "\u{202f}", "\t", "\u{200d}"]
        {
            assert_eq!(check(&format!("{unseen}eva@press.example")), Ok("eva@press.example".into()), "{unseen:?}");
            assert_eq!(check(&format!("eva@press.example{unseen} ")), Ok("eva@press.example".into()), "{unseen:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_inside_is_named() {
        for (text, error) in [
            (
                "eva\u{200b}@press.example",
                "invisible character U+200B (zero width space) in the address, as its character 4",
            ),
            ("eva@press\u{ad}.example", "invisible character U+00AD (soft hyphen) in the address, as its character 10"),
            ("ｅva@press.example", "“ｅ” (U+FF45) in the address, as its character 1, is another character than “e”"),
            ("\u{212a}im@press.example", "(U+212A) in the address, as its character 1, is another character than “K”"),
            ("eva＠press.example", "(U+FF20) in the address, as its character 4, is another character than “@”"),
            ("e\u{a0}va@press.example", "does not belong before the @: U+00A0 (no-break space), as its character 2"),
            ("e va@press.example", "does not belong before the @: U+0020, as its character 2"),
        ] {
            let said = check(text).unwrap_err().to_string();
            assert!(said.contains(error), "{text:?}: {said}");
        }
    }

    #[test]
    fn one_mailbox_in_two_normal_forms_is_one() {
        assert_eq!(check("a\u{30a}sa@press.example"), Ok("åsa@press.example".into()));
        assert_eq!(check("eva@ska\u{30a}ne.example"), check("eva@skåne.example"));
        assert_eq!(check("eva@ｐress.example"), Ok("eva@press.example".into()));
    }

    #[test]
    fn counts_a_mailbox_without_what_follows_its_plus() {
        for (address, key) in [
            ("Karin+news@Press.example", "karin@press.example"),
            ("karin+a+b@press.example", "karin@press.example"),
            ("karin@press.example", "karin@press.example"),
            ("+karin@press.example", "+karin@press.example"),
        ] {
            assert_eq!(address.parse::<Address>().unwrap().mailbox_key(), key);
        }
    }

    #[test]
    fn shows_only_a_mask_when_debugged() {
        let address: Address = "karin@example.org".parse().unwrap();
        assert_eq!(format!("{address:?}"), "Address(k***@example.org)");
    }
}
