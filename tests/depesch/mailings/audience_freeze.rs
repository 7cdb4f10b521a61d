//! A freeze interrupted anywhere continues without gap or repetition and contains only subscribers that match the
//! query.

use std::sync::Arc;

use depesch::base::id::{MailingId, SubscriberId};
use depesch::mailings::audience;
use depesch::mailings::audience::Freezing;
use depesch::model::mailing::{Stage, UncertainPolicy};
use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::office::Office;

/// More than one commit of 32 chunks.
const PEOPLE: usize = 9000;

async fn frozen(office: &Office, id: MailingId) -> Vec<SubscriberId> {
    let Stage::Sending(frozen) = office.stage(id).await else { panic!("not frozen") };
    let mut all = Vec::new();
    for chunk in 0..frozen.chunks {
        all.extend(office.store.chunk(id, chunk).await.unwrap());
    }
    assert_eq!(all.len() as u32, frozen.audience);
    all
}

async fn cut_off(failure: Failure) {
    let disk: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let office = Office::over(disk.clone());
    office.subscribers(PEOPLE).await;
    for number in (1..=PEOPLE as u64).step_by(3) {
        office.unsubscribe(SubscriberId(number)).await;
    }
    let wanted: Vec<_> = (1..=PEOPLE as u64).filter(|n| n % 3 != 1).map(SubscriberId).collect();
    let mut commit = 0;
    loop {
        let id = office.mailing(UncertainPolicy::Resend).await;
        let doomed = office.reborn(FailingCommits::new(disk.clone(), commit, failure));
        let cut = audience::freeze(&doomed.store, &office.clock, id).await.is_err();
        if matches!(office.stage(id).await, Stage::Freezing { .. }) {
            assert_eq!(audience::freeze(&office.store, &office.clock, id).await.unwrap(), Freezing::Done);
        }
        assert_eq!(frozen(&office, id).await, wanted, "cut off at commit {commit}");
        if !cut {
            break;
        }
        commit += 1;
    }
    assert!(commit >= 1, "one commit was all");
}

#[tokio::test]
async fn cut_off_before_a_commit() {
    cut_off(Failure::Before).await;
}

#[tokio::test]
async fn cut_off_after_a_commit() {
    cut_off(Failure::After).await;
}
