//! Limits on answers per hour, to one domain and to mail from one machine, so that strangers cannot make us send too
//! much.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::peer::peer_key;
use crate::inbound::Item;
use crate::store::StoreError;
use crate::store::engine::Batch;
use crate::store::notices::put_replies;

use super::CommandService;

/// The end of the current hour (UTC).
pub(super) fn next_hour(now: Timestamp) -> Timestamp {
    let next = (now.timestamp().div_euclid(3600) + 1) * 3600;
    Timestamp::from_timestamp(next, 0).unwrap_or(now)
}

impl CommandService {
    /// Whether one more answer may be sent this hour (UTC); counts it in `batch`. The batch conflicts if the count
    /// changes meanwhile.
    pub(super) async fn within_the_hour(
        &self,
        batch: &mut Batch,
        item: &Item,
        to: &Address,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let (day, hour) = (crate::composition::notices::day(now), now.timestamp().div_euclid(3600));
        // A loopback peer relays everyone's mail, so it is not counted as one machine.
        let peer = item.inbound.arrival.peer.filter(|peer| !peer.is_loopback());
        let counted = [Some(format!("domain {}", to.domain())), peer.map(|peer| format!("peer {}", peer_key(peer)))];
        for what in counted.into_iter().flatten() {
            let hash = self.rulebook.key.hash(&format!("answers in hour {hour} to {what}"));
            let (count, before) = self.rulebook.store.replies_on(day, &hash).await?;
            if count >= self.settings.answers_per_hour {
                return Ok(false);
            }
            put_replies(batch, day, &hash, before, count + 1);
        }
        Ok(true)
    }
}
