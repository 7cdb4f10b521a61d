//! A notice: one mail of our own that belongs to no mailing (a confirmation, a help text, a notice to an owner, a
//! forwarded message), and its state.
//!
//! As with deliveries the intent to send is stored before anything is sent, so that a crash leaves a notice in doubt
//! and never forgets it; it is sent again with the same Message-ID and counted as resent.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::NoticeId;

use super::inbound::SpoolPlace;
use super::ledger::{Cause, Stage};
use super::release::Blob;
use super::reply::Reply;
use super::retry::{NextAttempt, RetryTable};

/// One mail of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// The envelope sender; `None` is the null reverse-path `<>` (RFC 3834 §3.3, RFC 5321 §4.5.5).
    pub sender: Option<Address>,
    /// The recipient: always one.
    pub recipient: Address,
    /// Where its bytes are.
    pub body: NoticeBody,
    /// A description for people: without addresses.
    pub about: String,
    /// When it was written.
    pub created: Timestamp,
    /// Start of the time until giving up: when it was written, or when a person last had it retried.
    pub opened: Timestamp,
    /// Number of transactions begun for it since then.
    pub attempts: u16,
    /// How many of all ended in doubt and were sent again: as many additional copies may have arrived.
    pub resent: u16,
    /// Its state.
    pub state: NoticeState,
}

/// Where the bytes of a notice are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeBody {
    /// In a separate record, until the notice is accepted.
    Kept,
    /// As `Kept`, and an end without anything personal, such as attachments, which is a file among the attachments.
    KeptWithEnd(Blob),
    /// A forwarded incoming message, unchanged in the spool, with these header fields put before it.
    Forwarded {
        /// Whole header fields with CRLF.
        header: Vec<u8>,
        /// Its location in the spool.
        place: SpoolPlace,
    },
}

/// The state of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeState {
    /// To be sent.
    Waiting {
        /// Earliest time of the next attempt.
        due: Timestamp,
        /// Why the last attempt failed, if there was one.
        cause: Option<Cause>,
    },
    /// The intent to send is on disk, the outcome is not: after a crash it is unknown whether it was sent.
    InDoubt {
        /// When the intent was committed.
        since: Timestamp,
    },
    /// Accepted by the relay.
    Accepted {
        /// When.
        at: Timestamp,
        /// Its reply.
        reply: Reply,
    },
    /// Failed permanently.
    Failed {
        /// When.
        at: Timestamp,
        /// The relay's reply, or what went wrong.
        cause: Cause,
    },
}

impl NoticeState {
    /// The word for it in commands, API and records.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { cause: None, .. } => "waiting",
            Self::Waiting { cause: Some(_), .. } => "deferred",
            Self::InDoubt { .. } => "in-doubt",
            Self::Accepted { .. } => "accepted",
            Self::Failed { .. } => "failed",
        }
    }

    /// The relay's reply, or the reason, that the record quotes: it may name a person.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Accepted { reply, .. } => Some(&reply.text),
            Self::Waiting { cause: Some(cause), .. } | Self::Failed { cause, .. } => cause.text(),
            Self::Waiting { cause: None, .. } | Self::InDoubt { .. } => None,
        }
    }
}

impl Notice {
    /// When the notice sender must handle it: `None` when nothing more happens automatically.
    pub fn due(&self) -> Option<Timestamp> {
        match &self.state {
            NoticeState::Waiting { due, .. } => Some(*due),
            NoticeState::InDoubt { since } => Some(*since),
            NoticeState::Accepted { .. } | NoticeState::Failed { .. } => None,
        }
    }

    /// Whether it is to be sent at `now`: it is due; or its due time is further ahead than `table` can produce,
    /// because the clock was ahead then; or it was found in doubt.
    pub(crate) fn is_due(&self, now: Timestamp, table: &RetryTable) -> bool {
        match &self.state {
            NoticeState::Waiting { due, .. } => {
                table.is_due(*due, u32::from(self.attempts), chrono::Duration::zero(), now)
            }
            NoticeState::InDoubt { .. } => true,
            NoticeState::Accepted { .. } | NoticeState::Failed { .. } => false,
        }
    }

    /// When it was settled, if it is.
    pub fn settled(&self) -> Option<Timestamp> {
        match &self.state {
            NoticeState::Accepted { at, .. } | NoticeState::Failed { at, .. } => Some(*at),
            NoticeState::Waiting { .. } | NoticeState::InDoubt { .. } => None,
        }
    }

    /// Why it is not delivered, if a cause is known.
    pub fn cause(&self) -> Option<&Cause> {
        match &self.state {
            NoticeState::Waiting { cause, .. } => cause.as_ref(),
            NoticeState::Failed { cause, .. } => Some(cause),
            NoticeState::InDoubt { .. } | NoticeState::Accepted { .. } => None,
        }
    }

    /// Records the intent: a transaction is about to begin. If it was in doubt, it counts as sent again.
    pub fn begin(&self, since: Timestamp) -> Self {
        let again = matches!(self.state, NoticeState::InDoubt { .. });
        Self {
            attempts: self.attempts.saturating_add(1),
            resent: self.resent.saturating_add(u16::from(again)),
            state: NoticeState::InDoubt { since },
            ..self.clone()
        }
    }

    /// Records that the relay accepted it.
    pub fn accepted(self, at: Timestamp, reply: Reply) -> Self {
        Self { state: NoticeState::Accepted { at, reply }, ..self }
    }

