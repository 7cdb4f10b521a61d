//! What is missing at the journal's end.

/// What is missing at the journal's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Acknowledged groups that are missing: the first and the last number.
    pub missing: Option<(u64, u64)>,
    /// More groups may have been acknowledged after the one with this number.
    pub unknown_after: Option<u64>,
}

impl Shortfall {
    /// Whether nothing is known to be missing, and no missing part could have held more.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.missing, self.unknown_after) {
            (Some((first, last)), None) if first == last => {
                write!(f, "group {first} that was acknowledged is missing")
            }
            (Some((first, last)), None) => write!(f, "groups {first} to {last} that were acknowledged are missing"),
            (Some((first, last)), Some(_)) => write!(
                f,
                "groups {first} to {last} that were acknowledged are missing, and how many were acknowledged after them \
                 cannot be known: the segment that held them is missing"
            ),
            (None, Some(after)) => write!(
                f,
                "how many groups were acknowledged after group {after} cannot be known: the segment that held them is missing"
            ),
            (None, None) => f.write_str("nothing is missing"),
        }
    }
}
