//! The limits on questions to a person who proved nothing yet: the same by every channel, counted together.

use depesch::base::id::PendingRequestId;
use depesch::model::channel::Channel;
use depesch::model::pending_request::Action;
use depesch::subscribers::ask::{Asked, Next};
use depesch::subscribers::confirm::Pending;

use crate::support::channels::{OWN, World};
use crate::support::mailings::minute;

const KARIN: &str = "karin@press.example";
/// Minutes of a day.
const DAY: i64 = 24 * 60;

async fn next(world: &World, channel: Channel, at: i64, id: u64, address: &str, actions: &[Action]) -> Next {
    match world.asks_by(channel, at, id, address, actions).await {
        Asked::Open { next, invitation_only: false } => next,
        other => panic!("{channel:?}: {other:?}"),
    }
}

fn beats(name: &str) -> [Action; 1] {
    [Action::Beats([name.to_owned()].into())]
}

async fn is_open(world: &World, id: u64, at: i64) -> bool {
    matches!(world.rules.pending(PendingRequestId(id), minute(at)).await.unwrap(), Pending::Open(_))
}

#[tokio::test]
async fn one_question_about_joining_one_about_leaving_and_two_about_settings_a_day() {
    for channel in OWN {
        let world = World::new().await;
        let ask = async |at, id, actions: &[Action]| next(&world, channel, at, id, KARIN, actions).await;
        assert!(matches!(ask(2, 1, &[Action::Subscribe]).await, Next::Send(_)), "{channel:?}");
        assert_eq!(ask(3, 2, &[Action::Subscribe]).await, Next::AskedToday, "{channel:?}");
        assert!(matches!(ask(4, 3, &[Action::Unsubscribe]).await, Next::Send(_)), "{channel:?}");
        assert_eq!(ask(5, 4, &[Action::Pause]).await, Next::DayFull { leaving: true }, "{channel:?}");
        let again = ask(6, 5, &[Action::Unsubscribe]).await;
        assert_eq!(again, Next::DayFull { leaving: true }, "the owner sees each request to leave");
        // In another hour, in which other answers may go out.
        for (id, (beat, sent)) in (6..).zip([("school", true), ("care", true), ("culture", false)]) {
            let next = ask(62, id, &beats(beat)).await;
            assert_eq!(matches!(next, Next::Send(_)), sent, "{channel:?}: {beat}");
            assert_eq!(next == Next::DayFull { leaving: false }, !sent, "{channel:?}: {beat}");
        }
        assert_eq!(ask(63, 9, &beats("culture")).await, Next::AskedToday, "the owner sees it once");
        assert!(is_open(&world, 1, 4).await);
        assert!(!is_open(&world, 2, 4).await, "what was not asked is not stored");
        assert!(matches!(ask(DAY + 2, 10, &[Action::Subscribe]).await, Next::Send(_)), "{channel:?}");
    }
}

#[tokio::test]
async fn what_was_asked_by_one_channel_counts_for_all() {
    for first in OWN {
        for second in OWN {
            let world = World::new().await;
            assert!(matches!(next(&world, first, 2, 1, KARIN, &[Action::Subscribe]).await, Next::Send(_)));
            // What follows a plus, and letter case, make no other person.
            for address in [KARIN, "Karin+news@press.example"] {
                let again = next(&world, second, 3, 2, address, &[Action::Subscribe]).await;
                assert_eq!(again, Next::AskedToday, "{first:?}, {second:?}: {address}");
            }
        }
    }
}

/// The world's limit is three an hour.
#[tokio::test]
async fn the_limit_per_hour_holds_for_a_domain_by_every_channel() {
    for channel in OWN {
        let world = World::new().await;
        for id in 1..=3 {
            let address = format!("p{id}@press.example");
            assert!(matches!(next(&world, channel, 2, id, &address, &[Action::Subscribe]).await, Next::Send(_)));
        }
        let later = next(&world, channel, 3, 4, KARIN, &[Action::Subscribe]).await;
        assert_eq!(later, Next::Later(minute(60)), "{channel:?}");
        assert!(!is_open(&world, 4, 3).await);
        // It was not a question of the day.
        assert!(matches!(next(&world, channel, 61, 5, KARIN, &[Action::Subscribe]).await, Next::Send(_)));
    }
}

#[tokio::test]
async fn a_machine_has_its_own_limit_and_a_program_with_access_has_none() {
    for channel in OWN {
        let world = World::new().await;
        for id in 1..=3 {
            let address = format!("karin@p{id}.example");
            assert!(matches!(next(&world, channel, 2, id, &address, &[Action::Subscribe]).await, Next::Send(_)));
        }
        let fourth = next(&world, channel, 3, 4, KARIN, &[Action::Subscribe]).await;
        let is_later = fourth == Next::Later(minute(60));
        assert_eq!(is_later, channel != Channel::Api, "{channel:?}: {fourth:?}");
    }
}
