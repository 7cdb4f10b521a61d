//! The one parser for e-mail addresses, for checking and for sending, so that all rooms read them alike.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use super::unicode;

/// A mailbox that can be mailed: the local part as written (RFC 5321 §2.4), the domain in lower-case A-labels.
///
/// Quoted local parts and address literals are refused: newsrooms do not use them, and parsers disagree about them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is empty.
    #[error("the address is empty")]
    Empty,
    /// It does not have the form `name@domain`.
    #[error("an address has the form name@domain; this one {0}")]
    Form(&'static str),
    /// It contains an invisible character.
    #[error("invisible character {} in the address, as its character {place}; delete it", unicode::named(*.character))]
    Invisible {
        /// The character.
        character: char,
        /// Its position in characters, from 1.
        place: usize,
    },
    /// It contains a character that looks like another, e.g. a full-width letter, which would make it another
    /// mailbox.
    #[error(
        "{} in the address, as its character {place}, is another character than \u{201c}{plain}\u{201d}; write \
         \u{201c}{plain}\u{201d}", unicode::shown(*.character)
    )]
    Lookalike {
        /// The character.
        character: char,
        /// Its position in characters, from 1.
        place: usize,
        /// What it looks like.
        plain: String,
    },
    /// It contains a character that is not allowed in a mailbox.
    #[error(
        "an address has the form name@domain; this one has a character that does not belong before the @: {}, as its \
         character {place}", unicode::shown(*.character)
    )]
    Character {
        /// The character.
        character: char,
        /// Its position in characters, from 1.
        place: usize,
    },
    /// The domain is not a valid domain name (RFC 5890).
    #[error("\u{201c}{0}\u{201d} is not a domain name")]
    Domain(String),
    /// RFC 5321 §4.5.3.1: 64 bytes before the `@`, 254 in total.
    #[error("the address is longer than {0} bytes")]
    TooLong(usize),
}

