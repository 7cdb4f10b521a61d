//! Deciding about a held post or a mailing: the first decision stands, and people cannot approve their own.

use depesch::base::clock::Clock;
use depesch::base::id::{MailingId, PostId};
use depesch::mailings::decide::{
    MailingDecided, PostDecided, PostVote, Vote, approve_mailing, decide_post, refuse_mailing,
};
use depesch::model::list::{List, ListKind, Moderation};
use depesch::model::mailing::{MissedPolicy, Stage};
use depesch::model::mailing_transitions::TransitionError;
use depesch::model::post::{DecisionError, HoldReason, PostState};
use depesch::store::engine::Commit;
use depesch::store::{Store, StoreError};

use crate::support::mailings::{mailing, minute, operator, put, store};
use crate::support::posts::PostOffice;

const ANNA: &str = "anna@example.org";
const EVA: &str = "eva@example.org";

/// A discussion list whose moderator holds a post by Anna, who is a member.
async fn held(rules: impl FnOnce(&mut List)) -> PostOffice {
    let office = PostOffice::new().await;
    let all = |list: &mut List| {
        list.posting.moderation = Moderation::All;
        list.posting.moderators = [EVA.parse().unwrap(), ANNA.parse().unwrap()].into();
        rules(list);
    };
    office.list("talk", ListKind::Discussion, all).await;
    let mail = format!(
        "From: {ANNA}\r\nTo: talk@lists.example.org\r\nSubject: Nytt\r\nMessage-ID: <1@example.org>\r\n\r\nText\r\n"
    );
    office.comes(ANNA, "talk@lists.example.org", mail.as_bytes()).await;
    office
}

/// Commits a decision and returns its outcome; by mail or by an operator, only `by` differs.
async fn says(office: &PostOffice, says: Vote<'_>, by: &str) -> PostDecided {
    let post = office.store.post(PostId(1)).await.unwrap().unwrap();
    let list = office.store.list(&post.value.list).await.unwrap().unwrap();
    let word = PostVote { post: &post, list: &list, says, by, at: office.clock.now() };
    let decided = decide_post(&office.store, office.service.zone, &word).await.unwrap();
    assert_eq!(office.store.commit(decided.batch).await.unwrap(), Commit::Applied);
    decided.outcome
}

#[tokio::test]
async fn a_yes_sends_a_post_once_whoever_approves() {
    for by in [EVA, "root"] {
        let office = held(|_| {}).await;
        let PostDecided::Sent(mailing) = says(&office, Vote::Approve, by).await else { panic!("{by}") };
        assert_eq!(office.mailings().await.len(), 1);
        assert_eq!(office.mailings().await[0].id, mailing);
        let again = says(&office, Vote::Refuse { why: "for late" }, by).await;
        assert_eq!(again, PostDecided::Not(DecisionError::Decided { id: PostId(1), state: "approved" }));
        assert_eq!(office.mailings().await.len(), 1);
    }
}

#[tokio::test]
async fn two_simultaneous_decisions_count_once() {
    let office = held(|_| {}).await;
    let post = office.store.post(PostId(1)).await.unwrap().unwrap();
    let list = office.store.list(&post.value.list).await.unwrap().unwrap();
    let word = |says, by| PostVote { post: &post, list: &list, says, by, at: office.clock.now() };
    let (yes, no) = (word(Vote::Approve, EVA), word(Vote::Refuse { why: "" }, "root"));
    let yes = decide_post(&office.store, office.service.zone, &yes).await.unwrap();
    let no = decide_post(&office.store, office.service.zone, &no).await.unwrap();
    assert_eq!(office.store.commit(no.batch).await.unwrap(), Commit::Applied);
    assert_ne!(office.store.commit(yes.batch).await.unwrap(), Commit::Applied);
    assert!(office.mailings().await.is_empty());
}

#[tokio::test]
async fn an_author_is_not_a_second_person() {
    let office = held(|list| list.approval = true).await;
    let PostDecided::AsksAgain(post) = says(&office, Vote::Approve, ANNA).await else { panic!() };
    assert_eq!(post.hold().unwrap().reason, HoldReason::Approval);
    let asked: Vec<_> = post.hold().unwrap().asked.iter().map(|one| one.as_str()).collect();
    assert_eq!(asked, [EVA]);
    let own = says(&office, Vote::Approve, ANNA).await;
    assert!(matches!(own, PostDecided::Not(DecisionError::OwnApproval { .. })), "{own:?}");
    assert!(matches!(says(&office, Vote::Approve, EVA).await, PostDecided::Sent(_)));
    assert!(office.mailings().await[0].approval.as_ref().is_some_and(|approval| approval.by == EVA));
}

#[tokio::test]
async fn a_no_stops_it_and_a_stranger_is_told_nothing_without_a_reason() {
    for (why, tells) in [("", false), ("inte vår fråga", true)] {
        let office = held(|_| {}).await;
        let refused = says(&office, Vote::Refuse { why }, EVA).await;
        assert!(matches!(&refused, PostDecided::Refused { may_tell, .. } if *may_tell == tells), "{refused:?}");
        assert!(matches!(office.post(1).await.state, PostState::Refused { .. }));
    }
}

async fn to_approve() -> Store {
    let store = store();
    let mut mailing = mailing(1, MissedPolicy::Send);
    (mailing.approval_required, mailing.created_by, mailing.created_uid) = (true, "anna".into(), Some(1));
    mailing.content_hash = "0123456789".into();
    put(&store, &mailing).await;
    store
}

#[tokio::test]
async fn a_mailing_is_approved_by_another_for_what_they_saw() {
    let store = to_approve().await;
    let approve = async |by: &str, seen| {
        let by = operator(by);
        let decide = || approve_mailing(&store, MailingId(1), &by, seen, minute(5));
        store.carry_out::<_, StoreError, _>(decide).await.unwrap()
    };
    let changed = approve("bo", Some("99999999")).await;
    assert!(matches!(changed, MailingDecided::Not(TransitionError::Changed { .. })), "{changed:?}");
    assert!(matches!(approve("bo", Some("01234567")).await, MailingDecided::Now(one) if one.is_approved()));
    let twice = approve("eva", None).await;
    assert!(matches!(twice, MailingDecided::Not(TransitionError::AlreadyApproved { .. })), "{twice:?}");
}

#[tokio::test]
async fn a_mailing_is_refused_for_good() {
    let store = to_approve().await;
    let by = operator("bo");
    let refuse = async |id| {
        let decide = || refuse_mailing(&store, MailingId(id), &by, minute(5));
        store.carry_out::<_, StoreError, _>(decide).await.unwrap()
    };
    assert_eq!(refuse(9).await, MailingDecided::NoMailing);
    assert!(matches!(refuse(1).await, MailingDecided::Now(one) if matches!(one.stage, Stage::Cancelled { .. })));
    let eva = operator("eva");
    let late = approve_mailing(&store, MailingId(1), &eva, None, minute(6)).await.unwrap().outcome;
    assert!(matches!(late, MailingDecided::Not(TransitionError::Stage { .. })), "{late:?}");
}
