//! Records written by an earlier version can always be read. Their bytes are written out by hand here, so that no
//! change of the code changes them.

use std::sync::Arc;

use depesch::base::id::{InboundId, MailingId, PostId, ReleaseId, SubscriberId};
use depesch::base::peer::Network;
use depesch::model::list::{FromPolicy, ListKind, Moderation, Posting, Privacy, ReplyTo, Unproven};
use depesch::model::mailing::{MailingContent, MissedPolicy};
use depesch::model::rsvp::{Detail, RsvpAnswer, RsvpChange, RsvpPerson, RsvpSource};
use depesch::store::Store;
use depesch::store::engine::Batch;
use depesch::store::for_tests::keys;
use depesch::store::memory::MemoryEngine;

use crate::support::mailings;

async fn store_with(key: depesch::store::engine::Key, version: u8, bytes: Vec<u8>) -> Store {
    let store = Store::new(Arc::new(MemoryEngine::new()));
    let mut batch = Batch::new();
    batch.put(key, [vec![version], bytes].concat());
    store.commit(batch).await.unwrap();
    store
}

#[tokio::test]
async fn a_list_of_version_1_has_the_usual_rules_for_posts() {
    let millis = mailings::minute(0).timestamp_millis();
    // name, title, address, kind, joining, owner, language, sensitive, approval, created
    let form =
        ("media", "Media", "media@lists.example.org", 1u32, 2u32, "press@example.org", "sv", true, false, millis);
    let name = "media".parse().unwrap();
    let store = store_with(keys::list(&name), 1, postcard::to_stdvec(&form).unwrap()).await;
    let list = store.list(&name).await.unwrap().unwrap().value;
    assert_eq!(
        (list.kind, list.privacy, list.created),
        (ListKind::Discussion, Privacy::Sensitive, mailings::minute(0))
    );
    assert_eq!(list.posting, Posting { unproven: Unproven::Send, ..Posting::default() });
    let changed = store.change_list(&name, |list| {
        list.posting = Posting {
            senders: ["anna@example.org".parse().unwrap()].into(),
            moderators: ["eva@example.org".parse().unwrap()].into(),
            moderation: Moderation::All,
            reply_to: ReplyTo::Both,
            from: FromPolicy::Rewrite,
            unproven: Unproven::Hold,
        }
    });
    let changed = changed.await.unwrap().unwrap();
    assert_eq!(store.list(&name).await.unwrap().unwrap().value, changed);
}

#[tokio::test]
async fn a_list_of_version_2_goes_on_sending_what_nothing_proves() {
    let millis = mailings::minute(0).timestamp_millis();
    let first =
        ("media", "Media", "media@lists.example.org", 1u32, 2u32, "press@example.org", "sv", false, false, millis);
    // the list, senders, moderators, moderation (all), reply_to (both), from (rewrite)
    let form = (first, ["anna@example.org"].as_slice(), ["eva@example.org"].as_slice(), 2u32, 2u32, 1u32);
    let name = "media".parse().unwrap();
    let store = store_with(keys::list(&name), 2, postcard::to_stdvec(&form).unwrap()).await;
    let posting = store.list(&name).await.unwrap().unwrap().value.posting;
    let expected = Posting {
        senders: ["anna@example.org".parse().unwrap()].into(),
        moderators: ["eva@example.org".parse().unwrap()].into(),
        moderation: Moderation::All,
        reply_to: ReplyTo::Both,
        from: FromPolicy::Rewrite,
        unproven: Unproven::Send,
    };
    assert_eq!(posting, expected);
}

