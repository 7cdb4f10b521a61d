//! Every request that changes something records what it was about to do and its outcome, without identifying people.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use depesch::api::audit::{AuditPage, AuditVerified};
use depesch::api::audit_trail::{Noted, RULES};
use depesch::api::client::ClientError;
use depesch::api::extract::user_name;
use depesch::api::import::{ImportLine, ImportResult};
use depesch::api::subscriber::SubscriberFields;
use depesch::api::suppression::NewSuppression;
use depesch::model::audit::{AuditEntry, AuditOutcome};
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::api::{self, TestApi};
use crate::support::failing::{Count, FailingEngine, Failure};

/// Each route of the API with its method, read from the source.
fn routes() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for route in text.split(".route(\"").skip(1) {
                let (path, rest) = route.split_once('"').unwrap();
                let mut depth = 1;
                let end = rest.find(|c| {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    depth == 0
                });
                let handlers = &rest[..end.unwrap()];
                for method in ["get", "post", "put", "patch", "delete", "any", "on"] {
                    let is_there =
                        [format!(" {method}("), format!(".{method}(")].iter().any(|call| handlers.contains(call));
                    if is_there {
                        routes.insert((method.to_uppercase(), path.to_owned()));
                    }
                }
            }
        }
    }
    routes
}

#[test]
fn each_route_that_changes_something_has_a_rule() {
    let routes = routes();
    assert!(routes.len() > 50, "{routes:?}");
    let rule = |method: &str, path: &str| RULES.iter().find(|rule| rule.route == (method, path));
    for (method, path) in &routes {
        assert!(method == "GET" || rule(method, path).is_some(), "{method} {path} leaves nothing in the audit log");
    }
    for known in RULES {
        let (method, path) = known.route;
        assert!(routes.contains(&(method.to_owned(), path.to_owned())), "there is no {method} {path} any more");
        assert!(method != "GET" || known.noted != Noted::Change, "{path}: GET changes nothing");
    }
}

async fn entries(daemon: &TestApi) -> Vec<AuditEntry> {
    let kept = daemon.control.store.audit_entries(0, 10_000).await.unwrap();
    kept.into_iter().map(|kept| kept.entry).collect()
}

/// What stands in the log, in short.
async fn trail(daemon: &TestApi) -> Vec<String> {
    let line = |entry: &AuditEntry| {
        let AuditEntry { what, about, outcome, detail, .. } = entry;
        format!("{what} [{about}] {} {detail}", outcome.word()).trim_end().to_owned()
    };
    entries(daemon).await.iter().map(line).collect()
}

fn karin() -> SubscriberFields {
    SubscriberFields {
        address: Some("karin.ek@press.example".into()),
        name: Some("Karin Ek".into()),
        ..Default::default()
    }
}

#[tokio::test]
async fn every_change_is_attempted_and_leaves_begin_and_end() {
    let daemon = api::start().await;
    let changes = RULES.iter().filter(|rule| rule.noted == Noted::Change);
    for rule in changes {
        let (method, path) = rule.route;
        let path = path
            .replace("{who}", "s99")
            .replace("{name}", "media")
            .replace("{address}", "nobody@press.example")
            .replace("{sha256}", &"0".repeat(64))
            .replace("{event}", "r9")
            .replace("{list}", "media")
            .replace("{id}", "9");
        let before = entries(&daemon).await.len();
        // Most requests are refused: the object does not exist or the body is wrong.
        let _ = daemon.client.send::<_, Value>(method.parse::<Method>().unwrap(), path.as_str(), &json!({})).await;
        let left = entries(&daemon).await.split_off(before);
        let said: Vec<_> = left.iter().map(|entry| (entry.what.as_str(), entry.request)).collect();
        let request = before as u64 + 1;
        assert_eq!(said, [(rule.what, request), (rule.what, request)], "{method} {path}");
        assert_eq!(left[0].outcome, AuditOutcome::Begun, "{method} {path}");
        assert_ne!(left[1].outcome, AuditOutcome::Begun, "{method} {path}");
        assert_eq!(left[0].uid, Some(own_uid()));
        assert_eq!(left[0].who, user_name(own_uid()));
    }
}

/// The user of this test.
fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid()
}

