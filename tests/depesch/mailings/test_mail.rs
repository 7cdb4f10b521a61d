//! A test mail is the reader's mail, in no ledger; what it contains changes nothing; a list can require one.

use depesch::base::id::ReleaseId;
use depesch::base::token::Purpose;
use depesch::composition::message::MessageSource;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::recipients::Recipient;
use depesch::mailings::edit::{EditError, EditOrder, edit};
use depesch::mailings::queue::{Order, QueueError, queue};
use depesch::mailings::sample::SampleError;
use depesch::mailings::test_mail::TestError;
use depesch::model::inbound::InboundKind;
use depesch::model::list::TestMailRule;
use depesch::model::mailing::{AudienceQuery, MailingContent, MissedPolicy, Schedule, UncertainPolicy};
use depesch::model::notice::NoticeBody;
use depesch::model::suppression::{Suppression, SuppressionReason};
use depesch::render::registry::Templates;
use depesch::store::engine::Batch;
use depesch::store::suppressions;
use mail_parser::MessageParser;

use crate::support::mailings::{list, mailing, minute, operator, put_subscriber};
use crate::support::notices::field;
use crate::support::people::all_mailings;
use crate::support::press::{Press, TESTER};
use crate::support::rsvps::{Hosts, RSVP, with_fields};

const RELEASE: ReleaseId = ReleaseId(1);

fn order(release: ReleaseId) -> Order {
    Order {
        content: MailingContent::Release(release),
        audience: AudienceQuery { lists: ["media".parse().unwrap()].into(), ..AudienceQuery::default() },
        schedule: Schedule { at: minute(60), zone: "UTC".into(), missed: MissedPolicy::Ask, grace_seconds: 600 },
        uncertain: UncertainPolicy::Resend,
        by: operator("anna"),
        undo_seconds: 0,
        again: false,
    }
}

#[tokio::test]
async fn it_is_the_mail_of_its_reader_with_tokens_that_are_valid_for_nothing() {
    let press = Press::new().await;
    let tested = press.test(RELEASE, press.subscriber()).await.unwrap();
    let (notice, to) = tested.notices[0].clone();
    assert_eq!((to.as_str(), tested.list.as_str()), (TESTER, "media"));
    let bytes = press.bytes(notice).await;
    let mut delivered = mailing(7, MissedPolicy::Send);
    delivered.content = MailingContent::Release(RELEASE);
    let delivered = press.messages.prepare(&delivered).await.unwrap().make(&press.reader).unwrap().whole();
    let parse = |bytes: &[u8]| MessageParser::default().parse(bytes).unwrap().into_owned();
    let (test, real) = (parse(&bytes), parse(&delivered));

    assert_eq!(test.subject(), Some(&*format!("[TEST] {}", real.subject().unwrap())));
    assert_eq!(field(&bytes, "X-Depesch-Test").as_deref(), Some("r1"));
    assert_eq!(test.to().unwrap().first().unwrap().address(), Some(TESTER));
    for name in ["From", "Reply-To", "List-Id", "Content-Type"] {
        let without_seed = |bytes: &[u8]| field(bytes, name).map(|value| value.replace("m0r1", "m7r1"));
        assert_eq!(without_seed(&bytes), without_seed(&delivered), "{name}");
    }
    // Line by line the same, but for the tokens.
    let lines = |message: &mail_parser::Message<'_>| -> Vec<String> {
        let text = format!("{}{}", message.body_text(0).unwrap(), message.body_html(0).unwrap());
        text.lines().filter(|line| !line.contains("unsubscribe+") && !line.contains("/u/")).map(str::to_owned).collect()
    };
    assert_eq!(lines(&test), lines(&real));
    assert!(lines(&test).len() > 50);

    let links = field(&bytes, "List-Unsubscribe").unwrap();
    let token = links.split("/u/").nth(1).unwrap().split('>').next().unwrap();
    let key = &press.world.key;
    assert_eq!(key.verify(Purpose::Unsubscribe, token), None);
    assert!(key.verify(Purpose::Test, token).is_some());
    let directory = Directory::new(press.world.store.clone(), key.clone());
    let address = format!("media-unsubscribe+{token}@lists.example.org");
    assert!(links.contains(&address));
    let resolved = directory.resolve(&address).await.unwrap();
    assert!(matches!(resolved, Resolved::No(Recipient::Forged)), "{resolved:?}");
    assert!(all_mailings(&press.world.store).await.is_empty());
}

