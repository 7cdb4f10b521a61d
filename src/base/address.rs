//! One parser for e-mail addresses, for checking and for sending alike, so that no two rooms read one differently.

use std::fmt;
use std::str::FromStr;

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

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(AddressError::Form("has no @"));
        };
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
    match local.chars().all(allowed) {
        true => Ok(()),
        false => Err(AddressError::Form("has a character that does not belong before the @")),
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
