//! Notices: mails of our own that belong to no mailing (confirmations, help, notices to owners, forwarded messages).
//!
//! [`Notices::write`] composes a notice and puts it into the batch that it belongs to, so that both are committed or
//! neither; `outbound::notices` sends it after the commit. No automatic mail is answered (`automatic`), no person
//! gets the same automatic reply twice a day ([`Notices::once_a_day`]), and nothing is forwarded in a loop
//! (`forwarding`).

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::base::address::{Address, AddressError};
use crate::base::clock::{Clock, Timestamp};
use crate::base::id::NoticeId;
use crate::base::language::Language;
use crate::base::token::{Key, Purpose};
use crate::mail::compose::ComposeError;
use crate::mail::headers::Mailbox;
use crate::mail::incoming::Incoming;
use crate::mail::notice::{Answered, NoticeHead, compose_notice};
use crate::mail::reply::Question;
use crate::model::list::List;
use crate::model::notice::{Notice, NoticeBody, NoticeState};
use crate::model::release::Blob;
use crate::render::mails::Written;
use crate::render::registry::Templates;
use crate::render::template_files::TemplateError;
use crate::runtime::notifier::Notifier;
use crate::store::engine::Batch;
use crate::store::notices::{COUNTER, LONGEST, put_new};
use crate::store::{Store, StoreError};
use crate::transport::Envelope;

use super::content::ContentHandle;
use super::list_identity::ListIdentity;
use super::message::Message;

mod automatic;
mod forwarding;
mod limits;

pub use automatic::{is_of_program, may_answer};
pub use forwarding::{FORWARDS_A_DAY, Forwarded, loop_mark};
pub use limits::day;
pub(crate) use limits::person_hash;

/// What a test mail is about, where other notices have the name of their template.
pub(crate) const TEST_MAIL: &str = "test-mail";

/// Number of ids taken from the store at a time.
const IDS_AT_ONCE: u64 = 64;

/// A notice to be written.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Its folder in `templates/mails`.
    pub template: &'a str,
    /// The recipient's language; if there is no such template, the list's, then Swedish.
    pub language: &'a Language,
    /// The recipient.
    pub to: &'a Address,
    /// The list that it concerns: its addresses, its List-* fields, `list.…` in the template. A sensitive list shows
    /// neither name nor title.
    pub list: Option<&'a List>,
    /// The message that it answers automatically: sets In-Reply-To, References and Auto-Submitted: auto-replied.
    /// Check [`may_answer`] first, which also considers the envelope.
    pub answers: Option<&'a Incoming>,
    /// The address for replies; the list's `-request` address if `None`.
    pub reply_to: Option<Address>,
    /// The value of List-Unsubscribe, a `mailto:` or `https:` URI, if the recipient is on the list.
    pub unsubscribe: Option<&'a str>,
    /// The template's values: a JSON object, as in its sample.toml.
    pub data: Value,
}

/// Why a notice could not be written. Nothing was put into the batch.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The store failed; a retry may succeed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The template does not exist or lacks a value.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Its content cannot be sent as mail.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// An address of ours cannot be made.
    #[error("our own address for a notice: {0}")]
    Address(#[from] AddressError),
    /// It would answer a message that must not be answered automatically (RFC 3834 §2).
    #[error("the message must not be answered: it was sent by a program, or its sender does not read answers")]
    NotToBeAnswered,
    /// It is too long for a notice.
    #[error(
        "the notice \u{201c}{template}\u{201d} would have {bytes} bytes, more than {LONGEST}; shorten what it quotes"
    )]
    TooLong {
        /// Its template.
        template: String,
        /// Its length in bytes.
        bytes: usize,
    },
    /// There is no list, and the installation has no domain of its own.
    #[error("the notice belongs to no list; set organisation.domain, so that it has a sender")]
    NoDomain,
}

/// Settings for notices, in addition to the templates.
#[derive(Clone, Debug, Default)]
pub struct NoticeSettings {
    /// The domain of Message-IDs, and of notices that belong to no list; the list's own if `None`.
    pub domain: Option<String>,
}

/// Writes notices. Cheap to clone; all clones share their state.
#[derive(Clone)]
pub struct Notices {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    content: Arc<ContentHandle>,
    key: Key,
    clock: Arc<dyn Clock>,
    settings: NoticeSettings,
    /// The next id, and the first one beyond those taken.
    ids: Mutex<(u64, u64)>,
    notifier: Notifier,
}

