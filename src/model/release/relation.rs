//! Relations of a release to others, embargo and archive.

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
    /// Its location: a URL, or a release such as `r17`.
    pub reference: String,
}

/// A relation to another release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The kind of relation.
    pub kind: RelationKind,
    /// The other one: a release such as `r17`, a URL, or the name of an event.
    pub to: String,
    /// The text shown to readers.
    pub title: Option<String>,
    /// The day of what it refers to, e.g. of the event documented.
    pub date: Option<Moment>,
}

impl Release {
    /// The release that this one updates, corrects, replaces or withdraws, if given by its number.
    pub(crate) fn announced_in(&self) -> Option<ReleaseId> {
        use RelationKind::{CorrectionOf, Replaces, UpdateOf, Withdraws};
        let same = |kind| matches!(kind, UpdateOf | CorrectionOf | Replaces | Withdraws);
        self.relations.iter().filter(|r| same(r.kind)).find_map(|r| r.to.parse().ok())
    }

    /// The releases that this one continues, if given by their numbers: all relations but the documentation of an
    /// event, which is about the event and not about its announcement.
    pub(crate) fn continues(&self) -> impl Iterator<Item = ReleaseId> {
        let continued = self.relations.iter().filter(|relation| relation.kind != RelationKind::DocumentationOf);
        continued.filter_map(|relation| relation.to.parse().ok())
    }
}

/// The kind of relation between two releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// It corrects an error in it.
    CorrectionOf,
    /// It replaces it.
    Replaces,
    /// It withdraws it.
    Withdraws,
    /// It follows up on it.
    FollowUpOf,
    /// It documents an event.
    DocumentationOf,
    /// It reports changes of an event.
    UpdateOf,
}

impl RelationKind {
    /// The word in release files.
    pub(crate) fn word(self) -> &'static str {
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
    pub(crate) const ALL: [Self; 6] =
        [Self::CorrectionOf, Self::Replaces, Self::Withdraws, Self::FollowUpOf, Self::DocumentationOf, Self::UpdateOf];
}

/// Words of an earlier release that were wrong, and the right ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// What it said.
    pub old: String,
    /// What it should say.
    pub new: String,
}

/// An embargo: not for publication before a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embargo {
    /// Until when.
    pub until: Moment,
    /// The zone of that time.
    pub zone: Tz,
    /// The reason.
    pub reason: Option<String>,
}

impl Embargo {
    /// The instant at which it ends.
    pub(crate) fn ends(&self) -> Timestamp {
        self.until.instant(self.zone)
    }
}

/// How long a release is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// When it moves to the archive.
    pub from: Option<Moment>,
    /// Until when it is kept.
    pub until: Option<Moment>,
    /// Notes for readers of the archive.
    pub notes: Vec<String>,
}
