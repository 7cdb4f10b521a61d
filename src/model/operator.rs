//! A user of this machine who makes a request over the control socket, and whether two of them are certainly
//! different.

/// The name of a user who cannot be identified, not even by number.
pub(crate) const UNKNOWN: &str = "unknown user";

/// The user who made a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The user's name, or `uid 1000` if the system's user list does not contain it or cannot be read.
    pub name: String,
    /// The user's number (uid), from the kernel; `None` in records from before it was stored.
    pub uid: Option<u32>,
}

impl Operator {
    /// Whether the two are certainly different users: compared by number, since one user may have several names, and
    /// a name may be unreadable. An old record with only a name is compared by name; `false` when one of them is
    /// unknown.
    pub(crate) fn is_surely_another(&self, other: &Self) -> bool {
        match (self.number(), other.number()) {
            (Some(one), Some(other)) => one != other,
            _ => self.is_named() && other.is_named() && self.name != other.name,
        }
    }

    fn number(&self) -> Option<u32> {
        self.uid.or_else(|| self.name.strip_prefix("uid ")?.parse().ok())
    }

    /// Whether the name comes from the system's user list.
    fn is_named(&self) -> bool {
        !self.name.is_empty() && self.name != UNKNOWN && !self.name.starts_with("uid ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: (&str, Option<u32>), other: (&str, Option<u32>)) -> bool {
        let operator = |(name, uid): (&str, Option<u32>)| Operator { name: name.to_owned(), uid };
        let (one, other) = (operator(one), operator(other));
        assert_eq!(one.is_surely_another(&other), other.is_surely_another(&one));
        one.is_surely_another(&other)
    }

    #[test]
    fn two_users_are_told_apart_by_their_numbers() {
        assert!(check(("anna", Some(1000)), ("bo", Some(1001))));
        assert!(!check(("anna", Some(1000)), ("uid 1000", Some(1000))));
        assert!(!check(("anna", Some(1000)), ("deputy", Some(1000))));
        assert!(check(("anna", Some(1000)), ("anna", Some(1001))));
    }

    #[test]
    fn an_old_record_has_a_name_only() {
        assert!(check(("anna", None), ("bo", Some(1001))));
        assert!(!check(("anna", None), ("anna", Some(1000))));
        assert!(!check(("uid 1000", None), ("anna", Some(1000))));
        assert!(check(("uid 1000", None), ("bo", Some(1001))));
    }

    #[test]
    fn who_cannot_be_told_apart_is_not_another() {
        assert!(!check(("anna", None), ("uid 1000", Some(1000))));
        assert!(!check(("anna", None), ("unknown user", None)));
        assert!(!check(("unknown user", None), ("bo", Some(1001))));
    }
}