    /// Records that the relay refused it, permanently or temporarily.
    pub fn refused(self, at: Timestamp, stage: Stage, reply: Reply, table: &RetryTable) -> Self {
        let cause = Cause::Reply { stage, reply };
        match &cause {
            Cause::Reply { stage, reply } if stage.is_final(reply) => self.failed(at, cause),
            _ => self.put_off(at, cause, table),
        }
    }

    /// Records that it cannot be sent at any time.
    pub(crate) fn failed(self, at: Timestamp, cause: Cause) -> Self {
        Self { state: NoticeState::Failed { at, cause }, ..self }
    }

    /// Records that the connection failed before it was accepted. It is retried as soon as the relay is back, since
    /// the notice is not at fault; from the fourth time on the retry table applies, because the notice may be what
    /// breaks the connection.
    pub(crate) fn not_sent(self, at: Timestamp, what: String, table: &RetryTable) -> Self {
        let cause = Cause::Connection(what);
        match self.attempts {
            0..=3 => Self { state: NoticeState::Waiting { due: at, cause: Some(cause) }, ..self },
            _ => self.put_off(at, cause, table),
        }
    }

    /// Records that it is unknown whether it was accepted: it is sent again, since two copies are better than none.
    pub(crate) fn unknown(self, at: Timestamp, what: String, table: &RetryTable) -> Self {
        let again = Self { resent: self.resent.saturating_add(1), ..self };
        again.not_sent(at, what, table)
    }

    /// Records a bounce of what the relay had accepted; `None` for a notice that was not accepted.
    pub(crate) fn came_back(&self, at: Timestamp, evidence: &str) -> Option<Self> {
        let NoticeState::Accepted { .. } = &self.state else { return None };
        let cause = Cause::Message(format!("it came back: {evidence}"));
        Some(self.clone().failed(at, cause))
    }

    /// Reopens a failed notice for a retry; `None` when it did not fail.
    pub fn reopen(&self, now: Timestamp) -> Option<Self> {
        let NoticeState::Failed { cause, .. } = &self.state else { return None };
        let state = NoticeState::Waiting { due: now, cause: Some(cause.clone()) };
        Some(Self { opened: now, attempts: 0, state, ..self.clone() })
    }

    /// Makes a deferred notice due at `now`; `None` for one that is not waiting.
    pub(crate) fn due_now(&self, now: Timestamp) -> Option<Self> {
        let NoticeState::Waiting { due, cause } = &self.state else { return None };
        let state = NoticeState::Waiting { due: now, cause: cause.clone() };
        (*due > now).then(|| Self { state, ..self.clone() })
    }

    /// Defers it by the retry table, or gives it up.
    pub(crate) fn put_off(self, now: Timestamp, cause: Cause, table: &RetryTable) -> Self {
        match table.next_attempt(self.opened, now, u32::from(self.attempts), self.id.0) {
            NextAttempt::At(due) => Self { state: NoticeState::Waiting { due, cause: Some(cause) }, ..self },
            NextAttempt::GiveUp => self.failed(now, cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap() + Duration::minutes(minutes)
    }

    fn notice() -> Notice {
        Notice {
            id: NoticeId(7),
            sender: None,
            recipient: "karin@example.org".parse().unwrap(),
            body: NoticeBody::Kept,
            about: "help".into(),
            created: at(0),
            opened: at(0),
            attempts: 0,
            resent: 0,
            state: NoticeState::Waiting { due: at(0), cause: None },
        }
    }

    fn reply(code: u16) -> Reply {
        Reply::new(code, "as the test wants it")
    }

    #[test]
    fn a_notice_in_doubt_is_sent_again_and_says_so() {
        let once = notice().begin(at(0));
        assert_eq!((once.attempts, once.resent, once.due()), (1, 0, Some(at(0))));
        let again = once.begin(at(5));
        assert_eq!((again.attempts, again.resent), (2, 1));
        let unknown = notice().begin(at(0)).unknown(at(1), "lost".into(), &RetryTable::default());
        assert_eq!((unknown.resent, unknown.due()), (1, Some(at(1))));
        assert_eq!(unknown.begin(at(2)).resent, 1, "the doubt is counted once");
    }

    #[test]
    fn a_temporary_refusal_is_tried_for_four_days_and_a_final_one_is_not() {
        let table = RetryTable::default();
        let (mut one, mut now, mut tries) = (notice(), at(0), 0);
        while let Some(due) = one.due() {
            assert!(tries == 0 || due > now);
            (now, tries) = (due, tries + 1);
            one = one.begin(now).refused(now, Stage::Message, reply(451), &table);
        }
        assert_eq!(one.settled(), Some(at(4 * 24 * 60)));
        assert!(tries > 20 && one.state.word() == "failed");
        let refused = notice().begin(at(0)).refused(at(0), Stage::Recipient, reply(550), &table);
        assert_eq!(refused.state.word(), "failed");
        let too_many = notice().begin(at(0)).refused(at(0), Stage::Recipient, reply(552), &table);
        assert_eq!(too_many.state.word(), "deferred");
    }

    #[test]
    fn only_a_failed_notice_is_opened_again_and_gets_its_four_days_anew() {
        let failed = notice().begin(at(0)).failed(at(9000), Cause::Stopped);
        let open = failed.reopen(at(9001)).unwrap();
        assert_eq!((open.due(), open.opened, open.created), (Some(at(9001)), at(9001), at(0)));
        assert_eq!(open.reopen(at(9002)), None);
    }
}
