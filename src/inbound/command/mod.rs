//! Commands by mail: subscribe, unsubscribe, pause, resume, settings, which, help, and the replies that confirm them.
//!
//! The [`Rulebook`] decides what is allowed, for every channel; this module reads mails and turns outcomes into
//! replies.
//!
//! The From field does not prove who wrote a mail. A request is therefore only recorded, and a question with a signed
//! token is sent to the address concerned; the reply carries it out (`ask`, `confirm`). Only the signed unsubscribe
//! address of a mail takes effect at once (`unsubscribe`): its token is the proof.
//!
//! Until the reply arrives, no response depends on who is subscribed to what, so members and strangers get the same
//! answer for the same work (invariant 9). Mail from programs gets no answer (invariant 6).

use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::base::language::Language;
use crate::composition::content::ContentHandle;
use crate::composition::notices::{Draft, Forwarded, Notices, is_of_program, may_answer};
use crate::mail::author::{Author, author};
use crate::mail::command::{Commands, Known, Reading};
use crate::mail::incoming::Incoming;
use crate::model::inbound::InboundKind;
use crate::model::list::List;
use crate::store::blobs::Blobs;
use crate::store::engine::Batch;
use crate::store::later::put_answer;
use crate::subscribers::limits::{AskSettings, next_hour};
use crate::subscribers::rulebook::Rulebook;

use super::destination::{Destination, Role};
use super::{Effects, HandleError, Item};

mod ask;
mod confirm;
mod unsubscribe;
mod which;

/// A mail without a command whose reply text has more words than this is meant for a person.
const NOTICE_WORDS: usize = 8;
/// If the reply text beside commands has more words than this, a person must see it.
const REMARK_WORDS: usize = 20;

/// How long an answer may be postponed before the mail is forwarded to a person.
const POSTPONED_FOR: chrono::Duration = chrono::Duration::hours(24);

/// Handles commands.
#[derive(Clone)]
pub struct CommandService {
    /// Decides what is allowed; holds the store, and the key that signs and verifies tokens.
    pub rulebook: Rulebook,
    /// Where raw confirmations are kept.
    pub blobs: Blobs,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The templates, with the words that people agree to.
    pub content: Arc<ContentHandle>,
    /// The keywords of commands.
    pub commands: Arc<Commands>,
    /// Writes the answers.
    pub notices: Notices,
    /// Limits and times.
    pub settings: AskSettings,
}

/// A mail to a list, with what its handlers need to answer it.
struct Request<'a> {
    item: &'a Item,
    list: &'a List,
    role: &'a Role,
    /// The only mailbox in From, spelled as in the store: the address concerned, if From is true.
    from: Address,
    /// The display name in From.
    name: Option<String>,
    /// Whether an automatic reply is allowed.
    is_answerable: bool,
    /// The commands found in subject and text.
    reading: Reading,
    /// The language of the answer: that of the commands, else of the mail, else of the list. Not the subscriber's:
    /// members and strangers get the same answer.
    language: Language,
}

/// The effects of a mail while they are collected.
struct DraftEffects {
    batch: Batch,
    notes: Vec<String>,
    notify: bool,
    /// Whether the mail was already forwarded; it is forwarded only once.
    forwarded: bool,
    /// Whether the limit of this hour is reached: then the whole mail is postponed.
    postponed: bool,
}

impl DraftEffects {
    fn new() -> Self {
        Self { batch: Batch::new(), notes: Vec::new(), notify: false, forwarded: false, postponed: false }
    }

    fn note(&mut self, what: &str) {
        self.notes.push(what.to_owned());
    }

    /// An answer is not sent: its recipient got the same today.
    fn had_today(&mut self, template: &str) {
        self.notes.push(format!("no \u{201c}{template}\u{201d}: the address got one today"));
    }

    /// An answer is not sent now: the limit of this hour is reached.
    fn postpone(&mut self, template: &str) {
        self.notes.push(format!("no \u{201c}{template}\u{201d} now: too many answers this hour"));
        self.postponed = true;
    }

