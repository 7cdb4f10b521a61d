//! Other decisions by a stored time while the clock jumps: deadlines, deferred mail, leases, former addresses, and
//! implausible refusals.

use chrono::Duration;
use depesch::base::clock::{Clock, FakeClock};
use depesch::base::id::{InboundId, SubscriberId};
use depesch::model::bounce::BounceEffect;
use depesch::model::ledger::Stage as At;
use depesch::model::mailing::UncertainPolicy;
use depesch::model::reply::Reply;
use depesch::model::subscriber::SubscriptionState::Active;
use depesch::store::engine::Batch;
use depesch::store::later::put_answer;
use depesch::store::ledger::{LONGEST_LEASE, Lease};
use depesch::subscribers::profile::PersonFields;
use depesch::transport::Outcome;
use proptest::prelude::*;

use crate::support::bounces::{gone, noted};
use crate::support::clock_jumps::{Jumps, run, scripts};
use crate::support::mailings::{accepted, list, minute, put_frozen, put_subscriber, settle, store};
use crate::support::office::{Office, media};
use crate::support::people::service;
use crate::support::rsvps::Hosts;

async fn is_late(hosts: &Hosts, who: &str) -> bool {
    hosts.writes(who, "Jag kommer!").await;
    hosts.answer_of(who).await.unwrap().current().unwrap().late
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_to_an_invitation_is_late_because_of_the_clock(script in scripts()) {
        run(async {
            let hosts = Hosts::new().await;
            let release = hosts.invite("Så bygger vi", "2026-11-26T09:30:00", "deadline = 2026-11-24\n").await;
            hosts.send(1, release).await;
            let clock_jumps = Jumps::over(&hosts.world.store, &hosts.world.clock).await;
            clock_jumps.pass(Duration::minutes(5)).await;
            clock_jumps.jump(script.by, script.noted).await;
            assert!(!is_late(&hosts, "karin").await, "{script:?}");
            clock_jumps.jump(-script.by, true).await;
            assert!(!is_late(&hosts, "nils").await, "{script:?}");
            clock_jumps.pass(Duration::days(7)).await;
            assert!(is_late(&hosts, "eva").await, "{script:?}");
        });
    }

    #[test]
    fn mail_postponed_by_a_wrong_clock_is_handled_within_the_hour(script in scripts()) {
        run(async {
            let (store, clock) = (store(), FakeClock::at(minute(0)));
            clock.jump(Duration::seconds(script.by));
            let mut batch = Batch::new();
            put_answer(&mut batch, clock.now() + Duration::minutes(59), InboundId(1));
            store.commit(batch).await.unwrap();
            clock.jump(Duration::seconds(-script.by));
            let mut handled = 0;
            for _ in 0..=6 {
                handled = handled.max(store.later_answers(clock.now(), 10).await.unwrap().len());
                clock.advance(Duration::minutes(10));
            }
            assert_eq!(handled, 1, "{script:?}");
        });
    }

    #[test]
    fn a_lease_by_a_wrong_clock_delays_no_longer_than_a_lease(script in scripts(), seconds in 1..=LONGEST_LEASE) {
        let now = minute(0);
        let until = now + Duration::seconds(script.by + i64::from(seconds));
        let lease = Lease { node: "other".into(), until, fence: 1 };
        prop_assert!(!lease.is_of_other("this", now + Duration::seconds(i64::from(LONGEST_LEASE))) || script.by > 0);
        let later = now + Duration::seconds(script.by + i64::from(seconds));
        prop_assert!(!lease.is_of_other("this", later));
        if script.by > i64::from(LONGEST_LEASE) {
            prop_assert!(!lease.is_of_other("this", now), "so far ahead none was meant to last");
        }
    }

    #[test]
    fn bounces_count_again_after_an_address_was_changed_by_a_wrong_clock(script in scripts()) {
        run(async {
            let (store, clock) = (store(), FakeClock::at(minute(-200)));
            assert!(store.create_list(&list("media")).await.unwrap());
            put_subscriber(&store, 1, &["media"], |_| {}).await;
            let clock_jumps = Jumps::over(&store, &clock).await;
            clock_jumps.jump(script.by, true).await;
            let fields = PersonFields { address: Some("new@example.net".into()), ..PersonFields::default() };
            let at = (clock.now() - minute(0)).num_minutes();
            service(&store, at).edit(SubscriberId(1), &fields).await.unwrap();
            clock_jumps.jump(-script.by, true).await;
            clock_jumps.pass(Duration::minutes(250)).await;
            let mailing = put_frozen(&store, 1, 1).await;
            settle(&store, &mailing, vec![accepted()]).await;
            clock_jumps.pass(minute(24 * 60) - clock.now()).await;
            // A clock that was ahead by less than the mailing's age cannot be told from a right one.
            let hidden = (1..=24 * 3600 + 2 * 3600).contains(&script.by);
            let report = depesch::subscribers::bounces::Report { sent_to: None, ..gone(1, 1, 1) };
            let effect = noted(&store, &report).await.unwrap().effect;
            assert!(hidden || effect == BounceEffect::Suspended, "{script:?}: {effect:?}");
        });
    }

    #[test]
    fn refusals_that_cannot_be_true_are_taken_back_whatever_the_clock_does(script in scripts(), at in 1..14usize) {
        run(async {
            const READERS: usize = 40;
            let office = Office::new();
            office.subscribers(READERS).await;
            let unknown = Outcome::Refused { stage: At::Recipient, reply: Reply::new(550, "5.1.1 no such user") };
            for number in 0..READERS {
                office.relay.answer(&format!("p{number}"), std::iter::repeat_n(unknown.clone(), 50));
            }
            let clock_jumps = Jumps::over(&office.store, &office.clock).await;
            let id = office.mailing(UncertainPolicy::Resend).await;
            let dispatcher = office.dispatcher().await.unwrap();
            let paused = || async { office.store.mailing(id).await.unwrap().unwrap().value.pause.is_some() };
            office.until(|| async { office.relay.given().len() >= at || paused().await }).await;
            clock_jumps.jump(script.by, script.noted).await;
            office.notifier.notify();
            office.until(|| async {
                office.clock.advance(Duration::milliseconds(200));
                paused().await
            }).await;
            office.until(|| async { office.store.taking_back().await.unwrap().is_empty() }).await;
            office.until(|| async { office.tally(id).await.in_doubt == 0 }).await;
            clock_jumps.jump(-script.by, true).await;
            let tally = office.tally(id).await;
            assert_eq!((tally.failed, tally.open()), (0, READERS as u64), "{script:?} at {at}: {tally:?}");
            for reader in 1..=READERS as u64 {
                let subscriber = office.store.subscriber(SubscriberId(reader)).await.unwrap().unwrap().value;
                assert_eq!(subscriber.state_on(&media()), Some(Active), "{script:?} at {at}");
            }
            dispatcher.drain().await;
        });
    }
}
