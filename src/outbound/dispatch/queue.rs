//! The queue between feeders and workers: bounded, so that a mailing of a million keeps a few hundred jobs in memory;
//! fair, so that a small mailing does not wait behind a large one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

/// A bounded queue with many producers and consumers.
pub(crate) struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    filled: Semaphore,
    free: Semaphore,
}

impl<T> Queue<T> {
    /// Creates a queue that holds at most `capacity` items.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { items: Mutex::new(VecDeque::new()), filled: Semaphore::new(0), free: Semaphore::new(capacity) }
    }

    /// Adds an item when there is space; producers are served in order of arrival. `false` when the queue is closed.
    pub(crate) async fn give(&self, item: T) -> bool {
        let Ok(permit) = self.free.acquire().await else { return false };
        permit.forget();
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        self.filled.add_permits(1);
        true
    }

    /// Takes an item if one is available now.
    pub(crate) fn take_now(&self) -> Option<T> {
        self.filled.try_acquire().ok()?.forget();
        self.pop()
    }

    /// Waits for an item; `None` when the queue is closed. Dropping the future loses nothing.
    pub(crate) async fn take(&self) -> Option<T> {
        self.filled.acquire().await.ok()?.forget();
        self.pop()
    }

    fn pop(&self) -> Option<T> {
        let item = self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.free.add_permits(1);
        item
    }

    /// Closes it: nothing is added or taken any more. Items in it have no record yet and are queued again at the next
    /// start.
    pub(crate) fn close(&self) {
        self.filled.close();
        self.free.close();
    }
}
