//! A reply to a question: its token proves that the sender reads the mail of the address that was asked. It carries out
//! the pending request, once and before its expiry.

use serde_json::json;

use crate::base::id::PendingRequestId;
use crate::base::token::{Purpose, content_hash};
use crate::inbound::destination::Role;
use crate::inbound::{Effects, HandleError, Item};
use crate::mail::command::{Answer, Command, tokens};
use crate::mail::reply::Question;
use crate::model::consent::ConsentSource;
use crate::model::inbound::InboundKind;
use crate::model::pending_request::{Action, PendingRequest};
use crate::store::StoreError;
use crate::store::blobs::BlobError;
use crate::store::engine::EngineError;
use crate::subscribers::confirm::{Confirmed, Declined, Done, NotDone, Pending};
use crate::subscribers::question;
use crate::subscribers::rulebook::Instruction;

use super::{CommandService, DraftEffects, Request, draft, known};

/// Characters of the reply text that the consent ledger keeps; the whole reply is stored as well.
const REPLY_WORDS: usize = 300;
/// Characters of a Message-ID that the ledger keeps.
const LONGEST_ID: usize = 250;

impl CommandService {
    /// The first valid token: of the address, else in the subject, else in the text, which may quote it. Mail programs
    /// may lose any one of these.
    pub(super) fn token(&self, request: &Request<'_>) -> Option<PendingRequestId> {
        let of_address = match request.role {
            Role::Confirm { token } => vec![token.clone()],
            _ => Vec::new(),
        };
        let message = &request.item.message;
        let found = [tokens(message.subject()), tokens(message.text()), tokens(message.html().unwrap_or_default())];
        of_address.iter().chain(found.iter().flatten()).find_map(|token| {
            match self.rulebook.key.verify(Purpose::Confirm, token)?.as_slice() {
                // The record decides the expiry: it holds the time of its creation, so that a wrong clock at that time
                // can be allowed for.
                [pending, _expires] => Some(PendingRequestId(*pending)),
                _ => None,
            }
        })
    }

    /// Returns what a reply with a token does.
    pub(super) async fn answered(
        &self,
        request: &Request<'_>,
        id: PendingRequestId,
    ) -> Result<Option<Effects>, HandleError> {
        let now = self.clock.now();
        let (pending, is_open) = match self.rulebook.pending(id, now).await? {
            Pending::Open(pending) => (pending, true),
            Pending::Answered(pending) => (pending, false),
            Pending::Over if request.is_answerable => return self.expired(request).await,
            Pending::Over => return Ok(None),
        };
        let known = known(request.list, &request.from, request.name.as_deref());
        let question = self.question_of(&pending).await?;
        let reply = self.commands.reader().read(&request.item.message);
        let answer = self.commands.answer(&reply, &known, question.as_ref());
        let yes = match &answer {
            Answer::Yes => true,
            Answer::Command(command) => action_of(command).is_some_and(|action| pending.asks_for(&action)),
            Answer::No | Answer::Message => false,
        };
        let no = match &answer {
            Answer::No => true,
            Answer::Command(Command::Unsubscribe) => pending.asks_for(&Action::Subscribe),
            _ => false,
        };
        match &answer {
            Answer::Message => Ok(None),
            _ if !yes && !no => self.answerable(request).await,
            _ if !is_open => Ok(answered_before()),
            _ if yes => self.grant(request, &pending, &reply.reply_text()).await,
            _ => {
                let decided = self.rulebook.decline(id, now).await?;
                match decided.outcome {
                    Declined::Now => {
                        let note = "the answer was no: nothing is done";
                        let effects = Effects::none(InboundKind::Command, note);
                        Ok(Some(Effects { batch: decided.batch, ..effects }))
                    }
                    Declined::Before => Ok(answered_before()),
                    Declined::Over => self.expired(request).await,
                }
            }
        }
    }

    async fn expired(&self, request: &Request<'_>) -> Result<Option<Effects>, HandleError> {
        let mut effects = DraftEffects::new();
        effects.note("the question had expired");
        self.answer(&mut effects, request, draft(request, "expired", &request.from, json!({}))).await?;
        Ok(Some(self.finish(effects, request).await?))
    }

    /// Explains that the person left after they had asked to join, and how to subscribe again.
    async fn left_since(
        &self,
        request: &Request<'_>,
        pending: &PendingRequest,
    ) -> Result<Option<Effects>, HandleError> {
        let mut effects = DraftEffects::new();
        effects.note("not subscribed: the person left after asking");
        let data = json!({ "address": pending.address.as_str() });
        // To the person whom the question was about, even if another sender replied to it.
        let mut notice = draft(request, "left-since", &pending.address, data);
        notice.language = &pending.language;
        self.answer(&mut effects, request, notice).await?;
        Ok(Some(self.finish(effects, request).await?))
    }

