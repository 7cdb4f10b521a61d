//! For tests under `tests/` only: keys as stored, and the engine below a store. Nothing under `src` uses this
//! (`tests/depesch/store/store_closed.rs`).

use std::sync::Arc;

use super::Store;
use super::engine::Engine;

/// The keys of all record families.
pub mod keys {
    pub use crate::store::keys::*;
}

/// The engine below `store`.
pub fn engine(store: &Store) -> Arc<dyn Engine> {
    store.engine.clone()
}
