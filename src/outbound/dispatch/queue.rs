//! The queue between the feeders and the workers: bounded, so that a mailing of a million holds a few hundred jobs
//! in memory; fair, so that a small mailing is not kept waiting behind a large one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

/// A bounded queue for many givers and many takers.
pub struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    filled: Semaphore,
    free: Semaphore,
}

impl<T> Queue<T> {
    /// A queue that holds at most `capacity` items.
    pub fn new(capacity: usize) -> Self {
        Self { items: Mutex::new(VecDeque::new()), filled: Semaphore::new(0), free: Semaphore::new(capacity) }
    }

    /// Puts an item in, when there is room; givers are served in the order in which they came. `false` when the
    /// queue is closed.
    pub async fn give(&self, item: T) -> bool {
        let Ok(permit) = self.free.acquire().await else { return false };
        permit.forget();
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        self.filled.add_permits(1);
        true
    }

    /// Takes an item if there is one now.
    pub fn take_now(&self) -> Option<T> {
        self.filled.try_acquire().ok()?.forget();
        self.pop()
    }

    /// Waits for an item; `None` when the queue is closed. Dropping the future loses nothing.
    pub async fn take(&self) -> Option<T> {
        self.filled.acquire().await.ok()?.forget();
        self.pop()
    }

    fn pop(&self) -> Option<T> {
        let item = self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.free.add_permits(1);
        item
    }

    /// Ends it: nothing is given or taken any more. What was in it has no record yet and is fed again at next start.
    pub fn close(&self) {
        self.filled.close();
        self.free.close();
    }
}