/// The sender of a notice, and its domain.
struct Origin {
    from: Mailbox,
    list: Option<ListIdentity>,
    /// The domain of its Message-ID.
    domain: String,
}

impl Notices {
    /// The templates now in force.
    pub(crate) fn templates(&self) -> Arc<Templates> {
        self.inner.content.get().templates.clone()
    }

    /// Creates a writer for notices in `store`, with the current templates.
    pub fn new(
        store: Store,
        content: Arc<ContentHandle>,
        key: Key,
        clock: Arc<dyn Clock>,
        settings: NoticeSettings,
    ) -> Self {
        let (ids, notifier) = (Mutex::default(), Notifier::new());
        Self { inner: Arc::new(Inner { store, content, key, clock, settings, ids, notifier }) }
    }

    /// Notifies the notice sender of new notices. Call it after the commit; without it they are found within a
    /// minute.
    pub fn notify(&self) {
        self.inner.notifier.notify();
    }

    /// The notifier of the notice sender.
    pub(crate) fn notifier(&self) -> Notifier {
        self.inner.notifier.clone()
    }

    /// Writes a notice into `batch`: composed now, sent after the commit.
    ///
    /// # Errors
    /// [`NoticeError`]: nothing was put into the batch.
    pub async fn write(&self, batch: &mut Batch, draft: Draft<'_>) -> Result<NoticeId, NoticeError> {
        // RFC 3834 §3.3: automatic mail has the null sender, so that nothing comes back automatically.
        self.write_with(batch, draft, None).await
    }

    /// Writes a notice whose bounce matters: it goes to `sender`, an address of ours with a signed token.
    ///
    /// # Errors
    /// [`NoticeError`]: nothing was put into the batch.
    pub(crate) async fn write_from(
        &self,
        batch: &mut Batch,
        draft: Draft<'_>,
        sender: Address,
    ) -> Result<NoticeId, NoticeError> {
        self.write_with(batch, draft, Some(sender)).await
    }

    async fn write_with(
        &self,
        batch: &mut Batch,
        draft: Draft<'_>,
        sender: Option<Address>,
    ) -> Result<NoticeId, NoticeError> {
        if draft
            .answers
            .is_some_and(|message| !automatic::is_from_a_person(message) || automatic::is_no_reader(draft.to))
        {
            return Err(NoticeError::NotToBeAnswered);
        }
        let inner = &self.inner;
        let origin = self.origin(draft.list, None)?;
        let written = self.written(draft.template, draft.language, draft.list, draft.data)?;
        let (id, now) = (self.next_id().await?, inner.clock.now());
        let reply_to = draft.reply_to.map(Mailbox::bare);
        let head = NoticeHead {
            from: &origin.from,
            reply_to: reply_to.as_ref(),
            to: &Mailbox::bare(draft.to.clone()),
            subject: &written.subject,
            date: now,
            message_id: &self.message_id(id, &origin.domain),
            answers: draft.answers.map(answered),
            list: origin.list.as_ref().map(|list| &list.fields),
            unsubscribe: draft.unsubscribe,
            loop_mark: &forwarding::loop_mark(&inner.key, draft.list),
        };
        let bytes = compose_notice(&head, &written.language, &written.text, &written.html)?;
        if bytes.len() > LONGEST {
            return Err(NoticeError::TooLong { template: draft.template.to_owned(), bytes: bytes.len() });
        }
        let notice = new_notice(id, sender, draft.to, NoticeBody::Kept, draft.template, now);
        put_new(batch, &notice, Some(&bytes));
        Ok(id)
    }

