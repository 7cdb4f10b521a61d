//! Changes to a mailing by users and the scheduler: pure transitions that refuse, with the reason, what its stage
//! does not allow. The progress of freezing and sending is written by the rooms that do them.

use crate::base::clock::Timestamp;
use crate::base::id::{MailingId, ReleaseId, SubscriberId};

use super::mailing::{
    Approval, Edit, FirstApproval, Frozen, Mailing, MailingContent, MissedPolicy, Pause, PauseReason, Schedule, Stage,
};
use super::operator::Operator;

/// Why a mailing cannot be changed in this way. The text says what prevents it and what can be done instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// Its stage does not allow it.
    #[error("mailing {id} is {stage} and cannot be {action}; {instead}")]
    Stage {
        /// Its id.
        id: MailingId,
        /// The word for its stage.
        stage: &'static str,
        /// The requested action, as a participle.
        action: &'static str,
        /// An alternative, or the reason.
        instead: &'static str,
    },
    /// It is paused already.
    #[error("mailing {id} is already paused: {why}")]
    AlreadyPaused {
        /// Its id.
        id: MailingId,
        /// Why it was paused.
        why: String,
    },
    /// It is not paused.
    #[error("mailing {0} is not paused")]
    NotPaused(MailingId),
    /// A list in its audience requires an approval that is missing.
    #[error("mailing {0} waits for approval: a second person must run \u{201c}depesch mailing approve {0}\u{201d}")]
    Unapproved(MailingId),
    /// No list in its audience requires approval.
    #[error("mailing {0} needs no approval: no list in its audience requires it")]
    NoApprovalNeeded(MailingId),
    /// This content is approved already.
    #[error("mailing {id} was already approved by {by}")]
    AlreadyApproved {
        /// Its id.
        id: MailingId,
        /// By whom.
        by: String,
    },
    /// A user who queued or edited it cannot approve it, nor one who may be the same.
    #[error("mailing {id} was queued or edited by {by}, and must be approved by another user")]
    OwnApproval {
        /// Its id.
        id: MailingId,
        /// Who queued or edited it.
        by: String,
    },
    /// It needs two approvals, and this user, or one who may be the same, gave the first.
    #[error("mailing {id} was approved by {by}, and needs the approval of another user, too")]
    SameApprover {
        /// Its id.
        id: MailingId,
        /// Who gave the first.
        by: String,
    },
    /// The approver saw something other than what would be sent.
    #[error("mailing {id} has changed: the content checked was {seen}, the content now is {now}; check it again")]
    Changed {
        /// Its id.
        id: MailingId,
        /// The hash given.
        seen: String,
        /// The hash of what would be sent.
        now: String,
    },
}

/// Minimum length of a content hash given as a prefix, in hexadecimal digits.
const HASH_PREFIX: usize = 8;

impl PauseReason {
    /// The reason as text for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Person { by } => format!("paused by {by}"),
            Self::Breaker { evidence } => format!("stopped by the circuit breaker: {evidence}"),
            Self::Missed => "its time passed before it could be sent; resume sends it now".to_owned(),
            Self::Broken { what } => what.clone(),
        }
    }

    /// The word for it in commands, API and records.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Person { .. } => "person",
            Self::Breaker { .. } => "breaker",
            Self::Missed => "missed",
            Self::Broken { .. } => "broken",
        }
    }
}

impl MissedPolicy {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Ask => "ask",
            Self::Expire => "expire",
        }
    }
}

/// What the scheduler must do with a mailing at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing before this instant.
    Later(Timestamp),
    /// Nothing until a user changes it: it is paused, not approved, or no longer scheduled.
    Never,
    /// Freeze its audience: it is due.
    Begin,
    /// Pause it as missed.
    Ask,
    /// Let it expire.
    Expire,
}

impl Mailing {
    /// What must be done with it at `now`. A pause and a missing approval hold it back; but a mailing with the policy
    /// to expire also expires while it waits for approval.
    pub(crate) fn due(&self, now: Timestamp) -> Due {
        if self.stage != Stage::Scheduled || self.pause.is_some() {
            return Due::Never;
        }
        let missed_after = self.schedule.missed_after();
        if now < self.schedule.at {
            return Due::Later(self.schedule.at);
        }
        match (now > missed_after, self.schedule.missed) {
            (true, MissedPolicy::Expire) => Due::Expire,
            (false, MissedPolicy::Expire) if !self.is_approved() => Due::Later(missed_after + one_millisecond()),
            _ if !self.is_approved() => Due::Never,
            (true, MissedPolicy::Ask) => Due::Ask,
            (true, MissedPolicy::Send) | (false, _) => Due::Begin,
        }
    }

