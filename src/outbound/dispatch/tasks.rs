//! The task that each open mailing needs: freeze its audience, feed its deliveries to the workers, or close its ledger.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::base::id::MailingId;
use crate::mailings::audience;
use crate::model::mailing::{Mailing, PauseReason, Stage};
use crate::store::{Read, StoreError, mailings};

use super::work::may_send;
use super::{Shared, feed, settle};

/// Pauses a mailing that cannot continue, until a person resumes it.
pub(super) async fn hold_back(shared: &Shared, id: MailingId, what: String) {
    while let Err(error) = feed::pause(shared, id, PauseReason::Broken { what: what.clone() }).await {
        if !shared.survive(&error).await {
            return;
        }
    }
}

enum Task {
    Freeze,
    Feed,
    Close,
}

fn task_for(mailing: &Mailing, closed: &HashSet<MailingId>) -> Option<Task> {
    match mailing.stage {
        Stage::Freezing { .. } if mailing.pause.is_none() => Some(Task::Freeze),
        Stage::Sending(_) if may_send(mailing) => Some(Task::Feed),
        Stage::Cancelled { frozen: Some(_), .. } if !closed.contains(&mailing.id) => Some(Task::Close),
        _ => None,
    }
}

/// Begins a task for each open mailing that needs one and has none.
pub(super) async fn begin_open(
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<Option<MailingId>>,
    busy: &mut HashMap<tokio::task::Id, MailingId>,
    closed: &HashSet<MailingId>,
) -> Result<(), StoreError> {
    let mut open = shared.parts.store.pages(mailings::open());
    while let Some(read) = open.next().await? {
        let id = read.value.id;
        if busy.values().any(|one| *one == id) {
            continue;
        }
        if let Some(task) = task_for(&read.value, closed) {
            let handle = tasks.spawn(begin(shared.clone(), task, read));
            busy.insert(handle.id(), id);
        }
    }
    Ok(())
}

/// Runs one task to its end; returns the mailing if it has ended for good.
async fn begin(shared: Arc<Shared>, task: Task, read: Read<Mailing>) -> Option<MailingId> {
    let (id, mailing) = (read.value.id, read.value.clone());
    let heartbeat = shared.heartbeats.begin("the feeder of a mailing");
    if !matches!(task, Task::Feed) {
        // Takes as long as the audience is large, and consists only of commits.
        heartbeat.rests();
    }
    let done = match task {
        Task::Freeze => audience::freeze(&shared.parts.store, shared.parts.clock.as_ref(), id).await.map(|done| {
            tracing::info!(mailing = %id, ?done, "audience frozen");
            None
        }),
        Task::Feed => feed::run(&shared, read, &heartbeat).await.map(|()| None),
        Task::Close => settle::close(&shared, &mailing).await.map(|()| Some(id)),
    };
    match done {
        Ok(closed) => closed,
        // Its counts are correct without this; the next start tries again.
        Err(StoreError::Record(error)) if matches!(mailing.stage, Stage::Cancelled { .. }) => {
            tracing::error!(mailing = %id, %error, "the ledger of a cancelled mailing cannot be closed");
            Some(id)
        }
        // A damaged record holds back only its own mailing.
        Err(StoreError::Record(error)) => {
            hold_back(&shared, id, error.to_string()).await;
            None
        }
        Err(error) => {
            shared.survive(&error).await;
            None
        }
    }
}
