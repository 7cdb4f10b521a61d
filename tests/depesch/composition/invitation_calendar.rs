//! Where answers are wanted, each reader's calendar part asks that reader (RFC 5546 §3.2.2); an update or a cancellation
//! comes from the same organiser, since calendar programs take it from no other.

use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::base::token::{Key, Purpose};
use depesch::composition::message::MessageSource;
use depesch::composition::release::{read_record, record_of};
use depesch::composition::release_messages::{MessageSettings, ReleaseMessages};
use depesch::events::invitation;
use depesch::model::contact::ContactBook;
use depesch::model::mailing::{MailingContent, MissedPolicy};
use depesch::model::subscriber::Subscriber;
use depesch::render::registry::Templates;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::Store;
use depesch::store::blobs::Blobs;
use mail_parser::{MessageParser, MimeHeaders};

use crate::support::mailings::{list, mailing, minute, put_subscriber, store};

struct House {
    store: Store,
    messages: ReleaseMessages,
    readers: [Subscriber; 2],
}

async fn house() -> House {
    let store = store();
    store.create_list(&list("media")).await.unwrap();
    let readers = [
        put_subscriber(&store, 4, &["media"], |s| s.name = Some("Åsa Öberg".into())).await,
        put_subscriber(&store, 5, &["media"], |s| s.name = None).await,
    ];
    let messages = ReleaseMessages::new(
        store.clone(),
        Blobs::in_state_directory(std::path::Path::new("/nonexistent")),
        Arc::new(Templates::load(None).unwrap()),
        Key::new([7; 32]),
        Arc::new(FakeClock::at(minute(60))),
        MessageSettings::default(),
    );
    House { store, messages, readers }
}

impl House {
    /// Adds a release about the event and returns each reader's calendar, unfolded, of a mailing of it.
    async fn calendars(&self, more: &str, event: &str) -> Vec<String> {
        let text = format!(
            "+++\nkind = \"invitation\"\nlanguage = \"sv\"\nheadline = \"Frukost\"\nissuers = [\"Vardagskraft\"]\n{more}\n\
             [event]\nstart = 2027-03-11T09:30:00\ncity = \"Örebro\"\n{event}\n+++\nText.\n"
        );
        let settings = SourceSettings::default();
        let draft = parse(&text, &settings).draft.unwrap();
        let record = record_of(&text, &draft, &ContactBook::default(), [].into(), &settings, (minute(0), "anna"));
        let invitation = invitation(&read_record(&record).unwrap());
        let release = self.store.add_invitation(record, invitation.as_ref()).await.unwrap().id;
        let mut mailing = mailing(release.0 + 10, MissedPolicy::Send);
        mailing.content = MailingContent::Release(release);
        let prepared = self.messages.prepare(&mailing).await.unwrap();
        let calendar = |reader: &Subscriber| {
            let message = prepared.make(reader).unwrap().whole();
            let parsed = MessageParser::default().parse(&message).unwrap();
            let part = parsed.parts.iter().find(|part| part.is_content_type("text", "calendar")).unwrap();
            let text = String::from_utf8(part.contents().to_vec()).unwrap().replace("\r\n ", "");
            let method = part.content_type().unwrap().attribute("method").unwrap();
            assert!(text.contains(&format!("\r\nMETHOD:{method}\r\n")), "{text}");
            text
        };
        self.readers.iter().map(calendar).collect()
    }
}

/// The lines of a calendar that begin with a name.
fn lines<'a>(calendar: &'a str, name: &str) -> Vec<&'a str> {
    calendar.lines().filter(|line| line.split([':', ';']).next() == Some(name)).collect()
}

const ASKS: &str = "[event.rsvp]\nto = \"anmalan@lists.example.org\"";

fn organiser(reader: u64) -> String {
    let token = Key::new([7; 32]).sign(Purpose::Rsvp, &[1, reader]);
    format!("ORGANIZER;CN=\"Vardagskraft\":mailto:media-rsvp+{token}@lists.example.org")
}

#[tokio::test]
async fn each_reader_is_asked_alone() {
    let calendars = house().await.calendars("", ASKS).await;
    let asks = "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE";
    let attendees =
        [format!("{asks};CN=\"Åsa Öberg\":mailto:reader4@example.com"), format!("{asks}:mailto:reader5@example.com")];
    for ((calendar, attendee), id) in calendars.iter().zip(&attendees).zip([4, 5]) {
        assert_eq!(lines(calendar, "METHOD"), ["METHOD:REQUEST"]);
        assert_eq!(lines(calendar, "ORGANIZER"), [organiser(id)]);
        assert_eq!(lines(calendar, "ATTENDEE"), [attendee], "no reader sees another");
    }
}

#[tokio::test]
async fn an_event_without_answers_is_published() {
    for event in ["", &format!("invite = \"publish\"\n{ASKS}")] {
        let calendars = house().await.calendars("", event).await;
        assert_eq!(calendars[0], calendars[1]);
        assert_eq!(lines(&calendars[0], "METHOD"), ["METHOD:PUBLISH"]);
        assert_eq!(lines(&calendars[0], "ATTENDEE").len(), 0);
        assert_eq!(lines(&calendars[0], "ORGANIZER").len(), 1);
    }
}

#[tokio::test]
async fn answers_to_an_address_elsewhere_go_there() {
    let calendars = house().await.calendars("", "[event.rsvp]\nto = \"anmalan@events.example.com\"").await;
    assert_eq!(lines(&calendars[0], "ORGANIZER"), ["ORGANIZER;CN=\"Vardagskraft\":mailto:anmalan@events.example.com"]);
    assert_eq!(lines(&calendars[0], "METHOD"), ["METHOD:REQUEST"]);
}

#[tokio::test]
async fn a_move_and_a_cancellation_come_from_the_same_organiser() {
    let house = house().await;
    let first = house.calendars("", ASKS).await;
    let update = "[[relations]]\nkind = \"update-of\"\nto = \"r1\"\n";
    let moved =
        house.calendars(update, &format!("status = \"moved\"\nprevious_start = 2027-03-10T09:30:00\n{ASKS}")).await;
    // A cancellation need not repeat how to register.
    let cancelled = house.calendars(update, "status = \"cancelled\"").await;
    for (reader, id) in [(0, 4), (1, 5)] {
        for (sequence, calendar) in [&first[reader], &moved[reader], &cancelled[reader]].into_iter().enumerate() {
            assert_eq!(lines(calendar, "ORGANIZER"), [organiser(id)], "{calendar}");
            assert_eq!(lines(calendar, "UID"), lines(&first[reader], "UID"));
            assert_eq!(lines(calendar, "SEQUENCE"), [format!("SEQUENCE:{sequence}")]);
        }
        assert_eq!(lines(&moved[reader], "METHOD"), ["METHOD:REQUEST"]);
        assert_eq!(lines(&cancelled[reader], "METHOD"), ["METHOD:CANCEL"]);
        let [attendee] = lines(&cancelled[reader], "ATTENDEE")[..] else { panic!("{}", cancelled[reader]) };
        assert!(!attendee.contains("RSVP") && attendee.ends_with(&format!("reader{id}@example.com")), "{attendee}");
    }
}
