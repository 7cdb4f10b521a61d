//! Invariant 3 for notices: wherever the daemon dies, a restart loses none, and a possible duplicate has the same
//! Message-ID and is reported.

use std::collections::HashMap;
use std::sync::Arc;

use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;
use futures_util::FutureExt;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::notices::{World, field};

const NOTICES: usize = 6;

/// Dies at one commit; `false` when everything was sent before that.
async fn die_at(commit: usize, failure: Failure) -> bool {
    let disk: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let world = World::over(disk.clone());
    let mut ids = Vec::new();
    for number in 0..NOTICES {
        ids.push(world.greet(&format!("p{number}")).await);
    }
    let doomed = world.reborn(FailingCommits::new(disk.clone(), commit, failure));
    let notice_worker = doomed.notice_worker();
    let all_sent = async {
        for id in &ids {
            doomed.until_settled(*id).await;
        }
    };
    tokio::select! {
        _ = notice_worker.broken() => {}
        () = all_sent => {}
    }
    notice_worker.drain().await;
    // Also if everything was sent and it died before the last acknowledgement.
    let died = notice_worker.broken().now_or_never().is_some();

    let reborn = world.reborn(disk);
    let notice_worker = reborn.notice_worker();
    for id in &ids {
        reborn.until_settled(*id).await;
    }
    notice_worker.drain().await;

    let mut copies: HashMap<String, Vec<String>> = HashMap::new();
    for (envelope, bytes) in world.relay.carried.lock().unwrap().iter() {
        let id = field(bytes, "Message-ID").unwrap();
        copies.entry(envelope.recipient.local_part().to_owned()).or_default().push(id);
    }
    assert_eq!(copies.len(), NOTICES, "died at {commit}: a recipient got nothing");
    for (number, id) in ids.iter().enumerate() {
        let notice = reborn.notice(*id).await;
        let got = &copies[&format!("p{number}")];
        assert_eq!(notice.state.word(), "accepted");
        assert!(
            got.len() <= 1 + usize::from(notice.resent),
            "died at {commit}: {got:?}, shown are {} more",
            notice.resent
        );
        assert!(got.iter().all(|id| *id == got[0]), "died at {commit}: another Message-ID");
        assert!(reborn.store.notice_bytes(*id).await.unwrap().is_none(), "its text is kept after it was taken");
    }
    let doubled = copies.values().filter(|got| got.len() > 1).count();
    assert!(doubled <= world.connections, "died at {commit}: {doubled} doubled");
    assert_eq!(reborn.store.notices_open().await.unwrap(), 0);
    died
}

async fn die_everywhere(failure: Failure) {
    let mut commit = 0;
    while die_at(commit, failure).await {
        commit += 1;
    }
    assert_eq!(commit, NOTICES * 2, "only {commit} places to die");
}

#[tokio::test]
async fn dying_before_any_commit_loses_and_hides_no_notice() {
    die_everywhere(Failure::Before).await;
}

#[tokio::test]
async fn dying_after_any_commit_loses_and_hides_no_notice() {
    die_everywhere(Failure::After).await;
}
