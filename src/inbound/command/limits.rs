//! How much may go out because of what strangers send: an hour's answers to one domain, and to one machine.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::peer::peer_key;
use crate::inbound::Item;
use crate::store::StoreError;
use crate::store::engine::Batch;
use crate::store::notices::put_replies;

use super::CommandService;

/// When the hour (UTC) that is counted now is over.
pub(super) fn next_hour(now: Timestamp) -> Timestamp {
    let next = (now.timestamp().div_euclid(3600) + 1) * 3600;
    Timestamp::from_timestamp(next, 0).unwrap_or(now)
}

impl CommandService {
    /// Whether one more answer may go out this hour (UTC), and notes in `batch` that it does. The batch conflicts where
    /// another does the same meanwhile.
    pub(super) async fn within_the_hour(
        &self,
        batch: &mut Batch,
        item: &Item,
        to: &Address,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let (day, hour) = (crate::composition::notices::day(now), now.timestamp().div_euclid(3600));
        // A machine of our own that hands over everybody's mail is no measure of anything.
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
