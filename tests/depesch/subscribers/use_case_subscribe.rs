//! Asking to join and confirming: the same through every channel of the person, once and in time; and an operator's
//! statement in its place.

use depesch::api::person_view::ConsentView;
use depesch::base::id::PendingRequestId;
use depesch::model::channel::Channel;
use depesch::model::list::Joining;
use depesch::model::pending_request::{Action, PendingState};
use depesch::model::subscriber::SubscriptionState::{Active, Ended, Paused};
use depesch::model::subscription::Wanted;
use depesch::model::suppression::SuppressionReason;
use depesch::store::StoreError;
use depesch::subscribers::ask::{Asked, Next};
use depesch::subscribers::confirm::{Confirmed, Declined, NotDone, Pending};
use depesch::subscribers::membership::Changed;
use depesch::subscribers::rulebook::Instruction;

use crate::support::channels::{OWN, World, media, said, source};
use crate::support::mailings::minute;

const KARIN: &str = "karin@press.example";

/// The part of an outcome visible to the outside: whether a question is sent, and with which statements.
fn outward(asked: &Asked) -> Vec<String> {
    match asked {
        Asked::Open { next: Next::Send(question), invitation_only: false } => question.statements.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn by_every_channel_of_the_person_it_is_the_same() {
    for channel in OWN {
        let world = World::new().await;
        world.asks(1, KARIN, &[Action::Subscribe]).await;
        assert_eq!(world.person(KARIN).await, None, "they are on no list before they confirm");
        assert!(matches!(world.rules.pending(PendingRequestId(1), minute(10)).await.unwrap(), Pending::Open(_)));
        let confirmed = world.confirms(1, &said(channel, 10)).await;
        let Confirmed::Now(done) = confirmed else { panic!("{channel:?}: {confirmed:?}") };
        assert!(done.changed && !done.lifted);
        let karin = world.person(KARIN).await.unwrap();
        assert_eq!((karin.state_on(&media()), karin.name.as_deref()), (Some(Active), Some("Karin Ek")), "{channel:?}");
        let [event] = &karin.subscriptions[&media()].events[..] else { panic!("{karin:?}") };
        assert_eq!((&event.source, event.at), (&source(channel), minute(10)));
        // A repetition is carried out once.
        assert_eq!(world.confirms(1, &said(channel, 11)).await, Confirmed::Before);
        assert_eq!(world.person(KARIN).await.unwrap(), karin);
    }
}

#[tokio::test]
async fn two_confirmations_at_once_do_it_once() {
    let world = World::new().await;
    world.asks(1, KARIN, &[Action::Subscribe]).await;
    let first = world.rules.confirm(PendingRequestId(1), None, &said(Channel::Web, 10)).await.unwrap();
    let second = world.rules.confirm(PendingRequestId(1), None, &said(Channel::Mail, 10)).await.unwrap();
    assert_eq!(world.store.commit(first.batch).await.unwrap(), depesch::store::engine::Commit::Applied);
    assert_ne!(world.store.commit(second.batch).await.unwrap(), depesch::store::engine::Commit::Applied);
}

#[tokio::test]
async fn members_strangers_and_former_members_see_the_same() {
    let world = World::new().await;
    let stranger = world.asks(1, "stranger@press.example", &[Action::Subscribe]).await;
    world.member(KARIN).await;
    let member = world.asks(2, KARIN, &[Action::Subscribe]).await;
    let id = world.person(KARIN).await.unwrap().id;
    let leaves = world.store.change_subscriber::<StoreError>(id, |karin| {
        karin.want(&media(), Wanted::Leave, minute(5), &source(Channel::Mail), "").unwrap();
        Ok(())
    });
    leaves.await.unwrap();
    // On the next day: one question a day is about joining.
    let left = world.asks_by(Channel::Mail, 24 * 60 + 2, 3, KARIN, &[Action::Subscribe]).await;
    assert_eq!(outward(&stranger), outward(&member));
    assert_eq!(outward(&stranger), outward(&left));
    // The outcome contains the actual state.
    let standing = |asked: &Asked| match asked {
        Asked::Open { next: Next::Send(question), .. } => question.standing,
        _ => None,
    };
    assert_eq!((standing(&stranger), standing(&member), standing(&left)), (None, Some(Active), Some(Ended)));
}

#[tokio::test]
async fn an_invitation_only_list_accepts_no_requests() {
    let world = World::new().await;
    world.asks(1, KARIN, &[Action::Subscribe]).await;
    world.store.change_list(&media(), |list| list.joining = Joining::Closed).await.unwrap();
    let asked = world.asks(2, KARIN, &[Action::Subscribe]).await;
    assert_eq!(asked, Asked::Open { next: Next::Nothing, invitation_only: true });
    // Also if the list was closed after the question was sent.
    for channel in OWN {
        let confirmed = world.confirms(1, &said(channel, 10)).await;
        assert_eq!(confirmed, Confirmed::Not(NotDone::InvitationOnly(media())), "{channel:?}");
    }
    assert_eq!(world.person(KARIN).await, None);
}

#[tokio::test]
async fn a_suppressed_address_returns_only_by_its_own_request() {
    for (reason, may) in [
        (SuppressionReason::Complaint, false),
        (SuppressionReason::Operator, false),
        (SuppressionReason::Request, true),
    ] {
        let world = World::new().await;
        let karin = world.member(KARIN).await;
        world.asks(1, KARIN, &[Action::Subscribe]).await;
        world.asks(2, KARIN, &[Action::Resume]).await;
        world.suppress(KARIN, reason).await;
        // Only joining starts again: resuming lifts no suppression.
        assert_eq!(world.asks(3, KARIN, &[Action::Resume]).await, Asked::Suppressed(reason));
        assert_eq!(world.confirms(2, &said(Channel::Web, 9)).await, Confirmed::Not(NotDone::Suppressed(reason)));
        for channel in [Channel::Operator, Channel::Api] {
            let (said, members) = (said(channel, 9), "sport".parse().unwrap());
            world.store.create_list(&crate::support::mailings::list("sport")).await.unwrap();
            let decided = world.rules.enrol(karin, &members, &said).await.unwrap();
            assert_eq!(decided.outcome, Changed::Suppressed(reason), "{channel:?}");
        }
        let confirmed = world.confirms(1, &said(Channel::Web, 10)).await;
        assert_eq!(matches!(&confirmed, Confirmed::Now(done) if done.lifted), may, "{reason:?}: {confirmed:?}");
        let karin = world.person(KARIN).await.unwrap();
        // Their other subscriptions, ended when they asked for no mail at all, stay ended.
        let others = karin.state_on(&"members".parse().unwrap());
        assert_eq!(others, Some(if may { Ended } else { Active }), "{reason:?}");
    }
}

#[tokio::test]
async fn a_no_ends_the_request_for_every_channel() {
    let world = World::new().await;
    world.asks(1, KARIN, &[Action::Subscribe]).await;
    let decline = async |at| {
        world.store.carry_out::<_, StoreError, _>(|| world.rules.decline(PendingRequestId(1), minute(at))).await
    };
    assert_eq!(decline(5).await.unwrap(), Declined::Now);
    assert_eq!(decline(6).await.unwrap(), Declined::Before);
    for channel in OWN {
        assert_eq!(world.confirms(1, &said(channel, 10)).await, Confirmed::Before);
    }
    let pending = world.rules.pending(PendingRequestId(1), minute(10)).await.unwrap();
    assert!(matches!(pending, Pending::Answered(pending) if pending.state == PendingState::Declined { at: minute(5) }));
    assert_eq!(world.person(KARIN).await, None);
}

#[tokio::test]
async fn it_expires_for_every_channel() {
    let world = World::new().await;
    world.asks(1, KARIN, &[Action::Subscribe]).await;
    for channel in OWN {
        assert_eq!(world.confirms(1, &said(channel, 62)).await, Confirmed::Over);
        assert_eq!(world.confirms(77, &said(channel, 10)).await, Confirmed::Over, "it never was");
    }
    assert_eq!(world.rules.pending(PendingRequestId(1), minute(62)).await.unwrap(), Pending::Over);
}

#[tokio::test]
async fn the_text_of_a_form_is_in_the_ledger() {
    let world = World::new().await;
    world.asks(1, KARIN, &[Action::Subscribe]).await;
    world.confirms(1, &said(Channel::Web, 10)).await;
    let event = world.person(KARIN).await.unwrap().subscriptions[&media()].events[0].clone();
    assert_eq!(event.proof().word(), "own-form");
    let view = ConsentView::from(&event);
    assert_eq!((view.way.as_str(), view.from.as_str()), ("web", "192.0.2.0/24, form 2026-11-01"));
    assert_eq!((view.words.as_str(), view.at), ("Yes, send me press releases", minute(10)));
    // The ledger keeps the words of the question and of the reply.
    world.asks(2, "bo@press.example", &[Action::Subscribe]).await;
    world.confirms(2, &Instruction { words: "ja".into(), ..said(Channel::Mail, 10) }).await;
    let bo = world.person("bo@press.example").await.unwrap();
    assert_eq!(bo.subscriptions[&media()].events[0].words, "I agree. [reply: \u{201c}ja\u{201d}]");
}

#[tokio::test]
async fn an_operator_states_what_was_agreed() {
    let world = World::new().await;
    let karin = world.member(KARIN).await;
    world.store.create_list(&crate::support::mailings::list("sport")).await.unwrap();
    let (sport, media) = ("sport".parse().unwrap(), media());
    let silent = Instruction { words: " ".into(), ..said(Channel::Operator, 10) };
    assert_eq!(world.rules.enrol(karin, &sport, &silent).await.unwrap().outcome, Changed::NoWords);
    let operator = said(Channel::Operator, 10);
    let enrol =
        async |list| world.store.carry_out::<_, StoreError, _>(|| world.rules.enrol(karin, list, &operator)).await;
    assert!(matches!(enrol(&sport).await.unwrap(), Changed::Now(one) if one.state_on(&sport) == Some(Active)));
    assert!(matches!(enrol(&media).await.unwrap(), Changed::Already(_)));
    let pause = said(Channel::Web, 11);
    let paused = world.store.carry_out::<_, StoreError, _>(|| world.rules.pause(karin, &media, &pause)).await.unwrap();
    assert!(matches!(paused, Changed::Now(one) if one.state_on(&media) == Some(Paused)));
}
