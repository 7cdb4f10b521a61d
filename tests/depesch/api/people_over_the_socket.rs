//! Lists, subscribers and suppressions through the control API, as used by the command line.

use depesch::api::client::ClientError;
use depesch::api::import::{ImportLine, ImportResult};
use depesch::api::list::{ListFields, ListSet, ListView};
use depesch::api::path::ApiPath;
use depesch::api::person_view::{RecordView, SubscriberView};
use depesch::api::subscriber::{Change, ChangeSubscription, ErasedView, SubscriberFields};
use depesch::api::suppression::{NewSuppression, Reason, Suppressed, SuppressionPage, SuppressionView};
use hyper::Method;
use serde::Deserialize;

use crate::support::api::{TestApi, start};

fn refusal(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Refused(refusal) => (refusal.status, refusal.code),
        other => panic!("{other}"),
    }
}

async fn put_list(daemon: &TestApi, fields: &ListFields, new: bool) -> Result<ListSet, ClientError> {
    let path = ApiPath::new("/v1/lists").segment(fields.name.as_ref().unwrap()).query("new", new);
    daemon.client.send(Method::PUT, path, fields).await
}

fn media() -> ListFields {
    ListFields {
        name: Some("media".parse().unwrap()),
        address: Some("media@lists.example.org".to_owned()),
        owner: Some("press@example.org".to_owned()),
        ..Default::default()
    }
}

async fn import(daemon: &TestApi, query: &[(&str, &str)], file: Vec<u8>) -> Result<ImportResult, ClientError> {
    let path = query.iter().fold(ApiPath::new("/v1/subscribers/import"), |path, (name, value)| path.query(name, value));
    let answer = daemon.client.upload(Method::POST, path, "text/csv", std::io::Cursor::new(file)).await?;
    answer.follow(|_: ImportLine| {}).await
}

const ONTO_MEDIA: [(&str, &str); 3] =
    [("file", "/home/anna/people.csv"), ("lists", "media"), ("consent", "asked for it")];

#[tokio::test]
async fn lists_are_created_changed_and_never_duplicated() {
    let daemon = start().await;
    assert_eq!(put_list(&daemon, &media(), true).await.unwrap().outcome, "created");
    assert_eq!(refusal(put_list(&daemon, &media(), true).await.unwrap_err()).0, 409);
    assert_eq!(put_list(&daemon, &media(), false).await.unwrap().outcome, "unchanged");
    let other_title = ListFields { title: Some("Newsrooms".to_owned()), ..media() };
    assert_eq!(put_list(&daemon, &other_title, false).await.unwrap().outcome, "changed");
    let other_address = ListFields { address: Some("press@lists.example.org".to_owned()), ..media() };
    assert_eq!(refusal(put_list(&daemon, &other_address, false).await.unwrap_err()).0, 400);
    let lists: Vec<ListView> = daemon.client.get("/v1/lists").await.unwrap();
    assert_eq!((lists.len(), lists[0].title.as_str()), (1, "Newsrooms"));
}

#[tokio::test]
async fn a_file_is_uploaded_and_downloaded() {
    let daemon = start().await;
    put_list(&daemon, &media(), true).await.unwrap();
    let row = |n| format!("reader{n}@example.org,Reader {n}\r\n");
    let file = "email,name\r\n".to_owned() + &(0..3000).map(row).collect::<String>();
    let done = import(&daemon, &ONTO_MEDIA, file.clone().into_bytes()).await.unwrap();
    assert_eq!((done.rows, done.created, done.clean), (3000, 3000, true));
    let list: ListView = daemon.client.get("/v1/lists/media").await.unwrap();
    assert_eq!(list.subscriptions.unwrap()["active"], 3000);
    let answer = daemon.client.download("/v1/subscribers/export?list=media").await.unwrap();
    let export = answer.bytes().await.unwrap();
    assert_eq!(export.iter().filter(|byte| **byte == b'\n').count(), 3001);
    let again = import(&daemon, &ONTO_MEDIA, export).await.unwrap();
    assert_eq!(again.unchanged, 3000);
    // The consent ledger names the file, not the folder of the user who imported it.
    let reader: SubscriberView = daemon.client.get("/v1/subscribers/reader7@example.org").await.unwrap();
    assert_eq!(reader.subscriptions.values().next().unwrap().events[0].from, "people.csv, line 9");
}

#[tokio::test]
async fn an_import_that_is_refused_early_says_why_however_large_the_file() {
    let daemon = start().await;
    let large = vec![b'x'; 8 << 20];
    let no_consent = import(&daemon, &[("lists", "media")], large.clone()).await.unwrap_err();
    assert_eq!(refusal(no_consent).1, "no-consent");
    let no_list = import(&daemon, &ONTO_MEDIA, large).await.unwrap_err();
    assert_eq!(refusal(no_list).0, 422); // a line of the answer, whose status was sent before
}

