//! Mailings of releases: loads what a mailing needs, tries a whole message, and composes one for each subscriber.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::{Clock, Timestamp};
use crate::base::id::{MailingId, SubscriberId};
use crate::base::token::{Key, Purpose, content_hash, to_hex};
use crate::mail::compose::{Attachment, CalendarPart, Frame, Individual, Sender, compose_beginning};
use crate::mail::headers::Mailbox;
use crate::mail::verify::{Expected, verify};
use crate::model::mailing::{Mailing, MailingContent};
use crate::model::release::attachment::{AttachmentBudget, Travel};
use crate::model::release::{Blob, Release};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::render::prepare::{Personal, PreparedRelease, Recipient};
use crate::render::registry::Templates;
use crate::render::template_files::TemplateError;
use crate::store::blobs::{BlobError, Blobs};
use crate::store::engine::EngineError;
use crate::store::{Store, StoreError};
use crate::transport::Envelope;

use super::enclosures::EventIdentity;
use super::list_identity::ListIdentity;
use super::message::{Message, MessageSource, PrepareError, PreparedMailing};
use super::{enclosures, event, message_id, release};

/// Settings for all messages.
#[derive(Clone, Debug, Default)]
pub struct MessageSettings {
    /// Base URL of the public pages, without a slash at the end; unsubscribing by link requires it, with https.
    pub base_url: Option<String>,
    /// The domain of Message-IDs; that of the mailing's first list if `None`.
    pub message_domain: Option<String>,
    /// The size limit of attachments in one mail.
    pub budget: AttachmentBudget,
}

/// The [`MessageSource`] of releases.
pub struct ReleaseMessages {
    store: Store,
    blobs: Blobs,
    templates: Arc<Templates>,
    key: Key,
    clock: Arc<dyn Clock>,
    settings: MessageSettings,
}

fn broken(what: impl Into<String>) -> PrepareError {
    PrepareError::Broken(what.into())
}

impl ReleaseMessages {
    /// Creates a source over the store's releases and lists, signing with the installation's key.
    pub fn new(
        store: Store,
        blobs: Blobs,
        templates: Arc<Templates>,
        key: Key,
        clock: Arc<dyn Clock>,
        settings: MessageSettings,
    ) -> Self {
        Self { store, blobs, templates, key, clock, settings }
    }

    /// Prepares a mailing and tries one whole message: as [`MessageSource::prepare`], with the concrete type.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub(crate) async fn prepare_mailing(&self, mailing: &Mailing) -> Result<PreparedReleases, PrepareError> {
        let MailingContent::Release(id) = mailing.content else {
            return Err(broken(format!("{} is not a release", mailing.content)));
        };
        let loaded = release::load(&self.store, id).await.map_err(|error| match error {
            release::LoadError::Store(error) => PrepareError::Store(error),
            unreadable @ release::LoadError::Unreadable { .. } => broken(unreadable.to_string()),
        })?;
        let loaded = loaded.ok_or_else(|| broken(format!("release {id} no longer exists")))?;
        let lists = self.lists(mailing).await?;
        let first = lists.first().ok_or_else(|| broken("the mailing has no list in its audience"))?;
        let release = &loaded.release;
        let travel = self.settings.budget.plan(&release.attachments, &release.images);
        if let Some(at) = travel.iter().position(|travel| *travel == Travel::Nowhere) {
            return Err(broken(format!(
                "the attachment \u{201c}{}\u{201d} is too large for the mail ({} bytes in total); give it a url in the release",
                release.attachments[at].file, self.settings.budget.total
            )));
        }
        let (images, total) = (self.settings.budget.taken_by(&release.images), self.settings.budget.total);
        if images > total {
            return Err(broken(format!(
                "the images are too large for the mail ({images} bytes of {total}); give them a url in the release"
            )));
        }
        let contents = self.contents(release, &travel, &loaded.record.value.files).await?;
        let attachments = enclosures::attachments(release, &travel, &contents).map_err(broken)?;
        let prepared = PreparedRelease::new(&self.templates, release, &travel).map_err(|e| broken(e.to_string()))?;
        let from = sender_mailbox(release, first, &loaded.record.value.book);
        let manifest = self.templates.manifest(&release.kind);
        let in_calendars = release.event.as_ref().filter(|_| manifest.is_some_and(|manifest| manifest.calendar));
        let calendar = match in_calendars {
            Some(invited) => {
                let identity = event::identity(&self.store, id, first.domain()).await.map_err(PrepareError::Store)?;
                let identity = identity.unwrap_or_else(|| EventIdentity::alone(invited, id, first.domain()));
                enclosures::calendar(release, identity, mailing.created, &from)
            }
            None => None,
        };
        let parts = Enclosed { calendar, attachments };
        let made = PreparedReleases::new(self, mailing, release, prepared, lists, from, &parts);
        made.try_one(self.clock.now(), &parts)?;
        Ok(made)
    }

    async fn lists(&self, mailing: &Mailing) -> Result<Vec<ListIdentity>, PrepareError> {
        let mut lists = Vec::new();
        for (name, place) in mailing.audience.lists.iter().zip(0..) {
            let list = self.store.list(name).await?;
            let list = list.ok_or_else(|| broken("a list of its audience no longer exists"))?;
            lists.push(ListIdentity::new(&list.value, place, &self.key));
        }
        Ok(lists)
    }

    async fn contents(
        &self,
        release: &Release,
        travel: &[Travel],
        files: &BTreeMap<String, Blob>,
    ) -> Result<BTreeMap<String, Vec<u8>>, PrepareError> {
        let mut contents = BTreeMap::new();
        for file in enclosures::files_in_mail(release, travel) {
            let blob = files.get(file).ok_or_else(|| {
                broken(format!(
                    "the file \u{201c}{file}\u{201d} was not sent with the release; add the release again with it"
                ))
            })?;
            let bytes = self.blobs.read(&blob.sha256).await.map_err(|error| match error {
                BlobError::Io { action, path, error } => {
                    let reason = format!("{}: {error}", path.display());
                    PrepareError::Store(StoreError::Engine(EngineError::Unavailable { action, reason }))
                }
                other => broken(format!("the file \u{201c}{file}\u{201d} of the release: {other}")),
            })?;
            contents.insert(file.to_owned(), bytes);
        }
        Ok(contents)
    }
}