#[tokio::test]
async fn a_mailing_of_version_1_sends_its_release() {
    let at = mailings::minute(60).timestamp_millis();
    let nothing: [&str; 0] = [];
    // id, release, lists, beats, regions, languages, reached_by
    let first =
        (7u64, 12u64, ["media"].as_slice(), nothing.as_slice(), nothing.as_slice(), nothing.as_slice(), None::<u64>);
    // at, zone, missed, grace, uncertain, stage (scheduled), pause, approval_required
    let second = (at, "Europe/Stockholm", 1u32, 600u32, 0u32, 0u32, None::<(i64, u32)>, false);
    // approval, content_hash, reopened, created, created_by
    let third = (None::<(&str, i64, &str)>, "0123", 0u32, mailings::minute(0).timestamp_millis(), "anna");
    let bytes = postcard::to_stdvec(&(first, second, third)).unwrap();
    let store = store_with(keys::mailing(MailingId(7)), 1, bytes).await;
    let mut read = store.mailing(MailingId(7)).await.unwrap().unwrap();
    assert_eq!(read.value.content, MailingContent::Release(ReleaseId(12)));
    assert_eq!((read.value.schedule.missed, read.value.created_by.as_str()), (MissedPolicy::Ask, "anna"));

    assert_eq!(read.value.created_uid, None);

    let bytes = postcard::to_stdvec(&(Some(3u64), (first, second, third))).unwrap();
    let later = store_with(keys::mailing(MailingId(7)), 2, bytes).await.mailing(MailingId(7)).await.unwrap().unwrap();
    assert_eq!((later.value.content, later.value.created_uid), (MailingContent::Post(PostId(3)), None));

    (read.value.content, read.value.created_uid) = (MailingContent::Post(PostId(3)), Some(1000));
    let mut batch = Batch::new();
    depesch::store::mailings::put_mailing(&mut batch, &read.value, Some(read.stamp));
    store.commit(batch).await.unwrap();
    assert_eq!(store.mailing(MailingId(7)).await.unwrap().unwrap().value, read.value);
}

#[tokio::test]
async fn an_answer_of_version_1_is_read_and_takes_new_sources() {
    let (event, hash) = (ReleaseId(12), [7; 32]);
    let millis = mailings::minute(0).timestamp_millis();
    let nothing = None::<(&str, bool)>;
    // address, subscriber, name, newsroom, function, press_card, people
    let person = ("karin@press.example", Some(3u64), Some(("Karin Ek", true)), nothing, nothing, nothing, Some(2u32));
    // at, answer, source, release, comment, why, late: words of mail 7, then operator
    let words = (millis, 2u32, (1u32, 7u64), 12u64, "Kanske", "", false);
    let operator = (millis, 0u32, (2u32, "anna"), 12u64, "", "", true);
    // Two elements of different types: a sequence is its length and its elements.
    let bytes = postcard::to_stdvec(&(person, 2u8, words, operator)).unwrap();
    let store = store_with(keys::rsvp(event, &hash), 1, bytes).await;
    let (found, _) = store.scan_rsvps(None, 10).await.unwrap();
    let [(_, read)] = &found[..] else { panic!("{}", found.len()) };
    let mut rsvp = read.value.clone();
    let name = Some(Detail { text: "Karin Ek".into(), given: true });
    assert_eq!(rsvp.person, RsvpPerson { name, people: Some(2), ..RsvpPerson::default() });
    let change = |answer, source, comment: &str, late| RsvpChange {
        at: mailings::minute(0),
        answer,
        source,
        release: event,
        comment: comment.into(),
        why: String::new(),
        late,
    };
    let mail = RsvpSource::Words { inbound: InboundId(7) };
    let expected = [
        change(RsvpAnswer::Maybe, mail, "Kanske", false),
        change(RsvpAnswer::Yes, RsvpSource::Operator { who: "anna".into() }, "", true),
    ];
    assert_eq!((rsvp.event, rsvp.subscriber, rsvp.changes.as_slice()), (event, Some(SubscriberId(3)), &expected[..]));

    for machine in ["192.0.2.77", "2001:db8:1:2::9"] {
        let network = Network::of(machine.parse().unwrap());
        rsvp.changes.push(change(RsvpAnswer::No, RsvpSource::Web { network }, "", false));
    }
    rsvp.changes.push(change(RsvpAnswer::Yes, RsvpSource::Api { client: "union-website".into() }, "", false));
    let mut batch = Batch::new();
    depesch::store::rsvps::put(&mut batch, &hash, Some(read.stamp.clone()), &rsvp);
    store.commit(batch).await.unwrap();
    let (found, _) = store.scan_rsvps(None, 10).await.unwrap();
    assert_eq!(found[0].1.value, rsvp);
    assert_eq!(found[0].1.stamp[0], 2, "an older program must not read it as damaged");
}
