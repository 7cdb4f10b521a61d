//! The same is not sent twice by mistake: neither the same release, nor two versions of one.

use depesch::base::id::{MailingId, ReleaseId};
use depesch::composition::release::record_of;
use depesch::mailings::queue::{Order, QueueError, queue};
use depesch::model::mailing::{AudienceQuery, MailingContent, MissedPolicy, Schedule, UncertainPolicy};
use depesch::render::source::{SourceSettings, parse};
use depesch::store::{Store, StoreError};

use crate::support::mailings::{list, minute, operator, put_subscriber, store};
use crate::support::wanting::Wanting;

const SAMPLE: &str = include_str!("../../../docs/samples/inbjudan-riksmote.md");

async fn add(store: &Store, source: &str) -> ReleaseId {
    let settings = SourceSettings::default();
    let draft = parse(source, &settings).draft.unwrap();
    let record = record_of(source, &draft, &Default::default(), Default::default(), &settings, (minute(0), "anna"));
    store.add_release(record).await.unwrap().id
}

async fn house() -> (Store, ReleaseId) {
    let store = store();
    let first = add(&store, SAMPLE).await;
    for name in ["media", "members"] {
        store.create_list(&list(name)).await.unwrap();
    }
    put_subscriber(&store, 1, &["media", "members"], |_| {}).await;
    (store, first)
}

async fn queued(store: &Store, release: ReleaseId, lists: &[&str], again: bool) -> Result<MailingId, QueueError> {
    let order = Order {
        content: MailingContent::Release(release),
        audience: AudienceQuery { lists: lists.iter().map(|l| l.parse().unwrap()).collect(), ..Default::default() },
        schedule: Schedule { at: minute(60), zone: "UTC".into(), missed: MissedPolicy::Ask, grace_seconds: 600 },
        uncertain: UncertainPolicy::Resend,
        by: operator("anna"),
        undo_seconds: 0,
        again,
    };
    queue(store, &Wanting::default(), minute(0), &order, None).await.map(|queued| queued.mailing.id)
}

#[tokio::test]
async fn the_same_release_for_the_same_list_must_be_asked_for() {
    let (store, release) = house().await;
    let first = queued(&store, release, &["media"], false).await.unwrap();
    let again = queued(&store, release, &["members", "media"], false).await.unwrap_err();
    assert!(
        matches!(again, QueueError::Again { mailing, ref list, .. } if mailing == first && list.as_str() == "media")
    );
    queued(&store, release, &["members"], false).await.expect("another list");
    queued(&store, release, &["media"], true).await.expect("asked for");
}

#[tokio::test]
async fn what_was_cancelled_before_it_was_sent_does_not_count() {
    let (store, release) = house().await;
    let first = queued(&store, release, &["media"], false).await.unwrap();
    let cancel = |m: &mut depesch::model::mailing::Mailing, _: &mut _| {
        m.cancel("anna", minute(1)).unwrap();
        Ok::<_, StoreError>(())
    };
    store.update_mailing(first, cancel).await.unwrap();
    queued(&store, release, &["media"], false).await.unwrap();
}

#[tokio::test]
async fn an_edited_release_does_not_go_beside_the_version_that_waits() {
    let (store, release) = house().await;
    let first = queued(&store, release, &["media"], false).await.unwrap();
    let edited = add(&store, &SAMPLE.replace("Örebro", "Västerås")).await;
    let beside = queued(&store, edited, &["media"], false).await.unwrap_err();
    let names_it = |error: &QueueError| matches!(error, QueueError::OtherVersion { mailing, waits, .. } if *mailing == first && *waits == release);
    assert!(names_it(&beside), "{beside}");
    queued(&store, edited, &["members"], false).await.expect("another list");
    queued(&store, edited, &["media"], true).await.expect("asked for");
}

#[tokio::test]
async fn another_release_and_a_translation_are_no_versions() {
    let (store, release) = house().await;
    queued(&store, release, &["media"], false).await.unwrap();
    let other = add(&store, include_str!("../../../docs/samples/press-release-small-towns.md")).await;
    queued(&store, other, &["media"], false).await.unwrap();
    let english = add(&store, &SAMPLE.replace("language = \"sv\"", "language = \"en\"")).await;
    queued(&store, english, &["media"], false).await.unwrap();
}

#[tokio::test]
async fn another_text_with_the_same_contacts_and_boilerplate_is_no_version() {
    let (store, release) = house().await;
    queued(&store, release, &["media"], false).await.unwrap();
    let (front, _) = SAMPLE.rsplit_once("\n+++\n").unwrap();
    let front = front.replace("Vem vårdar vårdarna? Riksmöte i Örebro 11 mars", "Höstens rapport är klar");
    let other = add(&store, &format!("{front}\n+++\nI dag släpper vi rapporten.\n\nDen har fyrtio sidor.\n")).await;
    queued(&store, other, &["media"], false).await.unwrap();
}
