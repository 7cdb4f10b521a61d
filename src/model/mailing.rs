//! A mailing: one release, or one post, sent to one audience at one time.
//!
//! Its stage only moves forward, except that a finished mailing sends again when some of its deliveries are reopened;
//! a pause is separate from the stage and stops work in any stage.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId, ReleaseId, SubscriberId};
use crate::base::language::Language;

use super::ledger::{Delivery, DeliveryState};
use super::operator::Operator;

/// One release or post, sent to one audience at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailing {
    /// Its id.
    pub id: MailingId,
    /// What is sent.
    pub content: MailingContent,
    /// The recipients.
    pub audience: AudienceQuery,
    /// When it is sent.
    pub schedule: Schedule,
    /// How deliveries left in doubt by a crash are handled.
    pub uncertain: UncertainPolicy,
    /// How far it has come.
    pub stage: Stage,
    /// Set while it is paused.
    pub pause: Option<Pause>,
    /// Whether a list in the audience requires approval.
    pub approval_required: bool,
    /// How many other people must approve it, 1 or 2, if a list requires approval.
    pub approvals_needed: u8,
    /// The first of two approvals, if given.
    pub first_approval: Option<FirstApproval>,
    /// The approval, if given: the last one needed.
    pub approval: Option<Approval>,
    /// Hash of what will be sent: release or post, templates, audience (SHA-256, hexadecimal). An approval is bound
    /// to it.
    pub content_hash: String,
    /// Number of times settled deliveries were reopened for a retry, so that each time the record changes.
    pub reopened: u32,
    /// When it was queued.
    pub created: Timestamp,
    /// Who queued it.
    pub created_by: String,
    /// The number (uid) of that user; `None` for a post, whose author is an address, and in records from before it
    /// was stored.
    pub created_uid: Option<u32>,
    /// Seconds between "send now" and the first message, in which it can be cancelled; 0 for a time of its own.
    pub undo_seconds: u32,
    /// The changes of its content, oldest first.
    pub edits: Vec<Edit>,
}

/// A change of what a waiting mailing sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The release that it would have sent before.
    pub before: ReleaseId,
    /// When.
    pub at: Timestamp,
    /// Who: they cannot approve it.
    pub by: Operator,
}

/// What a mailing sends. Its content never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailingContent {
    /// A release, rendered for each reader.
    Release(ReleaseId),
    /// A post: a mail written to the list, sent on in its original form.
    Post(PostId),
}

impl MailingContent {
    /// The release, if it is one.
    pub(crate) fn release(self) -> Option<ReleaseId> {
        match self {
            Self::Release(id) => Some(id),
            Self::Post(_) => None,
        }
    }

    /// The post, if it is one.
    pub(crate) fn post(self) -> Option<PostId> {
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

/// The recipients of a mailing. Empty sets do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AudienceQuery {
    /// Active subscribers of any of these lists. Never empty for a new mailing.
    pub lists: BTreeSet<ListName>,
    /// Covering any of these beats.
    pub beats: BTreeSet<String>,
    /// Covering any of these regions.
    pub regions: BTreeSet<String>,
    /// Reading any of these languages (matched by primary subtag).
    pub languages: BTreeSet<Language>,
    /// Only recipients to whom this earlier mailing was delivered: for corrections and updates.
    pub reached_by: Option<MailingId>,
}

/// When a mailing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The instant.
    pub at: Timestamp,
    /// The IANA zone in which the author wrote it, e.g. `Europe/Stockholm`.
    pub zone: String,
    /// What happens if the daemon was not running at that instant.
    pub missed: MissedPolicy,
    /// The delay, in seconds, that still counts as on time.
    pub grace_seconds: u32,
}

/// What happens to a mailing whose time passed while the daemon was not running (invariant 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedPolicy {
    /// Send it late.
    Send,
    /// Pause it until a person decides.
    Ask,
    /// Let it expire unsent.
    Expire,
}

/// What happens to a delivery when a crash left unknown whether it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UncertainPolicy {
    /// Send it again, with the same Message-ID.
    Resend,
    /// Hold it until a person decides.
    Hold,
}

