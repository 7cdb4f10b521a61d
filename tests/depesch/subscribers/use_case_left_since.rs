//! A late confirmation of an older question: it does not bring back a person who left after the question was asked, by
//! whatever channel they left and confirm.

use depesch::model::channel::Channel;
use depesch::model::pending_request::Action;
use depesch::model::subscriber::SubscriptionState::{Active, Ended};
use depesch::model::suppression::SuppressionReason;
use depesch::store::StoreError;
use depesch::subscribers::confirm::{Confirmed, NotDone};
use depesch::subscribers::leave::{Leaving, Left};

use crate::support::channels::{OWN, World, media, said};

const KARIN: &str = "karin@press.example";
/// Minutes of a day.
const DAY: i64 = 24 * 60;

async fn leaves(world: &World, channel: Channel, at: i64) {
    let (karin, said) = (world.person(KARIN).await.unwrap().id, said(channel, at));
    let leaving = Leaving::List(karin, media());
    let left = world.store.carry_out::<_, StoreError, _>(|| world.rules.leave(&leaving, &said)).await.unwrap();
    assert!(matches!(left, Left::Now { .. }), "{channel:?}: {left:?}");
}

#[tokio::test]
async fn an_older_question_brings_back_nobody_by_any_channel() {
    for left_by in OWN {
        for confirmed_by in OWN {
            let world = World::new().await;
            world.member(KARIN).await;
            world.asks_by(confirmed_by, 2, 1, KARIN, &[Action::Subscribe]).await;
            leaves(&world, left_by, 5).await;
            let before = world.person(KARIN).await;
            for at in [6, 7] {
                let confirmed = world.confirms(1, &said(confirmed_by, at)).await;
                let expected = Confirmed::Not(NotDone::LeftSince(media()));
                assert_eq!(confirmed, expected, "left by {left_by:?}, confirmed by {confirmed_by:?}");
            }
            assert_eq!(world.person(KARIN).await, before, "nothing is changed");
        }
    }
}

#[tokio::test]
async fn a_question_asked_after_it_does() {
    for left_by in OWN {
        for confirmed_by in OWN {
            let world = World::new().await;
            world.member(KARIN).await;
            world.asks_by(confirmed_by, 2, 1, KARIN, &[Action::Subscribe]).await;
            leaves(&world, left_by, 5).await;
            world.asks_by(confirmed_by, DAY, 2, KARIN, &[Action::Subscribe]).await;
            let confirmed = world.confirms(2, &said(confirmed_by, DAY + 10)).await;
            assert!(matches!(confirmed, Confirmed::Now(_)), "{left_by:?}, {confirmed_by:?}: {confirmed:?}");
            assert_eq!(world.standing(KARIN).await, Some(Active));
        }
    }
}

/// Once they are on the list again, the older question has nothing left to undo.
#[tokio::test]
async fn both_questions_may_be_answered() {
    let world = World::new().await;
    world.member(KARIN).await;
    // Shortly before midnight, and after it: one question a day is about joining.
    let midnight = 15 * 60;
    world.asks_by(Channel::Web, midnight - 3, 1, KARIN, &[Action::Subscribe]).await;
    leaves(&world, Channel::Mail, midnight - 2).await;
    world.asks_by(Channel::Web, midnight + 1, 2, KARIN, &[Action::Subscribe]).await;
    for id in [2, 1] {
        assert!(matches!(world.confirms(id, &said(Channel::Web, midnight + 10)).await, Confirmed::Now(_)), "{id}");
    }
    assert_eq!(world.standing(KARIN).await, Some(Active));
}

#[tokio::test]
async fn who_asked_for_no_mail_at_all_since_is_not_brought_back() {
    for channel in OWN {
        let world = World::new().await;
        world.member(KARIN).await;
        world.asks_by(channel, 0, 1, KARIN, &[Action::Subscribe]).await;
        // At minute 1.
        world.suppress(KARIN, SuppressionReason::Request).await;
        let confirmed = world.confirms(1, &said(channel, 10)).await;
        assert_eq!(confirmed, Confirmed::Not(NotDone::LeftSince(media())), "{channel:?}");
        // A complaint is more: no notice goes there at all.
        let world = World::new().await;
        world.member(KARIN).await;
        world.asks_by(channel, 0, 1, KARIN, &[Action::Subscribe]).await;
        leaves(&world, channel, 1).await;
        world.suppress(KARIN, SuppressionReason::Complaint).await;
        let confirmed = world.confirms(1, &said(channel, 10)).await;
        assert_eq!(confirmed, Confirmed::Not(NotDone::Suppressed(SuppressionReason::Complaint)), "{channel:?}");
    }
}

/// The clock was a year ahead when they left: they need not wait a year.
#[tokio::test]
async fn an_end_noted_by_a_wrong_clock_keeps_nobody_out() {
    let world = World::new().await;
    world.member(KARIN).await;
    leaves(&world, Channel::Mail, 365 * DAY).await;
    assert_eq!(world.standing(KARIN).await, Some(Ended));
    world.asks(1, KARIN, &[Action::Subscribe]).await;
    assert!(matches!(world.confirms(1, &said(Channel::Mail, 10)).await, Confirmed::Now(_)));
    assert_eq!(world.standing(KARIN).await, Some(Active));
}
