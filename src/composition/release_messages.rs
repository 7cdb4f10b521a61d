//! Mailings of releases: loads what a mailing needs, tries a whole message, and composes one for each subscriber.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::base::id::{MailingId, ReleaseId};
use crate::base::token::Key;
use crate::mail::frame::{Attachment, CalendarPart, InlinePicture, Parts};
use crate::mail::headers::Mailbox;
use crate::model::mailing::{Mailing, MailingContent};
use crate::model::release::attachment::{AttachmentBudget, Travel};
use crate::model::release::{Blob, Release};
use crate::render::picture::{self, ScaledPictures};
use crate::render::prepare::PreparedRelease;
use crate::render::registry::Templates;
use crate::store::blobs::{BlobError, Blobs};
use crate::store::engine::EngineError;
use crate::store::{Store, StoreError};

use super::enclosures::EventIdentity;
use super::list_identity::ListIdentity;
use super::message::{MessageSource, PrepareError, PreparedMailing};
use super::originals::Originals;
use super::pictures::PictureScaler;
use super::release::LoadedRelease;
use super::sample::TEST_UID;
use super::{enclosures, event, originals, release};

mod prepared;

pub(crate) use prepared::PreparedReleases;

/// The number of a mailing that is only tried or tested: no mailing has it.
pub(crate) const UNSENT: MailingId = MailingId(0);

/// Settings for all messages.
#[derive(Clone, Debug, Default)]
pub struct MessageSettings {
    /// Base URL of the public pages, without a slash at the end; unsubscribing by link requires it, with https.
    pub base_url: Option<String>,
    /// The domain of Message-IDs; that of the mailing's first list if `None`.
    pub message_domain: Option<String>,
    /// The size limit of attachments in one mail.
    pub budget: AttachmentBudget,
    /// Scales pictures.
    pub pictures: PictureScaler,
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
        let mut loaded = loaded.ok_or_else(|| broken(format!("release {id} no longer exists")))?;
        originals::name_related(&self.store, &mut loaded.release).await.map_err(PrepareError::Store)?;
        let lists = self.lists(mailing).await?;
        let first = lists.first().ok_or_else(|| broken("the mailing has no list in its audience"))?;
        let answers = self.answers(&loaded).await.map_err(PrepareError::Store)?;
        let (mut release, files) = (loaded.release, &loaded.record.value.files);
        let scaled = self.pictures(&release, files).await?;
        picture::attach(&mut release, &scaled);
        let release = &release;
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
                "the images are too large for the mail ({images} bytes of {total}); show fewer of them"
            )));
        }
        let contents = self.contents(release, &travel, files).await?;
        let pictures = enclosures::pictures(release, &scaled);
        let attachments = enclosures::attachments(release, &travel, &contents).map_err(broken)?;
        let prepared = PreparedRelease::new(&self.templates, release, &travel).map_err(|e| broken(e.to_string()))?;
        let from = sender_mailbox(release, first, &loaded.record.value.book);
        let manifest = self.templates.manifest(&release.kind);
        let in_calendars = release.event.as_ref().filter(|_| manifest.is_some_and(|manifest| manifest.calendar));
        let calendar = match in_calendars {
            Some(invited) => {
                let identity = event::identity(&self.store, id, first.domain()).await.map_err(PrepareError::Store)?;
                let mut identity = identity.unwrap_or_else(|| EventIdentity::alone(invited, id, first.domain()));
                if mailing.id == UNSENT {
                    identity.uid.insert_str(0, TEST_UID);
                }
                enclosures::calendar(release, identity, mailing.created, &from)
            }
            None => None,
        };
        let domain = self.settings.message_domain.as_deref();
        let originals = Originals::of(&self.store, &self.key, domain, release, mailing).await;
        let originals = originals.map_err(PrepareError::Store)?;
        let parts = Enclosed { calendar, pictures, attachments };
        let made = PreparedReleases::new(self, mailing, release, prepared, lists, from, (&parts, originals, answers));
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

    /// Where answers to the release's event go. Where that is an address at the domain of a list, its mail reaches this
    /// installation, and each reader gets an address of their own for the answer.
    async fn answers(&self, loaded: &LoadedRelease) -> Result<Option<Answers>, StoreError> {
        let Some(event) = &loaded.release.event else { return Ok(None) };
        let Some((root, to)) = event::answers_to(&self.store, loaded).await? else { return Ok(None) };
        let here = self.store.lists().await?.iter().any(|list| list.value.address.domain() == to.domain());
        Ok(Some(Answers { to, recorded_for: here.then_some(root), wanted: event.answers_to().is_some() }))
    }

    async fn contents(
        &self,
        release: &Release,
        travel: &[Travel],
        files: &BTreeMap<String, Blob>,
    ) -> Result<BTreeMap<String, Vec<u8>>, PrepareError> {
        let mut contents = BTreeMap::new();
        for file in enclosures::files_in_mail(release, travel) {
            contents.insert(file.to_owned(), self.read(file, stored(file, files)?).await?);
        }
        Ok(contents)
    }

    /// The pictures of a release, scaled for its mail; each could be shown when the release was checked.
    async fn pictures(
        &self,
        release: &Release,
        files: &BTreeMap<String, Blob>,
    ) -> Result<ScaledPictures, PrepareError> {
        let mut pictures = ScaledPictures::new();
        for file in release.images.iter().filter_map(|image| image.file.as_deref()) {
            let blob = stored(file, files)?;
            let scaled = self.settings.pictures.scaled(blob.sha256, self.read(file, blob)).await?;
            let scaled = scaled.map_err(|fault| {
                broken(format!("the picture \u{201c}{file}\u{201d} cannot be shown: {fault}; {}", fault.fix()))
            })?;
            pictures.insert(file.to_owned(), Ok(scaled));
        }
        Ok(pictures)
    }

    async fn read(&self, file: &str, blob: &Blob) -> Result<Vec<u8>, PrepareError> {
        self.blobs.read(&blob.sha256).await.map_err(|error| match error {
            BlobError::Io { action, path, error } => {
                let reason = format!("{}: {error}", path.display());
                PrepareError::Store(StoreError::Engine(EngineError::Unavailable { action, reason }))
            }
            other => broken(format!("the file \u{201c}{file}\u{201d} of the release: {other}")),
        })
    }
}

