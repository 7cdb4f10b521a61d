//! Settings of the installation that are generated once and never entered by a user.

use crate::base::token;

use super::engine::{Batch, EngineError};
use super::record::RecordError;
use super::{Attempt, Store, StoreError, keys};

impl Store {
    /// The secret of the installation, generated at first use: signs tokens and hashes suppressed addresses. It never
    /// changes: with another key all unsubscribe links are invalid and no suppression is found again.
    ///
    /// # Errors
    /// [`StoreError`], also if the system returns no random bytes.
    pub async fn installation_key(&self) -> Result<token::Key, StoreError> {
        let key = &keys::setting("key");
        self.attempt(|| async move {
            if let Some(bytes) = self.engine.get(key).await? {
                let bytes = <[u8; 32]>::try_from(&bytes[..]).map_err(|_| RecordError::Damaged {
                    family: "installation key",
                    reason: format!("{} bytes, not 32", bytes.len()),
                })?;
                return Ok(Attempt::Leave(token::Key::new(bytes)));
            }
            let mut bytes = [0u8; 32];
            getrandom::fill(&mut bytes).map_err(|e| EngineError::Unavailable {
                action: "given a key",
                reason: format!("the system returns no random bytes: {e}"),
            })?;
            let mut batch = Batch::new();
            batch.expect_absent(key.clone());
            batch.put(key.clone(), bytes.as_slice());
            Ok(Attempt::Commit(batch, token::Key::new(bytes)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::memory::MemoryEngine;

    #[tokio::test]
    async fn the_key_is_made_once() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let address = "karin@example.org".parse().unwrap();
        let first = store.installation_key().await.unwrap().hash_address(&address);
        assert_eq!(store.installation_key().await.unwrap().hash_address(&address), first);
        let other = Store::new(Arc::new(MemoryEngine::new())).installation_key().await.unwrap();
        assert_ne!(other.hash_address(&address), first);
    }
}
