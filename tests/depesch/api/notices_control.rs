//! Notices over the control socket: listed newest first, masked, with the relay's replies, and retried on request.

use std::sync::Arc;

use depesch::api::client::ClientError;
use depesch::api::notice::{NoticePage, NoticeView, NoticesOut};
use depesch::api::status::Status;
use depesch::api::{ApiState, Services};
use depesch::model::ledger::Stage;
use depesch::model::reply::Reply;
use depesch::operations::health::Parts;
use depesch::outbound::notices::worker::NoticeWorker;
use depesch::transport::Outcome;

use crate::support::api::{TestApi, start_changed};
use crate::support::notices::World;

async fn control(world: &World) -> (TestApi, Arc<NoticeWorker>) {
    let notice_worker = Arc::new(world.notice_worker());
    let out = NoticesOut { notices: world.notices.clone(), notice_worker: notice_worker.clone() };
    let clock = Arc::new(world.clock.clone());
    let test = start_changed(world.store.clone(), |control| ApiState {
        services: Services { notices: out, ..control.services },
        clock,
        ..control
    })
    .await;
    test.control.observer.watch(Parts { notice_worker: Some(notice_worker.clone()), ..Parts::default() });
    (test, notice_worker)
}

fn refusing(address: &str) -> Outcome {
    let reply = Reply::new(550, &format!("5.1.1 <{address}>: nobody here"));
    Outcome::Refused { stage: Stage::Recipient, reply }
}

#[tokio::test]
async fn a_failed_notice_is_shown_with_the_reply_and_sent_when_asked() {
    let world = World::new();
    world.relay.answer("karin", [refusing("karin@reader.example")]);
    let (test, notice_worker) = control(&world).await;
    let (failed, sent) = (world.greet("karin").await, world.greet("nils").await);
    world.until_settled(failed).await;
    world.until_settled(sent).await;

    let page: NoticePage = test.client.get("/v1/notices").await.unwrap();
    let shown: Vec<_> = page.notices.iter().map(|notice| (notice.id.as_str(), notice.state.as_str())).collect();
    assert_eq!(shown, [(sent.to_string().as_str(), "accepted"), (failed.to_string().as_str(), "failed")]);
    let only: NoticePage = test.client.get("/v1/notices?state=failed&limit=1").await.unwrap();
    assert_eq!((only.notices.len(), only.notices[0].id.clone()), (1, failed.to_string()));
    let notice: NoticeView = test.client.get(format!("/v1/notices/{failed}").as_str()).await.unwrap();
    assert_eq!((notice.stage.as_str(), notice.code, notice.to.as_str()), ("RCPT", Some(550), "k***@reader.example"));
    assert_eq!(notice.reply, "5.1.1 <k***@reader.example>: nobody here");
    let whole: NoticeView = test.client.get(format!("/v1/notices/{failed}?addresses=true").as_str()).await.unwrap();
    assert!(whole.reply.contains("karin@reader.example") && whole.to == "karin@reader.example");
    let status: Status = test.client.get("/v1/status").await.unwrap();
    assert_eq!((status.notices.waiting, status.notices.accepted, status.notices.failed), (0, 1, 1));

    let again: NoticeView = test.client.post(format!("/v1/notices/{failed}/retry").as_str(), &()).await.unwrap();
    assert_eq!(again.state, "deferred");
    world.until(|| async { world.notice(failed).await.state.word() == "accepted" }).await;
    for wrong in [format!("/v1/notices/{failed}/retry"), "/v1/notices/n999/retry".to_owned()] {
        let refused: Result<NoticeView, _> = test.client.post(wrong.as_str(), &()).await;
        assert!(matches!(&refused, Err(ClientError::Refused(r)) if [404, 409].contains(&r.status)), "{refused:?}");
    }
    notice_worker.drain().await;
}

#[tokio::test]
async fn pages_contain_each_notice_once() {
    let world = World::new();
    let (test, notice_worker) = control(&world).await;
    notice_worker.drain().await;
    let mut expected = Vec::new();
    for number in 0..7 {
        expected.push(world.greet(&format!("p{number}")).await.to_string());
    }
    expected.reverse();
    let (mut found, mut before) = (Vec::new(), String::new());
    loop {
        let page: NoticePage = test.client.get(format!("/v1/notices?limit=3{before}").as_str()).await.unwrap();
        found.extend(page.notices.into_iter().map(|notice| notice.id));
        match page.next {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(found, expected);
    let status: Status = test.client.get("/v1/status").await.unwrap();
    assert_eq!(status.notices.waiting, 7);
}
