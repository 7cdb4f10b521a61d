//! Writes, reads and verifies the audit log. For the content of entries see [`crate::model::audit`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::{Clock, Timestamp};
use crate::base::token::{Key, to_hex};
use crate::model::audit::{AuditEntry, AuditOutcome, ChainBreak, ChainLink, ChainWalk, WholeChain, field};
use crate::model::present::Cutoff;
use crate::store::audit::{KeptEntry, put_entry};
use crate::store::engine::{Batch, Commit};
use crate::store::{Store, StoreError};

/// Maximum number of attempts against concurrent writers: each failure means that another one succeeded.
const TRIES: u32 = 1000;
/// Number of entries read at a time.
const STEP: usize = 1000;
/// The name of the daemon itself as an actor.
pub(crate) const DAEMON: &str = "depesch";
/// The name of an actor who decides by a mail to a signed address.
pub(crate) const BY_MAIL: &str = "mail";

/// An entry to be written.
#[derive(Clone, Debug)]
pub struct AuditNote {
    /// Who acted.
    pub who: String,
    /// The user's number.
    pub uid: Option<u32>,
    /// The number of the entry with which the request began; its own number if `None`.
    pub request: Option<u64>,
    /// A noun and a verb.
    pub what: String,
    /// Ids, separated by spaces.
    pub about: String,
    /// How far the request has come.
    pub outcome: AuditOutcome,
    /// Further details.
    pub detail: String,
}

impl AuditNote {
    /// An entry about an action of the daemon itself.
    pub fn of_daemon(what: &str, about: impl Into<String>, detail: impl Into<String>) -> Self {
        let (who, what, outcome) = (DAEMON.to_owned(), what.to_owned(), AuditOutcome::Noted);
        Self { who, uid: None, request: None, what, about: about.into(), outcome, detail: detail.into() }
    }

    fn entry(&self, number: u64, at: Timestamp) -> AuditEntry {
        AuditEntry {
            number,
            at,
            who: field(&self.who),
            uid: self.uid,
            request: self.request.unwrap_or(number),
            what: field(&self.what),
            about: field(&self.about),
            outcome: self.outcome,
            detail: field(&self.detail),
        }
    }
}

/// Writes the audit log. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    store: Store,
    clock: Arc<dyn Clock>,
    key: Key,
}

/// The result of verifying the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where it began: the last entry dropped by age, or the place before the first.
    pub anchor: ChainLink,
    /// The chain, or where it is broken.
    pub chain: Result<WholeChain, ChainBreak>,
}

impl AuditLog {
    /// The log in `store`.
    pub fn new(store: Store, clock: Arc<dyn Clock>, key: Key) -> Self {
        Self { store, clock, key }
    }

    /// Appends an entry, durable when this returns; returns its number.
    ///
    /// # Errors
    /// [`StoreError`]: it was not written, and the action must not be performed.
    pub async fn append(&self, note: &AuditNote) -> Result<u64, StoreError> {
        for _ in 0..TRIES {
            let mut batch = Batch::new();
            let number = self.add(&mut batch, note).await?;
            if self.store.commit(batch).await? == Commit::Applied {
                return Ok(number);
            }
        }
        Err(StoreError::Contended(TRIES))
    }

