//! Commands by mail: subscribe, unsubscribe, pause, resume, settings, which, help, and the replies that confirm them.
//!
//! Who wrote a mail is not known: a From field proves nothing. So whatever is asked for is only noted, and a question with a
//! signed token goes to the address concerned; the reply makes it true (`ask`, `confirm`). Only the signed unsubscribe
//! address of a mail acts at once (`unsubscribe`): its token is the proof.
//!
//! Until a reply has come nothing looks at who is subscribed to what, so members and strangers get the same answer with
//! the same work (invariant 9). Mail from programs gets none (invariant 6).

use std::sync::Arc;
use std::time::Duration;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::base::language::Language;
use crate::base::token::Key;
use crate::flow::content::ContentHandle;
use crate::flow::letters::{Draft, Letters, PassedOn, is_of_program, may_answer};
use crate::mail::command::{Commands, Known, Reading};
use crate::mail::incoming::Incoming;
use crate::model::inbound::InboundKind;
use crate::model::list::List;
use crate::store::Store;
use crate::store::blobs::Blobs;
use crate::store::engine::Batch;

use super::destination::{Destination, Role};
use super::{Effects, HandleError, Item};

mod ask;
mod confirm;
mod limits;
mod unsubscribe;
mod which;

pub use unsubscribe::letter_token;

/// Own words of a mail without a command that make it a letter to a person.
const LETTER_WORDS: usize = 8;
/// Own words beside commands that a person must see.
const REMARK_WORDS: usize = 20;

/// What commands may cost others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandSettings {
    /// How long a question may be answered.
    pub confirmation: Duration,
    /// How many mails an hour may go out to one domain in answer to commands, and to what one machine sent us.
    pub answers_per_hour: u32,
}

impl Default for CommandSettings {
    fn default() -> Self {
        Self { confirmation: Duration::from_secs(7 * 86_400), answers_per_hour: 200 }
    }
}

/// What commands are handled with.
#[derive(Clone)]
pub struct CommandDesk {
    /// The store.
    pub store: Store,
    /// Where the raw confirmations are kept.
    pub blobs: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Signs and checks tokens.
    pub key: Key,
    /// The templates: the words that people agree to.
    pub content: Arc<ContentHandle>,
    /// The words of commands.
    pub commands: Arc<Commands>,
    /// Writes the answers.
    pub letters: Letters,
    /// What it may cost others.
    pub settings: CommandSettings,
}

/// A mail to a list by somebody who may be answered.
struct Request<'a> {
    item: &'a Item,
    list: &'a List,
    role: &'a Role,
    /// The one mailbox in From: whom it is about, if it is true.
    from: Address,
    /// Whether it may be answered by itself.
    is_answerable: bool,
    /// What subject and text ask for.
    reading: Reading,
    /// The language of the answer: that of the words, else of the mail, else of the list. Not of the subscriber: the answer
    /// to members and strangers is the same.
    language: Language,
}

/// What a mail does, while it is put together.
struct Doing {
    batch: Batch,
    notes: Vec<String>,
    wakes: bool,
    /// Whether the mail was passed on, which once is enough.
    passed_on: bool,
}

impl Doing {
    fn new() -> Self {
        Self { batch: Batch::new(), notes: Vec::new(), wakes: false, passed_on: false }
    }

    fn note(&mut self, what: &str) {
        self.notes.push(what.to_owned());
    }

    fn effects(self) -> Effects {
        let (batch, note, wakes) = (self.batch, self.notes.join("; "), self.wakes);
        Effects { batch, kind: InboundKind::Command, note, wakes, bounce: None }
    }
}

