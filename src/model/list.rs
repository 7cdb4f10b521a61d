//! A list: a named audience with an address.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::base::language::Language;

/// A named audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The local part of its address.
    pub name: ListName,
    /// What people call it.
    pub title: String,
    /// Where posts to it go and what its List-Id is made of, e.g. `media@lists.example.org`.
    pub address: Address,
    /// Who may write to it.
    pub kind: ListKind,
    /// How one gets on it.
    pub joining: Joining,
    /// The person who answers for it.
    pub owner: Address,
    /// Its language where neither release nor subscriber says another.
    pub language: Language,
    /// Whether being on it is sensitive (a union's members: GDPR Article 9).
    pub privacy: Privacy,
    /// Whether a mailing to it must be approved by a second person.
    pub approval: bool,
    /// When it was made.
    pub created: Timestamp,
}

/// Who may write to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Only its authorised senders.
    Announce,
    /// Its subscribers.
    Discussion,
}

/// How one gets on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// At once.
    Open,
    /// After confirming by mail.
    Confirmed,
    /// Only by an operator.
    Closed,
}

/// Whether being on a list may be shown in logs and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// A list of media, say.
    Ordinary,
    /// Membership itself is sensitive.
    Sensitive,
}