    /// Begins it when it is due: its audience is frozen next.
    ///
    /// # Errors
    /// [`TransitionError`] when it is not scheduled, is paused or lacks its approval.
    pub(crate) fn begin(&mut self, at: Timestamp) -> Result<(), TransitionError> {
        self.must_be_scheduled("begun", "it has begun")?;
        self.must_not_be_paused()?;
        if !self.is_approved() {
            return Err(TransitionError::Unapproved(self.id));
        }
        self.stage = Stage::Freezing { cursor: SubscriberId(0), chunks: 0, audience: 0, since: at };
        Ok(())
    }

    /// Expires it: its time passed and it is not sent any more.
    ///
    /// # Errors
    /// [`TransitionError`] when it is not scheduled.
    pub(crate) fn expire(&mut self, at: Timestamp) -> Result<(), TransitionError> {
        self.must_be_scheduled("expired", "only a mailing that has not begun can expire")?;
        self.stage = Stage::Expired { at };
        self.pause = None;
        Ok(())
    }

    /// Approves exactly the content with its current hash; if it needs two approvals, the first one only counts. `seen` is the hash, or at least eight digits of it, that
    /// the approver saw; `None` stands for the current one.
    ///
    /// # Errors
    /// [`TransitionError`]: not scheduled, no approval needed, approved before, by a user who may be the one
    /// who queued it, or changed since.
    pub fn approve(&mut self, by: &Operator, at: Timestamp, seen: Option<&str>) -> Result<(), TransitionError> {
        self.must_be_scheduled("approved", "an approval comes before sending")?;
        let id = self.id;
        if !self.approval_required {
            return Err(TransitionError::NoApprovalNeeded(id));
        }
        if let Some(approval) = self.approval.as_ref().filter(|a| a.content_hash == self.content_hash) {
            return Err(TransitionError::AlreadyApproved { id, by: approval.by.clone() });
        }
        let mut authors = std::iter::once(self.creator()).chain(self.edits.iter().map(|edit| edit.by.clone()));
        if let Some(author) = authors.find(|author| !by.is_surely_another(author)) {
            return Err(TransitionError::OwnApproval { id, by: author.name });
        }
        let names_this = |seen: &str| seen.len() >= HASH_PREFIX && self.content_hash.starts_with(seen);
        if let Some(seen) = seen.filter(|seen| !names_this(seen)) {
            return Err(TransitionError::Changed { id, seen: seen.to_owned(), now: self.content_hash.clone() });
        }
        let content_hash = self.content_hash.clone();
        match self.valid_first_approval() {
            None if self.approvals_needed > 1 => {
                self.first_approval = Some(FirstApproval { by: by.clone(), at, content_hash });
                return Ok(());
            }
            Some(first) if !by.is_surely_another(&first.by) => {
                return Err(TransitionError::SameApprover { id, by: first.by.name.clone() });
            }
            None | Some(_) => {}
        }
        self.approval = Some(Approval { by: by.name.clone(), at, content_hash });
        // "Send now" waited for the approval: there is still time to undo it.
        if self.undo_seconds > 0 && self.schedule.at <= at {
            self.send_now(at, self.undo_seconds);
        }
        Ok(())
    }

    fn void_approval(&mut self) {
        self.approval = None;
        self.first_approval = None;
    }

    /// Moves it to another time. This voids an approval.
    ///
    /// # Errors
    /// [`TransitionError`] when it has begun.
    pub fn reschedule(&mut self, schedule: Schedule) -> Result<(), TransitionError> {
        self.must_be_scheduled("moved", "its audience is frozen or it has ended; cancel it and queue it again")?;
        if self.schedule != schedule {
            self.void_approval();
        }
        self.schedule = schedule;
        self.undo_seconds = 0;
        // A new time answers the question whether to send it late.
        if matches!(self.pause, Some(Pause { reason: PauseReason::Missed, .. })) {
            self.pause = None;
        }
        Ok(())
    }

    /// Changes its content: another release text, template or audience. This voids an approval.
    ///
    /// # Errors
    /// [`TransitionError`] when it has begun.
    pub(crate) fn change_content(&mut self, content_hash: String) -> Result<(), TransitionError> {
        self.must_be_scheduled("edited", "it has begun; send a correction instead")?;
        if self.content_hash != content_hash {
            self.void_approval();
            self.content_hash = content_hash;
        }
        Ok(())
    }

