//! One person whose address and name are in every family of records and in every kind of file, among other people whose
//! data must not be lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use depesch::base::address::Address;
use depesch::base::clock::{FakeClock, Timestamp};
use depesch::base::id::{InboundId, MailingId, NoticeId, PendingRequestId, PostId, ReleaseId, SubscriberId};
use depesch::base::language::Language;
use depesch::model::bounce::{Bounce, BounceEffect, BounceSource, Score, Suspension, Verdict};
use depesch::model::classify::Class;
use depesch::model::consent::ConsentSource;
use depesch::model::inbound::{Arrival, Inbound, InboundKind, InboundState, SpoolPlace, Via};
use depesch::model::ledger::{Cause, Delivery, DeliveryState, Stage};
use depesch::model::mailing::{MissedPolicy, Pause, PauseReason};
use depesch::model::notice::{Notice, NoticeBody, NoticeState};
use depesch::model::pending_request::{Action, PendingRequest, PendingState};
use depesch::model::post::{Hold, HoldReason, Post, PostState};
use depesch::model::release::Blob;
use depesch::model::reply::Reply;
use depesch::model::rsvp::{Detail, Rsvp, RsvpAnswer, RsvpChange, RsvpPerson, RsvpSource};
use depesch::model::subscriber::SubscriptionState;
use depesch::model::suppression::{Suppression, SuppressionReason};
use depesch::privacy::erasure::Eraser;
use depesch::privacy::personal_data::Files;
use depesch::store::blobs::Blobs;
use depesch::store::engine::{Batch, Commit};
use depesch::store::spool::{Spool, SpoolSettings};
use depesch::store::{Store, bounces, inbound, ledger, notices, pending_requests, posts, rsvps, suppressions};
use depesch::subscribers::profile::SubscriberService;

use super::mailings::{mailing, minute, put, put_frozen, put_subscriber};
use super::people::key;

/// The address; nothing else in a store contains its parts.
pub const ADDRESS: &str = "Zebulon.Kvist@Tidning.example";
/// The name.
pub const NAME: &str = "Zebulon Quistgaard";
/// Words that must not be found anywhere after an erasure, in lower case.
pub const WORDS: [&str; 3] = ["zebulon", "quistgaard", "kvist"];
/// An address that must be there before and after.
pub const OTHER: &str = "reader2@example.com";

/// A captured mail that does not name the person.
pub const CAPTURED: &str = "new/1795251600.M000003P7Q000002.depesch";

/// A person with personal data everywhere in a state directory.
pub struct Planted {
    pub store: Store,
    pub state: PathBuf,
    pub files: Files,
    /// The spool places of the person's mails and of other people's.
    pub theirs: Vec<SpoolPlace>,
    pub others: SpoolPlace,
    /// Files kept for the person.
    pub evidence: Blob,
}

fn address() -> Address {
    ADDRESS.parse().unwrap()
}

fn mail(from: &str, encoding: &str, body: &str) -> Vec<u8> {
    format!("From: {from}\r\nSubject: Hej\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n")
        .into_bytes()
}

async fn commit(store: &Store, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
}

impl Planted {
    /// Adds the person, as subscriber 1, to `store` and to files in `state`.
    pub async fn in_store(store: Store, state: &Path) -> Self {
        let clock = Arc::new(FakeClock::at(minute(0)));
        let settings = SpoolSettings { reserve_bytes: 0, ..SpoolSettings::default() };
        let spool = Spool::open(&state.join("spool"), settings, clock).unwrap();
        let blobs = Blobs::in_state_directory(state);
        let capture = state.join("capture");
        std::fs::create_dir_all(capture.join("new")).unwrap();
        std::fs::create_dir_all(capture.join("cur")).unwrap();
        let captured = |name: &str, text: &str| {
            std::fs::write(capture.join(name), mail("media@lists.example.org", "7bit", text)).unwrap();
        };
        captured("new/1795251600.M000001P7Q000000.depesch", &format!("To {ADDRESS}"));
        captured("cur/1795251600.M000002P7Q000001.depesch:2,S", &format!("To {ADDRESS}"));
        captured(CAPTURED, OTHER);
        let evidence = blobs.put(None, &mail(ADDRESS, "7bit", "Ja, gärna")[..]).await.unwrap();
        let files = Files { spool, blobs, capture: Some(capture) };
        super::people::put_lists(&store).await;
        let mut planted = Self {
            store,
            state: state.to_owned(),
            files,
            theirs: Vec::new(),
            others: SpoolPlace { segment: 0, offset: 0, length: 0 },
            evidence,
        };
        planted.subscriber().await;
        planted.ledger().await;
        planted.mail_in().await;
        planted.notices().await;
        planted.posts().await;
        planted.answers().await;
        planted
    }

