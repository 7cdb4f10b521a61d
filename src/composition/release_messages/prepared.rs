//! A mailing of a release that only lacks the recipient: composes one message for each subscriber.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::{Clock, Timestamp};
use crate::base::id::{MailingId, SubscriberId};
use crate::base::token::{Key, Purpose, content_hash, to_hex};
use crate::mail::calendar;
use crate::mail::compose::{Individual, Sender, compose_beginning};
use crate::mail::frame::{Frame, InlinePicture, Parts};
use crate::mail::headers::Mailbox;
use crate::mail::verify::{Expected, verify};
use crate::model::mailing::Mailing;
use crate::model::release::Release;
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::render::prepare::{Personal, PreparedRelease, Recipient};
use crate::render::template_files::TemplateError;
use crate::transport::Envelope;

use super::{Answers, Enclosed, ReleaseMessages, broken, reply_mailbox};
use crate::composition::list_identity::ListIdentity;
use crate::composition::message::{Message, PrepareError, PreparedMailing, Sample};
use crate::composition::message_id;
use crate::composition::originals::Originals;
use crate::composition::sample::{self, INVENTED, SampleReader, ShownTo, TEST_FIELD, TEST_PREFIX, TestMail};

/// A mailing that only lacks the recipient.
pub(crate) struct PreparedReleases {
    mailing: MailingId,
    language: String,
    prepared: PreparedRelease,
    lists: Vec<ListIdentity>,
    sender: Sender,
    frame: Frame,
    /// SHA-256 of the installation's own templates.
    layout: [u8; 32],
    key: Key,
    clock: Arc<dyn Clock>,
    base_url: Option<String>,
    message_domain: String,
    originals: Originals,
    /// Where answers to its event go.
    answers: Option<Answers>,
}

/// The header fields that differ between a message and a sample of it.
struct Head {
    to: Mailbox,
    /// The reader's own address for the answer to an invitation.
    answers_to: Option<Mailbox>,
    /// The lines of the calendar that ask this reader.
    asking: String,
    subject: String,
    message_id: String,
    references: Vec<String>,
}

/// The unsubscribe links of one message.
struct Links {
    https: Option<String>,
    address: String,
}

impl PreparedReleases {
    pub(super) fn new(
        source: &ReleaseMessages,
        mailing: &Mailing,
        release: &Release,
        prepared: PreparedRelease,
        lists: Vec<ListIdentity>,
        from: Mailbox,
        (parts, originals, answers): (&Enclosed, Originals, Option<Answers>),
    ) -> Self {
        let first = &lists[0];
        let reply_to = Some(reply_mailbox(release, &first.owner)).filter(|reply| reply.address != from.address);
        let feedback_id = format!("{}:{}:{}:depesch", mailing.id, mailing.content, release.kind);
        let frame = Frame::new(release.language.as_str(), &format!("{}{}", mailing.id, mailing.content), parts.parts());
        let message_domain = source.settings.message_domain.clone().unwrap_or_else(|| first.domain().to_owned());
        Self {
            mailing: mailing.id,
            language: release.language.as_str().to_owned(),
            prepared,
            sender: Sender { from, reply_to, feedback_id },
            frame,
            layout: source.templates.fingerprint(),
            key: source.key.clone(),
            clock: source.clock.clone(),
            // RFC 8058 §3.1 allows only https.
            base_url: source.settings.base_url.clone().filter(|url| url.starts_with("https://")),
            message_domain,
            originals,
            answers,
            lists,
        }
    }

    /// The list by which a subscriber gets the mailing: the first by name on which they are active.
    fn list_of(&self, subscriber: &Subscriber) -> Option<&ListIdentity> {
        self.lists.iter().find(|list| subscriber.state_on(&list.name) == Some(SubscriptionState::Active))
    }

