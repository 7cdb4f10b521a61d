//! Leaving a list, or all lists: the same through every channel, never refused, and permanent.

use depesch::base::token::Purpose;
use depesch::model::channel::Channel;
use depesch::model::pending_request::Action;
use depesch::model::subscriber::SubscriptionState::{Active, Ended, Paused};
use depesch::model::subscription::Wanted;
use depesch::model::suppression::SuppressionReason;
use depesch::store::StoreError;
use depesch::subscribers::confirm::Confirmed;
use depesch::subscribers::leave::{Leaving, Left};
use depesch::subscribers::profile::{PersonError, SubscriptionChange};
use depesch::subscribers::tokens::UnsubscribeToken;

use crate::support::channels::{World, media, said, source};
use crate::support::mailings::minute;
use crate::support::people::service;

const KARIN: &str = "karin@press.example";

async fn leaves(world: &World, leaving: Leaving, channel: Channel) -> Left {
    let said = said(channel, 20);
    world.store.carry_out::<_, StoreError, _>(|| world.rules.leave(&leaving, &said)).await.unwrap()
}

#[tokio::test]
async fn by_every_channel_it_is_the_same() {
    for channel in Channel::ALL {
        let world = World::new().await;
        let karin = world.member(KARIN).await;
        let left = leaves(&world, Leaving::List(karin, media()), channel).await;
        let Left::Now { subscriber, lists, may_tell } = left else { panic!("{channel:?}: {left:?}") };
        assert_eq!((lists, may_tell.len()), (vec![media()], 1), "{channel:?}");
        let event = subscriber.subscriptions[&media()].events.last().unwrap();
        assert_eq!((event.source.channel(), event.became), (channel, Ended));
        assert_eq!(world.standing(KARIN).await, Some(Ended));
        assert_eq!(world.person(KARIN).await.unwrap().state_on(&"members".parse().unwrap()), Some(Active));
        // A repetition changes nothing.
        let again = leaves(&world, Leaving::List(karin, media()), channel).await;
        assert!(matches!(again, Left::Before(_)), "{channel:?}: {again:?}");
        assert_eq!(world.person(KARIN).await.unwrap().subscriptions[&media()].events.len(), 2);
    }
}

#[tokio::test]
async fn all_lists_are_left_at_once() {
    let world = World::new().await;
    let karin = world.member(KARIN).await;
    let left = leaves(&world, Leaving::All(karin), Channel::Web).await;
    assert!(matches!(&left, Left::Now { lists, .. } if lists.len() == 2), "{left:?}");
    let states: Vec<_> = world.person(KARIN).await.unwrap().subscriptions.values().map(|one| one.state).collect();
    assert_eq!(states, [Ended, Ended]);
    assert!(matches!(leaves(&world, Leaving::All(karin), Channel::Web).await, Left::Before(_)));
}

#[tokio::test]
async fn a_suppressed_address_leaves_and_is_told_nothing() {
    let world = World::new().await;
    let karin = world.member(KARIN).await;
    world.suppress(KARIN, SuppressionReason::Complaint).await;
    let left = leaves(&world, Leaving::List(karin, media()), Channel::Mail).await;
    assert!(matches!(&left, Left::Now { may_tell, .. } if may_tell.is_empty()), "{left:?}");
    assert_eq!(world.standing(KARIN).await, Some(Ended));
}

#[tokio::test]
async fn a_signed_link_ends_its_own_list_by_every_channel() {
    for channel in [Channel::Mail, Channel::Web, Channel::Api] {
        let world = World::new().await;
        let karin = world.member(KARIN).await;
        let signed = |list: &str| {
            let token = UnsubscribeToken::of_notice(&world.rules.key, &list.parse().unwrap(), karin);
            UnsubscribeToken::verify(&world.rules.key, &token).unwrap()
        };
        let other = leaves(&world, Leaving::Signed(signed("members"), media()), channel).await;
        assert_eq!(other, Left::NoList, "a notice's token is good for its own list");
        let left = leaves(&world, Leaving::Signed(signed("media"), media()), channel).await;
        assert!(matches!(&left, Left::Now { lists, .. } if *lists == [media()]), "{channel:?}: {left:?}");
        let forged = world.rules.key.sign(Purpose::Bounce, &[0, karin.0, 0]);
        assert_eq!(UnsubscribeToken::verify(&world.rules.key, &forged), None);
    }
}

/// An end is not undone by the person's earlier request that is confirmed later, an import or an operator.
#[tokio::test]
async fn leaving_wins_over_what_others_want() {
    let world = World::new().await;
    let karin = world.member(KARIN).await;
    let media = media();
    service(&world.store, 5).change_subscription(karin, &media, SubscriptionChange::Pause, "").await.unwrap();
    assert_eq!(world.standing(KARIN).await, Some(Paused));
    // Neither an unconfirmed request for mail again, nor an import, nor an operator undoes an end.
    world.asks(1, KARIN, &[Action::Resume]).await;
    leaves(&world, Leaving::List(karin, media.clone()), Channel::Web).await;
    let confirmed = world.confirms(1, &said(Channel::Mail, 30)).await;
    assert!(matches!(&confirmed, Confirmed::Now(done) if !done.changed), "{confirmed:?}");
    for change in [SubscriptionChange::Resume, SubscriptionChange::Subscribe, SubscriptionChange::Pause] {
        let refused = service(&world.store, 31).change_subscription(karin, &media, change, "please").await;
        assert!(matches!(refused, Err(PersonError::Subscription(_))), "{change:?}");
    }
    world.member(KARIN).await;
    assert_eq!(world.standing(KARIN).await, Some(Ended));
}

/// Leaving works without the list, also by an operator.
#[tokio::test]
async fn a_removed_list_can_be_left() {
    let world = World::new().await;
    let (karin, gone) = (world.member(KARIN).await, "gone".parse().unwrap());
    let was_on = |one: &mut depesch::model::subscriber::Subscriber| {
        one.want(&gone, Wanted::Join, minute(1), &source(Channel::Import), "at the fair").unwrap();
        Ok::<_, StoreError>(())
    };
    world.store.change_subscriber(karin, was_on).await.unwrap();
    let service = service(&world.store, 5);
    let left = service.change_subscription(karin, &gone, SubscriptionChange::Unsubscribe, "by phone").await.unwrap();
    assert_eq!(left.state_on(&gone), Some(Ended));
    let never = "never".parse().unwrap();
    let refused = service.change_subscription(karin, &never, SubscriptionChange::Unsubscribe, "").await;
    assert!(matches!(refused, Err(PersonError::NoList(_))), "{refused:?}");
}

#[tokio::test]
async fn an_unknown_person_leaves_no_trace_in_the_store() {
    let world = World::new().await;
    let unknown = depesch::base::id::SubscriberId(99);
    assert_eq!(leaves(&world, Leaving::All(unknown), Channel::Mail).await, Left::NoSubscriber);
    let karin = world.member(KARIN).await;
    let left = leaves(&world, Leaving::List(karin, "sport".parse().unwrap()), Channel::Api).await;
    assert!(matches!(left, Left::Never(_)), "{left:?}");
}
