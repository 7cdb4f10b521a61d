//! The kind of a release: the name of a folder of templates.

use std::fmt;
use std::str::FromStr;

/// A kind, e.g. `press-release`: 1 to 40 of `a-z`, `0-9` and `-`, beginning with a letter. Whether it exists depends
/// on the templates, so that a new kind needs only a folder and no change here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(String);

/// Text that cannot be a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\u{201c}{0}\u{201d} is not the name of a kind such as press-release, invitation or documentation")]
pub struct KindError(String);

impl Kind {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Kind {
    /// A press release.
    fn default() -> Self {
        Self("press-release".to_owned())
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        let fits = (1..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits { Ok(Self(text.to_owned())) } else { Err(KindError(text.to_owned())) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