    /// The subscriber service of an operator.
    pub fn service(&self, at: Timestamp) -> SubscriberService {
        SubscriberService { store: self.store.clone(), key: key(), at, who: "anna".to_owned() }
    }

    /// The eraser.
    pub fn eraser(&self) -> Eraser {
        Eraser { store: self.store.clone(), key: key(), files: Some(self.files.clone()) }
    }

    async fn subscriber(&self) {
        let sha256 = self.evidence.sha256;
        put_subscriber(&self.store, 1, &["members"], |subscriber| {
            subscriber.address = address();
            subscriber.name = Some(NAME.to_owned());
            subscriber.attributes.insert("phone".to_owned(), "070-174 06 05".to_owned());
            let source = ConsentSource::Mail { message_id: "1@zebulon.example".to_owned(), evidence: Some(sha256) };
            let media = "media".parse().unwrap();
            subscriber.change(&media, SubscriptionState::Active, minute(1), source, format!("Ja! {NAME}")).unwrap();
        })
        .await;
        put_subscriber(&self.store, 2, &["media"], |_| {}).await;
        let (hash, note) = (key().hash_address(&address()), format!("{NAME} rang"));
        let suppression =
            Suppression { address: Some(address()), reason: SuppressionReason::Request, since: minute(2), note };
        commit(&self.store, |batch| {
            pending_requests::put_evidence(batch, &sha256, SubscriberId(1));
            suppressions::put(batch, &hash, None, &suppression);
        })
        .await;
    }

    async fn ledger(&self) {
        let mailing = put_frozen(&self.store, 1, 300).await;
        let row = self.store.chunk_rows(mailing.id, 0).await.unwrap().remove(0);
        let reply = Reply::new(550, &format!("5.1.1 <{ADDRESS}>: no mailbox zebulon here"));
        let state = DeliveryState::Failed { at: minute(61), cause: Cause::Reply { stage: Stage::Recipient, reply } };
        let bounce = Bounce {
            mailing: mailing.id,
            subscriber: SubscriberId(1),
            at: minute(62),
            verdict: Verdict::Permanent,
            class: Class::Address,
            status: Some("5.1.1".to_owned()),
            evidence: format!("550 5.1.1 {ADDRESS} unknown"),
            source: BounceSource::Session,
            effect: BounceEffect::Suspended,
            reports: 1,
        };
        let suspension =
            Suspension { at: minute(62), evidence: bounce.evidence.clone(), reported: false, probes: 0, probe: None };
        commit(&self.store, |batch| {
            ledger::put_delivery(batch, mailing.id, &row, &Delivery { state, attempts: 1, resent: 0 });
            bounces::put_bounce(batch, None, &bounce);
            bounces::put_score(
                batch,
                SubscriberId(1),
                None,
                &Score { suspension: Some(suspension), ..Score::default() },
            );
        })
        .await;
        // A mailing that sends a post of the person's, stopped with a reply of a server.
        let mut other = depesch::model::mailing::Mailing { created_by: ADDRESS.to_owned(), ..mailing_of(2) };
        other.pause =
            Some(Pause { since: minute(3), reason: PauseReason::Breaker { evidence: format!("554 {ADDRESS}") } });
        put(&self.store, &other).await;
    }

    async fn mail_in(&mut self) {
        let texts = [
            (Some(ADDRESS), mail(&format!("{NAME} <{ADDRESS}>"), "7bit", "Hej")),
            // Other people's mail names the person in encoded text.
            (None, mail("MAILER-DAEMON@mx.example", "base64", "VG86IHplYnVsb24ua3Zpc3RAdGlkbmluZy5leGFtcGxl")),
            (
                None,
                mail(
                    "MAILER-DAEMON@mx.example",
                    "quoted-printable",
                    "=5Aebulon.Kvist=40Tidn=\r\ning.example (Quistgaard)",
                ),
            ),
            (Some(OTHER), mail(OTHER, "7bit", "Jag heter Bo")),
        ];
        for (number, (sender, bytes)) in (1..).zip(texts) {
            let place = self.files.spool.append(bytes).await.unwrap();
            let arrival = Arrival {
                at: minute(4),
                via: Via::Lmtp,
                peer: None,
                helo: "mx.example".to_owned(),
                encrypted: false,
                sender: sender.map(str::to_owned),
            };
            let recipient = "media@lists.example.org".to_owned();
            let message = Inbound { id: InboundId(number), arrival, recipient, place, state: InboundState::Waiting };
            commit(&self.store, |batch| inbound::put_new(batch, &message)).await;
            if sender == Some(OTHER) {
                self.others = place;
            } else {
                self.theirs.push(place);
                self.handle(InboundId(number)).await;
            }
        }
        self.store.allocate("inbound", 4).await.unwrap();
    }

