//! Pausing, resuming and changing the address: the same through every channel.

use depesch::model::channel::Channel;
use depesch::model::pending_request::Action;
use depesch::model::profile::ProfileChange;
use depesch::model::subscriber::SubscriptionError;
use depesch::model::subscriber::SubscriptionState::{Active, Ended, Paused, Suspended};
use depesch::model::subscription::Wanted;
use depesch::model::suppression::SuppressionReason;
use depesch::store::StoreError;
use depesch::subscribers::details::Noted;
use depesch::subscribers::membership::Changed;

use crate::support::channels::{OWN, World, media, said, source};
use crate::support::mailings::minute;

const KARIN: &str = "karin@press.example";

/// By the person with a question's token, and by operators without one.
#[tokio::test]
async fn by_every_channel_it_is_the_same() {
    for channel in [Channel::Mail, Channel::Web, Channel::Api, Channel::Operator] {
        let world = World::new().await;
        let (karin, media) = (world.member(KARIN).await, media());
        let (pause, resume) = (said(channel, 20), said(channel, 30));
        let rules = &world.rules;
        world.store.carry_out::<_, StoreError, _>(|| rules.pause(karin, &media, &pause)).await.unwrap();
        assert_eq!(world.standing(KARIN).await, Some(Paused), "{channel:?}");
        let again = world.store.carry_out::<_, StoreError, _>(|| rules.pause(karin, &media, &pause)).await.unwrap();
        assert!(matches!(again, Changed::Already(_)));
        world.store.carry_out::<_, StoreError, _>(|| rules.resume(karin, &media, &resume)).await.unwrap();
        assert_eq!(world.standing(KARIN).await, Some(Active), "{channel:?}");
        if OWN.contains(&channel) {
            world.asks(1, KARIN, &[Action::Pause]).await;
            world.confirms(1, &said(channel, 40)).await;
            assert_eq!(world.standing(KARIN).await, Some(Paused), "{channel:?}");
            world.asks(2, KARIN, &[Action::Resume]).await;
            world.confirms(2, &said(channel, 41)).await;
            assert_eq!(world.standing(KARIN).await, Some(Active), "{channel:?}");
        }
    }
}

#[tokio::test]
async fn an_ended_subscription_is_neither_paused_nor_resumed() {
    let world = World::new().await;
    let (karin, media) = (world.member(KARIN).await, media());
    let leave = |one: &mut depesch::model::subscriber::Subscriber| {
        one.want(&media, Wanted::Leave, minute(5), &source(Channel::Web), "").unwrap();
        Ok::<_, StoreError>(())
    };
    world.store.change_subscriber(karin, leave).await.unwrap();
    for channel in [Channel::Mail, Channel::Web, Channel::Api, Channel::Operator] {
        let said = said(channel, 20);
        let refused = Changed::Refused(SubscriptionError::Ended(media.clone()));
        assert_eq!(world.rules.pause(karin, &media, &said).await.unwrap().outcome, refused, "{channel:?}");
        assert_eq!(world.rules.resume(karin, &media, &said).await.unwrap().outcome, refused, "{channel:?}");
    }
    assert_eq!(world.standing(KARIN).await, Some(Ended));
}

#[tokio::test]
async fn no_mail_begins_again_to_a_suppressed_address() {
    let world = World::new().await;
    let (karin, media) = (world.member(KARIN).await, media());
    let pause = said(Channel::Web, 20);
    world.store.carry_out::<_, StoreError, _>(|| world.rules.pause(karin, &media, &pause)).await.unwrap();
    // The suppression comes between the decision and its commit.
    let resume = said(Channel::Web, 30);
    let decided = world.rules.resume(karin, &media, &resume).await.unwrap();
    world.suppress(KARIN, SuppressionReason::Complaint).await;
    assert_ne!(world.store.commit(decided.batch).await.unwrap(), depesch::store::engine::Commit::Applied);
    let suppressed = world.rules.resume(karin, &media, &resume).await.unwrap().outcome;
    assert_eq!(suppressed, Changed::Suppressed(SuppressionReason::Complaint));
}

#[tokio::test]
async fn a_new_address_must_be_free_and_resumes_what_bounces_suspended() {
    for channel in [Channel::Web, Channel::Api, Channel::Operator] {
        let world = World::new().await;
        let karin = world.member(KARIN).await;
        let bo = world.member("bo@press.example").await;
        let suspend = |one: &mut depesch::model::subscriber::Subscriber| {
            depesch::model::bounce::suspend(one, minute(12), "mailbox");
            Ok::<_, StoreError>(())
        };
        world.store.change_subscriber(karin, suspend).await.unwrap();
        assert_eq!(world.standing(KARIN).await, Some(Suspended));
        world.suppress("gone@press.example", SuppressionReason::Request).await;
        let (said, profile) = (said(channel, 20), ProfileChange::default());
        let moves = async |address: &str| {
            let address = address.parse().unwrap();
            let decide = || world.rules.change_address(karin, &address, &profile, &said);
            world.store.carry_out::<_, StoreError, _>(decide).await.unwrap()
        };
        let taken = moves("bo@press.example").await;
        assert_eq!(taken, Noted::Taken("bo@press.example".parse().unwrap(), bo));
        let suppressed = moves("gone@press.example").await;
        assert_eq!(suppressed, Noted::Suppressed(SuppressionReason::Request));
        assert_eq!(world.standing(KARIN).await, Some(Suspended), "nothing was changed");
        assert!(matches!(moves("karin.ek@press.example").await, Noted::Now(_)));
        assert_eq!(world.standing("karin.ek@press.example").await, Some(Active), "{channel:?}");
        assert_eq!(world.person(KARIN).await, None);
    }
}
