//! Holds everything in a restored store that would be sent automatically.

use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::model::ledger::Cause;
use crate::model::mailing::{Pause, PauseReason, Stage, UncertainPolicy};
use crate::store::engine::{Batch, Commit};
use crate::store::{Store, StoreError, inbound, mailings, notices};

/// Number of records processed together.
const PAGE: usize = 500;

/// What is held until a person decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Mailings that were paused.
    pub mailings: Vec<MailingId>,
    /// Number of notices given up.
    pub notices: u64,
    /// Number of incoming messages set aside.
    pub inbound: u64,
}

/// Holds everything that would be sent. `until` is the time up to which the store knows what was sent.
///
/// # Errors
/// [`StoreError`]: the store must not be used.
pub(crate) async fn hold(store: &Store, until: Timestamp, now: Timestamp) -> Result<Held, StoreError> {
    let known = until.format("%Y-%m-%d %H:%M:%S UTC");
    let mut held = Held::default();
    let mut mailings = store.pages(mailings::all());
    while let Some(read) = mailings.next().await? {
        if !matches!(read.value.stage, Stage::Scheduled | Stage::Freezing { .. } | Stage::Sending(_)) {
            continue;
        }
        let id = read.value.id;
        store
            .update_mailing(id, |mailing, _| {
                let before = mailing.pause.as_ref().map(|pause| format!(" (before: {})", pause.reason.words()));
                let what = format!(
                    "restored from a backup: it is unknown what was sent after {known}. Check the relay's log; \
                     resume sends to all who had not received it by then{}",
                    before.unwrap_or_default()
                );
                mailing.pause = Some(Pause { since: now, reason: PauseReason::Broken { what } });
                mailing.uncertain = UncertainPolicy::Hold;
                Ok::<_, StoreError>(())
            })
            .await?;
        held.mailings.push(id);
    }
    let why = format!("restored from a backup: it is unknown whether it was sent after {known}");
    held.notices = give_up_notices(store, &why, now).await?;
    let why = format!("restored from a backup: it is unknown whether it was handled after {known}");
    held.inbound = lay_mail_aside(store, &why, now).await?;
    Ok(held)
}

async fn give_up_notices(store: &Store, why: &str, now: Timestamp) -> Result<u64, StoreError> {
    let (mut count, mut before) = (0, None);
    loop {
        let page = store.notices(before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        before = Some(last.value.id);
        for read in page.iter().filter(|read| read.value.due().is_some()) {
            let mut batch = Batch::new();
            notices::put_over(&mut batch, read, &read.value.clone().failed(now, Cause::Message(why.to_owned())));
            applied(store, batch).await?;
            count += 1;
        }
    }
}

async fn lay_mail_aside(store: &Store, why: &str, now: Timestamp) -> Result<u64, StoreError> {
    let mut count = 0;
    loop {
        let waiting = store.waiting_inbound(None, PAGE).await?;
        if waiting.is_empty() {
            return Ok(count);
        }
        for id in waiting {
            let Some(read) = store.inbound(id).await? else { continue };
            let mut batch = Batch::new();
            inbound::put_stuck(&mut batch, &read, now, why);
            applied(store, batch).await?;
            count += 1;
        }
    }
}

/// Only this process writes to a store that was just restored.
async fn applied(store: &Store, batch: Batch) -> Result<(), StoreError> {
    match store.commit(batch).await? {
        Commit::Applied => Ok(()),
        Commit::Conflict(_) => Err(StoreError::Contended(1)),
    }
}

/// Numbers skipped for visible things, such as mailings: more than are created between two backups.
const FEW: u64 = 1_000;
/// Numbers skipped for everything else.
const MANY: u64 = 1_000_000;

/// Makes all future numbers differ from those assigned after the restored time, which are in Message-IDs and in
/// signed addresses of sent mail. `later` is the store of a later backup, for its counters.
///
/// # Errors
/// [`StoreError`]: the store must not be used.
pub(crate) async fn renumber(store: &Store, later: Option<&Store>) -> Result<(), StoreError> {
    let few = ["mailing", "release", "post"];
    store.raise_counters(later, |counter| if few.contains(&counter) { FEW } else { MANY }).await
}