#[tokio::test]
async fn one_person_from_first_to_last() {
    let daemon = start().await;
    put_list(&daemon, &media(), true).await.unwrap();
    let fields = |address: &str| SubscriberFields {
        address: Some(address.to_owned()),
        name: Some("Karin Ek".to_owned()),
        ..Default::default()
    };
    let karin: SubscriberView = daemon.client.post("/v1/subscribers", &fields("karin+ö@example.org")).await.unwrap();
    let path = || ApiPath::new("/v1/subscribers").segment("karin+ö@example.org");
    let taken = daemon.client.post::<_, SubscriberView>("/v1/subscribers", &fields("KARIN+ö@example.org")).await;
    assert_eq!(refusal(taken.unwrap_err()).0, 409);

    let subscription = || path().segment("subscriptions").segment("media");
    let change = |change, words: &str| ChangeSubscription { change, words: words.to_owned() };
    let no_words = daemon.client.post::<_, SubscriberView>(subscription(), &change(Change::Subscribe, " ")).await;
    assert_eq!(refusal(no_words.unwrap_err()).0, 400);
    for (step, state) in [(Change::Subscribe, "active"), (Change::Pause, "paused"), (Change::Unsubscribe, "ended")] {
        let now: SubscriberView = daemon.client.post(subscription(), &change(step, "as asked")).await.unwrap();
        assert_eq!(now.subscriptions.values().next().unwrap().state, state);
    }
    let revived = daemon.client.post::<_, SubscriberView>(subscription(), &change(Change::Subscribe, "please")).await;
    assert_eq!(refusal(revived.unwrap_err()).0, 409);

    let edit = SubscriberFields { name: Some(String::new()), beats: Some("Culture".to_owned()), ..Default::default() };
    let edited: SubscriberView = daemon.client.send(Method::PATCH, path(), &edit).await.unwrap();
    assert_eq!((edited.name, edited.beats.first().map(String::as_str)), (None, Some("culture")));

    let record: RecordView = daemon.client.get(path().segment("record")).await.unwrap();
    assert_eq!((record.subscriber.unwrap().id, record.deliveries.len()), (karin.id, 0));
    let erased: ErasedView = daemon.client.send(Method::DELETE, path(), &()).await.unwrap();
    assert_eq!(erased, ErasedView::default());
    assert_eq!(refusal(daemon.client.get::<SubscriberView>(path()).await.unwrap_err()).0, 404);
    let suppression: SuppressionView =
        daemon.client.get(ApiPath::new("/v1/suppressions").segment("karin+ö@example.org")).await.unwrap();
    assert_eq!((suppression.address, suppression.reason.as_str()), (None, "erased"));
}

#[tokio::test]
async fn suppressions_are_listed_in_pages_and_lifted() {
    let daemon = start().await;
    for n in 0..7 {
        let new = NewSuppression { address: format!("r{n}@example.org"), reason: Reason::Request, note: String::new() };
        assert!(daemon.client.post::<_, Suppressed>("/v1/suppressions", &new).await.unwrap().added);
        assert!(!daemon.client.post::<_, Suppressed>("/v1/suppressions", &new).await.unwrap().added);
    }
    let (mut seen, mut after) = (std::collections::BTreeSet::new(), None::<String>);
    loop {
        let path = ApiPath::new("/v1/suppressions").query("limit", 3).query_some("after", after.as_ref());
        let page: SuppressionPage = daemon.client.get(path).await.unwrap();
        seen.extend(page.suppressions.into_iter().filter_map(|suppression| suppression.address));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
    let path = || ApiPath::new("/v1/suppressions").segment("r3@example.org");
    let lifted: SuppressionView = daemon.client.send(Method::DELETE, path(), &()).await.unwrap();
    assert_eq!(lifted.reason, "request");
    assert_eq!(refusal(daemon.client.get::<SuppressionView>(path()).await.unwrap_err()).0, 404);
}

#[derive(Deserialize)]
struct ListFile {
    list: Vec<ListFields>,
}

#[tokio::test]
async fn the_sample_lists_import_without_a_reject() {
    let daemon = start().await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("subscribers");
    let lists: ListFile = toml::from_str(&std::fs::read_to_string(root.join("lists.toml")).unwrap()).unwrap();
    for list in &lists.list {
        put_list(&daemon, list, true).await.unwrap();
    }
    for list in ["media", "members"] {
        let file = std::fs::read(root.join(format!("{list}.csv"))).unwrap();
        let done = import(&daemon, &[("lists", list), ("consent", "asked")], file).await.unwrap();
        assert!(done.clean && done.created >= 40, "{done:?}");
    }
}
