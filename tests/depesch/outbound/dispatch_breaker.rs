//! When receivers blame the sender, the mailing is paused, with the reason; no subscriber is removed for it.

use depesch::model::ledger::Stage as At;
use depesch::model::mailing::{PauseReason, UncertainPolicy};
use depesch::model::reply::Reply;
use depesch::transport::Outcome;

use crate::support::office::Office;

#[tokio::test]
async fn a_mailing_that_receivers_take_for_spam_pauses_itself() {
    let office = Office::new();
    office.subscribers(400).await;
    let blame = Reply::new(550, "5.7.26 this mail has been blocked because the sender is unauthenticated");
    for number in 0..400 {
        let refused = Outcome::Refused { stage: At::Message, reply: blame.clone() };
        office.relay.answer(&format!("p{number}"), [refused]);
    }
    let id = office.mailing(UncertainPolicy::Resend).await;
    let dispatcher = office.dispatcher().await.unwrap();
    office.until(|| async { office.store.mailing(id).await.unwrap().unwrap().value.pause.is_some() }).await;
    office.until(|| async { office.tally(id).await.in_doubt == 0 }).await;
    let mailing = office.store.mailing(id).await.unwrap().unwrap().value;
    let Some(PauseReason::Breaker { evidence }) = mailing.pause.map(|p| p.reason) else { panic!("no breaker") };
    assert!(evidence.contains("5.7.26"), "{evidence}");
    let tally = office.tally(id).await;
    assert!(tally.failed < 40 && tally.open() > 350, "{tally:?}");
    assert_eq!(tally.audience(), 400);
    dispatcher.drain().await;
}
