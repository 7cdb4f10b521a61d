//! A post: a mail written to a list, held for a decision, or sent on as a mailing.
//!
//! Transitions are pure. The first decision counts; later ones get an error and change nothing.

use chrono::Duration;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId};

use super::authentication::Authentication;
use super::present::Present;
use super::release::Blob;

/// Days for which a held post waits for a decision.
pub const HELD_DAYS: i64 = 7;

/// A mail written to a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its id.
    pub id: PostId,
    /// The list.
    pub list: ListName,
    /// The address in From. Not verified.
    pub author: Address,
    /// The name in From.
    pub author_name: Option<String>,
    /// Its subject, decoded, on one line.
    pub subject: String,
    /// Its Message-ID without brackets, if it has one.
    pub message_id: Option<String>,
    /// Its bytes, as received.
    pub blob: Blob,
    /// When it was received.
    pub received: Timestamp,
    /// The results of checking its author.
    pub authentication: Authentication,
    /// How far it has been handled.
    pub state: PostState,
}

/// How far a post has been handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostState {
    /// Waiting for a decision.
    Held(Hold),
    /// Sent on.
    Approved {
        /// When.
        at: Timestamp,
        /// Who decided; `None` where no decision was needed.
        by: Option<String>,
        /// The mailing that sends it.
        mailing: MailingId,
    },
    /// Refused.
    Refused {
        /// When.
        at: Timestamp,
        /// Who decided.
        by: String,
        /// Their reason; may be empty.
        why: String,
    },
    /// Not decided in time.
    Expired {
        /// When.
        at: Timestamp,
    },
}

/// A post waiting for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// Number of the hold, from 1: a token from an earlier hold is void.
    pub round: u32,
    /// Since when.
    pub since: Timestamp,
    /// When it expires.
    pub until: Timestamp,
    /// Addresses asked by mail. A token identifies one of them by its index here.
    pub asked: Vec<Address>,
}

/// Why a post is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// Its author must confirm having written it.
    Confirmation,
    /// A moderator must decide.
    Moderation,
    /// A second person must approve it, as the list requires for every mailing.
    Approval,
}

impl HoldReason {
    /// The word for it in commands, API and records.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Moderation => "moderation",
            Self::Approval => "approval",
        }
    }
}

/// Why a decision changes nothing. The text says what prevents it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// Another decision came first, or the post expired.
    #[error("post {id} is already {state}; nothing was changed")]
    Decided {
        /// Its id.
        id: PostId,
        /// The word for its state.
        state: &'static str,
    },
    /// The token belongs to a question that was answered already.
    #[error("post {0} is held for another reason now; answer the newer question")]
    OldQuestion(PostId),
    /// Its author cannot be the second person.
    #[error("post {id} was written by {by}, and must be approved by another person")]
    OwnApproval {
        /// Its id.
        id: PostId,
        /// The author who tried to decide.
        by: String,
    },
}

impl PostState {
    /// The word for it in commands, API and records.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::Approved { .. } => "approved",
            Self::Refused { .. } => "refused",
            Self::Expired { .. } => "expired",
        }
    }
}

impl Hold {
    /// The first hold, from `since`.
    pub fn new(reason: HoldReason, since: Timestamp, asked: Vec<Address>) -> Self {
        Self { reason, round: 1, since, until: since + Duration::days(HELD_DAYS), asked }
    }

    /// Whether its time for a decision has passed.
    pub(crate) fn is_over(&self, present: &Present) -> bool {
        present.is_over(self.since, self.until)
    }
}

impl Post {
    /// Whether `by`, an address or the name of a user of this machine, is its author.
    pub(crate) fn is_by(&self, by: &str) -> bool {
        Address::from_stored(by.to_owned()).is_ok_and(|by| by.is_same_person(&self.author))
    }

    /// The current hold, if it is held.
    pub fn hold(&self) -> Option<&Hold> {
        match &self.state {
            PostState::Held(hold) => Some(hold),
            _ => None,
        }
    }

    /// When it was decided, or expired.
    pub(crate) fn decided(&self) -> Option<Timestamp> {
        match &self.state {
            PostState::Held(_) => None,
            PostState::Approved { at, .. } | PostState::Refused { at, .. } | PostState::Expired { at } => Some(*at),
        }
    }

    /// The current hold, if a decision is possible at present.
    ///
    /// # Errors
    /// [`DecisionError::Decided`].
    pub(crate) fn open(&self, present: &Present) -> Result<&Hold, DecisionError> {
        let decided = |state| DecisionError::Decided { id: self.id, state };
        let hold = self.hold().ok_or_else(|| decided(self.state.word()))?;
        if hold.is_over(present) { Err(decided("expired")) } else { Ok(hold) }
    }

    /// Approves it, to be sent by `mailing`.
    ///
    /// # Errors
    /// [`DecisionError`]: nothing is changed.
    pub(crate) fn approve(&mut self, by: &str, mailing: MailingId, present: &Present) -> Result<(), DecisionError> {
        let hold = self.open(present)?;
        if hold.reason == HoldReason::Approval && self.is_by(by) {
            return Err(DecisionError::OwnApproval { id: self.id, by: by.to_owned() });
        }
        self.state = PostState::Approved { at: present.now, by: Some(by.to_owned()), mailing };
        Ok(())
    }

    /// Holds it again, for another person's decision.
    ///
    /// # Errors
    /// [`DecisionError`]: nothing is changed.
    pub(crate) fn hold_for(
        &mut self,
        reason: HoldReason,
        asked: Vec<Address>,
        present: &Present,
    ) -> Result<(), DecisionError> {
        let round = self.open(present)?.round + 1;
        self.state = PostState::Held(Hold { round, ..Hold::new(reason, present.now, asked) });
        Ok(())
    }

    /// Refuses it.
    ///
    /// # Errors
    /// [`DecisionError`]: nothing is changed.
    pub(crate) fn refuse(&mut self, by: &str, why: &str, present: &Present) -> Result<(), DecisionError> {
        self.open(present)?;
        self.state = PostState::Refused { at: present.now, by: by.to_owned(), why: why.to_owned() };
        Ok(())
    }

    /// Shortens its hold to the maximum: a post held while the clock was ahead would otherwise wait for years.
    /// Returns whether that changed it.
    pub(crate) fn bound_hold(&mut self, present: &Present) -> bool {
        let latest = present.now + Duration::days(HELD_DAYS);
        match &mut self.state {
            PostState::Held(hold) if hold.until > latest => {
                hold.until = present.end(hold.since, hold.until).min(latest);
                true
            }
            _ => false,
        }
    }

    /// Expires it if its time has passed; returns whether it did.
    pub(crate) fn expire(&mut self, present: &Present) -> bool {
        let over = self.hold().is_some_and(|hold| hold.is_over(present));
        if over {
            self.state = PostState::Expired { at: present.now };
        }
        over
    }
}
