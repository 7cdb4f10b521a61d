//! Records waiting for an answer while the clock jumps: questions, held posts, probes, requests. None ends early, and
//! none waits for years once the clock is right.

use std::sync::Arc;

use chrono::{Duration, TimeDelta};
use depesch::api::list::{ListFields, ListView};
use depesch::base::clock::{Clock, FakeClock};
use depesch::inbound::post::SEEN_DAYS;
use depesch::model::list::{ListKind, Moderation};
use depesch::model::operator::Operator;
use depesch::model::post::HELD_DAYS;
use depesch::model::subscriber::SubscriptionState;
use depesch::store::Store;
use depesch::subscribers::suspended::{Suspended, SuspendedPolicy};
use proptest::prelude::*;

use crate::support::api::{TestApi, start_on};
use crate::support::bounces::{comes, mailed, no_such_user, sender_of, standing};
use crate::support::clock_jumps::{Lasting, holds, run, scripts};
use crate::support::commands::{self, World};
use crate::support::inbound::{MailIn, key};
use crate::support::mailings;
use crate::support::posts::PostOffice;

/// The test's clock advances while mail is handled, as fast as it can.
const WHILE_HANDLED: TimeDelta = TimeDelta::hours(12);

/// The question whether a person wants to join a list: its token, and the pending request.
struct Confirmation;

impl Lasting for Confirmation {
    type House = (World, Option<commands::Sent>);

    fn store((world, _): &Self::House) -> (&Store, &Arc<FakeClock>) {
        (&world.store, &world.clock)
    }

    fn lifetime(&self) -> TimeDelta {
        Duration::days(7)
    }

    async fn build(&self) -> Self::House {
        (World::new().await, None)
    }

    async fn make(&self, (world, question): &mut Self::House) {
        world.writes("karin@press.example", "subscribe", "", "").await;
        *question = Some(world.last().await);
    }

    async fn is_over(&self, (world, question): &mut Self::House) -> bool {
        let note = world.replies(question.as_ref().unwrap(), "ja").await;
        let is_on_the_list = world.standing("karin@press.example").await == Some(SubscriptionState::Active);
        assert_ne!(note.starts_with("command: the question had expired"), is_on_the_list, "{note}");
        !is_on_the_list
    }
}

const POST: &str = "From: Kim <stranger@example.net>\r\nTo: samtal@lists.example.org\r\nSubject: Hej\r\n\
                    Message-ID: <one@example.net>\r\n\r\nHej!\r\n";

async fn post_office() -> PostOffice {
    let office = PostOffice::new().await;
    let rules = |list: &mut depesch::model::list::List| {
        list.posting.moderation = Moderation::All;
        list.posting.moderators.insert("mod1@example.org".parse().unwrap());
    };
    office.list("samtal", ListKind::Discussion, rules).await;
    office
}

async fn post_comes(office: &PostOffice) -> String {
    office.comes("stranger@example.net", "samtal@lists.example.org", POST.as_bytes()).await.1
}

/// A post that a moderator is asked about.
struct HeldPost {
    /// Whether the moderator answers in the end; otherwise the test checks that it expires by itself.
    answered: bool,
}

impl Lasting for HeldPost {
    type House = PostOffice;

    fn store(house: &PostOffice) -> (&Store, &Arc<FakeClock>) {
        (&house.store, &house.clock)
    }

    fn lifetime(&self) -> TimeDelta {
        Duration::days(HELD_DAYS)
    }

    fn slack(&self) -> TimeDelta {
        WHILE_HANDLED
    }

    async fn build(&self) -> PostOffice {
        post_office().await
    }

    async fn make(&self, house: &mut PostOffice) {
        assert!(post_comes(house).await.starts_with("post p1 is held"));
    }

    async fn is_over(&self, house: &mut PostOffice) -> bool {
        if self.answered {
            let question = house.notices("post-held").await.remove(0);
            house.answers(&question, "mod1@example.org", "ok").await;
            return house.post(1).await.state.word() != "approved";
        }
        house.service.expire().await.unwrap();
        house.post(1).await.state.word() == "expired"
    }
}

/// By what a second copy of a post is known.
struct SecondCopy;

impl Lasting for SecondCopy {
    type House = PostOffice;

    fn store(house: &PostOffice) -> (&Store, &Arc<FakeClock>) {
        (&house.store, &house.clock)
    }

    fn lifetime(&self) -> TimeDelta {
        Duration::days(SEEN_DAYS)
    }

    fn slack(&self) -> TimeDelta {
        WHILE_HANDLED
    }

    async fn build(&self) -> PostOffice {
        post_office().await
    }

