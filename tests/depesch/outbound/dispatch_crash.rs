//! Invariants 2 and 3, at every commit: wherever the daemon dies, after a restart nothing is lost, at most one delivery
//! per connection is sent twice and reported, and the counts add up.

use std::collections::HashMap;
use std::sync::Arc;

use depesch::model::mailing::UncertainPolicy;
use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::office::Office;

const PEOPLE: usize = 24;

/// Dies at one commit; `false` when the mailing was finished before that.
async fn die_at(commit: usize, failure: Failure) -> bool {
    let disk: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let office = Office::over(disk.clone());
    office.subscribers(PEOPLE).await;
    let id = office.mailing(UncertainPolicy::Resend).await;

    let doomed = office.reborn(FailingCommits::new(disk.clone(), commit, failure));
    let died = match doomed.dispatcher().await {
        Err(_) => true,
        Ok(dispatcher) => {
            let mut died = false;
            tokio::select! {
                _ = dispatcher.broken() => died = true,
                () = doomed.until_finished(id) => {}
            }
            dispatcher.drain().await;
            died
        }
    };
    assert_eq!(office.tally(id).await.audience() % PEOPLE as u64, 0, "nothing, or all, is frozen");

    let reborn = office.reborn(disk);
    let dispatcher = reborn.dispatcher().await.unwrap();
    reborn.until_finished(id).await;
    dispatcher.drain().await;

    let tally = reborn.tally(id).await;
    assert_eq!((tally.accepted, tally.audience()), (PEOPLE as u64, PEOPLE as u64), "died at {commit}");
    let mut copies: HashMap<String, usize> = HashMap::new();
    office.relay.given().into_iter().for_each(|who| *copies.entry(who).or_default() += 1);
    assert_eq!(copies.len(), PEOPLE, "died at {commit}: a recipient got nothing");
    let outcomes = reborn.outcomes(id).await;
    for (who, times) in &copies {
        let shown = usize::from(outcomes[who].resent);
        assert!(*times <= 1 + shown, "died at {commit}: {who} got {times}, shown are {shown} more");
    }
    let doubled = copies.values().filter(|times| **times > 1).count();
    assert!(doubled <= office.connections, "died at {commit}: {doubled} doubled");
    died
}

async fn die_everywhere(failure: Failure) {
    let mut commit = 0;
    while die_at(commit, failure).await {
        commit += 1;
    }
    assert!(commit > PEOPLE, "only {commit} places to die");
}

#[tokio::test]
async fn dying_before_any_commit_loses_and_hides_nothing() {
    die_everywhere(Failure::Before).await;
}

#[tokio::test]
async fn dying_after_any_commit_loses_and_hides_nothing() {
    die_everywhere(Failure::After).await;
}
