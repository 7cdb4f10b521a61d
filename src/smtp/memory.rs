//! A bound on the octets that all messages being received hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much all sessions may hold together; sessions share one.
#[derive(Debug)]
pub struct MessageMemory {
    free: AtomicUsize,
}

impl MessageMemory {
    /// `octets` in all.
    pub fn new(octets: usize) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(octets) })
    }

    /// How many octets nobody holds.
    pub fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }
}

/// A part of the memory; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Arc<MessageMemory>,
    held: usize,
}

impl Share {
    /// Nothing yet.
    pub fn of(memory: Arc<MessageMemory>) -> Self {
        Self { memory, held: 0 }
    }

    /// Holds `octets` in all from now on; `false` when there is not so much, and what was held stays.
    #[must_use]
    pub fn grow_to(&mut self, octets: usize) -> bool {
        let more = octets.saturating_sub(self.held);
        let take = |free: usize| free.checked_sub(more);
        let taken = self.memory.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if taken {
            self.held += more;
        }
        taken
    }

    /// Gives everything back.
    pub fn release(&mut self) {
        self.memory.free.fetch_add(std::mem::take(&mut self.held), Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_gives_more_than_there_is_and_takes_everything_back() {
        let memory = MessageMemory::new(100);
        let (mut one, mut other) = (Share::of(memory.clone()), Share::of(memory.clone()));
        assert!(one.grow_to(60));
        assert!(!other.grow_to(41));
        assert!(other.grow_to(40));
        assert!(!one.grow_to(61));
        assert_eq!(memory.free(), 0);
        one.release();
        assert_eq!(memory.free(), 60);
        drop((one, other));
        assert_eq!(memory.free(), 100);
    }
}
