//! Letters over the control socket: listed the newest first, masked, with the relay's words, and tried again by hand.

use std::sync::Arc;

use depesch::control::Control;
use depesch::control::client::ClientError;
use depesch::control::letter::{LetterPage, LetterView, LettersOut};
use depesch::control::status::Status;
use depesch::model::ledger::Stage;
use depesch::model::reply::Reply;
use depesch::operations::health::Parts;
use depesch::outbound::notices::worker::Postman;
use depesch::transport::Outcome;

use crate::support::control::{TestControl, start_changed};
use crate::support::letters::Desk;

async fn control(desk: &Desk) -> (TestControl, Arc<Postman>) {
    let postman = Arc::new(desk.postman());
    let out = LettersOut { letters: desk.letters.clone(), postman: postman.clone() };
    let clock = Arc::new(desk.clock.clone());
    let test = start_changed(desk.store.clone(), |control| Control { letters: Some(out), clock, ..control }).await;
    test.control.observer.watch(Parts { postman: Some(postman.clone()), ..Parts::default() });
    (test, postman)
}

fn refusing(address: &str) -> Outcome {
    let reply = Reply::new(550, &format!("5.1.1 <{address}>: nobody here"));
    Outcome::Refused { stage: Stage::Recipient, reply }
}

#[tokio::test]
async fn a_failed_letter_is_shown_with_the_reply_and_sent_when_asked() {
    let desk = Desk::new();
    desk.relay.answer("karin", [refusing("karin@reader.example")]);
    let (test, postman) = control(&desk).await;
    let (failed, sent) = (desk.greet("karin").await, desk.greet("nils").await);
    desk.until_settled(failed).await;
    desk.until_settled(sent).await;

    let page: LetterPage = test.client.get("/v1/letters").await.unwrap();
    let shown: Vec<_> = page.letters.iter().map(|letter| (letter.id.as_str(), letter.state.as_str())).collect();
    assert_eq!(shown, [(sent.to_string().as_str(), "accepted"), (failed.to_string().as_str(), "failed")]);
    let only: LetterPage = test.client.get("/v1/letters?state=failed&limit=1").await.unwrap();
    assert_eq!((only.letters.len(), only.letters[0].id.clone()), (1, failed.to_string()));
    let letter: LetterView = test.client.get(format!("/v1/letters/{failed}").as_str()).await.unwrap();
    assert_eq!((letter.stage.as_str(), letter.code, letter.to.as_str()), ("RCPT", Some(550), "k***@reader.example"));
    assert_eq!(letter.reply, "5.1.1 <k***@reader.example>: nobody here");
    let whole: LetterView = test.client.get(format!("/v1/letters/{failed}?addresses=true").as_str()).await.unwrap();
    assert!(whole.reply.contains("karin@reader.example") && whole.to == "karin@reader.example");
    let status: Status = test.client.get("/v1/status").await.unwrap();
    assert_eq!((status.letters.waiting, status.letters.accepted, status.letters.failed), (0, 1, 1));

    let again: LetterView = test.client.post(format!("/v1/letters/{failed}/retry").as_str(), &()).await.unwrap();
    assert_eq!(again.state, "deferred");
    desk.until(|| async { desk.letter(failed).await.state.word() == "accepted" }).await;
    for wrong in [format!("/v1/letters/{failed}/retry"), "/v1/letters/n999/retry".to_owned()] {
        let refused: Result<LetterView, _> = test.client.post(wrong.as_str(), &()).await;
        assert!(matches!(&refused, Err(ClientError::Refused(r)) if [404, 409].contains(&r.status)), "{refused:?}");
    }
    postman.drain().await;
}

#[tokio::test]
async fn pages_lead_to_each_letter_once() {
    let desk = Desk::new();
    let (test, postman) = control(&desk).await;
    postman.drain().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.push(desk.greet(&format!("p{number}")).await.to_string());
    }
    expected.reverse();
    let (mut found, mut before) = (Vec::new(), String::new());
    loop {
        let page: LetterPage = test.client.get(format!("/v1/letters?limit=3{before}").as_str()).await.unwrap();
        found.extend(page.letters.into_iter().map(|letter| letter.id));
        match page.next {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(found, expected);
    let status: Status = test.client.get("/v1/status").await.unwrap();
    assert_eq!(status.letters.waiting, 7);
}