    /// Makes it send another release. This voids an approval; the new content hash is set by what tries the content. If it was
    /// to be sent at once, the time in which it can be undone begins again.
    ///
    /// # Errors
    /// [`TransitionError`] when it has begun.
    pub(crate) fn edit(&mut self, release: ReleaseId, edit: Edit) -> Result<(), TransitionError> {
        self.must_be_scheduled("edited", "it has begun; send a correction instead")?;
        self.content = MailingContent::Release(release);
        self.void_approval();
        if self.undo_seconds > 0 {
            self.send_now(edit.at, self.undo_seconds);
        }
        self.edits.push(edit);
        Ok(())
    }

    /// Schedules it for now, and so that it can be undone for this time.
    pub(crate) fn send_now(&mut self, now: Timestamp, undo_seconds: u32) {
        self.schedule.at = now + chrono::Duration::seconds(i64::from(undo_seconds));
        self.undo_seconds = undo_seconds;
    }

    /// Pauses it in any stage; no further delivery is begun.
    ///
    /// # Errors
    /// [`TransitionError`] when it has ended or is paused already.
    pub fn hold(&mut self, reason: PauseReason, at: Timestamp) -> Result<(), TransitionError> {
        self.must_be_open("paused")?;
        self.must_not_be_paused()?;
        self.pause = Some(Pause { since: at, reason });
        Ok(())
    }

    /// Resumes it. If its time passed meanwhile, it is sent now.
    ///
    /// # Errors
    /// [`TransitionError`] when it has ended or is not paused.
    pub fn resume(&mut self, at: Timestamp) -> Result<(), TransitionError> {
        self.must_be_open("resumed")?;
        if self.pause.take().is_none() {
            return Err(TransitionError::NotPaused(self.id));
        }
        if self.stage == Stage::Scheduled && self.schedule.at < at {
            self.schedule.at = at;
        }
        Ok(())
    }

    /// Cancels it. Deliveries already sent stay as they are; all others are cancelled at this moment.
    ///
    /// # Errors
    /// [`TransitionError`] when it has ended.
    pub fn cancel(&mut self, by: &str, at: Timestamp) -> Result<(), TransitionError> {
        self.must_be_open("cancelled")?;
        let frozen = match self.stage {
            // The part of the ledger already written stays, so that it adds up.
            Stage::Freezing { chunks, audience, .. } => Some(Frozen { at, chunks, audience }),
            _ => self.frozen(),
        };
        self.stage = Stage::Cancelled { frozen, at, by: by.to_owned() };
        self.pause = None;
        Ok(())
    }

    /// Prepares for deliveries that are to be retried: a finished mailing goes back to sending. Each call changes the
    /// record, so that a task that saw it settled cannot finish it over this.
    ///
    /// # Errors
    /// [`TransitionError`] when it is not frozen, or was cancelled.
    pub(crate) fn reopen(&mut self) -> Result<(), TransitionError> {
        match self.stage {
            Stage::Sending(frozen) | Stage::Finished { frozen, .. } => {
                self.stage = Stage::Sending(frozen);
                self.reopened += 1;
                Ok(())
            }
            Stage::Scheduled | Stage::Freezing { .. } => Err(self.refused("tried again", "it has not been sent yet")),
            Stage::Cancelled { .. } | Stage::Expired { .. } => {
                Err(self.refused("tried again", "queue the release as a new mailing"))
            }
        }
    }

    /// Whether it has ended: finished, cancelled or expired.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Finished { .. } | Stage::Cancelled { .. } | Stage::Expired { .. })
    }

    fn must_be_scheduled(&self, action: &'static str, instead: &'static str) -> Result<(), TransitionError> {
        if self.stage == Stage::Scheduled { Ok(()) } else { Err(self.refused(action, instead)) }
    }

    fn must_be_open(&self, action: &'static str) -> Result<(), TransitionError> {
        if self.has_ended() { Err(self.refused(action, "it has ended")) } else { Ok(()) }
    }

    fn must_not_be_paused(&self) -> Result<(), TransitionError> {
        match &self.pause {
            Some(pause) => Err(TransitionError::AlreadyPaused { id: self.id, why: pause.reason.words() }),
            None => Ok(()),
        }
    }

    fn refused(&self, action: &'static str, instead: &'static str) -> TransitionError {
        TransitionError::Stage { id: self.id, stage: self.stage.word(), action, instead }
    }
}

impl Schedule {
    /// The last instant that counts as on time.
    pub(crate) fn missed_after(&self) -> Timestamp {
        self.at + chrono::Duration::seconds(i64::from(self.grace_seconds))
    }
}

/// The resolution of stored times.
fn one_millisecond() -> chrono::Duration {
    chrono::Duration::milliseconds(1)
}

#[cfg(test)]
mod tests;
