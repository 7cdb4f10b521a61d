//! A post: a mail that somebody wrote to a list, held until somebody decides, or sent on as a mailing.
//!
//! Transitions are pure. Whatever decides first decides; what comes after is told so and changes nothing.

use chrono::Duration;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, MailingId, PostId};

use super::authentication::Authentication;
use super::present::Present;
use super::release::Blob;

/// For so many days a held post waits for a decision.
pub const HELD_DAYS: i64 = 7;

/// A mail that somebody wrote to a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its name.
    pub id: PostId,
    /// The list.
    pub list: ListName,
    /// The address in From. It proves nothing.
    pub author: Address,
    /// The name in From.
    pub author_name: Option<String>,
    /// Its subject, decoded, on one line.
    pub subject: String,
    /// Its Message-ID without brackets, if it has one.
    pub message_id: Option<String>,
    /// Its bytes, as they came in.
    pub blob: Blob,
    /// When it came in.
    pub received: Timestamp,
    /// What checking its author came to.
    pub authentication: Authentication,
    /// How far it has come.
    pub state: PostState,
}

/// How far a post has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostState {
    /// It waits for a decision.
    Held(Hold),
    /// It was sent on.
    Approved {
        /// When.
        at: Timestamp,
        /// Who decided; `None` where nobody had to.
        by: Option<String>,
        /// The mailing that sends it.
        mailing: MailingId,
    },
    /// It is not sent.
    Refused {
        /// When.
        at: Timestamp,
        /// Who decided.
        by: String,
        /// Why, in their words; may be empty.
        why: String,
    },
    /// Nobody decided in time.
    Expired {
        /// When.
        at: Timestamp,
    },
}

/// For whose word a post waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// How often it was held, counted from 1: a token of an earlier time is void.
    pub round: u32,
    /// Since when.
    pub since: Timestamp,
    /// It expires then.
    pub until: Timestamp,
    /// Who was asked by mail. A token names one of them by the place here.
    pub asked: Vec<Address>,
}

/// Why a post is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// Its author must confirm that it is theirs.
    Confirmation,
    /// A moderator must let it through.
    Moderation,
    /// A second person must approve it, as the list demands of every mailing.
    Approval,
}

impl HoldReason {
    /// The word used everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Moderation => "moderation",
            Self::Approval => "approval",
        }
    }
}

/// Why a decision changes nothing. The text says what stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// Somebody was quicker, or it expired.
    #[error("post {id} is {state} already; nothing was changed")]
    Decided {
        /// Which.
        id: PostId,
        /// The word for its state.
        state: &'static str,
    },
    /// The token belongs to a question that is answered already.
    #[error("post {0} is held for another reason now; answer the newer letter")]
    OldQuestion(PostId),
    /// Its author cannot be the second person.
    #[error("post {id} was written by {by}, and must be approved by somebody else")]
    OwnApproval {
        /// Which.
        id: PostId,
        /// Who wrote it and decides.
        by: String,
    },
}

impl PostState {
    /// The word used everywhere.
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
    /// A first hold, from `since`.
    pub fn new(reason: HoldReason, since: Timestamp, asked: Vec<Address>) -> Self {
        Self { reason, round: 1, since, until: since + Duration::days(HELD_DAYS), asked }
    }

    /// Whether it has ended without a decision.
    pub fn is_over(&self, present: &Present) -> bool {
        present.is_over(self.since, self.until)
    }
}

impl Post {
    /// Whether `by`, an address or the name of a user of this machine, is its author.
    pub fn is_by(&self, by: &str) -> bool {
        Address::from_stored(by.to_owned()).is_ok_and(|by| by.is_same_person(&self.author))
    }

    /// The hold that it is in.
    pub fn hold(&self) -> Option<&Hold> {
        match &self.state {
            PostState::Held(hold) => Some(hold),
            _ => None,
        }
    }

    /// When it was decided, or expired.
    pub fn decided(&self) -> Option<Timestamp> {
        match &self.state {
            PostState::Held(_) => None,
            PostState::Approved { at, .. } | PostState::Refused { at, .. } | PostState::Expired { at } => Some(*at),
        }
    }

    /// The hold, for a decision at present.
    ///
    /// # Errors
    /// [`DecisionError::Decided`].
    pub fn open(&self, present: &Present) -> Result<&Hold, DecisionError> {
        let decided = |state| DecisionError::Decided { id: self.id, state };
        let hold = self.hold().ok_or_else(|| decided(self.state.word()))?;
        if hold.is_over(present) { Err(decided("expired")) } else { Ok(hold) }
    }

    /// Lets it be sent by `mailing`.
    ///
    /// # Errors
    /// [`DecisionError`]: nothing is changed.
    pub fn approve(&mut self, by: &str, mailing: MailingId, present: &Present) -> Result<(), DecisionError> {
        let hold = self.open(present)?;
        if hold.reason == HoldReason::Approval && self.is_by(by) {
            return Err(DecisionError::OwnApproval { id: self.id, by: by.to_owned() });
        }
        self.state = PostState::Approved { at: present.now, by: Some(by.to_owned()), mailing };
        Ok(())
    }

    /// Holds it again, for another's word.
    ///
    /// # Errors
    /// [`DecisionError`]: nothing is changed.
    pub fn hold_for(
        &mut self,
        reason: HoldReason,
        asked: Vec<Address>,
        present: &Present,
    ) -> Result<(), DecisionError> {
        let round = self.open(present)?.round + 1;
        self.state = PostState::Held(Hold { round, ..Hold::new(reason, present.now, asked) });
        Ok(())
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`DecisionError`]: nothing is changed.
    pub fn refuse(&mut self, by: &str, why: &str, present: &Present) -> Result<(), DecisionError> {
        self.open(present)?;
        self.state = PostState::Refused { at: present.now, by: by.to_owned(), why: why.to_owned() };
        Ok(())
    }

    /// Lets it wait no longer than any post does: one that was held by a clock that stood ahead would wait for years. Says
    /// whether that changed it.
    pub fn bound_hold(&mut self, present: &Present) -> bool {
        let latest = present.now + Duration::days(HELD_DAYS);
        match &mut self.state {
            PostState::Held(hold) if hold.until > latest => {
                hold.until = present.end(hold.since, hold.until).min(latest);
                true
            }
            _ => false,
        }
    }

    /// Lets it expire, where its time has passed; says whether.
    pub fn expire(&mut self, present: &Present) -> bool {
        let over = self.hold().is_some_and(|hold| hold.is_over(present));
        if over {
            self.state = PostState::Expired { at: present.now };
        }
        over
    }
}