    /// Reserves the id of a test mail, by which its sender and Message-ID are signed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn reserve(&self) -> Result<NoticeId, StoreError> {
        self.next_id().await
    }

    /// Writes a test mail into `batch`. Its shared end is in the message, or is the stored file `end`.
    ///
    /// # Errors
    /// [`NoticeError::TooLong`]: nothing was put into the batch.
    pub(crate) fn write_test(
        &self,
        batch: &mut Batch,
        id: NoticeId,
        message: &Message,
        end: Option<Blob>,
    ) -> Result<(), NoticeError> {
        let (bytes, body) = match end {
            Some(end) => (message.bytes.clone(), NoticeBody::KeptWithEnd(end)),
            None => (message.whole(), NoticeBody::Kept),
        };
        if bytes.len() > LONGEST {
            return Err(NoticeError::TooLong { template: TEST_MAIL.to_owned(), bytes: bytes.len() });
        }
        let Envelope { sender, recipient, .. } = &message.envelope;
        let now = self.inner.clock.now();
        put_new(batch, &new_notice(id, sender.clone(), recipient, body, TEST_MAIL, now), Some(&bytes));
        Ok(())
    }

    /// The text of a notice with this template and values, to compare a reply with it.
    ///
    /// # Errors
    /// [`NoticeError`].
    pub(crate) fn question(
        &self,
        template: &str,
        language: &Language,
        list: &List,
        data: Value,
    ) -> Result<Question, NoticeError> {
        let written = self.written(template, language, Some(list), data)?;
        Ok(Question::new(&written.subject, &written.text, &written.html))
    }

    fn written(
        &self,
        template: &str,
        language: &Language,
        list: Option<&List>,
        data: Value,
    ) -> Result<Written, NoticeError> {
        let mut data = match data {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        if let Some(list) = list {
            data.insert("list".to_owned(), list_values(&ListIdentity::new(list, 0, &self.inner.key))?);
        }
        let wanted: Vec<&Language> = [Some(language), list.map(|list| &list.language)].into_iter().flatten().collect();
        Ok(self.inner.content.get().templates.write_mail(template, &wanted, data)?)
    }

    /// The sender of notices about `list`.
    fn origin(&self, list: Option<&List>, otherwise: Option<&str>) -> Result<Origin, NoticeError> {
        let inner = &self.inner;
        match list {
            Some(list) => {
                let identity = ListIdentity::new(list, 0, &inner.key);
                // Replies to From must also reach a person: what `-request` cannot parse goes to the owner.
                let from = Mailbox { name: identity.title.clone(), address: identity.address_for("request")? };
                let domain = inner.settings.domain.clone().unwrap_or_else(|| identity.domain().to_owned());
                Ok(Origin { from, list: Some(identity), domain })
            }
            None => {
                let domain = inner.settings.domain.clone().or_else(|| otherwise.map(str::to_owned));
                let domain = domain.ok_or(NoticeError::NoDomain)?;
                let from = Mailbox::bare(format!("postmaster@{domain}").parse()?);
                Ok(Origin { from, list: None, domain })
            }
        }
    }

    fn message_id(&self, id: NoticeId, domain: &str) -> String {
        format!("{id}.{}@{domain}", self.inner.key.sign(Purpose::MessageId, &[id.0]))
    }

    async fn next_id(&self) -> Result<NoticeId, StoreError> {
        let take = || {
            let mut ids = self.inner.ids.lock().unwrap_or_else(PoisonError::into_inner);
            let (next, end) = *ids;
            ids.0 = (next + 1).min(end);
            (next < end).then_some(NoticeId(next))
        };
        if let Some(id) = take() {
            return Ok(id);
        }
        let first = self.inner.store.allocate(COUNTER, IDS_AT_ONCE).await?;
        // Another task may have done the same meanwhile; numbers are lost then, and none is used twice.
        *self.inner.ids.lock().unwrap_or_else(PoisonError::into_inner) = (first + 1, first + IDS_AT_ONCE);
        Ok(NoticeId(first))
    }
}

fn new_notice(
    id: NoticeId,
    sender: Option<Address>,
    to: &Address,
    body: NoticeBody,
    about: &str,
    now: Timestamp,
) -> Notice {
    Notice {
        id,
        sender,
        recipient: to.clone(),
        body,
        about: about.to_owned(),
        created: now,
        opened: now,
        attempts: 0,
        resent: 0,
        state: NoticeState::Waiting { due: now, cause: None },
    }
}

/// What templates may show of a list: a sensitive one has no title and no address.
fn list_values(list: &ListIdentity) -> Result<Value, AddressError> {
    let mut values = json!({
        "owner": list.address_for("owner")?.as_str(),
        "request": list.address_for("request")?.as_str(),
    });
    if let Some(title) = &list.title {
        values["title"] = json!(title);
        values["address"] = json!(list.address.as_str());
    }
    Ok(values)
}

fn answered(message: &Incoming) -> Answered<'_> {
    let references = message.references();
    Answered { message_id: message.message_id(), references }
}