/// How far a mailing has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for its time.
    Scheduled,
    /// The ledger is being written.
    Freezing {
        /// The last subscriber examined; `SubscriberId(0)` before the first.
        cursor: SubscriberId,
        /// Number of chunks written so far.
        chunks: u32,
        /// Number of deliveries written so far.
        audience: u32,
        /// When it began.
        since: Timestamp,
    },
    /// The audience is frozen; deliveries are sent.
    Sending(Frozen),
    /// Every delivery is settled.
    Finished {
        /// The audience.
        frozen: Frozen,
        /// When.
        at: Timestamp,
    },
    /// Withdrawn by a user. Deliveries not sent by then are cancelled.
    Cancelled {
        /// The audience, if it was frozen before.
        frozen: Option<Frozen>,
        /// When.
        at: Timestamp,
        /// The user.
        by: String,
    },
    /// Its time passed without it being sent.
    Expired {
        /// When this was detected.
        at: Timestamp,
    },
}

/// A frozen audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// When the last chunk was written.
    pub at: Timestamp,
    /// Number of chunks.
    pub chunks: u32,
    /// Number of deliveries.
    pub audience: u32,
}

/// Why a mailing is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Why, for the press office to read.
    pub reason: PauseReason,
}

/// The cause of a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PauseReason {
    /// A user.
    Person {
        /// Who.
        by: String,
    },
    /// The circuit breaker: receivers blame the sender or the content.
    Breaker {
        /// What they answered, and to how many messages.
        evidence: String,
    },
    /// Its time was missed and the policy is to ask.
    Missed,
    /// Something it needs is missing or broken, e.g. an attachment.
    Broken {
        /// What, and how to fix it.
        what: String,
    },
}

/// The approval of a mailing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The [`Mailing::content_hash`] that was approved.
    pub content_hash: String,
}

/// The first of two approvals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstApproval {
    /// Who.
    pub by: Operator,
    /// When.
    pub at: Timestamp,
    /// The [`Mailing::content_hash`] that was approved.
    pub content_hash: String,
}

impl Mailing {
    /// A mailing that waits for its time, with no number, creator, approval or hash yet: struct updates add them.
    pub(crate) fn new(
        content: MailingContent,
        audience: AudienceQuery,
        schedule: Schedule,
        created: Timestamp,
    ) -> Self {
        Self {
            id: MailingId(0),
            content,
            audience,
            schedule,
            uncertain: UncertainPolicy::Resend,
            stage: Stage::Scheduled,
            pause: None,
            approval_required: false,
            approval: None,
            content_hash: String::new(),
            reopened: 0,
            created,
            created_by: String::new(),
            created_uid: None,
            undo_seconds: 0,
            edits: Vec::new(),
            approvals_needed: 1,
            first_approval: None,
        }
    }

    /// The first approval, if it is of what will be sent.
    pub(crate) fn valid_first_approval(&self) -> Option<&FirstApproval> {
        self.first_approval.as_ref().filter(|first| first.content_hash == self.content_hash)
    }

    /// The user who queued it.
    pub(crate) fn creator(&self) -> Operator {
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

    /// The state of a delivery as part of this mailing: in a cancelled mailing, a delivery that was not sent is
    /// cancelled at the moment of the cancellation, without a write of its own. One in doubt stays so, and one that
    /// may have arrived is uncertain.
    pub fn settle(&self, delivery: Delivery) -> Delivery {
        match (&self.stage, &delivery.state) {
            (Stage::Cancelled { at, .. }, DeliveryState::Waiting | DeliveryState::Deferred { .. }) => {
                delivery.unsent(DeliveryState::Cancelled { at: *at })
            }
            _ => delivery,
        }
    }

    /// Whether it has the approval it needs: of exactly what will be sent.
    pub fn is_approved(&self) -> bool {
        !self.approval_required || self.approval.as_ref().is_some_and(|a| a.content_hash == self.content_hash)
    }
}

impl Stage {
    /// The word for it in commands, API and records.
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
