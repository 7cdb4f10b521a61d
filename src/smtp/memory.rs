//! Limits the bytes that all messages being received use together, and shares them.
//!
//! - Each byte that a message uses counts, and no more.
//! - A part is reserved for messages that are still small: large ones, however many, do not use it.
//! - When the memory is used up, a slow message is given up for a faster one; otherwise the peer that uses the most
//!   gives up its oldest message for a peer that uses less: its sender gets a temporary refusal. So slow senders,
//!   however many connections they have, do not block other senders' mail.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::peer::peer_key;

/// Maximum bytes of a small message.
pub(crate) const SMALL_MESSAGE: usize = 256 * 1024;
/// Unit in which memory is counted, in bytes.
const PIECE: usize = 4096;

/// The limit shared by all sessions.
#[derive(Debug)]
pub struct MessageMemory {
    in_all: usize,
    for_small: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    /// The number of the next message: numbers increase.
    next: u64,
    by_peer: HashMap<Option<IpAddr>, usize>,
    /// Messages that may be given up.
    messages: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    peer: Option<IpAddr>,
    bytes: usize,
    is_slow: bool,
    given_up: Arc<GivenUp>,
}

/// Tells a message that its memory was given to another message.
#[derive(Debug, Default)]
pub(crate) struct GivenUp {
    notify: Notify,
}

impl GivenUp {
    /// Completes when it is given up, or at once if it was already.
    pub(crate) async fn wait(&self) {
        self.notify.notified().await;
    }
}

impl MessageMemory {
    /// Creates a limit of `bytes` in total, a quarter of them for small messages.
    pub fn new(bytes: usize) -> Arc<Self> {
        Self::reserving(bytes, bytes / 4)
    }

    /// Creates a limit of `bytes` in total, of which `for_small` are reserved for small messages.
    pub(crate) fn reserving(bytes: usize, for_small: usize) -> Arc<Self> {
        Arc::new(Self { in_all: bytes, for_small: for_small.min(bytes), taken: Mutex::default() })
    }

    /// Number of free bytes.
    pub fn free(&self) -> usize {
        self.in_all.saturating_sub(self.lock().in_all)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of_peer(&self, peer: Option<IpAddr>) -> usize {
        self.by_peer.get(&peer).copied().unwrap_or_default()
    }

    fn add(&mut self, peer: Option<IpAddr>, bytes: usize) {
        self.in_all += bytes;
        *self.by_peer.entry(peer).or_default() += bytes;
    }

    fn give_back(&mut self, peer: Option<IpAddr>, bytes: usize) {
        self.in_all = self.in_all.saturating_sub(bytes);
        if let Some(held) = self.by_peer.get_mut(&peer) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.by_peer.remove(&peer);
            }
        }
    }

    /// Takes the memory of the oldest message of the peer that uses the most, if that is more than `least`; `false`
    /// when there is no such peer.
    fn give_one_up(&mut self, least: usize) -> bool {
        let mut held = HashMap::<Option<IpAddr>, (usize, u64)>::new();
        for (number, message) in &self.messages {
            let (bytes, oldest) = held.entry(message.peer).or_insert((0, u64::MAX));
            *bytes += message.bytes;
            if message.bytes > 0 {
                *oldest = (*oldest).min(*number);
            }
        }
        let most = held.values().max_by_key(|(bytes, _)| *bytes).filter(|(bytes, _)| *bytes > least);
        most.map(|(_, oldest)| *oldest).is_some_and(|oldest| self.give_up(oldest))
    }

    /// Takes the memory of the oldest slow message; `false` when there is none.
    fn give_slow_up(&mut self) -> bool {
        let slow = self.messages.iter().filter(|(_, message)| message.is_slow && message.bytes > 0);
        slow.map(|(number, _)| *number).min().is_some_and(|oldest| self.give_up(oldest))
    }

    fn give_up(&mut self, number: u64) -> bool {
        let Some(message) = self.messages.remove(&number) else { return false };
        self.give_back(message.peer, message.bytes);
        message.given_up.notify.notify_one();
        true
    }
}

/// The memory of one message; released when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<MessageMemory>,
    peer: Option<IpAddr>,
    number: u64,
    /// Bytes granted last, so that not every line asks.
    granted: usize,
    /// Bytes it keeps for good, once the message is complete.
    kept: usize,
    given_up: Arc<GivenUp>,
}

impl Share {
    /// An empty share. `peer` is the sending machine, if known.
    pub(crate) fn of(memory: Arc<MessageMemory>, peer: Option<IpAddr>) -> Self {
        let (peer, given_up) = (peer.map(peer_key), Arc::<GivenUp>::default());
        let mut taken = memory.lock();
        let number = taken.next;
        taken.next += 1;
        taken.messages.insert(number, Held { peer, bytes: 0, is_slow: false, given_up: given_up.clone() });
        drop(taken);
        Self { memory, peer, number, granted: 0, kept: 0, given_up }
    }

    /// Grows to `bytes` in total; `false` when there is not enough memory, or the message was given up.
    #[must_use]
    pub(crate) fn grow_to(&mut self, bytes: usize) -> bool {
        if bytes <= self.granted {
            return true;
        }
        let memory = &self.memory;
        let most = if bytes > SMALL_MESSAGE { memory.in_all - memory.for_small } else { memory.in_all };
        let wanted = if bytes <= PIECE / 2 { PIECE / 2 } else { bytes.next_multiple_of(PIECE) };
        let wanted = wanted.min(most.max(bytes));
        let mut taken = memory.lock();
        let Some(message) = taken.messages.get(&self.number) else { return false };
        let (held, is_slow) = (message.bytes, message.is_slow);
        let more = wanted.saturating_sub(held);
        while taken.in_all + more > most {
            let least = taken.of_peer(self.peer) + more;
            let found = more <= most && !is_slow && (taken.give_slow_up() || taken.give_one_up(least));
            if !found {
                return false;
            }
        }
        taken.add(self.peer, more);
        if let Some(message) = taken.messages.get_mut(&self.number) {
            message.bytes += more;
        }
        self.granted = wanted;
        true
    }

    /// Marks whether the message arrives slowly.
    pub(crate) fn set_slow(&mut self, is_slow: bool) {
        if let Some(message) = self.memory.lock().messages.get_mut(&self.number) {
            message.is_slow = is_slow;
        }
    }

    /// Marks the message as complete: its memory is not taken any more. `false` when it was given up before.
    #[must_use]
    pub(crate) fn keep(&mut self) -> bool {
        match self.memory.lock().messages.remove(&self.number) {
            Some(message) => {
                self.kept = message.bytes;
                true
            }
            None => self.kept > 0,
        }
    }

    /// Releases everything.
    pub(crate) fn release(&mut self) {
        self.granted = 0;
        let mut taken = self.memory.lock();
        let held = taken.messages.get_mut(&self.number).map(|message| std::mem::take(&mut message.bytes));
        let bytes = held.unwrap_or_default() + std::mem::take(&mut self.kept);
        taken.give_back(self.peer, bytes);
    }

    /// Whether its memory was given to another message.
    pub(crate) fn is_given_up(&self) -> bool {
        self.kept == 0 && !self.memory.lock().messages.contains_key(&self.number)
    }

    /// A signal for when that happens.
    pub(crate) fn given_up(&self) -> Arc<GivenUp> {
        self.given_up.clone()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
        self.memory.lock().messages.remove(&self.number);
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
