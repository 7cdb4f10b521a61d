//! An SMTP reply, as received and stored.

use std::fmt;

/// A server's reply: a code and its lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits (RFC 5321 §4.2).
    pub code: u16,
    /// The text, lines joined with ` / `, control characters removed (invariant 7), at most 500 bytes.
    pub text: String,
}

impl Reply {
    /// Makes a reply from the wire safe to show.
    pub fn new(code: u16, text: &str) -> Self {
        let mut safe: String = text.trim_end().replace("\r\n", " / ").replace('\n', " / ");
        safe.retain(|c| !c.is_control());
        while safe.len() > 500 {
            safe.pop();
        }
        Self { code, text: safe }
    }

    /// The enhanced status code (RFC 3463 §2), e.g. `5.1.1`, if the text begins with one of the same class.
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.text.split_whitespace().next()?;
        let mut parts = word.split('.');
        let class = parts.next()?;
        let number =
            |p: Option<&str>| p.is_some_and(|d| (1..=3).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_digit()));
        let whole = number(parts.next()) && number(parts.next()) && parts.next().is_none();
        (whole && class == (self.code / 100).to_string()).then_some(word)
    }

    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 5xx: the same will not work.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}
