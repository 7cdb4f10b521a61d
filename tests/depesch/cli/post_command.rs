//! Posts over the control socket: listed, shown, decided, and returned in their original bytes.

use depesch::api::client::ClientError;
use depesch::api::post::{PostView, RefuseRequest};
use depesch::api::{ApiState, Services};
use depesch::model::list::ListKind;

use crate::support::api::start_changed;
use crate::support::posts::PostOffice;

#[tokio::test]
async fn held_posts_are_approved_or_refused_once() {
    let office = PostOffice::new().await;
    office.list("samtal", ListKind::Discussion, |_| {}).await;
    office.reader(1, &["samtal"]).await;
    for id in 1..=2 {
        let post =
            format!("From: Kim <kim@example.net>\r\nSubject: N {id}\r\nMessage-ID: <{id}@example.net>\r\n\r\nText\r\n");
        office.comes("kim@example.net", "samtal@lists.example.org", post.as_bytes()).await;
    }
    let (service, directory) = (office.service.clone(), office.state_directory());
    let changed = |control: ApiState| ApiState {
        services: Services { posts: service, ..control.services },
        state_directory: directory,
        ..control
    };
    let test = start_changed(office.store.clone(), changed).await;

    let held: Vec<PostView> = test.client.get("/v1/posts?state=held").await.unwrap();
    assert_eq!(held.iter().map(|post| post.id.as_str()).collect::<Vec<_>>(), ["p1", "p2"]);
    assert_eq!((held[0].author.as_str(), held[0].held_for.as_deref()), ("kim@example.net", Some("moderation")));
    let raw = test.client.download("/v1/posts/p1/raw").await.unwrap().bytes().await.unwrap();
    assert!(raw.starts_with(b"From: Kim <kim@example.net>\r\nSubject: N 1\r\n"));

    let approved: PostView = test.client.post("/v1/posts/p1/approve", &()).await.unwrap();
    assert_eq!((approved.state.as_str(), approved.mailing.as_deref()), ("approved", Some("m1")));
    let refused: PostView =
        test.client.post("/v1/posts/p2/refuse", &RefuseRequest { reason: "Fel lista".into() }).await.unwrap();
    assert_eq!((refused.state.as_str(), refused.why.as_deref()), ("refused", Some("Fel lista")));
    match test.client.post::<_, PostView>("/v1/posts/p2/approve", &()).await {
        Err(ClientError::Refused(refusal)) => assert_eq!(refusal.status, 409),
        other => panic!("{other:?}"),
    }
    let all: Vec<PostView> = test.client.get("/v1/posts").await.unwrap();
    assert_eq!(all.iter().map(|post| post.id.as_str()).collect::<Vec<_>>(), ["p2", "p1"]);
    let mailing: depesch::api::mailing::view::MailingView = test.client.get("/v1/mailings/m1").await.unwrap();
    assert_eq!(
        (mailing.post.as_deref(), mailing.release, mailing.headline.as_deref()),
        (Some("p1"), None, Some("N 1"))
    );
}
