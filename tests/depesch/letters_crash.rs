//! Invariant 3 for letters: wherever the daemon dies, a restart loses none, and what may have gone out twice has the same
//! Message-ID and says so.

use std::collections::HashMap;
use std::sync::Arc;

use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;
use futures_util::FutureExt;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::letters::{Desk, field};

const LETTERS: usize = 6;

/// Dies at one commit; `false` when everything was sent before that.
async fn die_at(commit: usize, failure: Failure) -> bool {
    let disk: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let desk = Desk::over(disk.clone());
    let mut ids = Vec::new();
    for number in 0..LETTERS {
        ids.push(desk.greet(&format!("p{number}")).await);
    }
    let doomed = desk.reborn(FailingCommits::new(disk.clone(), commit, failure));
    let postman = doomed.postman();
    let all_sent = async {
        for id in &ids {
            doomed.until_settled(*id).await;
        }
    };
    tokio::select! {
        _ = postman.broken() => {}
        () = all_sent => {}
    }
    postman.drain().await;
    // Also when all was sent and it died over the last acknowledgement.
    let died = postman.broken().now_or_never().is_some();

    let reborn = desk.reborn(disk);
    let postman = reborn.postman();
    for id in &ids {
        reborn.until_settled(*id).await;
    }
    postman.drain().await;

    let mut copies: HashMap<String, Vec<String>> = HashMap::new();
    for (envelope, octets) in desk.relay.carried.lock().unwrap().iter() {
        let id = field(octets, "Message-ID").unwrap();
        copies.entry(envelope.recipient.local_part().to_owned()).or_default().push(id);
    }
    assert_eq!(copies.len(), LETTERS, "died at {commit}: somebody got nothing");
    for (number, id) in ids.iter().enumerate() {
        let letter = reborn.letter(*id).await;
        let got = &copies[&format!("p{number}")];
        assert_eq!(letter.state.word(), "accepted");
        assert!(
            got.len() <= 1 + usize::from(letter.resent),
            "died at {commit}: {got:?}, shown are {} more",
            letter.resent
        );
        assert!(got.iter().all(|id| *id == got[0]), "died at {commit}: another Message-ID");
        assert!(reborn.store.letter_octets(*id).await.unwrap().is_none(), "its text is kept after it was taken");
    }
    let doubled = copies.values().filter(|got| got.len() > 1).count();
    assert!(doubled <= desk.connections, "died at {commit}: {doubled} doubled");
    assert_eq!(reborn.store.letters_open().await.unwrap(), 0);
    died
}

async fn die_everywhere(failure: Failure) {
    let mut commit = 0;
    while die_at(commit, failure).await {
        commit += 1;
    }
    assert_eq!(commit, LETTERS * 2, "only {commit} places to die");
}

#[tokio::test]
async fn dying_before_any_commit_loses_and_hides_no_letter() {
    die_everywhere(Failure::Before).await;
}

#[tokio::test]
async fn dying_after_any_commit_loses_and_hides_no_letter() {
    die_everywhere(Failure::After).await;
}