#[tokio::test]
async fn it_says_what_was_made_and_of_whom_only_the_number() {
    let daemon = api::start().await;
    let client = &daemon.client;
    let list =
        json!({"address": "strejkfonden@lists.example.org", "owner": "kansli@example.org", "privacy": "sensitive"});
    client.send::<_, Value>(Method::PUT, "/v1/lists/strejkfonden", &list).await.unwrap();
    client.post::<_, Value>("/v1/subscribers", &karin()).await.unwrap();
    let again = client.post::<_, Value>("/v1/subscribers", &karin()).await;
    assert!(matches!(again, Err(ClientError::Refused(_))));
    let subscribe = json!({"change": "subscribe", "words": "Karin asked on the telephone"});
    let path = "/v1/subscribers/karin.ek@press.example/subscriptions/strejkfonden";
    client.post::<_, Value>(path, &subscribe).await.unwrap();
    client.get::<Value>("/v1/subscribers/karin.ek@press.example/record").await.unwrap();
    client.send::<_, Value>(Method::DELETE, "/v1/subscribers/karin.ek@press.example", &()).await.unwrap();
    let new = NewSuppression { address: "sam@press.example".into(), reason: Default::default(), note: "Sam".into() };
    client.post::<_, Value>("/v1/suppressions", &new).await.unwrap();
    let log = daemon.control.audit();
    let (list, sam) = (log.list_id("strejkfonden"), log.address_id(&"sam@press.example".parse().unwrap()));
    let expected = [
        format!("list set [{list}] begun"),
        format!("list set [{list}] done"),
        "subscriber add [] begun".to_owned(),
        "subscriber add [] done made s1".to_owned(),
        "subscriber add [] begun".to_owned(),
        "subscriber add [] refused 409 conflict".to_owned(),
        format!("subscriber subscription [s1 {list}] begun"),
        format!("subscriber subscription [s1 {list}] done subscribe"),
        "subscriber record [s1] noted".to_owned(),
        "subscriber erase [s1] begun".to_owned(),
        "subscriber erase [s1] done".to_owned(),
        "suppression add [] begun".to_owned(),
        format!("suppression add [] done {sam}"),
    ];
    assert_eq!(trail(&daemon).await, expected);
    let all = format!("{:?}", entries(&daemon).await).to_lowercase();
    for secret in ["karin", "ek@", "press.example", "strejk", "sam@", "telephone"] {
        assert!(!all.contains(secret), "{secret} stands in the log");
    }
    // It is found by number, address and list.
    let found = async |about: &str| {
        let page: AuditPage = client.get(format!("/v1/audit?about={about}").as_str()).await.unwrap();
        page.entries.iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(found("strejkfonden").await, [1, 2, 7, 8]);
    assert_eq!(found("s1").await, [4, 7, 8, 9, 10, 11]);
    assert_eq!(found("sam@press.example").await, [13]);
}

#[tokio::test]
async fn addresses_that_are_asked_for_leave_an_entry_and_others_none() {
    let daemon = api::start().await;
    daemon.client.get::<Value>("/v1/notices").await.unwrap();
    daemon.client.get::<Value>("/v1/lists").await.unwrap();
    daemon.client.get::<Value>("/v1/notices?addresses=true").await.unwrap();
    daemon.client.download("/v1/subscribers/export").await.unwrap().bytes().await.unwrap();
    assert_eq!(trail(&daemon).await, ["notice list [] noted", "subscriber export [] noted"]);
}

#[tokio::test]
async fn an_import_of_many_batches_leaves_one_pair() {
    let daemon = api::start().await;
    let rows: String = (0..2000).map(|n| format!("p{n}@press.example\n")).collect();
    let body = std::io::Cursor::new(format!("address\n{rows}").into_bytes());
    let answer = daemon.client.upload(Method::POST, "/v1/subscribers/import?file=a.csv", "text/csv", body).await;
    let result: ImportResult = answer.unwrap().follow(|_: ImportLine| ()).await.unwrap();
    assert_eq!(result.created, 2000);
    let expected = ["subscriber import [] begun", "subscriber import [] done 2000 rows, 2000 created, 0 updated"];
    assert_eq!(trail(&daemon).await, expected);
}

#[tokio::test]
async fn a_request_that_cannot_be_recorded_is_not_done() {
    let engine = Arc::new(FailingEngine::over(Arc::new(MemoryEngine::new())));
    let daemon = api::start_on(Store::new(engine.clone())).await;
    engine.fail_at(Count::Commits, 1, Failure::Before);
    let refused = daemon.client.post::<_, Value>("/v1/subscribers", &karin()).await;
    let Err(ClientError::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.status, refusal.code.as_str()), (503, "audit"));
    assert_eq!(engine.commits(), 1, "something was done that is not in the log");
    engine.fail_at(Count::Commits, 1, Failure::Before);
    let refused = daemon.client.download("/v1/subscribers/export").await;
    assert!(refused.is_err(), "addresses were shown without an entry");
}

#[tokio::test]
async fn a_crash_between_begin_and_end_shows() {
    let inner = Arc::new(MemoryEngine::new());
    let engine = Arc::new(FailingEngine::over(inner.clone()));
    let daemon = api::start_on(Store::new(engine.clone())).await;
    // The store fails after the entry, the number allocation and the subscriber's commit.
    engine.fail_at(Count::Commits, 4, Failure::Before);
    daemon.client.post::<_, Value>("/v1/subscribers", &karin()).await.unwrap();
    assert_eq!(trail(&daemon).await, ["subscriber add [] begun"]);
    let verified: AuditVerified = daemon.client.get("/v1/audit/verify").await.unwrap();
    assert_eq!((verified.broken, verified.open), (None, vec![1]));
}