impl Address {
    /// Restores an address from the output of [`Address::as_str`], as stored, without a full check: a scan of a
    /// million subscribers cannot afford that. Anything from outside must be parsed instead.
    ///
    /// # Errors
    /// [`AddressError::Form`] when it was never an address.
    pub fn from_stored(text: String) -> Result<Self, AddressError> {
        match text.rfind('@') {
            Some(at) if at > 0 && at + 1 < text.len() => Ok(Self { text, at }),
            _ => Err(AddressError::Form("has no @")),
        }
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part after the `@`: in lower case, with A-labels (`xn--…`) for international names.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Identifies spellings of the same mailbox: letters in lower case, but never so that a non-ASCII letter becomes
    /// an ASCII one: the Kelvin sign (U+212A) in lower case is the letter k, and `Kim@` is not `kim@`. New addresses
    /// with such a letter are refused ([`AddressError::Lookalike`]); an older store may hold one.
    ///
    /// Å and å are the same, although only the receiving server can know (RFC 6531 §3.2, RFC 5321 §2.4): files
    /// contain both spellings, and people who left or were erased under one of them must get no mail under the other.
    pub(crate) fn key(&self) -> String {
        match self.local_part().chars().any(|letter| unicode::plain_form(letter).is_some()) {
            true => self.text.to_ascii_lowercase(),
            false => self.text.to_lowercase(),
        }
    }

    /// The form used in the keys of the store and hashed for suppressions: all letters in lower case. The same as
    /// [`Address::key`] for every address accepted now; for others it is what older versions wrote, so that they are
    /// found and erased.
    pub(crate) fn stored_key(&self) -> String {
        self.text.to_lowercase()
    }

    /// Whether the two are, as far as can be known, mailboxes of one person: used wherever a second person is
    /// required, and wherever something is counted by person. In doubt it returns `true`: letter case and
    /// compatibility forms are ignored (Unicode NFKC and case folding), and so is the detail that many servers allow
    /// after a `+` (RFC 5233 §1). Dots are not ignored: only a few providers do so.
    pub(crate) fn is_same_person(&self, other: &Self) -> bool {
        self.person_key() == other.person_key()
    }

    /// The form that [`Address::is_same_person`] compares.
    pub(crate) fn person_key(&self) -> String {
        let local = self.local_part();
        let user = match local.split_once('+') {
            Some((user, _)) if !user.is_empty() => user,
            _ => local,
        };
        // Letter by letter and through upper case: so "ſ" is "s", both sigmas are the same, and "ß" is "ss".
        let folded: String = user.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
        format!("{folded}@{}", self.domain().to_ascii_lowercase())
    }

    /// Whether sending to it requires SMTPUTF8 (RFC 6531): the local part is not ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }

    /// A masked form for logs: recognisable, but not sufficient to send mail, e.g. `k***@example.org`.
    pub(crate) fn masked(&self) -> String {
        let first: String = self.local_part().chars().take(1).collect();
        format!("{first}***@{}", self.domain())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Parses an address as people write and paste it: invisible characters at both ends are removed, the local part
    /// is composed (RFC 6532 §3.1), and the domain is converted to A-labels (RFC 5891 §5). Inside, an invisible or
    /// lookalike character is refused by name.
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

/// Refuses, by name, invisible characters, and before the `@` lookalike characters. After it, UTS #46 defines which
/// characters are equal.
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

/// RFC 5321 §4.1.2 Dot-string, with the characters added by RFC 6531 §3.3.
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

/// Masked, because debug output ends up in logs.
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
    fn a_person_is_known_by_any_spelling_of_one_mailbox() {
        for (one, other) in [
            ("Karin+news@Press.example", "karin@press.example"),
            ("karin+a+b@press.example", "KARIN+c@press.example"),
            ("Åsa@press.example", "åsa@press.example"),
            ("ΣΑΣ@press.example", "σας@press.example"),
            ("STRASSE@press.example", "straße@press.example"),
            ("asa@sköv.example", "asa@xn--skv-tna.example"),
        ] {
            let (one, other): (Address, Address) = (one.parse().unwrap(), other.parse().unwrap());
            assert!(one.is_same_person(&other), "{} {}", one.as_str(), other.as_str());
        }
        // As in an older store.
        let kelvin = Address::from_stored("\u{212a}im@press.example".to_owned()).unwrap();
        assert!(kelvin.is_same_person(&"kim@press.example".parse().unwrap()));
    }

    #[test]
    fn different_people_are_not_taken_for_one() {
        for (one, other) in [
            ("karin@press.example", "karin@other.example"),
            ("k.arin@press.example", "karin@press.example"),
            ("+karin@press.example", "karin@press.example"),
            ("+a@press.example", "+b@press.example"),
            ("åsa@press.example", "asa@press.example"),
        ] {
            let (one, other): (Address, Address) = (one.parse().unwrap(), other.parse().unwrap());
            assert!(!one.is_same_person(&other), "{} {}", one.as_str(), other.as_str());
        }
    }

    #[test]
    fn no_letter_outside_ascii_becomes_one_inside() {
        let key = |text: &str| Address::from_stored(text.to_owned()).unwrap().key();
        assert_eq!(key("Kim.Ås@example.org"), "kim.ås@example.org");
        assert_eq!(key("\u{212a}IM@example.org"), "\u{212a}im@example.org");
        // With every letter: an address accepted now is never equal to one in ASCII.
        for letter in ('\u{80}'..=char::MAX).filter(|letter| letter.is_alphanumeric()) {
            if let Ok(address) = format!("a{letter}b@example.org").parse::<Address>() {
                assert!(!address.key().is_ascii() && address.key() == address.stored_key(), "{letter:?}");
            }
        }
    }

    #[test]
    fn letters_that_stand_for_others_are_refused_and_named() {
        for (letter, plain) in
            [('\u{212a}', "K"), ('\u{17f}', "s"), ('ａ', "a"), ('ﬁ', "fi"), ('\u{212b}', "Å"), ('ª', "a")]
        {
            let error = check(&format!("a{letter}im@example.org")).unwrap_err();
            assert_eq!(error, AddressError::Lookalike { character: letter, place: 2, plain: plain.to_owned() });
            assert!(error.to_string().contains(&format!("U+{:04X}", u32::from(letter))), "{error}");
        }
        assert!(check("åäöüßøæñçł@example.org").is_ok());
    }

    #[test]
    fn shows_only_a_mask_when_debugged() {
        let address: Address = "karin@example.org".parse().unwrap();
        assert_eq!(format!("{address:?}"), "Address(k***@example.org)");
    }
}