    /// RFC 8058, RFC 2369. The token contains mailing, subscriber and the list's position in the mailing's audience.
    fn links(&self, list: &ListIdentity, subscriber: SubscriberId, purpose: Purpose) -> Links {
        let token = self.key.sign(purpose, &[self.mailing.0, subscriber.0, list.place]);
        let https = self.base_url.as_ref().map(|base| format!("{base}/u/{token}"));
        Links { https, address: list.unsubscribe_address(&token) }
    }

    fn personal(&self, list: &ListIdentity, subscriber: &Subscriber, links: &Links) -> Result<Personal, TemplateError> {
        self.prepared.for_recipient(&Recipient {
            name: subscriber.name.as_deref(),
            organisation: subscriber.organisation.as_deref(),
            address: subscriber.address.as_str(),
            language: &subscriber.language,
            attributes: &subscriber.attributes,
            list_title: list.title.as_deref(),
            unsubscribe: links.https.as_deref(),
            unsubscribe_address: Some(&links.address),
        })
    }

    /// The address for one reader's answer to its event; with a token that contains event and subscriber where answers
    /// are recorded here.
    fn answer_mailbox(
        &self,
        list: &ListIdentity,
        subscriber: SubscriberId,
        purpose: Purpose,
    ) -> Result<Option<Mailbox>, String> {
        let Some(answers) = &self.answers else { return Ok(None) };
        let address = match answers.recorded_for {
            None => answers.to.clone(),
            Some(event) => {
                let address = list.rsvp_address(&self.key.sign(purpose, &[event.0, subscriber.0]));
                address.parse().map_err(|error| format!("the address for answers {address}: {error}"))?
            }
        };
        Ok(Some(Mailbox { name: self.sender.from.name.clone(), address }))
    }

    /// Reply-To of one reader's message, and the lines of the calendar that ask this reader for an answer; none if no
    /// answer is wanted, or the calendar is the same for all.
    fn asking(
        &self,
        frame: &Frame,
        list: &ListIdentity,
        reader: (&Mailbox, SubscriberId),
        purpose: Purpose,
    ) -> Result<(Option<Mailbox>, String), String> {
        let wanted = self.answers.as_ref().is_some_and(|answers| answers.wanted);
        let asks = self.answer_mailbox(list, reader.1, purpose)?;
        let lines = match frame.asks_each_reader() {
            true => calendar::asking(asks.as_ref().unwrap_or(&self.sender.from), reader.0, wanted),
            false => String::new(),
        };
        Ok((asks.filter(|_| wanted), lines))
    }

    /// Whether the texts can be rendered for a subscriber; cheap enough for a whole audience.
    fn try_texts(&self, subscriber: &Subscriber) -> Result<(), String> {
        let Some(list) = self.list_of(subscriber) else { return Ok(()) };
        let links = Links { https: self.base_url.clone(), address: String::from("x@example.org") };
        self.personal(list, subscriber, &links).map(|_| ()).map_err(|error| error.to_string())
    }

    fn message(
        &self,
        frame: &Frame,
        list: &ListIdentity,
        subscriber: &Subscriber,
        now: Timestamp,
    ) -> Result<(Message, Personal), String> {
        let links = self.links(list, subscriber.id, Purpose::Unsubscribe);
        let personal = self.personal(list, subscriber, &links).map_err(|error| error.to_string())?;
        let to = Mailbox { name: subscriber.name.clone(), address: subscriber.address.clone() };
        let (answers_to, asking) = self.asking(frame, list, (&to, subscriber.id), Purpose::Rsvp)?;
        let head = Head {
            to,
            answers_to,
            asking,
            subject: personal.subject(),
            message_id: self.message_id(subscriber.id),
            references: self.originals.sent_to(subscriber.id),
        };
        let bytes = self.bytes(frame, list, &personal, &links, &head, now)?;
        let bounces = list.bounce_address(&self.key.sign(Purpose::Bounce, &[self.mailing.0, subscriber.id.0]));
        let sender: Address = bounces.parse().map_err(|error| format!("the envelope sender {bounces}: {error}"))?;
        let envelope_id = format!("{}.{}", self.mailing, subscriber.id);
        let envelope = Envelope { sender: Some(sender), recipient: subscriber.address.clone(), envelope_id };
        Ok((Message { envelope, bytes, shared_end: frame.closing() }, personal))
    }

