//! The rulebook for people: one method for each thing that a person, or another in their name, may ask for, whatever the
//! channel. It knows no mail, no HTTP and no terminal.
//!
//! A method reads, decides and changes nothing: it returns an outcome and the batch that brings it about, with all that it
//! was decided on as precondition. The caller adds what belongs to the same commit (a notice, the mark that a mail is
//! handled) and commits, or lets [`Rulebook::carry_out`] do so. Where the commit conflicts it asks again.
//!
//! Who may do what to one subscription is decided in one place, [`after`](crate::model::subscription::after). The methods
//! add what needs the store: suppressions, join policy, the size of a record. An end is never refused.
//!
//! | method | file |
//! |---|---|
//! | [`ask`](Rulebook::ask): to join, leave, pause, resume or change settings, with no proof yet | `ask` |
//! | [`pending`](Rulebook::pending), [`confirm`](Rulebook::confirm), [`decline`](Rulebook::decline) | `confirm` |
//! | [`leave`](Rulebook::leave) | `leave` |
//! | [`enrol`](Rulebook::enrol), [`pause`](Rulebook::pause), [`resume`](Rulebook::resume) | `membership` |
//! | [`change_profile`](Rulebook::change_profile), [`change_address`](Rulebook::change_address) | `details` |
//! | [`complain`](Rulebook::complain) | `complaint` |

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::token::Key;
use crate::model::consent::ConsentSource;
use crate::model::suppression::SuppressionReason;
use crate::store::engine::{Batch, Commit};
use crate::store::{CONFLICT_TRIES, Store, StoreError, suppressions};

/// The rules for people, over one store.
#[derive(Clone)]
pub struct Rulebook {
    /// Where records are.
    pub store: Store,
    /// The installation's key: suppressed addresses are known by their keyed hash.
    pub key: Key,
}

/// Who says so, in what words, and when: what the consent ledger keeps of a change.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// Who, and by which channel. A channel [of the person](crate::model::channel::Channel::is_of_the_person) is given
    /// only by an adapter that has checked a signed token.
    pub by: ConsentSource,
    /// The exact words agreed to, or the reason.
    pub words: String,
    /// When.
    pub at: Timestamp,
}

/// What is decided, and not done yet.
#[derive(Debug)]
pub struct Decided<T> {
    /// What it comes to.
    pub outcome: T,
    /// The writes that bring it about, with their preconditions; without writes where nothing changes.
    pub batch: Batch,
}

impl<T> Decided<T> {
    /// An outcome that changes nothing.
    pub fn unchanged(outcome: T) -> Self {
        Self { outcome, batch: Batch::new() }
    }
}

impl Rulebook {
    /// Commits what `decide` returns, and asks it again where what it was decided on has changed.
    ///
    /// # Errors
    /// What `decide` returns, and [`StoreError`]: nothing was changed.
    pub async fn carry_out<T, E, F>(&self, decide: impl Fn() -> F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<Decided<T>, E>>,
    {
        for _ in 0..CONFLICT_TRIES {
            let Decided { outcome, batch } = decide().await?;
            if batch.writes.is_empty() || self.store.commit(batch).await.map_err(E::from)? == Commit::Applied {
                return Ok(outcome);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// Why an address must not be mailed, if it must not. The batch conflicts where that becomes another answer before it
    /// applies.
    pub(super) async fn suppressed(
        &self,
        batch: &mut Batch,
        address: &Address,
    ) -> Result<Option<SuppressionReason>, StoreError> {
        let edition = self.store.suppressions_edition().await?;
        suppressions::expect_edition(batch, edition);
        let found = self.store.suppression(&self.key.hash_address(address)).await?;
        Ok(found.map(|read| read.value.reason))
    }
}
