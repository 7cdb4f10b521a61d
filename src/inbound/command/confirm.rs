//! A reply to a question: its token proves that whoever replies reads the mail of the address that was asked. It makes the
//! wish come true, once and in time.

use serde_json::json;

use crate::base::id::{PendingRequestId, SubscriberId};
use crate::base::token::{Purpose, content_hash};
use crate::inbound::destination::Role;
use crate::inbound::{Effects, HandleError, Item};
use crate::mail::command::{Answer, Command, tokens};
use crate::mail::reply::Question;
use crate::model::consent::ConsentSource;
use crate::model::inbound::InboundKind;
use crate::model::list::{Joining, List};
use crate::model::pending_request::{Action, PendingRequest, PendingState};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::model::suppression::SuppressionReason;
use crate::store::blobs::BlobError;
use crate::store::engine::EngineError;
use crate::store::{Read, StoreError, pending_requests, subscribers, suppressions};
use crate::subscribers::import::row;

use super::ask::{QUESTION, question_data};
use super::{CommandService, DraftEffects, Request, draft, known};

/// Characters of a reply's own words that the consent ledger keeps; the whole reply is kept beside it.
const REPLY_WORDS: usize = 300;
/// Characters of a Message-ID that it keeps.
const LONGEST_ID: usize = 250;

impl CommandService {
    /// The first signed token: of the address, else in the subject, else in the text, which may quote it. Programs for mail
    /// lose now the one, now the other.
    pub(super) fn token(&self, request: &Request<'_>) -> Option<PendingRequestId> {
        let of_address = match request.role {
            Role::Confirm { token } => vec![token.clone()],
            _ => Vec::new(),
        };
        let message = &request.item.message;
        let found = [tokens(message.subject()), tokens(message.text()), tokens(message.html().unwrap_or_default())];
        of_address.iter().chain(found.iter().flatten()).find_map(|token| {
            match self.key.verify(Purpose::Confirm, token)?.as_slice() {
                // When it expires is for the record to say: it knows when it was made, so a clock that was wrong then can be
                // allowed for.
                [pending, _expires] => Some(PendingRequestId(*pending)),
                _ => None,
            }
        })
    }

    /// What a reply with a token does.
    pub(super) async fn answered(
        &self,
        request: &Request<'_>,
        pending: PendingRequestId,
    ) -> Result<Option<Effects>, HandleError> {
        let now = self.clock.now();
        let (read, present) = (self.store.pending(pending).await?, self.store.present(now).await?);
        let Some(read) = read.filter(|read| !read.value.is_over(&present)) else {
            if !request.is_answerable {
                return Ok(None);
            }
            let mut effects = DraftEffects::new();
            effects.note("the question had expired");
            self.answer(&mut effects, request, draft(request, "expired", &request.from, json!({}))).await?;
            return Ok(Some(self.finish(effects, request).await?));
        };
        let pending = &read.value;
        let message = &request.item.message;
        let known = known(request.list, &request.from, request.name.as_deref());
        let question = self.question_of(pending).await?;
        let reply = self.commands.reader().read(message);
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
        match (&answer, pending.state) {
            (Answer::Message, _) => Ok(None),
            _ if !yes && !no => self.answerable(request).await,
            (_, PendingState::Open) if yes => self.grant(request, &read).await,
            (_, PendingState::Open) => {
                let mut effects = DraftEffects::new();
                let declined = PendingRequest { state: PendingState::Declined { at: now }, ..pending.clone() };
                pending_requests::put_changed(&mut effects.batch, &read, &declined);
                effects.note("the answer was no: nothing is done");
                Ok(Some(effects.effects()))
            }
            (_, PendingState::Granted { .. } | PendingState::Declined { .. }) => {
                Ok(Some(Effects::none(InboundKind::Command, "the question was answered before; nothing is done")))
            }
        }
    }

    /// The question as it went out, as far as it can be made again; without it a reply needs a word.
    async fn question_of(&self, pending: &PendingRequest) -> Result<Option<Question>, HandleError> {
        let Some(list) = self.store.list(&pending.list).await? else { return Ok(None) };
        let statements = std::slice::from_ref(&pending.words);
        let data = question_data(&self.key, pending, statements);
        let question = self.notices.question(QUESTION, &pending.language, &list.value, data);
        Ok(question.inspect_err(|error| tracing::warn!(%error, "the question could not be made again")).ok())
    }