    /// The question as it was sent, if it can be rendered again; without it a reply needs an explicit word.
    async fn question_of(&self, pending: &PendingRequest) -> Result<Option<Question>, HandleError> {
        let Some(list) = self.rulebook.store.list(&pending.list).await? else { return Ok(None) };
        let statements = std::slice::from_ref(&pending.words);
        let data = question::data(&self.rulebook.key, pending, statements);
        let question = self.notices.question(question::TEMPLATE, &pending.language, &list.value, data);
        Ok(question.inspect_err(|error| tracing::warn!(%error, "the question could not be rendered again")).ok())
    }

    async fn grant(
        &self,
        request: &Request<'_>,
        pending: &PendingRequest,
        reply: &str,
    ) -> Result<Option<Effects>, HandleError> {
        let evidence = content_hash(&request.item.bytes);
        let by = ConsentSource::Mail { message_id: message_id(request.item), evidence: Some(evidence) };
        let words = reply.chars().take(REPLY_WORDS).collect();
        // The reply's display name is used only if it comes from the address itself.
        let name = request.name.as_deref().filter(|_| request.from.key() == pending.address.key());
        let said = Instruction { by, words, at: self.clock.now() };
        let decided = self.rulebook.confirm(pending.id, name, &said).await?;
        let done = match decided.outcome {
            Confirmed::Now(done) => done,
            Confirmed::Before => return Ok(answered_before()),
            Confirmed::Over => return self.expired(request).await,
            Confirmed::Not(NotDone::LeftSince(_)) if request.is_answerable => {
                return self.left_since(request, pending).await;
            }
            Confirmed::Not(why) => {
                if let NotDone::TooLarge(too_large) = why {
                    tracing::warn!(list = %pending.list, %too_large, "a confirmed subscription cannot be added");
                }
                return Ok(None);
            }
        };
        let mut effects = DraftEffects { batch: decided.batch, ..DraftEffects::new() };
        if done.lifted {
            effects.note("the address may be mailed again");
        }
        if done.changed {
            self.keep(request.item, evidence).await?;
        }
        self.send_result(&mut effects, request, &done).await?;
        effects.note("confirmed and done");
        Ok(Some(effects.effects()))
    }

    /// Stores the raw reply for longer than the spool keeps it. If no commit refers to it, it is dropped again.
    async fn keep(&self, item: &Item, sha256: [u8; 32]) -> Result<(), HandleError> {
        match self.blobs.put(Some(sha256), item.bytes.as_slice()).await {
            Ok(_) => Ok(()),
            Err(BlobError::Io { action, path, error }) => {
                let reason = format!("{}: {error}", path.display());
                Err(StoreError::Engine(EngineError::Unavailable { action, reason }).into())
            }
            Err(other) => Err(HandleError::Broken(format!("the confirmation cannot be stored: {other}"))),
        }
    }

    /// Sends one notice that the request was carried out.
    async fn send_result(
        &self,
        effects: &mut DraftEffects,
        request: &Request<'_>,
        done: &Done,
    ) -> Result<(), HandleError> {
        let Done { pending, list, subscriber, .. } = done;
        let address = pending.address.as_str();
        let mut notice = draft(request, "done", &pending.address, json!({}));
        notice.language = &pending.language;
        notice.list = Some(list);
        let unsubscribe = self.unsubscribe_address(list, subscriber.id);
        let uri = format!("mailto:{unsubscribe}");
        if pending.asks_for(&Action::Subscribe) {
            notice.template = "welcome";
            notice.unsubscribe = Some(&uri);
            notice.data = json!({ "address": address, "unsubscribe": unsubscribe });
        } else if pending.asks_for(&Action::Unsubscribe) {
            notice.template = "goodbye";
            notice.data = json!({ "address": address });
        } else {
            notice.data = json!({ "address": address, "statements": [pending.words] });
        }
        self.notices.write(&mut effects.batch, notice).await?;
        effects.notify = true;
        Ok(())
    }
}

/// The action that a command asks for; `None` for commands that change nothing.
fn action_of(command: &Command) -> Option<Action> {
    match command {
        Command::Subscribe => Some(Action::Subscribe),
        Command::Unsubscribe => Some(Action::Unsubscribe),
        Command::Pause => Some(Action::Pause),
        Command::Resume => Some(Action::Resume),
        Command::Language(language) => Some(Action::Language(language.clone())),
        Command::Beats(beats) => Some(Action::Beats(beats.clone())),
        Command::Regions(regions) => Some(Action::Regions(regions.clone())),
        Command::Confirm | Command::Which | Command::Help | Command::Owner | Command::Erase => None,
    }
}

fn answered_before() -> Option<Effects> {
    Some(Effects::none(InboundKind::Command, "the question was answered before; nothing is done"))
}

/// The Message-ID for the consent ledger, shortened to [`LONGEST_ID`] characters.
pub(super) fn message_id(item: &Item) -> String {
    item.message.message_id().unwrap_or_default().chars().take(LONGEST_ID).collect()
}
