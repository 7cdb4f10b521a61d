//! A request without proof: it is stored as a pending request, and a question with a signed token is sent to the
//! address concerned, within [limits](super::limits). Nothing else changes until the address confirms it.
//!
//! The visible answer is the same for members and strangers (invariant 9): the outcome contains the actual state, and
//! an adapter must not let its answer depend on [`Question::standing`].

use std::net::IpAddr;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::PendingRequestId;
use crate::base::language::Language;
use crate::model::list::{Joining, List};
use crate::model::pending_request::{Action, PendingRequest, PendingState};
use crate::model::subscription::SubscriptionState;
use crate::model::suppression::SuppressionReason;
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::{StoreError, pending_requests};

use super::limits::{Allowed, AskSettings, is_leaving, next_hour};
use super::rulebook::Rulebook;

/// One requested action, with the statement that the person is asked to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The action.
    pub action: Action,
    /// The statement, in the language of the question.
    pub statement: String,
}

/// A request to store.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// The unique number of the request.
    pub id: PendingRequestId,
    /// The address concerned.
    pub address: &'a Address,
    /// The list that it is about.
    pub list: &'a List,
    /// The language of the notices about the request.
    pub language: &'a Language,
    /// The requested actions, in order; may be empty.
    pub actions: Vec<Stated>,
    /// The machine that sent the request: the peer of a mail, the browser of a form. `None` if it is unknown, or a
    /// program with access to the API.
    pub machine: Option<IpAddr>,
    /// When the request was made.
    pub at: Timestamp,
    /// The limits, and how long the question may be answered.
    pub settings: AskSettings,
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The address is suppressed for a reason that this request does not lift: no notice is sent, a person decides.
    Suppressed(SuppressionReason),
    /// The address may be asked.
    Open {
        /// What to do now.
        next: Next,
        /// Whether the list is closed to requests: joining was left out, and its owner decides.
        invitation_only: bool,
    },
}

/// What follows from a request. A channel with a visible answer shows the same for all of them: that a question goes to
/// the address.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// There is nothing to ask.
    Nothing,
    /// Send this question.
    Send(Box<Question>),
    /// Exactly the same was asked today: no question is sent.
    AskedToday,
    /// The person got their questions of the day: no question is sent, and the list's owner must see the request.
    DayFull {
        /// Whether they ask for less mail.
        leaving: bool,
    },
    /// The limit of this hour is reached: no question is sent before this time. Nothing was stored.
    Later(Timestamp),
}

/// A question to send to the address.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The pending request as stored by the batch.
    pub pending: PendingRequest,
    /// One statement for each requested action.
    pub statements: Vec<String>,
    /// The current subscription state of the address, for internal use only: no answer may depend on it.
    pub standing: Option<SubscriptionState>,
}

impl Rulebook {
    /// Stores a pending request and returns the question that confirms it, within the limits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ask(&self, asking: &Asking<'_>) -> Result<Decided<Asked>, StoreError> {
        let joins = asking.actions.iter().any(|stated| stated.action == Action::Subscribe);
        let suppression = self.store.suppression(&self.key.hash_address(asking.address)).await?;
        match suppression.map(|read| read.value.reason) {
            // A request does not override a complaint or an operator's suppression: a person decides.
            Some(reason @ (SuppressionReason::Complaint | SuppressionReason::Operator)) => {
                return Ok(Decided::unchanged(Asked::Suppressed(reason)));
            }
            // An address that asked for no mail, or was erased, gets a question only if it asks to join.
            Some(reason @ (SuppressionReason::Request | SuppressionReason::Erased)) if !joins => {
                return Ok(Decided::unchanged(Asked::Suppressed(reason)));
            }
            _ => {}
        }
        let invitation_only = joins && asking.list.joining == Joining::Closed;
        let is_open = |stated: &&Stated| !(invitation_only && stated.action == Action::Subscribe);
        let left: Vec<&Stated> = asking.actions.iter().filter(is_open).collect();
        if left.is_empty() {
            return Ok(Decided::unchanged(Asked::Open { next: Next::Nothing, invitation_only }));
        }
        let known = self.store.subscriber_by_address(asking.address).await?;
        let statements: Vec<String> = left.iter().map(|stated| stated.statement.clone()).collect();
        let pending = PendingRequest {
            id: asking.id,
            address: asking.address.clone(),
            list: asking.list.name.clone(),
            language: asking.language.clone(),
            words: statements.join(" "),
            actions: left.into_iter().map(|stated| stated.action.clone()).collect(),
            asked: asking.at,
            expires: asking.at + asking.settings.confirmation,
            state: PendingState::Open,
        };
        let mut batch = Batch::new();
        let next = match self.may_ask(&mut batch, &pending, asking.machine, &asking.settings).await? {
            Allowed::AskedToday => Next::AskedToday,
            Allowed::DayFull => Next::DayFull { leaving: is_leaving(&pending) },
            Allowed::HourFull => Next::Later(next_hour(asking.at)),
            Allowed::Now => {
                pending_requests::put_new(&mut batch, &pending);
                let standing = known.and_then(|read| read.value.state_on(&asking.list.name));
                Next::Send(Box::new(Question { pending, statements, standing }))
            }
        };
        Ok(Decided { outcome: Asked::Open { next, invitation_only }, batch })
    }
}
