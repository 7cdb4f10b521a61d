//! The rulebook for people: one method for each thing that a person, or another in their name, may ask for, whatever the
//! channel. It knows no mail, no HTTP and no terminal.
//!
//! A method reads, decides and changes nothing: it returns an outcome and the batch that brings it about, with all that it
//! was decided on as precondition. The caller adds what belongs to the same commit (a notice, the mark that a mail is
//! handled) and commits, or lets [`Store::carry_out`] do so. Where the commit conflicts it asks again.
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
//! | [`bounce`](Rulebook::bounce), of a mail that came back later | `bounced` |

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::token::Key;
use crate::model::consent::ConsentSource;
use crate::model::suppression::SuppressionReason;
use crate::store::engine::Batch;
use crate::store::{Store, StoreError, suppressions};

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

impl Rulebook {
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
