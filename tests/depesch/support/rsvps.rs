//! A press office that has sent invitations, and the mail that answers them.

use std::sync::Arc;

use depesch::base::clock::{Clock, Timestamp};
use depesch::base::id::{MailingId, NoticeId, ReleaseId};
use depesch::base::token::Purpose;
use depesch::composition::release::{read_record, record_of};
use depesch::events::invitation;
use depesch::events::overview::Overview;
use depesch::inbound::destination::{Directory, Resolved};
use depesch::inbound::triage::Triage;
use depesch::inbound::{Handler, Item};
use depesch::mail::incoming::Incoming;
use depesch::model::contact::ContactBook;
use depesch::model::inbound::{InboundKind, Via};
use depesch::model::mailing::{Frozen, MailingContent, MissedPolicy, Stage};
use depesch::model::notice::{Notice, NoticeBody};
use depesch::model::rsvp::Rsvp;
use depesch::render::source::{SourceSettings, parse};
use depesch::store::blobs::Blobs;
use depesch::store::engine::Commit;
use depesch::subscribers::limits::AskSettings;

use mail_parser::MessageParser;

use super::commands::triage;
use super::mailings::{list, mailing, put};
use super::notices::World;
use super::office::noon;

/// The address for answers to the invitations.
pub const RSVP: &str = "anmalan@press.example";
/// The press contact of the invitations.
pub const CONTACT: &str = "oskar@press.example";

pub struct Hosts {
    pub world: World,
    triage: Triage,
    directory: Directory,
}

impl Hosts {
    /// Creates the list `media`, without an invitation.
    pub async fn new() -> Self {
        let world = World::new();
        world.store.create_list(&list("media")).await.unwrap();
        let blobs = Blobs::in_state_directory(std::path::Path::new("/nonexistent"));
        let settings = AskSettings::default();
        let triage = triage(&world.store, &blobs, &world.clock, &world.key, &world.notices, settings);
        let directory = Directory::new(world.store.clone(), world.key.clone());
        Self { world, triage, directory }
    }

    /// Creates the list and one invitation, to an event in a week, sent as mailing 1.
    pub async fn with_one() -> Self {
        let hosts = Self::new().await;
        let release = hosts.invite("Så bygger vi fler bostäder", "2026-11-26T09:30:00", "").await;
        hosts.send(1, release).await;
        hosts
    }

    /// Adds an invitation; `more` is further lines of `[event.rsvp]` or of sections after it.
    pub async fn invite(&self, headline: &str, start: &str, more: &str) -> ReleaseId {
        self.invite_with(headline, &format!("[event]\nstart = {start}\nvenue = \"Salen\"\n"), more).await
    }

    /// As [`Self::invite`], with all lines of `[event]` given.
    pub async fn invite_with(&self, headline: &str, event: &str, more: &str) -> ReleaseId {
        let source = format!(
            "+++\nkind = \"invitation\"\nlanguage = \"sv\"\nheadline = \"{headline}\"\nissuers = [\"Exempelförbundet\"]\n\n\
             [[contacts]]\nrole = \"press\"\nname = \"Oskar Wiklund\"\nphones = [\"070-174 06 12\"]\nemail = \"{CONTACT}\"\n\n\
             {event}\n[event.rsvp]\nto = \"{RSVP}\"\n{more}\n+++\n\nVälkommen!\n"
        );
        self.add(&source).await
    }

    /// Adds a release.
    pub async fn add(&self, source: &str) -> ReleaseId {
        let settings = SourceSettings::default();
        let parsed = parse(source, &settings);
        let draft = parsed.draft.unwrap_or_else(|| panic!("{:?}", parsed.findings));
        let record =
            record_of(source, &draft, &ContactBook::default(), Default::default(), &settings, (noon(), "anna"));
        let invitation = invitation(&read_record(&record).unwrap());
        self.world.store.add_invitation(record, invitation.as_ref()).await.unwrap().id
    }

    /// Sends a mailing of a release to `media`.
    pub async fn send(&self, id: u64, release: ReleaseId) {
        let stage = Stage::Sending(Frozen { at: noon(), chunks: 0, audience: 0 });
        put(
            &self.world.store,
            &depesch::model::mailing::Mailing {
                content: MailingContent::Release(release),
                stage,
                ..mailing(id, MissedPolicy::Send)
            },
        )
        .await;
    }

    /// The Message-ID of a mailing's mail to a subscriber.
    pub fn message_id(&self, mailing: u64, subscriber: u64) -> String {
        let token = self.world.key.sign(Purpose::MessageId, &[mailing, subscriber]);
        format!("{}.{token}@lists.example.org", MailingId(mailing))
    }

