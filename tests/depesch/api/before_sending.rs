//! Previews, test mails and audiences over the API: masked unless asked, and in the audit log when people are shown.

use std::sync::Arc;

use depesch::api::ApiState;
use depesch::api::mailing::audience::AudiencePage;
use depesch::api::release::sample::{PreviewView, TestAnswer};
use depesch::model::audit::AuditEntry;
use depesch::model::mailing::MissedPolicy;
use serde_json::json;

use crate::support::api::{TestApi, start_changed};
use crate::support::mailings::{mailing, put};
use crate::support::notices::World;
use crate::support::press::{Press, TESTER};

/// The daemon of the press office, with mailing 4 waiting for its list.
async fn daemon() -> (TestApi, World) {
    let Press { world, messages, .. } = Press::new().await;
    put(&world.store, &mailing(4, MissedPolicy::Ask)).await;
    let change = |control| ApiState { messages: Arc::new(messages), ..control };
    (start_changed(world.store.clone(), change).await, world)
}

async fn trail(daemon: &TestApi) -> Vec<String> {
    let line = |entry: &AuditEntry| {
        let AuditEntry { what, about, outcome, detail, .. } = entry;
        format!("{what} [{about}] {} {detail}", outcome.word()).trim_end().to_owned()
    };
    daemon.control.store.audit_entries(0, 100).await.unwrap().iter().map(|kept| line(&kept.entry)).collect()
}

#[tokio::test]
async fn a_preview_for_an_invented_reader_shows_no_one_and_that_of_a_person_is_recorded() {
    // Its directory has the attachments.
    let (daemon, _world) = daemon().await;
    let get = async |path: &str| daemon.client.get::<PreviewView>(path).await.unwrap();
    for of in ["releases/r1", "mailings/m4"] {
        let shown = get(&format!("/v1/{of}/preview")).await;
        assert!(shown.subject.starts_with("Pressinbjudan") && shown.message.is_none(), "{of}");
        assert!(shown.text.contains("Kim Exempel") && !shown.text.contains("reader1@example.com"), "{}", shown.text);
        let shown = get(&format!("/v1/{of}/preview?as=reader1@example.com&message=true")).await;
        assert!(shown.text.contains("Åsa Öberg"), "{}", shown.text);
        assert!(shown.message.unwrap().contains("\r\nTo: =?utf-8?"), "{of}");
    }
    assert_eq!(trail(&daemon).await, ["release preview [r1 s1] noted", "mailing preview [m4 s1] noted"]);
}

#[tokio::test]
async fn a_test_mail_is_recorded_without_its_address() {
    // Its directory has the attachments.
    let (daemon, _world) = daemon().await;
    let request = json!({"to": [TESTER], "as": "s1"});
    let answer: TestAnswer = daemon.client.post("/v1/releases/r1/test", &request).await.unwrap();
    assert_eq!((answer.reader.as_deref(), answer.mails[0].address.as_str()), (Some("s1"), TESTER));
    let to = daemon.control.audit().address_id(&TESTER.parse().unwrap());
    let done = format!("release test [r1] done {} to {to} as s1", answer.mails[0].notice);
    assert_eq!(trail(&daemon).await, ["release test [r1] begun".to_owned(), done]);
}

#[tokio::test]
async fn an_audience_is_masked_unless_asked() {
    // Its directory has the attachments.
    let (daemon, _world) = daemon().await;
    let masked: AudiencePage = daemon.client.get("/v1/mailings/m4/audience").await.unwrap();
    let one = &masked.people[0];
    assert_eq!((one.address.as_str(), &one.name, one.is_in), ("r***@example.com", &None, true));
    assert!(trail(&daemon).await.is_empty());
    let query = json!({"lists": ["media"]});
    let whole: AudiencePage = daemon.client.post("/v1/mailings/audience?addresses=true", &query).await.unwrap();
    let one = &whole.people[0];
    assert_eq!((one.address.as_str(), one.name.as_deref()), ("reader1@example.com", Some("Åsa Öberg")));
    assert_eq!(trail(&daemon).await, ["mailing audience [] noted"]);
}