    /// The message without its shared end.
    fn bytes(
        &self,
        frame: &Frame,
        list: &ListIdentity,
        personal: &Personal,
        links: &Links,
        head: &Head,
        now: Timestamp,
    ) -> Result<Vec<u8>, String> {
        let one = Individual {
            to: &head.to,
            reply_to: head.answers_to.as_ref(),
            subject: &head.subject,
            date: now,
            message_id: &head.message_id,
            references: &head.references,
            unsubscribe_https: links.https.as_deref(),
            unsubscribe_mailto: &format!("mailto:{}", links.address),
            calendar_lines: &head.asking,
            text_values: personal.text_values(),
            html_values: personal.html_values(),
        };
        compose_beginning(&self.sender, &list.fields, frame, personal.bodies(), &one).map_err(|error| error.to_string())
    }

    /// The invented reader with every attribute that the templates use.
    fn invented(&self, reader: &SampleReader, list: &ListIdentity) -> Subscriber {
        let language = self.language.parse().unwrap_or_else(|_| crate::base::language::Language::swedish());
        let mut subscriber = reader.subscriber(list.example_address(), &language, self.clock.now());
        for name in
            self.prepared.recipient_fields().iter().filter_map(|field| field.strip_prefix("recipient.attributes."))
        {
            subscriber.attributes.entry(name.to_owned()).or_insert_with(|| name.to_owned());
        }
        subscriber
    }

    /// Composes one message for each list, for a recipient who has every field, and reads it back. The part shared by
    /// all lists, calendar and attachments, is in the first one only: reading it back for each of hundreds of lists
    /// takes seconds.
    pub(super) fn try_one(&self, now: Timestamp, parts: &Enclosed) -> Result<(), PrepareError> {
        let Some((first, others)) = self.lists.split_first() else { return Ok(()) };
        self.try_list(&self.frame, first, now, parts)?;
        // The HTML refers to the pictures, so they must be there, but not their content.
        let empty = |picture: &InlinePicture| InlinePicture { bytes: Arc::new(vec![0]), ..picture.clone() };
        let pictures = parts.pictures.iter().map(empty).collect();
        let only = Enclosed { calendar: None, pictures, attachments: Vec::new() };
        let frame = Frame::new(&self.language, "trial", only.parts());
        others.iter().try_for_each(|list| self.try_list(&frame, list, now, &only))
    }

    pub(super) fn try_list(
        &self,
        frame: &Frame,
        list: &ListIdentity,
        now: Timestamp,
        parts: &Enclosed,
    ) -> Result<(), PrepareError> {
        let reader = self.sample_reader(list, now).map_err(broken)?;
        let (message, personal) = self.message(frame, list, &reader, now).map_err(broken)?;
        let (subject, text, html) = (personal.subject(), personal.text(), personal.html());
        let to = Mailbox { name: reader.name.clone(), address: reader.address.clone() };
        let (_, asking) = self.asking(frame, list, (&to, reader.id), Purpose::Rsvp).map_err(broken)?;
        let calendar = parts.calendar.as_ref().map(|calendar| calendar.for_reader(&asking));
        let expected = Expected {
            subject: &subject,
            text: &text,
            html: &html,
            parts: Parts { calendar: calendar.as_ref(), ..parts.parts() },
            one_click: self.base_url.is_some(),
        };
        verify(&message.whole(), &expected)
            .map_err(|what| broken(format!("a trial message is not read back as it was written: {what}")))
    }

