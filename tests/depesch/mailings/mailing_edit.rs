//! An edited mailing is the same mailing with another release; its approval is void, and an editor cannot approve it.

use depesch::base::id::{MailingId, ReleaseId};
use depesch::composition::release::record_of;
use depesch::mailings::edit::{EditError, EditOrder, difference, edit};
use depesch::model::mailing::{Mailing, MailingContent, MissedPolicy, Stage};
use depesch::model::mailing_transitions::TransitionError;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::{Store, StoreError, mailings};

use crate::support::mailings::{list, mailing, minute, operator, put, put_subscriber, store};
use crate::support::wanting::Wanting;

const ID: MailingId = MailingId(5);

async fn add(store: &Store, change: impl Fn(&str) -> String) -> ReleaseId {
    let source = change(include_str!("../../../docs/samples/inbjudan-riksmote.md"));
    let settings = SourceSettings::default();
    let draft = parse(&source, &settings).draft.unwrap();
    let record = record_of(&source, &draft, &Default::default(), Default::default(), &settings, (minute(0), "anna"));
    store.add_release(record).await.unwrap().id
}

/// Two versions of a release, and mailing 5 of the first to a list that requires approval, queued by anna.
async fn house() -> Store {
    let store = store();
    add(&store, str::to_owned).await;
    add(&store, |source| source.replace("Örebro", "Västerås")).await;
    store.create_list(&depesch::model::list::List { approval: true, ..list("media") }).await.unwrap();
    put_subscriber(&store, 1, &["media"], |_| {}).await;
    put(&store, &Mailing { approval_required: true, ..mailing(ID.0, MissedPolicy::Ask) }).await;
    store
}

async fn edited(store: &Store, release: ReleaseId, by: &str) -> Result<Mailing, EditError> {
    let order = EditOrder { release, by: operator(by), again: false };
    edit(store, &Wanting::default(), minute(5), ID, &order).await.map(|edited| edited.mailing)
}

async fn approve(store: &Store, by: &str) -> Result<(), TransitionError> {
    let mut outcome = Ok(());
    let approve = |mailing: &mut Mailing, _: &mut _| {
        outcome = mailing.approve(&operator(by), minute(6), None);
        Ok::<_, StoreError>(())
    };
    store.update_mailing(ID, approve).await.unwrap();
    outcome
}

async fn mailings_of(store: &Store, release: ReleaseId) -> Vec<MailingId> {
    let (mut pages, mut found) = (store.pages(mailings::of_release(release)), Vec::new());
    while let Some(read) = pages.next().await.unwrap() {
        found.push(read.value.id);
    }
    found
}

#[tokio::test]
async fn it_keeps_its_number_and_time_and_loses_its_approval() {
    let store = house().await;
    approve(&store, "bo").await.unwrap();
    let before = store.mailing(ID).await.unwrap().unwrap().value;
    let after = edited(&store, ReleaseId(2), "anna").await.unwrap();
    assert_eq!(after, store.mailing(ID).await.unwrap().unwrap().value, "it is stored as returned");
    assert_eq!((after.id, after.content), (ID, MailingContent::Release(ReleaseId(2))));
    assert_eq!((&after.schedule, &after.audience), (&before.schedule, &before.audience));
    assert_ne!(after.content_hash, before.content_hash);
    assert!(before.is_approved() && !after.is_approved());
    assert_eq!(mailings_of(&store, ReleaseId(1)).await, []);
    assert_eq!(mailings_of(&store, ReleaseId(2)).await, [ID]);
}

#[tokio::test]
async fn who_edited_it_cannot_approve_it() {
    let store = house().await;
    edited(&store, ReleaseId(2), "bo").await.unwrap();
    for author in ["anna", "bo"] {
        let own = approve(&store, author).await;
        assert!(matches!(own, Err(TransitionError::OwnApproval { ref by, .. }) if by == author), "{own:?}");
    }
    approve(&store, "cecilia").await.unwrap();
}

#[tokio::test]
async fn the_difference_is_shown_line_by_line() {
    let store = house().await;
    let now = async || difference(&store, &store.mailing(ID).await.unwrap().unwrap().value).await.unwrap();
    assert_eq!(now().await, None);
    edited(&store, ReleaseId(2), "bo").await.unwrap();
    let text = now().await.unwrap().text;
    assert!(text.starts_with("--- r1\n+++ r2\n@@"), "{text}");
    let (removed, added): (Vec<&str>, Vec<&str>) =
        text.lines().skip(2).filter(|l| l.starts_with(['-', '+'])).partition(|line| line.starts_with('-'));
    assert!(!removed.is_empty() && removed.len() == added.len(), "{text}");
    assert!(removed.iter().all(|line| line.contains("Örebro")), "{text}");
    assert!(added.iter().all(|line| line.contains("Västerås")), "{text}");
}

#[tokio::test]
async fn what_cannot_be_edited_stays_as_it_is() {
    let store = house().await;
    let as_it_was = store.mailing(ID).await.unwrap().unwrap().value;
    assert!(matches!(edited(&store, ReleaseId(1), "bo").await, Err(EditError::Unchanged { .. })));
    assert!(matches!(edited(&store, ReleaseId(9), "bo").await, Err(EditError::Queue(_))));
    let order = EditOrder { release: ReleaseId(2), by: operator("bo"), again: false };
    let wanting = Wanting { wants: vec!["title"], ..Wanting::default() };
    assert!(matches!(edit(&store, &wanting, minute(5), ID, &order).await, Err(EditError::Queue(_))), "tried again");
    assert_eq!(store.mailing(ID).await.unwrap().unwrap().value, as_it_was);
    let begins = |mailing: &mut Mailing, _: &mut _| {
        mailing.stage =
            Stage::Freezing { cursor: depesch::base::id::SubscriberId(0), chunks: 0, audience: 0, since: minute(60) };
        Ok::<_, StoreError>(())
    };
    store.update_mailing(ID, begins).await.unwrap();
    let late = edited(&store, ReleaseId(2), "bo").await.unwrap_err();
    assert!(late.to_string().contains("send a correction instead"), "{late}");
}
