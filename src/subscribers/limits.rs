//! Limits on the mail that strangers can make us send to a person, whatever the channel: questions per day and person,
//! and answers per hour to one domain and because of one machine.
//!
//! At most four questions a day go to each person, over all lists: one about leaving or pausing, one about joining, two
//! about settings, which new subscribers are invited to choose. A mail bomber can thus cause at most four mails a day,
//! and a forged request of one kind does not block the other kinds.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::peer::peer_key;
use crate::composition::notices::{day, person_hash};
use crate::model::pending_request::{Action, PendingRequest};
use crate::store::StoreError;
use crate::store::engine::Batch;

use super::rulebook::Rulebook;

/// Maximum questions about settings to one person per day.
const SETTINGS_A_DAY: u32 = 2;

/// Limits on what requests without proof may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskSettings {
    /// How long a question may be answered.
    pub confirmation: Duration,
    /// Maximum answers per hour to such requests, for each receiving domain and for each sending machine.
    pub answers_per_hour: u32,
}

impl Default for AskSettings {
    fn default() -> Self {
        Self { confirmation: Duration::from_secs(7 * 86_400), answers_per_hour: 200 }
    }
}

/// Whether a question may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Now,
    /// Exactly the same was asked today.
    AskedToday,
    /// The person got their questions of the day.
    DayFull,
    /// The limit of this hour is reached.
    HourFull,
}

impl Rulebook {
    /// Whether a question about `pending` may be sent; counts it in `batch`. The batch conflicts if a count changes
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn may_ask(
        &self,
        batch: &mut Batch,
        pending: &PendingRequest,
        machine: Option<IpAddr>,
        settings: &AskSettings,
    ) -> Result<Allowed, StoreError> {
        let (kind, most) = kind(pending);
        let count = async |batch: &mut Batch, what: &str, most| {
            let hash = person_hash(&self.key, &pending.address, what);
            self.store.count_reply(batch, day(pending.asked), &hash, most).await
        };
        let mut seen = Batch::new();
        let same = format!("wish {}\n{:?}", pending.list, pending.actions);
        if !count(&mut seen, &same, 1).await? && !is_leaving(pending) {
            return Ok(Allowed::AskedToday);
        }
        let mut sent = Batch::new();
        if !count(&mut sent, kind, most).await? {
            // Counted all the same, so that a person is not told twice of the same request.
            batch.append(seen);
            return Ok(Allowed::DayFull);
        }
        if !self.within_the_hour(&mut sent, &pending.address, machine, pending.asked, settings).await? {
            return Ok(Allowed::HourFull);
        }
        batch.append(seen);
        batch.append(sent);
        Ok(Allowed::Now)
    }

    /// Whether one more answer to a request without proof may be sent this hour (UTC) to this address, and because of
    /// this machine; if so, counts it in `batch`. The batch conflicts if a count changes meanwhile.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "yes".
    pub(crate) async fn within_the_hour(
        &self,
        batch: &mut Batch,
        to: &Address,
        machine: Option<IpAddr>,
        at: Timestamp,
        settings: &AskSettings,
    ) -> Result<bool, StoreError> {
        let hour = at.timestamp().div_euclid(3600);
        // A program on this machine relays everyone's requests, so it is not counted as one machine.
        let machine = machine.filter(|machine| !machine.is_loopback());
        let counted = [Some(format!("domain {}", to.domain())), machine.map(|one| format!("peer {}", peer_key(one)))];
        let mut counts = Batch::new();
        for what in counted.into_iter().flatten() {
            let hash = self.key.hash(&format!("answers in hour {hour} to {what}"));
            if !self.store.count_reply(&mut counts, day(at), &hash, settings.answers_per_hour).await? {
                return Ok(false);
            }
        }
        batch.append(counts);
        Ok(true)
    }
}

/// The end of the current hour (UTC), when postponed requests may be answered.
pub(crate) fn next_hour(now: Timestamp) -> Timestamp {
    let next = (now.timestamp().div_euclid(3600) + 1) * 3600;
    Timestamp::from_timestamp(next, 0).unwrap_or(now)
}

/// Whether it asks for less mail.
pub(super) fn is_leaving(pending: &PendingRequest) -> bool {
    pending.actions.iter().any(|action| matches!(action, Action::Unsubscribe | Action::Pause))
}

/// The name under which questions of this kind are counted, and their limit per day and person.
fn kind(pending: &PendingRequest) -> (&'static str, u32) {
    match (is_leaving(pending), pending.asks_for(&Action::Subscribe)) {
        (true, _) => ("confirm leaving", 1),
        (false, true) => ("confirm", 1),
        (false, false) => ("confirm settings", SETTINGS_A_DAY),
    }
}