#[tokio::test]
async fn large_attachments_go_with_it() {
    let programme = vec![b'x'; 400_000];
    let press = Press::with(&programme, Templates::load(None).unwrap()).await;
    let tested = press.test(RELEASE, press.invented()).await.unwrap();
    let notice = tested.notices[0].0;
    assert!(matches!(press.world.notice(notice).await.body, NoticeBody::KeptWithEnd(_)));
    let _worker = press.world.notice_worker();
    press.world.until_settled(notice).await;
    assert_eq!(press.world.notice(notice).await.state.word(), "accepted");
    let (envelope, bytes) = press.world.relay.carried.lock().unwrap()[0].clone();
    assert_eq!(envelope.recipient.as_str(), TESTER);
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    assert!(parsed.parts.iter().any(|part| part.contents() == programme), "the attachment is missing");
    assert!(press.world.store.notice_bytes(notice).await.unwrap().is_none(), "its text stays in the store");
}

#[tokio::test]
async fn an_answer_to_it_is_no_answer_to_the_invitation() {
    let hosts = Hosts::with_one().await;
    let token = hosts.world.key.sign(Purpose::Test, &[5]);
    let reply = |id: String| with_fields("karin", &format!("In-Reply-To: <{id}>\n"), "Jag kommer gärna!");
    let (kind, _) = hosts.comes(Some("karin@example.com"), RSVP, &reply(format!("test.n5.{token}@x.example"))).await;
    assert_eq!(kind, InboundKind::Forwarded);
    assert!(hosts.overview(1).await.answers.is_empty());
    let (kind, _) = hosts.comes(Some("karin@example.com"), RSVP, &reply(hosts.message_id(1, 4))).await;
    assert_eq!(kind, InboundKind::Rsvp, "the same answer to the real mail counts");
}

#[tokio::test]
async fn a_list_can_require_one_of_exactly_the_content() {
    let press = Press::new().await;
    let (store, messages) = (&press.world.store, &press.messages);
    store.change_list(&"media".parse().unwrap(), |list| list.test_mail = TestMailRule::Required).await.unwrap();
    let queued = async |release| queue(store, messages, minute(0), &order(release), None).await.map(|q| q.mailing);
    let refused = queued(RELEASE).await.unwrap_err();
    assert!(matches!(refused, QueueError::Untested { .. }), "{refused}");
    press.test(RELEASE, press.invented()).await.unwrap();
    let mailing = queued(RELEASE).await.unwrap();

    let source = include_str!("../../../docs/samples/inbjudan-riksmote.md").replace("Örebro", "Västerås");
    let changed = press.add(&source, b"%PDF programmet").await;
    let edited = async || {
        let order = EditOrder { release: changed, by: operator("anna"), again: false };
        edit(store, messages, minute(1), mailing.id, &order).await
    };
    assert!(matches!(edited().await, Err(EditError::Queue(QueueError::Untested { .. }))));
    press.test(changed, press.subscriber()).await.unwrap();
    assert_eq!(edited().await.unwrap().mailing.content, MailingContent::Release(changed));
}

#[tokio::test]
async fn who_gets_no_mail_gets_no_test_mail_and_the_list_must_be_clear() {
    let press = Press::new().await;
    let store = &press.world.store;
    let hash = press.world.key.hash_address(&"sam@example.net".parse().unwrap());
    let mut batch = Batch::new();
    let reason = SuppressionReason::Request;
    suppressions::put(
        &mut batch,
        &hash,
        None,
        &Suppression { address: None, reason, since: minute(0), note: String::new() },
    );
    store.commit(batch).await.unwrap();
    let to_sam = press.test_for(RELEASE, press.invented(), None, &[TESTER, "sam@example.net"]).await;
    assert!(matches!(to_sam, Err(TestError::Suppressed(_))));
    assert_eq!(store.notices(None, 10).await.unwrap().len(), 0, "a part was sent");

    store.create_list(&list("members")).await.unwrap();
    let unclear = press.test(RELEASE, press.invented()).await.unwrap_err();
    assert!(matches!(unclear, TestError::Sample(SampleError::WhichList(ref lists)) if lists.len() == 2), "{unclear}");
    let named = press.test_for(RELEASE, press.invented(), Some("members".parse().unwrap()), &[TESTER]).await.unwrap();
    assert_eq!(named.list.as_str(), "members");
    assert_eq!(press.test(RELEASE, press.subscriber()).await.unwrap().list.as_str(), "media");
    let stranger = put_subscriber(store, 2, &[], |_| {}).await;
    let stranger = depesch::mailings::sample::Reader::Subscriber(Box::new(stranger));
    let none = press.test(RELEASE, stranger).await.unwrap_err();
    assert!(matches!(none, TestError::Sample(SampleError::NotReader { .. })), "{none}");
}
