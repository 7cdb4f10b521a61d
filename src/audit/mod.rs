//! Writing the audit log, reading it, and going over its chain. What an entry may say: see [`crate::model::audit`].

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

/// Whoever loses against another that writes at the same moment tries again: each time, somebody else has got on.
const TRIES: u32 = 1000;
/// Entries read in one go.
const STEP: usize = 1000;
/// Whom the daemon itself is called.
pub const DAEMON: &str = "depesch";
/// Who decides by a mail with a signed address.
pub const BY_MAIL: &str = "mail";

/// What is to be noted.
#[derive(Clone, Debug)]
pub struct AuditNote {
    /// Who.
    pub who: String,
    /// The user's number.
    pub uid: Option<u32>,
    /// The number of the entry with which the request began; its own without it.
    pub request: Option<u64>,
    /// A noun and a verb.
    pub what: String,
    /// Ids, divided by blanks.
    pub about: String,
    /// How far it came.
    pub outcome: AuditOutcome,
    /// What else there is to say, in a program's words.
    pub detail: String,
}

impl AuditNote {
    /// Something that the daemon did by itself.
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

/// What a walk along the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where it began: the last entry that was dropped by age, or the place before the first.
    pub anchor: ChainLink,
    /// The chain, or where it does not hold.
    pub chain: Result<WholeChain, ChainBreak>,
}

impl AuditLog {
    /// The log in `store`.
    pub fn new(store: Store, clock: Arc<dyn Clock>, key: Key) -> Self {
        Self { store, clock, key }
    }

    /// Puts an entry at the end, durable when this returns; gives its number.
    ///
    /// # Errors
    /// [`StoreError`]: it is not there, and what it is about must not be done.
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

    /// Puts an entry into the batch of what it is about, which conflicts when another entry comes between.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add(&self, batch: &mut Batch, note: &AuditNote) -> Result<u64, StoreError> {
        let head = self.store.audit_head().await?;
        let entry = note.entry(head.link.number + 1, self.clock.now());
        put_entry(batch, &head, &entry);
        Ok(entry.number)
    }

    /// What a list is called here: also a name would be too much for some.
    pub fn list_id(&self, name: &str) -> String {
        format!("list:{}", self.key.mark(&format!("audit list {}", name.to_lowercase())))
    }

    /// What an address is called here, where it belongs to no subscriber.
    pub fn address_id(&self, address: &Address) -> String {
        format!("address:{}", &to_hex(&self.key.hash_address(address))[..32])
    }

    /// Goes along the whole chain, and compares it with its head, and with a place that was noted elsewhere.
    ///
    /// # Errors
    /// [`StoreError`]. That the chain does not hold is no error but an answer.
    pub async fn verify(&self, noted: Option<ChainLink>) -> Result<Verified, StoreError> {
        // Read before the entries: entries that come meanwhile are after it, and are gone over only up to it.
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

    /// Drops entries of before `before` from the old end, keeps the anchor that the rest hangs on, and notes that it did.
    /// Says how many went.
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

/// Where commands that work on the files with the daemon stopped leave what they did, for the next start to take over.
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

/// Leaves a note of what a command did to the files while the daemon was stopped; the next start puts it into the log.
///
/// # Errors
/// The system's own.
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

/// Takes over what commands left while the daemon was stopped. What cannot be read is noted as such.
///
/// # Errors
/// [`StoreError`]; the notes stay for the next start, and may then be taken twice.
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
        tracing::warn!(%error, "notes for the audit log were taken over and cannot be removed: they will be there twice");
    }
    Ok(())
}
