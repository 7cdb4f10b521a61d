//! How a release stands to others, to time and to the archive.

use chrono_tz::Tz;

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::base::language::Language;

use super::Release;
use super::moment::Moment;

/// The same release in another language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The language.
    pub language: Language,
    /// Its headline in that language.
    pub title: Option<String>,
    /// Where it is: a link, or a release such as `r17`.
    pub reference: String,
}

/// What a release is to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// What it is.
    pub kind: RelationKind,
    /// To which: a release such as `r17`, a link, or the name of an event.
    pub to: String,
    /// What the reader sees.
    pub title: Option<String>,
    /// The day of what it is related to, e.g. of the event documented.
    pub date: Option<Moment>,
}

impl Release {
    /// The release that this one updates, corrects, replaces or withdraws, where it names one by its number.
    pub fn announced_in(&self) -> Option<ReleaseId> {
        use RelationKind::{CorrectionOf, Replaces, UpdateOf, Withdraws};
        let same = |kind| matches!(kind, UpdateOf | CorrectionOf | Replaces | Withdraws);
        self.relations.iter().filter(|r| same(r.kind)).find_map(|r| r.to.parse().ok())
    }
}

/// What a release is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// It mends an error.
    CorrectionOf,
    /// It stands in its place.
    Replaces,
    /// It takes it back.
    Withdraws,
    /// It goes on from it.
    FollowUpOf,
    /// It documents an event.
    DocumentationOf,
    /// It tells what is new about an event.
    UpdateOf,
}

impl RelationKind {
    /// The word in release files.
    pub fn word(self) -> &'static str {
        match self {
            Self::CorrectionOf => "correction-of",
            Self::Replaces => "replaces",
            Self::Withdraws => "withdraws",
            Self::FollowUpOf => "follow-up-of",
            Self::DocumentationOf => "documentation-of",
            Self::UpdateOf => "update-of",
        }
    }

    /// All of them, for messages.
    pub const ALL: [Self; 6] =
        [Self::CorrectionOf, Self::Replaces, Self::Withdraws, Self::FollowUpOf, Self::DocumentationOf, Self::UpdateOf];
}

/// Not for publication before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embargo {
    /// Until when.
    pub until: Moment,
    /// The zone of that time.
    pub zone: Tz,
    /// Why.
    pub reason: Option<String>,
}

impl Embargo {
    /// The instant at which it ends.
    pub fn ends(&self) -> Timestamp {
        self.until.instant(self.zone)
    }
}

/// How long a release is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// From when it is only in the archive.
    pub from: Option<Moment>,
    /// Until when it is kept.
    pub until: Option<Moment>,
    /// Notes for those who find it there.
    pub notes: Vec<String>,
}