    fn effects(self) -> Effects {
        let (batch, note, notify) = (self.batch, self.notes.join("; "), self.notify);
        Effects { batch, kind: InboundKind::Command, note, notify, bounce: None }
    }
}

impl CommandService {
    /// Returns what a mail to a list's command addresses does; `None` if it is for a person to read.
    ///
    /// # Errors
    /// [`HandleError`].
    pub(crate) async fn handle(&self, item: &Item) -> Result<Option<Effects>, HandleError> {
        let Some(Destination::List { list, role }) = &item.destination else { return Ok(None) };
        let list = &list.value;
        match role {
            Role::Unsubscribe { token: Some(token) } => return self.signed_unsubscribe(item, list, token).await,
            Role::Confirm { .. } | Role::Request | Role::Subscribe | Role::Unsubscribe { token: None } => {}
            Role::Pause | Role::Resume | Role::Which | Role::Help | Role::Set => {}
            Role::Post
            | Role::Bounces { .. }
            | Role::Returned { .. }
            | Role::Owner
            | Role::Decide { .. }
            | Role::Rsvp { .. } => return Ok(None),
        }
        let sender = item.inbound.arrival.sender.as_deref();
        let is_answer = matches!(role, Role::Confirm { .. });
        if is_answer && is_of_program(sender, &item.message) {
            let note = "an automatic answer to a question, which says neither yes nor no";
            return Ok(Some(Effects::none(InboundKind::AutoReply, note)));
        }
        // A person's reply counts even if it must not be answered automatically.
        if !is_answer && !may_answer(sender, &item.message) {
            return Ok(None);
        }
        let Some(request) = self.read(item, list, role).await? else { return Ok(None) };
        if matches!(role, Role::Confirm { .. } | Role::Request)
            && let Some(numbers) = self.token(&request)
        {
            return self.answered(&request, numbers).await;
        }
        self.answerable(&request).await
    }

    /// Carries out what a mail asks for if it may be answered; else `None`, and a person reads it.
    async fn answerable(&self, request: &Request<'_>) -> Result<Option<Effects>, HandleError> {
        if request.is_answerable { self.asked(request).await } else { Ok(None) }
    }

    /// Whether a mail to the list's own address is a command rather than a post ([`Commands::is_request_to_list`]).
    pub(crate) fn is_request(&self, item: &Item, list: &List) -> bool {
        let Ok(Author { name, address, .. }) = author(&item.bytes) else { return false };
        self.commands.is_request_to_list(&item.message, &known(list, &address, name.as_deref()))
    }

    /// Returns what such a mail does; `None` if a person must read it. It is not sent to the list in either case.
    ///
    /// # Errors
    /// [`HandleError`].
    pub(crate) async fn pending(&self, item: &Item, list: &List) -> Result<Option<Effects>, HandleError> {
        if !may_answer(item.inbound.arrival.sender.as_deref(), &item.message) {
            return Ok(None);
        }
        match self.read(item, list, &Role::Request).await? {
            Some(request) => self.asked(&request).await,
            None => Ok(None),
        }
    }

