//! Wherever the daemon dies while it receives a post and decides about it, the post is asked about once and sent once.

use std::sync::Arc;

use depesch::model::list::{List, ListKind};
use depesch::store::Store;
use depesch::store::engine::Engine;
use depesch::store::memory::MemoryEngine;

use crate::support::failing::{FailingCommits, Failure};
use crate::support::posts::PostOffice;

const POST: &str = "From: anna@example.org\r\nTo: press@lists.example.org\r\nSubject: Hej\r\nMessage-ID: <1@example.org>\r\n\r\nText\r\n";

async fn begin(disk: &Arc<dyn Engine>) -> PostOffice {
    let office = PostOffice::over(disk.clone()).await;
    let rules = |list: &mut List| list.posting.senders = ["anna@example.org".parse().unwrap()].into();
    office.list("press", ListKind::Announce, rules).await;
    office.reader(1, &["press"]).await;
    office.reader(2, &["press"]).await;
    office
}

/// Handles waiting mail and dies at one commit; `false` if everything was handled before that.
async fn handle_and_die(office: &PostOffice, disk: &Arc<dyn Engine>, commit: usize, failure: Failure) -> bool {
    let failing = FailingCommits::new(disk.clone(), commit, failure);
    let doomed = office.reborn(failing.clone());
    let worker = doomed.worker();
    let dead = async {
        while !failing.is_dead() {
            tokio::task::yield_now().await;
        }
    };
    let died = tokio::select! {
        () = dead => true,
        () = doomed.mail_in.handle_all(&worker) => failing.is_dead(),
    };
    let reborn = office.reborn(disk.clone());
    reborn.mail_in.handle_all(&reborn.worker()).await;
    died
}

async fn dies_at(commit: usize, failure: Failure) -> bool {
    let disk: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let office = begin(&disk).await;
    office.mail_in.arrives(Some("anna@example.org"), "press@lists.example.org", POST).await;
    let mut died = handle_and_die(&office, &disk, commit, failure).await;
    let questions = office.notices("post-confirm").await;
    assert_eq!(questions.len(), 1, "died at {commit}: asked {} times", questions.len());

    let answer = "From: anna@example.org\r\nSubject: Re: Hej\r\nMessage-ID: <2@example.org>\r\n\r\nJa\r\n";
    office.mail_in.arrives(Some("anna@example.org"), &questions[0].reply_to, answer).await;
    died |= handle_and_die(&office, &disk, commit, failure).await;
    assert_eq!(office.mailings().await.len(), 1, "died at {commit}");
    office.send_all().await;
    assert_eq!(office.carried().len(), 2, "died at {commit}");
    assert_eq!(office.notices("post-late").await.len(), 0, "died at {commit}: one answer was handled twice");
    let noted = Store::new(disk.clone()).audit_entries(0, 10).await.unwrap();
    let noted: Vec<_> = noted.iter().map(|kept| (kept.entry.who.as_str(), kept.entry.what.as_str())).collect();
    assert_eq!(noted, [("mail", "post approve")], "died at {commit}: the decision stands in the audit log, and once");
    died
}

async fn dies_everywhere(failure: Failure) {
    let mut commit = 0;
    while dies_at(commit, failure).await {
        commit += 1;
    }
    assert!(commit >= 3, "only {commit} places to die");
}

#[tokio::test]
async fn dying_before_any_commit_sends_a_post_once() {
    dies_everywhere(Failure::Before).await;
}

#[tokio::test]
async fn dying_after_any_commit_sends_a_post_once() {
    dies_everywhere(Failure::After).await;
}