impl CommandDesk {
    /// What a mail to a list's command addresses does; `None` when it is for a person to read.
    ///
    /// # Errors
    /// [`HandleError`].
    pub async fn handle(&self, item: &Item) -> Result<Option<Effects>, HandleError> {
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
            | Role::Rsvp => return Ok(None),
        }
        let sender = item.inbound.arrival.sender.as_deref();
        let is_answer = matches!(role, Role::Confirm { .. });
        if is_answer && is_of_program(sender, &item.message) {
            let note = "an automatic answer to a question, which says neither yes nor no";
            return Ok(Some(Effects::none(InboundKind::AutoReply, note)));
        }
        // A person's answer counts also where no program may answer it.
        if !is_answer && !may_answer(sender, &item.message) {
            return Ok(None);
        }
        let Some(request) = self.read(item, list, role) else { return Ok(None) };
        if matches!(role, Role::Confirm { .. } | Role::Request)
            && let Some(numbers) = self.token(&request)
        {
            return self.answered(&request, numbers).await;
        }
        self.answerable(&request).await
    }

    /// What a mail asks for, where it may be answered; else a person reads it.
    async fn answerable(&self, request: &Request<'_>) -> Result<Option<Effects>, HandleError> {
        if request.is_answerable { self.asked(request).await } else { Ok(None) }
    }

    fn read<'a>(&self, item: &'a Item, list: &'a List, role: &'a Role) -> Option<Request<'a>> {
        let from = sole_sender(&item.message)?;
        let reading = self.commands.read_mail(&item.message, &known(list, &from, &item.message));
        let is_answerable = may_answer(item.inbound.arrival.sender.as_deref(), &item.message);
        let language = reading.language.clone().or_else(|| self.language_of(&item.message));
        let language = language.unwrap_or_else(|| list.language.clone());
        Some(Request { item, list, role, from, is_answerable, reading, language })
    }

    /// The language that the mail program says it is in, where commands have words in it (RFC 3282).
    fn language_of(&self, message: &Incoming) -> Option<Language> {
        let said = message.header("Content-Language").or_else(|| message.header("Accept-Language"))?;
        let first: Language = said.split([',', ';']).next()?.trim().parse().ok()?;
        self.commands.knows(&first).then_some(first)
    }

    /// Writes the answer to a mail, unless the same went to that address today, or too much is going out: `false` then,
    /// with a note.
    async fn answer(&self, doing: &mut Doing, request: &Request<'_>, draft: Draft<'_>) -> Result<bool, HandleError> {
        let counted = draft.template;
        self.answer_counted(doing, request, draft, counted).await
    }

    /// As [`CommandDesk::answer`], with the name under which such answers are counted.
    async fn answer_counted(
        &self,
        doing: &mut Doing,
        request: &Request<'_>,
        draft: Draft<'_>,
        counted: &str,
    ) -> Result<bool, HandleError> {
        let what = draft.template;
        let mut batch = Batch::new();
        if !self.letters.once_a_day(&mut batch, draft.to, counted).await? {
            doing.notes.push(format!("no \u{201c}{what}\u{201d}: the address got one today"));
            return Ok(false);
        }
        if !self.within_the_hour(&mut batch, request.item, draft.to).await? {
            doing.notes.push(format!("no \u{201c}{what}\u{201d}: too many answers this hour"));
            return Ok(false);
        }
        self.letters.write(&mut batch, draft).await?;
        doing.batch.append(batch);
        doing.wakes = true;
        Ok(true)
    }

    /// Passes the mail on to the person who answers for the list, together with what else it does.
    async fn tell_owner(&self, doing: &mut Doing, item: &Item, list: &List, why: &str) -> Result<(), HandleError> {
        if std::mem::replace(&mut doing.passed_on, true) {
            return Ok(());
        }
        let passed = self.letters.pass_on(&mut doing.batch, &item.inbound, &item.message, &list.owner, Some(list));
        match passed.await? {
            PassedOn::As(_) => {
                doing.notes.push(format!("passed on to the owner: {why}"));
                doing.wakes = true;
            }
            PassedOn::Loop => doing.note("not passed on: it was here before"),
        }
        Ok(())
    }
}

/// A draft in answer to a mail.
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

/// The mailbox in From, where there is just one: what several people sign is not one person's wish.
fn sole_sender(message: &Incoming) -> Option<Address> {
    match message.correspondents("From").as_slice() {
        [one] => one.address.parse().ok(),
        _ => None,
    }
}

fn known<'a>(list: &'a List, from: &'a Address, message: &'a Incoming) -> Known<'a> {
    Known {
        list_name: list.name.as_str(),
        list_title: &list.title,
        list_address: list.address.as_str(),
        sender: from.as_str(),
        sender_name: message.from().map(|from| from.name.as_str()).unwrap_or_default(),
    }
}