    /// Adds an entry to the batch of the action, which conflicts if another entry is appended first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn add(&self, batch: &mut Batch, note: &AuditNote) -> Result<u64, StoreError> {
        let head = self.store.audit_head().await?;
        let entry = note.entry(head.link.number + 1, self.clock.now());
        put_entry(batch, &head, &entry);
        Ok(entry.number)
    }

    /// The identifier of a list in the log: even its name may be sensitive.
    pub fn list_id(&self, name: &str) -> String {
        format!("list:{}", self.key.mark(&format!("audit list {}", name.to_lowercase())))
    }

    /// The identifier of an address that is not a subscriber's.
    pub fn address_id(&self, address: &Address) -> String {
        format!("address:{}", &to_hex(&self.key.hash_address(address))[..32])
    }

    /// Verifies the whole chain against its head, and a place that was noted elsewhere.
    ///
    /// # Errors
    /// [`StoreError`]. A broken chain is a result, not an error.
    pub async fn verify(&self, noted: Option<ChainLink>) -> Result<Verified, StoreError> {
        // Read before the entries: later entries come after it and are not verified.
        let head = self.store.audit_head().await?.link;
        let anchor = self.store.audit_anchor().await?;
        let mut walk = ChainWalk::after(anchor).comparing(noted);
        loop {
            let step = self.store.audit_entries(walk.at().number, STEP).await?;
            for KeptEntry { entry, hash } in step.iter().filter(|kept| kept.entry.number <= head.number) {
                if let Err(broken) = walk.step(entry, hash) {
                    return Ok(Verified { anchor, chain: Err(broken) });
                }
            }
            if step.len() < STEP || walk.at().number >= head.number {
                return Ok(Verified { anchor, chain: walk.end(Some(head)) });
            }
        }
    }

    /// Drops entries from before the cutoff at the old end, keeps the anchor of the rest, and records that it did.
    /// Returns how many were dropped.
    ///
    /// # Errors
    /// [`StoreError`]: some may be dropped.
    pub async fn drop_before(&self, old: Cutoff) -> Result<u64, StoreError> {
        let dropped = self.store.drop_audit_before(old).await?;
        if dropped > 0 {
            let anchor = self.store.audit_anchor().await?.number;
            let detail = format!("dropped {dropped}, the last was {anchor}");
            self.append(&AuditNote::of_daemon("audit drop", "", detail)).await?;
        }
        Ok(dropped)
    }
}

/// Where commands that work on the files while the daemon is stopped leave notes for the next start.
fn notes_file(state_directory: &Path) -> PathBuf {
    state_directory.join("audit-notes.jsonl")
}

#[derive(Serialize, Deserialize)]
struct LeftNote {
    at: Timestamp,
    who: String,
    uid: Option<u32>,
    what: String,
    detail: String,
}

/// Leaves a note of what a command did to the files while the daemon was stopped; the next start adds it to the log.
///
/// # Errors
/// The system's error.
pub fn leave_note(
    state_directory: &Path,
    at: Timestamp,
    who: (&str, Option<u32>),
    what: &str,
    detail: &str,
) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let (what, detail) = (what.to_owned(), detail.to_owned());
    let mut line = serde_json::to_vec(&LeftNote { at, who: who.0.to_owned(), uid: who.1, what, detail })?;
    line.push(b'\n');
    let path = notes_file(state_directory);
    let mut file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(&line)?;
    file.sync_all()
}

/// Adds the notes left by commands while the daemon was stopped. An unreadable note is recorded as such.
///
/// # Errors
/// [`StoreError`]; the notes stay for the next start, and may then be added twice.
pub async fn take_notes(log: &AuditLog, state_directory: &Path) -> Result<(), StoreError> {
    let path = notes_file(state_directory);
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            log.append(&AuditNote::of_daemon("audit notes", "", format!("cannot be read: {}", error.kind()))).await?;
            return Ok(());
        }
    };
    for line in text.lines() {
        let note = match serde_json::from_str::<LeftNote>(line) {
            Ok(left) => {
                let detail = format!("at {}, daemon stopped; {}", crate::model::audit::instant(left.at), left.detail);
                AuditNote { who: left.who, uid: left.uid, ..AuditNote::of_daemon(&left.what, "", detail) }
            }
            Err(_) => AuditNote::of_daemon("audit notes", "", "a line cannot be read"),
        };
        log.append(&note).await?;
    }
    if let Err(error) = tokio::fs::remove_file(&path).await {
        tracing::warn!(%error, "notes for the audit log were added and cannot be removed: they will be added twice");
    }
    Ok(())
}