impl MessageSource for ReleaseMessages {
    fn message_domain(&self) -> Option<String> {
        self.settings.message_domain.clone()
    }

    fn prepare<'a>(
        &'a self,
        mailing: &'a Mailing,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn PreparedMailing>, PrepareError>> + Send + 'a>> {
        Box::pin(async move {
            let prepared: Arc<dyn PreparedMailing> = Arc::new(self.prepare_mailing(mailing).await?);
            Ok(prepared)
        })
    }
}

/// From: the issuer's name with the list's own address, so that the domain is that of the envelope sender (DMARC). A
/// sensitive list's address is not shown: the organisation's address, or that of the list's owner, is used.
pub(super) fn sender_mailbox(
    release: &Release,
    list: &ListIdentity,
    book: &crate::model::contact::ContactBook,
) -> Mailbox {
    let issuer = release.issuers.first();
    let name = issuer.map(|issuer| issuer.name.clone());
    let address = if list.sensitive {
        let of_book = issuer.and_then(|i| i.organisation.as_ref()).and_then(|id| book.organisations.get(id));
        of_book.and_then(|organisation| organisation.email.clone()).unwrap_or_else(|| list.owner.clone())
    } else {
        list.address.clone()
    };
    Mailbox { name, address }
}

/// Reply-To: a person who answers: the first press contact with an address, else the address for registrations, else
/// the list's owner.
pub(super) fn reply_mailbox(release: &Release, owner: &Address) -> Mailbox {
    let contact = release.press_contacts().map(|c| &c.contact).find_map(|contact| {
        let address = contact.email.clone()?;
        Some(Mailbox { name: Some(contact.name.clone()), address })
    });
    let rsvp = || release.event.as_ref()?.rsvp.as_ref().map(|rsvp| Mailbox::bare(rsvp.to.clone()));
    contact.or_else(rsvp).unwrap_or_else(|| Mailbox::bare(owner.clone()))
}

/// The parts of the message besides the texts.
pub(super) struct Enclosed {
    pub(super) calendar: Option<CalendarPart>,
    pub(super) attachments: Vec<Attachment>,
}

/// A mailing that only lacks the recipient.
pub(crate) struct PreparedReleases {
    mailing: MailingId,
    language: String,
    prepared: PreparedRelease,
    lists: Vec<ListIdentity>,
    sender: Sender,
    frame: Frame,
    key: Key,
    clock: Arc<dyn Clock>,
    base_url: Option<String>,
    message_domain: String,
}

/// The unsubscribe links of one message.
struct Links {
    https: Option<String>,
    address: String,
}

