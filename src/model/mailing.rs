//! A mailing: one release, or one post, sent to one audience at one time.
//!
//! Its stage moves forward only, save that a finished mailing sends again when deliveries of it are opened again; a
//! pause lies beside the stage and stops work wherever it is.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId, ReleaseId, SubscriberId};
use crate::base::language::Language;

use super::ledger::{Delivery, DeliveryState};
use super::operator::Operator;

/// One release or post to one audience at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailing {
    /// Its name.
    pub id: MailingId,
    /// What is sent.
    pub content: MailingContent,
    /// To whom.
    pub audience: AudienceQuery,
    /// When.
    pub schedule: Schedule,
    /// What to do with deliveries that a crash left in doubt.
    pub uncertain: UncertainPolicy,
    /// How far it has come.
    pub stage: Stage,
    /// Set while it is held back.
    pub pause: Option<Pause>,
    /// Whether a list in the audience demands approval.
    pub approval_required: bool,
    /// Who approved what, if anybody did.
    pub approval: Option<Approval>,
    /// The hash of what will be sent: release or post, templates, audience (SHA-256, hexadecimal). An approval is bound to it.
    pub content_hash: String,
    /// How often settled deliveries were opened again, for a retry: so that each time the record changes.
    pub reopened: u32,
    /// When it was queued.
    pub created: Timestamp,
    /// Who queued it.
    pub created_by: String,
    /// The number of that user; `None` for a post, whose author is an address, and in records from before it was kept.
    pub created_uid: Option<u32>,
}

/// What a mailing sends. Neither ever changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailingContent {
    /// A release, rendered for each reader.
    Release(ReleaseId),
    /// A mail that somebody wrote to the list, sent on as it came.
    Post(PostId),
}

impl MailingContent {
    /// The release, where it is one.
    pub fn release(self) -> Option<ReleaseId> {
        match self {
            Self::Release(id) => Some(id),
            Self::Post(_) => None,
        }
    }

    /// The post, where it is one.
    pub fn post(self) -> Option<PostId> {
        match self {
            Self::Post(id) => Some(id),
            Self::Release(_) => None,
        }
    }
}

impl fmt::Display for MailingContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(id) => id.fmt(f),
            Self::Post(id) => id.fmt(f),
        }
    }
}

/// To whom a mailing goes. Empty sets do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AudienceQuery {
    /// On any of these lists, active. Never empty for a new mailing.
    pub lists: BTreeSet<ListName>,
    /// Covering any of these beats.
    pub beats: BTreeSet<String>,
    /// Covering any of these regions.
    pub regions: BTreeSet<String>,
    /// Reading any of these languages (by the first subtag).
    pub languages: BTreeSet<Language>,
    /// Only those to whom this earlier mailing was delivered: for corrections and updates.
    pub reached_by: Option<MailingId>,
}

/// When a mailing goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The instant.
    pub at: Timestamp,
    /// The IANA zone in which the author wrote it, e.g. `Europe/Stockholm`.
    pub zone: String,
    /// What to do when the daemon was not running at that instant.
    pub missed: MissedPolicy,
    /// How late, in seconds, still counts as on time.
    pub grace_seconds: u32,
}

/// What to do with a mailing whose time passed while the daemon was not running (invariant 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedPolicy {
    /// Send it late.
    Send,
    /// Pause it and ask a person.
    Ask,
    /// Let it expire unsent.
    Expire,
}

/// What to do with a delivery of which a crash left unknown whether it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UncertainPolicy {
    /// Send it again, with the same Message-ID.
    Resend,
    /// Hold it for a person to decide.
    Hold,
}

/// How far a mailing has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its time has not come.
    Scheduled,
    /// The ledger is being written.
    Freezing {
        /// The last subscriber looked at; `SubscriberId(0)` before the first.
        cursor: SubscriberId,
        /// Chunks written so far.
        chunks: u32,
        /// Deliveries written so far.
        audience: u32,
        /// When it began.
        since: Timestamp,
    },
    /// The audience is frozen; deliveries go out.
    Sending(Frozen),
    /// Every delivery is settled.
    Finished {
        /// The audience.
        frozen: Frozen,
        /// When.
        at: Timestamp,
    },
    /// Withdrawn by a person. Deliveries that were not sent are cancelled.
    Cancelled {
        /// The audience, if it was frozen before.
        frozen: Option<Frozen>,
        /// When.
        at: Timestamp,
        /// Who.
        by: String,
    },
    /// Its time passed unused.
    Expired {
        /// When this was found.
        at: Timestamp,
    },
}

/// A frozen audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// When the last chunk was written.
    pub at: Timestamp,
    /// How many chunks hold it.
    pub chunks: u32,
    /// How many deliveries.
    pub audience: u32,
}

/// Why a mailing is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Why, for the press office to read.
    pub reason: PauseReason,
}

/// Who or what holds a mailing back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PauseReason {
    /// A person.
    Person {
        /// Who.
        by: String,
    },
    /// The circuit breaker: receivers blame the sender or the content.
    Breaker {
        /// What they said, and to how many.
        evidence: String,
    },
    /// Its time was missed and the policy is to ask.
    Missed,
    /// Something it needs is missing or broken, e.g. an attachment.
    Broken {
        /// What, and how to mend it.
        what: String,
    },
}

/// Somebody's word that this may go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The [`Mailing::content_hash`] that was approved.
    pub content_hash: String,
}

impl Mailing {
    /// Who queued it.
    pub fn creator(&self) -> Operator {
        Operator { name: self.created_by.clone(), uid: self.created_uid }
    }

    /// The frozen audience, once there is one.
    pub fn frozen(&self) -> Option<Frozen> {
        match &self.stage {
            Stage::Sending(frozen) | Stage::Finished { frozen, .. } => Some(*frozen),
            Stage::Cancelled { frozen, .. } => *frozen,
            Stage::Scheduled | Stage::Freezing { .. } | Stage::Expired { .. } => None,
        }
    }

    /// A delivery as it stands in this mailing: once the mailing is cancelled, what was not sent is cancelled with
    /// it, at that moment and with no further write. What is in doubt stays so, and what may have arrived is uncertain.
    pub fn settle(&self, delivery: Delivery) -> Delivery {
        match (&self.stage, &delivery.state) {
            (Stage::Cancelled { at, .. }, DeliveryState::Waiting | DeliveryState::Deferred { .. }) => {
                delivery.unsent(DeliveryState::Cancelled { at: *at })
            }
            _ => delivery,
        }
    }

    /// Whether it has what approval it needs: an approval of just what will be sent.
    pub fn is_approved(&self) -> bool {
        !self.approval_required || self.approval.as_ref().is_some_and(|a| a.content_hash == self.content_hash)
    }
}

impl Stage {
    /// The word used everywhere.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Freezing { .. } => "freezing",
            Self::Sending(_) => "sending",
            Self::Finished { .. } => "finished",
            Self::Cancelled { .. } => "cancelled",
            Self::Expired { .. } => "expired",
        }
    }
}