    async fn make(&self, house: &mut PostOffice) {
        post_comes(house).await;
    }

    async fn is_over(&self, house: &mut PostOffice) -> bool {
        let note = post_comes(house).await;
        let known = note.starts_with("a second copy of post p1");
        assert!(known || note.starts_with("post p2 is held"), "{note}");
        !known
    }
}

/// A subscriber suspended by bounces: the probe that is due, and the effect when it does not bounce.
struct SuspensionProbe {
    /// Whether the test is about the probe's arrival and not about sending it.
    arrives: bool,
}

impl Lasting for SuspensionProbe {
    type House = (MailIn, Suspended);

    fn store((mail_in, _): &Self::House) -> (&Store, &Arc<FakeClock>) {
        (&mail_in.store, &mail_in.clock)
    }

    fn lifetime(&self) -> TimeDelta {
        let policy = SuspendedPolicy::default();
        if self.arrives { policy.arrived_after } else { policy.probe_after }
    }

    fn slack(&self) -> TimeDelta {
        WHILE_HANDLED
    }

    async fn build(&self) -> Self::House {
        let mail_in = MailIn::new().await;
        mailed(&mail_in).await;
        let notices = mail_in.triage().1;
        let policy = SuspendedPolicy { probe: true, ..SuspendedPolicy::default() };
        let suspended = Suspended { store: mail_in.store.clone(), notices, key: key(), policy };
        if self.arrives {
            suspend(&mail_in).await;
            mail_in.clock.advance(suspended.policy.probe_after);
            assert_eq!(suspended.look_after(mail_in.clock.now()).await.unwrap().probed, 1);
        }
        (mail_in, suspended)
    }

    async fn make(&self, (mail_in, _): &mut Self::House) {
        if !self.arrives {
            return suspend(mail_in).await;
        }
        // The relay accepts the probe.
        let read = mail_in.store.notices(None, 1).await.unwrap().remove(0);
        let now = mail_in.clock.now();
        let taken = read.value.begin(now).accepted(now, depesch::model::reply::Reply::new(250, "ok"));
        let mut batch = depesch::store::engine::Batch::new();
        depesch::store::notices::put_over(&mut batch, &read, &taken);
        mail_in.store.commit(batch).await.unwrap();
    }

    async fn is_over(&self, (mail_in, suspended): &mut Self::House) -> bool {
        let looked = suspended.look_after(mail_in.clock.now()).await.unwrap();
        if self.arrives { looked.reinstated == 1 } else { looked.probed == 1 }
    }
}

async fn suspend(mail_in: &MailIn) {
    comes(mail_in, &sender_of(1, 1), &no_such_user(1, 1)).await;
    assert_eq!(standing(&mail_in.store, 1).await, SubscriptionState::Suspended);
}

/// That one user asked to end approval by a second person.
struct EndOfApproval;

impl Lasting for EndOfApproval {
    type House = (TestApi, Store);

    fn store((daemon, store): &Self::House) -> (&Store, &Arc<FakeClock>) {
        (store, &daemon.clock)
    }

    fn lifetime(&self) -> TimeDelta {
        Duration::days(1)
    }

    async fn build(&self) -> Self::House {
        let store = mailings::store();
        let mut board = mailings::list("board");
        board.approval = true;
        store.create_list(&board).await.unwrap();
        (start_on(store.clone()).await, store)
    }

    async fn make(&self, (daemon, store): &mut Self::House) {
        let other = Operator { name: "bo".into(), uid: Some(4_000_000) };
        let request = Some((&other, daemon.clock.now()));
        store.note_request_to_end_approval(&"board".parse().unwrap(), request).await.unwrap();
    }

    async fn is_over(&self, (daemon, _): &mut Self::House) -> bool {
        let ends = ListFields { approval: Some(false), ..ListFields::default() };
        daemon.client.send::<_, ListView>(hyper::Method::PATCH, "/v1/lists/board", &ends).await.is_err()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_question_can_be_answered_in_its_time(script in scripts()) {
        run(holds(&Confirmation, script));
    }

    #[test]
    fn a_held_post_waits_its_time(script in scripts(), answered: bool) {
        run(holds(&HeldPost { answered }, script));
    }

    #[test]
    fn a_second_copy_is_recognised_for_its_time(script in scripts()) {
        run(holds(&SecondCopy, script));
    }

    #[test]
    fn a_probe_is_sent_and_believed_in_its_time(script in scripts(), arrives: bool) {
        run(holds(&SuspensionProbe { arrives }, script));
    }

    #[test]
    fn a_request_to_end_approval_is_valid_for_its_time(script in scripts()) {
        run(holds(&EndOfApproval, script));
    }
}
