//! What a [`super::MockServer`] accepted: counts, copies, and a log with one line per message that outlives its clients.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use xxhash_rust::xxh3::xxh3_128;

/// One accepted message, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The address in MAIL FROM; empty for `<>`.
    pub sender: String,
    /// The parameters after it, e.g. `SIZE=1200 BODY=8BITMIME`.
    pub sender_parameters: String,
    /// The accepted recipients.
    pub recipients: Vec<String>,
    /// The parameters of each, e.g. `NOTIFY=FAILURE`.
    pub recipient_parameters: Vec<String>,
    /// The value of its Message-ID field; empty if it has none.
    pub message_id: String,
    /// The content without dot-stuffing, including its last CRLF.
    pub bytes: Vec<u8>,
    /// Whether it was received over TLS.
    pub encrypted: bool,
    /// The user who logged in, if any.
    pub login: Option<String>,
}

/// Counts of a mock server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of connections.
    pub connections: u64,
    /// Number of messages accepted.
    pub accepted: u64,
    /// Bytes of content accepted.
    pub bytes: u64,
    /// Number of commands or messages with a bare CR or LF (RFC 5321 §2.3.8), all refused.
    pub bare_line_ends: u64,
    /// Number of messages without any recipient (RFC 2920 §3.1), all refused.
    pub without_recipient: u64,
}

/// What to keep of accepted messages.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// Keep whole messages in memory, for [`Record::messages`].
    pub messages: bool,
    /// Count each Message-ID, for [`Record::copies`]; about 50 bytes each.
    pub message_ids: bool,
    /// Also write each message into this maildir, for people to read.
    pub maildir: Option<PathBuf>,
    /// Append `message-id recipient` for every message and recipient to this file, before the 250 is sent.
    pub log: Option<PathBuf>,
    /// Send each message to this channel; a message that does not fit is skipped.
    pub tap: Option<mpsc::Sender<Received>>,
}

/// Numbers of received copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Number of different Message-IDs.
    pub distinct: u64,
    /// Number of messages beyond the first of each Message-ID.
    pub doubled: u64,
}

/// What a mock server accepted; shared by its threads.
pub struct Record {
    keep: Keep,
    log: Option<Mutex<File>>,
    seen: Vec<Mutex<HashMap<u128, u32>>>,
    messages: Mutex<Vec<Received>>,
    names: AtomicU64,
    pub(super) connections: AtomicU64,
    accepted: AtomicU64,
    bytes: AtomicU64,
    pub(super) bare_line_ends: AtomicU64,
    pub(super) without_recipient: AtomicU64,
}

impl Record {
    pub(super) fn open(keep: Keep) -> io::Result<Self> {
        let log = match &keep.log {
            Some(path) => Some(Mutex::new(File::options().create(true).append(true).open(path)?)),
            None => None,
        };
        if let Some(maildir) = &keep.maildir {
            for folder in ["tmp", "new", "cur"] {
                std::fs::create_dir_all(maildir.join(folder))?;
            }
        }
        Ok(Self {
            keep,
            log,
            seen: (0..16).map(|_| Mutex::default()).collect(),
            messages: Mutex::default(),
            names: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bare_line_ends: AtomicU64::new(0),
            without_recipient: AtomicU64::new(0),
        })
    }

    /// Whether the content itself is needed.
    pub(super) fn wants_content(&self) -> bool {
        self.keep.messages || self.keep.maildir.is_some() || self.keep.tap.is_some()
    }

    /// Records a message; an error means that it could not be kept and must not be accepted. `bytes` is the size of
    /// its content, which `received` contains only if needed.
    pub(super) fn accept(&self, received: Received, bytes: usize) -> io::Result<()> {
        if let Some(log) = &self.log {
            let lines: String =
                received.recipients.iter().map(|to| format!("{} {to}\n", received.message_id)).collect();
            lock(log).write_all(lines.as_bytes())?;
        }
        if let Some(maildir) = &self.keep.maildir {
            let name = format!("{:08}.sink", self.names.fetch_add(1, Relaxed));
            let draft = maildir.join("tmp").join(&name);
            std::fs::write(&draft, &received.bytes)?;
            std::fs::rename(draft, maildir.join("new").join(name))?;
        }
        if self.keep.message_ids {
            let hash = xxh3_128(received.message_id.as_bytes());
            *lock(&self.seen[(hash % 16) as usize]).entry(hash).or_default() += 1;
        }
        self.accepted.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        if let Some(tap) = &self.keep.tap {
            // A full channel is not an error: its reader takes a sample.
            let _ = tap.try_send(received.clone());
        }
        if self.keep.messages {
            lock(&self.messages).push(received);
        }
        Ok(())
    }

    /// The counts so far.
    pub fn totals(&self) -> Totals {
        Totals {
            connections: self.connections.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            bare_line_ends: self.bare_line_ends.load(Relaxed),
            without_recipient: self.without_recipient.load(Relaxed),
        }
    }

    /// Copies of the messages kept; empty unless [`Keep::messages`] is set.
    pub fn messages(&self) -> Vec<Received> {
        lock(&self.messages).clone()
    }

    /// How many different Message-IDs arrived, and how many messages more than once; zero unless
    /// [`Keep::message_ids`] is set.
    pub fn copies(&self) -> Copies {
        let mut copies = Copies::default();
        for part in &self.seen {
            for times in lock(part).values() {
                copies.distinct += 1;
                copies.doubled += u64::from(times - 1);
            }
        }
        copies
    }

    /// How often a message with this Message-ID (with its angle brackets) arrived.
    pub fn times(&self, message_id: &str) -> u32 {
        let hash = xxh3_128(message_id.as_bytes());
        lock(&self.seen[(hash % 16) as usize]).get(&hash).copied().unwrap_or(0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value of the Message-ID field of a message, as written; empty if absent.
pub(super) fn message_id(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest[..end].trim_ascii_end();
        if line.is_empty() {
            break;
        }
        rest = &rest[end + 1..];
        if line.len() >= 11 && line[..11].eq_ignore_ascii_case(b"message-id:") {
            let value = line[11..].trim_ascii();
            // A field whose value is folded onto the next line (RFC 5322 §2.2.3).
            let next = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            return if value.is_empty() { next.trim_ascii() } else { value };
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::message_id;

    #[test]
    fn finds_the_message_id_in_the_header_only() {
        assert_eq!(message_id(b"From: a\r\nMESSAGE-ID:  <1@x> \r\n\r\nhi"), b"<1@x>");
        assert_eq!(message_id(b"Message-ID: \r\n <2@x>\r\n\r\n"), b"<2@x>");
        assert_eq!(message_id(b"From: a\r\n\r\nMessage-ID: <3@x>\r\n"), b"");
    }
}