    fn sample_reader(&self, list: &ListIdentity, now: Timestamp) -> Result<Subscriber, String> {
        let address = format!("sample@{}", list.domain()).parse().map_err(|e| format!("{e}"))?;
        let attribute = |field: &String| {
            let name = field.strip_prefix("recipient.attributes.")?;
            Some((name.to_owned(), name.to_owned()))
        };
        Ok(Subscriber {
            id: INVENTED,
            address,
            name: Some("Åsa \u{201c}Öberg\u{201d} <Exempel>".to_owned()),
            language: crate::base::language::Language::swedish(),
            organisation: Some("Exempelbladet & Co".to_owned()),
            beats: Default::default(),
            regions: Default::default(),
            attributes: self.prepared.recipient_fields().iter().filter_map(attribute).collect(),
            subscriptions: BTreeMap::new(),
            created: now,
            updated: now,
        })
    }
}

impl PreparedMailing for PreparedReleases {
    fn make(&self, subscriber: &Subscriber) -> Result<Message, String> {
        let list = self.list_of(subscriber).ok_or("the subscriber is active on no list of the mailing's audience")?;
        self.message(&self.frame, list, subscriber, self.clock.now()).map(|(message, _)| message)
    }

    fn try_for(&self, subscriber: &Subscriber) -> Result<(), String> {
        self.try_texts(subscriber)
    }

    fn message_id(&self, subscriber: SubscriberId) -> String {
        message_id::message_id(&self.key, self.mailing, Some(subscriber), &self.message_domain)
    }

    fn sample(&self, reader: ShownTo<'_>, test: Option<&TestMail>) -> Result<Sample, String> {
        let first = self.lists.first().ok_or("the mailing has no list in its audience")?;
        let (list, reader) = match reader {
            ShownTo::Subscriber(one) => {
                let list = self.list_of(one).ok_or("this person is active on no list of the mailing's audience")?;
                (list, Cow::Borrowed(one))
            }
            ShownTo::Invented(one) => (first, Cow::Owned(self.invented(one, first))),
        };
        let links = self.links(list, reader.id, Purpose::Test);
        let personal = self.personal(list, &reader, &links).map_err(|error| error.to_string())?;
        let as_reader = Mailbox { name: reader.name.clone(), address: reader.address.clone() };
        let (answers_to, asking) = self.asking(&self.frame, list, (&as_reader, reader.id), Purpose::Test)?;
        let references = self.originals.sent_to(reader.id);
        let (head, sender, envelope_id) = match test {
            Some(TestMail { notice, to, .. }) => {
                let head = Head {
                    to: Mailbox::bare(to.clone()),
                    answers_to,
                    asking,
                    references,
                    subject: format!("{TEST_PREFIX}{}", personal.subject()),
                    message_id: sample::message_id(&self.key, *notice, &self.message_domain),
                };
                // A bounce is matched to the notice.
                (head, list.bounce_address(&self.key.sign(Purpose::Notice, &[notice.0])), notice.to_string())
            }
            None => {
                let head = Head {
                    to: as_reader,
                    answers_to,
                    asking,
                    references,
                    subject: personal.subject(),
                    message_id: format!("preview@{}", self.message_domain),
                };
                (head, list.bounce_address("preview"), "preview".to_owned())
            }
        };
        let mut bytes = self.bytes(&self.frame, list, &personal, &links, &head, self.clock.now())?;
        if let Some(test) = test {
            bytes.splice(0..0, format!("{TEST_FIELD}: {}\r\n", test.release).into_bytes());
        }
        let recipient = head.to.address;
        let sender: Address = sender.parse().map_err(|error| format!("the envelope sender {sender}: {error}"))?;
        Ok(Sample {
            list: list.name.clone(),
            subject: head.subject,
            text: personal.text(),
            html: personal.html(),
            message: Message {
                envelope: Envelope { sender: Some(sender), recipient, envelope_id },
                bytes,
                shared_end: self.frame.closing(),
            },
        })
    }

    fn content_hash(&self) -> Result<String, String> {
        let lists: String = self.lists.iter().map(ListIdentity::canonical).collect();
        Ok(to_hex(&content_hash(format!("layout {}\n{lists}", self.layout_hash()).as_bytes())))
    }

    fn layout_hash(&self) -> String {
        to_hex(&self.layout)
    }
}