    async fn read<'a>(
        &self,
        item: &'a Item,
        list: &'a List,
        role: &'a Role,
    ) -> Result<Option<Request<'a>>, HandleError> {
        let Ok(Author { name, address: written, .. }) = author(&item.bytes) else { return Ok(None) };
        // Questions and answers go to the address as stored, never to another spelling in a mail, which may be another
        // mailbox.
        let stored = self.rulebook.store.subscriber_by_address(&written).await?;
        let from = stored.map_or(written, |stored| stored.value.address);
        let reading = self.commands.read_mail(&item.message, &known(list, &from, name.as_deref()));
        let is_answerable = may_answer(item.inbound.arrival.sender.as_deref(), &item.message);
        let language = reading.language.clone().or_else(|| self.language_of(&item.message));
        let language = language.unwrap_or_else(|| list.language.clone());
        Ok(Some(Request { item, list, role, from, name, is_answerable, reading, language }))
    }

    /// The language that the mail declares in its header, if there are commands in it (RFC 3282).
    fn language_of(&self, message: &Incoming) -> Option<Language> {
        let said = message.header("Content-Language").or_else(|| message.header("Accept-Language"))?;
        let first: Language = said.split([',', ';']).next()?.trim().parse().ok()?;
        self.commands.knows(&first).then_some(first)
    }

    /// Writes the answer to a mail. Returns `false`, with a note, if that address got the same answer today or if the
    /// limit of this hour is reached.
    async fn answer(
        &self,
        effects: &mut DraftEffects,
        request: &Request<'_>,
        draft: Draft<'_>,
    ) -> Result<bool, HandleError> {
        let mut batch = Batch::new();
        if !self.notices.once_a_day(&mut batch, draft.to, draft.template).await? {
            effects.had_today(draft.template);
            return Ok(false);
        }
        let (machine, now) = (request.item.inbound.arrival.peer, self.clock.now());
        if !self.rulebook.within_the_hour(&mut batch, draft.to, machine, now, &self.settings).await? {
            effects.postpone(draft.template);
            return Ok(false);
        }
        self.notices.write(&mut batch, draft).await?;
        effects.batch.append(batch);
        effects.notify = true;
        Ok(true)
    }

    /// The final effects of the mail. If the limit of this hour is reached, nothing is done now and the whole mail is
    /// handled again in the next hour; after [`POSTPONED_FOR`] it is forwarded to a person.
    async fn finish(&self, effects: DraftEffects, request: &Request<'_>) -> Result<Effects, HandleError> {
        if !effects.postponed {
            return Ok(effects.effects());
        }
        let (now, inbound) = (self.clock.now(), &request.item.inbound);
        let mut later = DraftEffects { notes: effects.notes, ..DraftEffects::new() };
        if self.rulebook.store.present(now).await?.has_lasted(inbound.arrival.at, POSTPONED_FOR) {
            self.forward_to_owner(&mut later, request.item, request.list, "too many came from one domain or machine")
                .await?;
            return Ok(later.effects());
        }
        let due = next_hour(now);
        put_answer(&mut later.batch, due, inbound.id);
        later.notes.push(format!("handled again at {}", due.format("%H:%M UTC")));
        let (most, domain) = (self.settings.answers_per_hour, request.from.domain());
        tracing::warn!(inbound = %inbound.id, domain, most, "a mail is answered in a later hour: too many answers went to its domain or because of its machine");
        Ok(later.effects())
    }

    /// Forwards the mail to the list's owner, in addition to its other effects.
    async fn forward_to_owner(
        &self,
        effects: &mut DraftEffects,
        item: &Item,
        list: &List,
        why: &str,
    ) -> Result<(), HandleError> {
        if std::mem::replace(&mut effects.forwarded, true) {
            return Ok(());
        }
        let passed = self.notices.forward(&mut effects.batch, &item.inbound, &item.message, &list.owner, Some(list));
        match passed.await? {
            Forwarded::As(_) => {
                effects.notes.push(format!("forwarded to the owner: {why}"));
                effects.notify = true;
            }
            other => effects.notes.push(format!("forwarded to the owner, {}: {why}", other.words())),
        }
        Ok(())
    }
}

/// A draft of an answer to a mail.
fn draft<'a>(request: &'a Request<'_>, template: &'a str, to: &'a Address, data: serde_json::Value) -> Draft<'a> {
    Draft {
        template,
        language: &request.language,
        to,
        list: Some(request.list),
        answers: request.is_answerable.then_some(&request.item.message),
        reply_to: None,
        unsubscribe: None,
        data,
    }
}

fn known<'a>(list: &'a List, from: &'a Address, name: Option<&'a str>) -> Known<'a> {
    Known {
        list_name: list.name.as_str(),
        list_title: &list.title,
        list_address: list.address.as_str(),
        sender: from.as_str(),
        sender_name: name.unwrap_or_default(),
    }
}
