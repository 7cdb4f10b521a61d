//! Identifiers: small numbers in scan order, so that chunks and tokens stay small, and list names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::unicode;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Parses the number with or without its letter.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.strip_prefix($prefix).unwrap_or(text);
                digits.parse().map(Self).map_err(|_| IdError {
                    given: text.to_owned(),
                    expected: concat!("a number such as ", $prefix, "17"),
                })
            }
        }
    };
}

number_id!(/// Identifies a subscriber; never reused, not even after erasure.
    SubscriberId, "s");
number_id!(/// Identifies a release.
    ReleaseId, "r");
number_id!(/// Identifies a mailing.
    MailingId, "m");

number_id!(/// Identifies one incoming message, for one of its recipients.
    InboundId, "i");
number_id!(/// Identifies a notice: one mail of our own that belongs to no mailing.
    NoticeId, "n");
number_id!(/// Identifies a pending request, by the number of the message that made it.
    PendingRequestId, "w");
number_id!(/// Identifies a post: a person's mail to a list.
    PostId, "p");

/// Text that is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\u{201c}{given}\u{201d} is not {expected}")]
pub struct IdError {
    given: String,
    expected: &'static str,
}

/// A list's name: the local part of its address, 1 to 40 of `a-z`, `0-9`, `-` and `.`, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListName(String);

impl ListName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ListName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // Pasted from a page or a mail; visible characters are not changed.
        let text = text.trim_matches(unicode::is_unseen);
        let fits = (1..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            let expected =
                "a list name (1 to 40 of a-z, 0-9, \u{201c}-\u{201d} and \u{201c}.\u{201d}, beginning with a letter)";
            Err(IdError { given: text.to_owned(), expected })
        }
    }
}

impl TryFrom<String> for ListName {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ListName> for String {
    fn from(name: ListName) -> String {
        name.0
    }
}

impl fmt::Display for ListName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
