//! A wish without a proof: it is kept as a pending request, and a question with a signed token goes to the address that it
//! is about. Nothing else changes, for whoever asks proves nothing yet.
//!
//! What is said to the outside is the same for members and strangers (invariant 9): the outcome says what really is, and an
//! adapter must not let its answer depend on [`Question::standing`].

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

use super::rulebook::Rulebook;

/// One thing that is asked for, in the words that the person is to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// What.
    pub action: Action,
    /// In words, in the language of the question.
    pub statement: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// The number of the request, which no other has.
    pub id: PendingRequestId,
    /// The address that it is about.
    pub address: &'a Address,
    /// The list.
    pub list: &'a List,
    /// The language of the notices about it.
    pub language: &'a Language,
    /// What is to happen, in this order; may be empty.
    pub actions: Vec<Stated>,
    /// When it is asked.
    pub at: Timestamp,
    /// Until when it may be confirmed.
    pub until: Timestamp,
}

/// What asking comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The address is suppressed for a reason that this does not lift: no notice goes out, a person decides.
    Suppressed(SuppressionReason),
    /// It may be asked about.
    Open {
        /// What the question is about; `None` where nothing is left to ask.
        question: Option<Box<Question>>,
        /// Whether the list takes nobody who asks: joining was left out, and its owner decides.
        invitation_only: bool,
    },
}

/// A question that is to go to the address.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The pending request, as the batch keeps it.
    pub pending: PendingRequest,
    /// Its statements, one for each thing asked for.
    pub statements: Vec<String>,
    /// Where the address stands on the list at this moment: for the organisation, never for the answer.
    pub standing: Option<SubscriptionState>,
}

impl Rulebook {
    /// Notes what is asked for, to be confirmed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ask(&self, asking: &Asking<'_>) -> Result<Decided<Asked>, StoreError> {
        let joins = asking.actions.iter().any(|stated| stated.action == Action::Subscribe);
        let suppression = self.store.suppression(&self.key.hash_address(asking.address)).await?;
        match suppression.map(|read| read.value.reason) {
            // A complaint, or an operator's reason, is not overruled by a request: a person decides.
            Some(reason @ (SuppressionReason::Complaint | SuppressionReason::Operator)) => {
                return Ok(Decided::unchanged(Asked::Suppressed(reason)));
            }
            // A person who asked for no mail at all, or was erased, gets one only where they ask to begin again.
            Some(reason @ (SuppressionReason::Request | SuppressionReason::Erased)) if !joins => {
                return Ok(Decided::unchanged(Asked::Suppressed(reason)));
            }
            _ => {}
        }
        let invitation_only = joins && asking.list.joining == Joining::Closed;
        let is_open = |stated: &&Stated| !(invitation_only && stated.action == Action::Subscribe);
        let left: Vec<&Stated> = asking.actions.iter().filter(is_open).collect();
        if left.is_empty() {
            return Ok(Decided::unchanged(Asked::Open { question: None, invitation_only }));
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
            expires: asking.until,
            state: PendingState::Open,
        };
        let mut batch = Batch::new();
        pending_requests::put_new(&mut batch, &pending);
        let standing = known.and_then(|read| read.value.state_on(&asking.list.name));
        let question = Some(Question { pending, statements, standing });
        Ok(Decided { outcome: Asked::Open { question: question.map(Box::new), invitation_only }, batch })
    }
}