fn stored<'a>(file: &str, files: &'a BTreeMap<String, Blob>) -> Result<&'a Blob, PrepareError> {
    files.get(file).ok_or_else(|| {
        broken(format!("the file \u{201c}{file}\u{201d} was not sent with the release; add the release again with it"))
    })
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

/// Where answers to an event go.
pub(super) struct Answers {
    /// The address.
    to: Address,
    /// The event, by the release that first announced it, if answers are recorded here.
    recorded_for: Option<ReleaseId>,
    /// Whether this release asks for answers: not if the event is cancelled.
    wanted: bool,
}

/// The parts of the message besides the texts.
pub(super) struct Enclosed {
    pub(super) calendar: Option<CalendarPart>,
    pub(super) pictures: Vec<InlinePicture>,
    pub(super) attachments: Vec<Attachment>,
}

impl Enclosed {
    pub(super) fn parts(&self) -> Parts<'_> {
        Parts { calendar: self.calendar.as_ref(), pictures: &self.pictures, attachments: &self.attachments }
    }
}

/// Reply-To: where answers are wanted, the address for them, so that a plain "I will come" is recorded; else a person
/// who answers: the first press contact with an address, or the list's owner.
pub(super) fn reply_mailbox(release: &Release, owner: &Address) -> Mailbox {
    let answers = release.event.as_ref().and_then(|event| event.answers_to()).cloned().map(Mailbox::bare);
    let contact = || {
        release.press_contacts().map(|c| &c.contact).find_map(|contact| {
            let address = contact.email.clone()?;
            Some(Mailbox { name: Some(contact.name.clone()), address })
        })
    };
    answers.or_else(contact).unwrap_or_else(|| Mailbox::bare(owner.clone()))
}
