//! The rulebook for people: one method for each request that a person, or another on their behalf, may make, whatever
//! the channel. It is independent of mail, HTTP and terminal.
//!
//! A method reads and decides, and writes nothing: it returns an outcome and the batch that carries it out, with
//! everything it depends on as precondition. The caller adds what belongs to the same commit (a notice, the mark that a
//! mail is handled) and commits, or lets [`Store::carry_out`] do so. If the commit conflicts, the caller calls the
//! method again.
//!
//! Who may change a subscription, and how, is decided in one place, [`after`](crate::model::subscription::after). The
//! methods add what needs the store: suppressions, join policy, the size of a record. Leaving is never refused.
//!
//! | method | file |
//! |---|---|
//! | [`ask`](Rulebook::ask): request to join, leave, pause, resume or change settings, without proof so far | `ask` |
//! | [`pending`](Rulebook::pending), [`confirm`](Rulebook::confirm), [`decline`](Rulebook::decline) | `confirm` |
//! | [`leave`](Rulebook::leave) | `leave` |
//! | [`enrol`](Rulebook::enrol), [`pause`](Rulebook::pause), [`resume`](Rulebook::resume) | `membership` |
//! | [`change_profile`](Rulebook::change_profile), [`change_address`](Rulebook::change_address) | `details` |
//! | [`complain`](Rulebook::complain) | `complaint` |
//! | [`bounce`](Rulebook::bounce): a bounce that came by mail | `bounced` |

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::token::Key;
use crate::model::consent::ConsentSource;
use crate::model::suppression::SuppressionReason;
use crate::store::engine::Batch;
use crate::store::{Store, StoreError, suppressions};

/// The rules for people, applied to one store.
#[derive(Clone)]
pub struct Rulebook {
    /// The store that holds the records.
    pub store: Store,
    /// The installation's key; suppressed addresses are stored as keyed hashes.
    pub key: Key,
}

/// Who gives an instruction, in what words, and when: what the consent ledger keeps of a change.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// Who gives it, and by which channel. A channel [of the person](crate::model::channel::Channel::is_of_the_person)
    /// may be set only by an adapter that has verified a signed token.
    pub by: ConsentSource,
    /// The exact words agreed to, or the reason.
    pub words: String,
    /// When the instruction was given.
    pub at: Timestamp,
}

impl Rulebook {
    /// Why an address must not be mailed; `None` if it may be. The batch conflicts if this changes before it is
    /// committed.
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