    async fn grant(&self, request: &Request<'_>, read: &Read<PendingRequest>) -> Result<Option<Effects>, HandleError> {
        let (pending, now) = (&read.value, self.clock.now());
        let joins = pending.asks_for(&Action::Subscribe);
        let Some(list) = self.store.list(&pending.list).await? else { return Ok(None) };
        let mut effects = DraftEffects::new();
        effects.batch.expect(crate::store::keys::list(&pending.list), list.stamp.clone());
        let list = list.value;
        if joins && list.joining == Joining::Closed {
            return Ok(None);
        }
        let before = self.store.subscriber_by_address(&pending.address).await?;
        let mut subscriber = before.as_ref().map_or_else(|| blank(pending, request), |read| read.value.clone());
        if joins && !self.lift_suppression(&mut effects, pending, &mut subscriber).await? {
            return Ok(None);
        }
        let evidence = content_hash(&request.item.bytes);
        let source = ConsentSource::Mail { message_id: message_id(request.item), evidence: Some(evidence) };
        let was = subscriber.clone();
        let reply = self.commands.reader().read(&request.item.message).own_words();
        pending.grant(&mut subscriber, now, &source, &words(pending, &reply));
        if let (true, Err(too_large)) = (joins, subscribers::admit(&subscriber)) {
            tracing::warn!(list = %pending.list, %too_large, "a confirmed subscription cannot be added");
            return Ok(None);
        }
        match &before {
            None if joins => {
                subscriber.id = SubscriberId(self.store.allocate(subscribers::COUNTER, 1).await?);
                subscribers::put_new(&mut effects.batch, &subscriber);
            }
            // A stranger has nothing to change; the answer is the same as a member's.
            None => effects.batch.expect_absent(crate::store::keys::address(&pending.address)),
            Some(before) => {
                subscriber.updated = if subscriber == before.value { subscriber.updated } else { now };
                subscribers::put_changed(&mut effects.batch, before, &subscriber);
            }
        }
        if subscriber.subscriptions != was.subscriptions {
            self.keep(request.item, evidence).await?;
            pending_requests::put_evidence(&mut effects.batch, &evidence, subscriber.id);
        }
        pending_requests::put_changed(
            &mut effects.batch,
            read,
            &PendingRequest { state: PendingState::Granted { at: now }, ..pending.clone() },
        );
        self.tell(&mut effects, request, &list, pending, &subscriber).await?;
        effects.note("confirmed and done");
        Ok(Some(effects.effects()))
    }

    /// Whether the address may be mailed once the wish is granted. Their own confirmed wish lifts what they or an erasure
    /// put there, and no other; what else they were subscribed to before they asked for no mail at all stays ended.
    async fn lift_suppression(
        &self,
        effects: &mut DraftEffects,
        pending: &PendingRequest,
        subscriber: &mut Subscriber,
    ) -> Result<bool, HandleError> {
        let edition = self.store.suppressions_edition().await?;
        suppressions::expect_edition(&mut effects.batch, edition);
        let hash = self.key.hash_address(&pending.address);
        let Some(found) = self.store.suppression(&hash).await? else { return Ok(true) };
        if !matches!(found.value.reason, SuppressionReason::Request | SuppressionReason::Erased) {
            return Ok(false);
        }
        suppressions::delete(&mut effects.batch, &hash, found.stamp);
        effects.note("the address may be mailed again");
        let rule = ConsentSource::System { rule: "asked for no mail at all, then for one list".to_owned() };
        let others: Vec<_> = subscriber.subscriptions.keys().filter(|name| **name != pending.list).cloned().collect();
        for other in others {
            let (ended, words) = (SubscriptionState::Ended, format!("begins again only for {}", pending.list));
            // Ending is never refused.
            let _ = subscriber.change(&other, ended, self.clock.now(), rule.clone(), words);
        }
        Ok(true)
    }

    /// Keeps the reply as it came, longer than the spool does. Without the commit that names it it is dropped again.
    async fn keep(&self, item: &Item, sha256: [u8; 32]) -> Result<(), HandleError> {
        match self.blobs.put(Some(sha256), item.bytes.as_slice()).await {
            Ok(_) => Ok(()),
            Err(BlobError::Io { action, path, error }) => {
                let reason = format!("{}: {error}", path.display());
                Err(StoreError::Engine(EngineError::Io { action, reason }).into())
            }
            Err(other) => Err(HandleError::Broken(format!("the confirmation cannot be kept: {other}"))),
        }
    }

    /// Says once that it is done.
    async fn tell(
        &self,
        effects: &mut DraftEffects,
        request: &Request<'_>,
        list: &List,
        pending: &PendingRequest,
        subscriber: &Subscriber,
    ) -> Result<(), HandleError> {
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

/// What a command asks for; `None` for those that ask for no change.
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

/// Somebody who is not known yet. Their name is taken from the reply where it comes from the address itself.
fn blank(pending: &PendingRequest, request: &Request<'_>) -> Subscriber {
    let own = request.from.key() == pending.address.key();
    let name = request.name.as_deref().filter(|_| own).unwrap_or_default();
    Subscriber {
        id: SubscriberId(0),
        address: pending.address.clone(),
        name: row::one_line("the name", name).ok().filter(|name| !name.is_empty()),
        language: pending.language.clone(),
        organisation: None,
        beats: Default::default(),
        regions: Default::default(),
        attributes: Default::default(),
        subscriptions: Default::default(),
        created: pending.asked,
        updated: pending.asked,
    }
}

/// The exact words agreed to: those of the question, and those of the reply.
fn words(pending: &PendingRequest, reply: &str) -> String {
    let reply: String = reply.chars().take(REPLY_WORDS).collect();
    format!("{} [reply: \u{201c}{reply}\u{201d}]", pending.words)
}

/// The Message-ID, for the ledger.
pub(super) fn message_id(item: &Item) -> String {
    item.message.message_id().unwrap_or_default().chars().take(LONGEST_ID).collect()
}