    /// Receives and handles a mail; returns its kind and the note.
    pub async fn comes(&self, sender: Option<&str>, to: &str, mail: &str) -> (InboundKind, String) {
        for _ in 0..10 {
            let item = self.item(sender, to, mail).await;
            let effects = self.triage.handle(&item).await.unwrap();
            if self.world.store.commit(effects.batch).await.unwrap() == Commit::Applied {
                return (effects.kind, effects.note);
            }
        }
        panic!("others are always quicker");
    }

    async fn item(&self, sender: Option<&str>, to: &str, mail: &str) -> Item {
        let bytes = mail.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        let (mut inbound, message): (_, Incoming) = self.world.take_in(sender, &bytes).await;
        inbound.recipient = to.to_owned();
        inbound.arrival.via = Via::Smtp;
        inbound.arrival.at = self.now();
        let destination = match self.directory.resolve(to).await.unwrap() {
            Resolved::Ours(destination) => Some(destination),
            Resolved::No(answer) => panic!("{to}: {answer:?}"),
        };
        Item { inbound, bytes: Arc::new(bytes), message, destination }
    }

    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// A plain mail from a person at `example.com` to the RSVP address.
    pub async fn writes(&self, who: &str, text: &str) -> (InboundKind, String) {
        self.comes(Some(&format!("{who}@example.com")), RSVP, &plain(who, text)).await
    }

    /// The answers to the event of a release.
    pub async fn overview(&self, release: u64) -> Overview {
        Overview::of(&self.world.store, ReleaseId(release)).await.unwrap()
    }

    /// The answer of a person at `example.com` to the event of release 1.
    pub async fn answer_of(&self, who: &str) -> Option<Rsvp> {
        let address = format!("{who}@example.com");
        let all = self.overview(1).await.answers.into_iter().map(|answered| answered.rsvp);
        all.into_iter().find(|rsvp| rsvp.address.as_str() == address)
    }

    /// All notices written so far, oldest first.
    pub async fn notices(&self) -> Vec<Notice> {
        let mut notices: Vec<Notice> =
            self.world.store.notices(None, 100).await.unwrap().into_iter().map(|read| read.value).collect();
        notices.reverse();
        notices
    }

    /// The recipients of forwarded mails.
    pub async fn forwarded_to(&self) -> Vec<String> {
        let notices = self.notices().await.into_iter();
        let passed = notices.filter(|notice| matches!(notice.body, NoticeBody::Forwarded { .. }));
        passed.map(|notice| notice.recipient.to_string()).collect()
    }

    /// The recipients of receipts, and their headers and texts, each paragraph on a line of its own.
    pub async fn receipts(&self) -> Vec<(String, String)> {
        let mut receipts = Vec::new();
        for notice in self.notices().await.into_iter().filter(|notice| notice.about == "rsvp-receipt") {
            let bytes = self.world.store.notice_bytes(notice.id).await.unwrap().unwrap();
            let text = MessageParser::default().parse(&bytes).unwrap().body_text(0).unwrap().into_owned();
            let text = text.replace("\r\n", "\n").replace(" \n", " ").replace('\u{a0}', " ");
            let head = String::from_utf8_lossy(&bytes).split("\r\n\r\n").next().unwrap().to_owned();
            receipts.push((notice.recipient.to_string(), format!("{head}\n\n{text}")));
        }
        receipts
    }

    pub async fn text_of(&self, notice: NoticeId) -> String {
        let bytes = self.world.store.notice_bytes(notice).await.unwrap().unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A plain mail.
pub fn plain(who: &str, text: &str) -> String {
    with_fields(who, "", text)
}

/// A plain mail with additional header fields, each including its line end.
pub fn with_fields(who: &str, fields: &str, text: &str) -> String {
    format!(
        "From: {who} <{who}@example.com>\nTo: {RSVP}\nSubject: Sv: Inbjudan\nMessage-ID: <{}@example.com>\n{fields}\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{text}\n",
        text.len()
    )
}

/// The reply of a calendar program.
pub fn calendar(who: &str, fields: &str, content_type: &str, calendar: &str) -> String {
    format!(
        "From: {who} <{who}@example.com>\nTo: {RSVP}\nSubject: Accepted: x\nMessage-ID: <c{}@example.com>\n{fields}\
         MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b1\n\n--b1\nContent-Type: text/plain; \
         charset=utf-8\n\n{who} has replied to this invitation.\n--b1\nContent-Type: {content_type}\n\n{calendar}\n--b1--\n",
        calendar.len()
    )
}