impl PreparedReleases {
    fn new(
        source: &ReleaseMessages,
        mailing: &Mailing,
        release: &Release,
        prepared: PreparedRelease,
        lists: Vec<ListIdentity>,
        from: Mailbox,
        parts: &Enclosed,
    ) -> Self {
        let first = &lists[0];
        let reply_to = Some(reply_mailbox(release, &first.owner)).filter(|reply| reply.address != from.address);
        let feedback_id = format!("{}:{}:{}:depesch", mailing.id, mailing.content, release.kind);
        let frame = Frame::new(
            release.language.as_str(),
            &format!("{}{}", mailing.id, mailing.content),
            parts.calendar.as_ref(),
            &parts.attachments,
        );
        let message_domain = source.settings.message_domain.clone().unwrap_or_else(|| first.domain().to_owned());
        Self {
            mailing: mailing.id,
            language: release.language.as_str().to_owned(),
            prepared,
            sender: Sender { from, reply_to, feedback_id },
            frame,
            key: source.key.clone(),
            clock: source.clock.clone(),
            // RFC 8058 §3.1 allows only https.
            base_url: source.settings.base_url.clone().filter(|url| url.starts_with("https://")),
            message_domain,
            lists,
        }
    }

    /// The list by which a subscriber gets the mailing: the first by name on which they are active.
    fn list_of(&self, subscriber: &Subscriber) -> Option<&ListIdentity> {
        self.lists.iter().find(|list| subscriber.state_on(&list.name) == Some(SubscriptionState::Active))
    }

    /// RFC 8058, RFC 2369. The token contains mailing, subscriber and the list's position in the mailing's audience.
    fn links(&self, list: &ListIdentity, subscriber: SubscriberId) -> Links {
        let token = self.key.sign(Purpose::Unsubscribe, &[self.mailing.0, subscriber.0, list.place]);
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
        let links = self.links(list, subscriber.id);
        let personal = self.personal(list, subscriber, &links).map_err(|error| error.to_string())?;
        let message_id = self.message_id(subscriber.id);
        let to = Mailbox { name: subscriber.name.clone(), address: subscriber.address.clone() };
        let one = Individual {
            to: &to,
            subject: &personal.subject(),
            date: now,
            message_id: &message_id,
            unsubscribe_https: links.https.as_deref(),
            unsubscribe_mailto: &format!("mailto:{}", links.address),
            text_values: personal.text_values(),
            html_values: personal.html_values(),
        };
        let bytes = compose_beginning(&self.sender, &list.fields, frame, personal.bodies(), &one)
            .map_err(|error| error.to_string())?;
        let bounces = list.bounce_address(&self.key.sign(Purpose::Bounce, &[self.mailing.0, subscriber.id.0]));
        let sender: Address = bounces.parse().map_err(|error| format!("the envelope sender {bounces}: {error}"))?;
        let envelope_id = format!("{}.{}", self.mailing, subscriber.id);
        let envelope = Envelope { sender: Some(sender), recipient: subscriber.address.clone(), envelope_id };
        Ok((Message { envelope, bytes, shared_end: frame.closing() }, personal))
    }

    /// Composes one message for each list, for a recipient who has every field, and reads it back. The part shared by
    /// all lists, calendar and attachments, is in the first one only: reading it back for each of hundreds of lists
    /// takes seconds.
    fn try_one(&self, now: Timestamp, parts: &Enclosed) -> Result<(), PrepareError> {
        let Some((first, others)) = self.lists.split_first() else { return Ok(()) };
        self.try_list(&self.frame, first, now, parts)?;
        let nothing = Enclosed { calendar: None, attachments: Vec::new() };
        let frame = Frame::new(&self.language, "trial", None, &[]);
        others.iter().try_for_each(|list| self.try_list(&frame, list, now, &nothing))
    }

    fn try_list(
        &self,
        frame: &Frame,
        list: &ListIdentity,
        now: Timestamp,
        parts: &Enclosed,
    ) -> Result<(), PrepareError> {
        let reader = self.sample_reader(list, now).map_err(broken)?;
        let (message, personal) = self.message(frame, list, &reader, now).map_err(broken)?;
        let (subject, text, html) = (personal.subject(), personal.text(), personal.html());
        let expected = Expected {
            subject: &subject,
            text: &text,
            html: &html,
            calendar: parts.calendar.as_ref(),
            attachments: &parts.attachments,
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
            id: SubscriberId(u64::from(u32::MAX)),
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

    fn content_hash(&self) -> Result<String, String> {
        let mut hashes = Vec::new();
        for list in &self.lists {
            // Always the same recipient at the same time: only the content differs.
            let reader = self.sample_reader(list, Timestamp::UNIX_EPOCH)?;
            let (message, _) = self.message(&self.frame, list, &reader, Timestamp::UNIX_EPOCH)?;
            hashes.extend(content_hash(&message.whole()));
        }
        Ok(to_hex(&content_hash(&hashes)))
    }
}