    /// Records that an incoming message was handled.
    pub async fn handle(&self, id: InboundId) {
        let read = self.store.inbound(id).await.unwrap().unwrap();
        commit(&self.store, |batch| inbound::put_handled(batch, &read, minute(5), InboundKind::Command, "subscribed"))
            .await;
    }

    async fn notices(&self) {
        let to = |id: u64, recipient: &str, body, state| Notice {
            id: NoticeId(id),
            sender: None,
            recipient: recipient.parse().unwrap(),
            body,
            about: "help".to_owned(),
            created: minute(6),
            opened: minute(6),
            attempts: 0,
            resent: 0,
            state,
        };
        let waiting = || NoticeState::Waiting { due: minute(7), cause: None };
        let accepted = |text: &str| NoticeState::Accepted { at: minute(7), reply: Reply::new(250, text) };
        let header = format!("Resent-From: media@lists.example.org\r\nX-Original: {ADDRESS}\r\n").into_bytes();
        let passed = NoticeBody::Forwarded { header, place: self.theirs[0] };
        let failed = NoticeState::Failed { at: minute(7), cause: Cause::Message(format!("{ADDRESS} refused")) };
        let notices = [
            (
                to(1, ADDRESS, NoticeBody::Kept, waiting()),
                Some(mail("media@lists.example.org", "7bit", &format!("Hej {NAME}"))),
            ),
            (to(2, ADDRESS, NoticeBody::Kept, accepted("2.0.0 ok zebulon")), None),
            (to(3, "press@example.org", passed, failed), None),
            (to(4, OTHER, NoticeBody::Kept, waiting()), Some(mail("media@lists.example.org", "7bit", "Hej Bo"))),
        ];
        for (notice, bytes) in notices {
            commit(&self.store, |batch| notices::put_new(batch, &notice, bytes.as_deref())).await;
        }
    }

    async fn posts(&self) {
        let list = "members".parse().unwrap();
        let post = async |id: u64, author: &str, body: &str, state| Post {
            id: PostId(id),
            list: Clone::clone(&list),
            author: author.parse().unwrap(),
            author_name: (author == ADDRESS).then(|| NAME.to_owned()),
            subject: "Hej".to_owned(),
            message_id: None,
            blob: self.files.blobs.put(None, &mail(author, "7bit", body)[..]).await.unwrap(),
            received: minute(8),
            authentication: Default::default(),
            state,
        };
        let refused = |by: &str| PostState::Refused { at: minute(9), by: by.to_owned(), why: "fel lista".to_owned() };
        let hold = Hold::new(HoldReason::Moderation, minute(8), vec!["press@example.org".parse().unwrap()]);
        let posts = [
            post(1, ADDRESS, "Ett", PostState::Held(hold)).await,
            post(2, OTHER, &format!("> {NAME} <{ADDRESS}> skrev"), refused("anna")).await,
            post(3, OTHER, "Tre", refused(ADDRESS)).await,
        ];
        for post in posts {
            commit(&self.store, |batch| posts::put_post(batch, &post, None)).await;
        }
    }

    async fn answers(&self) {
        let pending = |id: u64, who: &str| PendingRequest {
            id: PendingRequestId(id),
            address: who.parse().unwrap(),
            list: "media".parse().unwrap(),
            language: Language::swedish(),
            actions: vec![Action::Pause],
            words: "Ja".to_owned(),
            asked: minute(10),
            expires: minute(1000),
            state: PendingState::Open,
        };
        let rsvp = |who: &str, comment: &str| Rsvp {
            event: ReleaseId(1),
            address: who.parse().unwrap(),
            subscriber: None,
            person: RsvpPerson { name: Some(Detail { text: who.to_owned(), given: true }), ..RsvpPerson::default() },
            changes: vec![RsvpChange {
                at: minute(11),
                answer: RsvpAnswer::Yes,
                source: RsvpSource::Operator { who: "anna".to_owned() },
                release: ReleaseId(1),
                comment: comment.to_owned(),
                why: String::new(),
                late: false,
            }],
        };
        let answers =
            [rsvp(ADDRESS, &format!("{NAME} tål inte nötter")), rsvp(OTHER, &format!("Jag kommer med {ADDRESS}"))];
        for answer in answers {
            let hash = key().hash_address(&answer.address);
            commit(&self.store, |batch| rsvps::put(batch, &hash, None, &answer)).await;
        }
        for (id, who) in [(1, ADDRESS), (2, OTHER)] {
            commit(&self.store, |batch| pending_requests::put_new(batch, &pending(id, who))).await;
        }
    }
}

fn mailing_of(id: u64) -> depesch::model::mailing::Mailing {
    let mut mailing = mailing(id, MissedPolicy::Ask);
    mailing.id = MailingId(id);
    mailing
}
