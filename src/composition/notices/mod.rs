//! Notices: the mails of our own that belong to no mailing (confirmations, help, notices to owners, messages passed on).
//!
//! [`Notices::write`] makes a notice whole and puts it into the batch of what it belongs to, so that there is both or
//! neither; `outbound::notices` sends it after the commit. Nothing answers a machine (`automatic`), nobody gets the same automatic
//! reply twice a day ([`Notices::once_a_day`]), and nothing is passed on in a circle (`passing`).

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
use crate::render::mails::Written;
use crate::render::template_files::TemplateError;
use crate::runtime::notifier::Notifier;
use crate::store::engine::Batch;
use crate::store::notices::{COUNTER, LONGEST, put_new, put_replies};
use crate::store::{Store, StoreError};

use super::content::ContentHandle;
use super::list_identity::ListIdentity;

mod automatic;
mod forwarding;

pub use automatic::{is_of_program, may_answer};
pub use forwarding::{FORWARDS_A_DAY, Forwarded, loop_mark};

/// Ids are taken from the store so many at a time.
const IDS_AT_ONCE: u64 = 64;

/// A notice to be written.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Its folder in `templates/mails`.
    pub template: &'a str,
    /// The reader's language; the list's, then Swedish, where there is no such template.
    pub language: &'a Language,
    /// To whom.
    pub to: &'a Address,
    /// The list that it is about: its addresses, its List-* fields, `list.…` in the template. A sensitive list shows
    /// neither name nor title.
    pub list: Option<&'a List>,
    /// The message that it answers by itself: sets In-Reply-To, References and Auto-Submitted: auto-replied. Ask
    /// [`may_answer`] first, which also knows the envelope.
    pub answers: Option<&'a Incoming>,
    /// Where answers go; the list's `-request` address without it.
    pub reply_to: Option<Address>,
    /// What List-Unsubscribe says, a `mailto:` or `https:` URI, where the reader is on the list.
    pub unsubscribe: Option<&'a str>,
    /// The template's values: a JSON object, as in its sample.toml.
    pub data: Value,
}

/// Why a notice could not be written. Nothing was put into the batch.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The store failed; the same may work later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The template lacks a value, or is not there.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What is in it cannot be sent as mail.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// An address of ours cannot be made.
    #[error("our own address for a notice: {0}")]
    Address(#[from] AddressError),
    /// It answers what no program may answer (RFC 3834 §2).
    #[error("the message to be answered was sent by a program, or by nobody who reads answers")]
    NotToBeAnswered,
    /// It is longer than a notice may be.
    #[error(
        "the notice \u{201c}{template}\u{201d} would have {bytes} bytes, more than {LONGEST}; shorten what it quotes"
    )]
    TooLong {
        /// Its template.
        template: String,
        /// How long it would be.
        bytes: usize,
    },
    /// There is no list, and the installation has no domain of its own.
    #[error("the notice belongs to no list; set organisation.domain, so that it has a sender")]
    NoDomain,
}

/// What notices are made with, beside the templates.
#[derive(Clone, Debug, Default)]
pub struct NoticeSettings {
    /// The domain of Message-IDs, and of notices that belong to no list; the list's own without it.
    pub domain: Option<String>,
}

/// Writes notices. Cheap to clone; all clones are one.
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
    /// The next id, and the first that is not ours any more.
    ids: Mutex<(u64, u64)>,
    notifier: Notifier,
}

/// Whom a notice comes from, and where.
struct Origin {
    from: Mailbox,
    list: Option<ListIdentity>,
    /// The domain of its Message-ID.
    domain: String,
}

impl Notices {
    /// Notices in `store`, with the templates in force at each time.
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

    /// Tells whoever sends notices that there may be some. Call it after the commit; without it they are found within a
    /// minute.
    pub fn notify(&self) {
        self.inner.notifier.notify();
    }

    /// What wakes whoever sends notices.
    pub fn notifier(&self) -> Notifier {
        self.inner.notifier.clone()
    }

    /// Writes a notice into `batch`: composed now, sent after the commit.
    ///
    /// # Errors
    /// [`NoticeError`]: nothing was put into the batch.
    pub async fn write(&self, batch: &mut Batch, draft: Draft<'_>) -> Result<NoticeId, NoticeError> {
        // RFC 3834 §3.3: answers and notices have the null sender, so that nothing comes back by itself.
        self.write_with(batch, draft, None).await
    }

    /// As [`Notices::write`], for a notice of which it matters whether it comes back: that goes to `sender`, an address of
    /// ours with a signed token.
    ///
    /// # Errors
    /// [`NoticeError`]: nothing was put into the batch.
    pub async fn write_from(
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

    /// What a notice of this template says with these values, to compare a reply with it.
    ///
    /// # Errors
    /// [`NoticeError`].
    pub fn question(
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

    /// Whether an automatic reply of the kind `what` may go to `address` today (UTC), and notes in `batch` that it does: the
    /// same reply at most once a day (RFC 3834 §2). The batch conflicts when another does the same meanwhile.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "yes".
    pub async fn once_a_day(&self, batch: &mut Batch, address: &Address, what: &str) -> Result<bool, StoreError> {
        self.at_most(batch, address, what, 1).await
    }

    /// As [`Notices::once_a_day`], for what may be done `most` times a day. The addresses of one person count as one
    /// ([`Address::is_same_person`]): else anybody could bomb somebody with a notice for each `+tag`.
    ///
    /// # Errors
    /// [`StoreError`], never to be read as "yes".
    pub async fn at_most(
        &self,
        batch: &mut Batch,
        address: &Address,
        what: &str,
        most: u32,
    ) -> Result<bool, StoreError> {
        let inner = &self.inner;
        let (day, hash) = (day(inner.clock.now()), inner.key.hash(&format!("{what}\n{}", address.person_key())));
        let (count, before) = inner.store.replies_on(day, &hash).await?;
        if count >= most {
            return Ok(false);
        }
        put_replies(batch, day, &hash, before, count + 1);
        Ok(true)
    }

    /// Whom notices about `list` come from.
    fn origin(&self, list: Option<&List>, otherwise: Option<&str>) -> Result<Origin, NoticeError> {
        let inner = &self.inner;
        match list {
            Some(list) => {
                let identity = ListIdentity::new(list, 0, &inner.key);
                // Also what is answered without looking reaches somebody: what `-request` cannot read goes to the owner.
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
        // Another may have done the same meanwhile; numbers are lost then, and none is given twice.
        *self.inner.ids.lock().unwrap_or_else(PoisonError::into_inner) = (first + 1, first + IDS_AT_ONCE);
        Ok(NoticeId(first))
    }
}

/// Days since 1970, UTC.
pub fn day(at: Timestamp) -> u32 {
    u32::try_from(at.timestamp().div_euclid(86_400)).unwrap_or(0)
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

/// What templates may say of a list: a sensitive one has no title and no address.
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
