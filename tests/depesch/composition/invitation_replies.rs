//! A plain reply to an invitation reaches the place where answers are recorded; to any other release, a person.

use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::base::token::{Key, Purpose};
use depesch::composition::message::MessageSource;
use depesch::composition::release::record_of;
use depesch::composition::release_messages::{MessageSettings, ReleaseMessages};
use depesch::model::contact::ContactBook;
use depesch::model::list::{List, Privacy};
use depesch::model::mailing::{MailingContent, MissedPolicy};
use depesch::render::registry::Templates;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::blobs::Blobs;
use mail_parser::MessageParser;

use crate::support::mailings::{list, mailing, minute, put_subscriber, store};

/// Reply-To of an invitation to `list` whose event has these lines: name and address.
async fn reply_to(list: &List, event: &str) -> (Option<String>, String) {
    let store = store();
    store.create_list(list).await.unwrap();
    let reader = put_subscriber(&store, 4, &[list.name.as_str()], |_| {}).await;
    let text = format!(
        "+++\nkind = \"invitation\"\nlanguage = \"sv\"\nheadline = \"Frukost\"\nissuers = [\"Vardagskraft\"]\n\
         [[contacts]]\nrole = \"press\"\nname = \"Sara Holm\"\nemail = \"sara@example.org\"\n\
         [event]\nstart = 2027-03-11T09:30:00\ncity = \"Örebro\"\n{event}\n+++\nText.\n"
    );
    let settings = SourceSettings::default();
    let draft = parse(&text, &settings).draft.unwrap();
    let record = record_of(&text, &draft, &ContactBook::default(), [].into(), &settings, (minute(0), "anna"));
    let release = store.add_release(record).await.unwrap().id;
    let messages = ReleaseMessages::new(
        store.clone(),
        Blobs::in_state_directory(std::path::Path::new("/nonexistent")),
        Arc::new(Templates::load(None).unwrap()),
        Key::new([7; 32]),
        Arc::new(FakeClock::at(minute(60))),
        MessageSettings::default(),
    );
    let mut mailing = mailing(7, MissedPolicy::Send);
    mailing.content = MailingContent::Release(release);
    mailing.audience.lists = [list.name.clone()].into();
    let message = messages.prepare(&mailing).await.unwrap().make(&reader).unwrap().whole();
    let parsed = MessageParser::default().parse(&message).unwrap();
    let reply = parsed.reply_to().unwrap().first().unwrap();
    (reply.name().map(str::to_owned), reply.address().unwrap().to_owned())
}

fn asks(to: &str) -> String {
    format!("[event.rsvp]\nto = \"{to}\"")
}

#[tokio::test]
async fn answers_recorded_here_come_to_the_readers_own_address() {
    let key = Key::new([7; 32]);
    let token = key.sign(Purpose::Rsvp, &[7, 4]);
    for to in ["media-rsvp@lists.example.org", "anmalan@lists.example.org"] {
        let (name, address) = reply_to(&list("media"), &asks(to)).await;
        assert_eq!((name.as_deref(), address), (Some("Vardagskraft"), format!("media-rsvp+{token}@lists.example.org")));
    }
    let sensitive = List { privacy: Privacy::Sensitive, ..list("strejk") };
    let (_, address) = reply_to(&sensitive, &asks("anmalan@lists.example.org")).await;
    assert!(address.contains(&format!("-rsvp+{token}@")) && !address.contains("strejk"), "{address}");
}

#[tokio::test]
async fn answers_recorded_elsewhere_go_there() {
    let (_, address) = reply_to(&list("media"), &asks("anmalan@events.example.com")).await;
    assert_eq!(address, "anmalan@events.example.com");
}

#[tokio::test]
async fn where_no_answer_is_wanted_a_person_answers() {
    let cancelled = format!("status = \"cancelled\"\n{}", asks("anmalan@lists.example.org"));
    for event in ["", &cancelled] {
        let reply = reply_to(&list("media"), event).await;
        assert_eq!(reply, (Some("Sara Holm".to_owned()), "sara@example.org".to_owned()), "{event}");
    }
}
