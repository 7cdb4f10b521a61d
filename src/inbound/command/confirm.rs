//! A reply to a question: its token proves that whoever replies reads the mail of the address that was asked. It makes the
//! wish come true, once and in time.

use serde_json::json;

use crate::base::id::{SubscriberId, WishId};
use crate::base::token::{Purpose, content_hash};
use crate::inbound::destination::Role;
use crate::inbound::{Effects, HandleError, Item};
use crate::mail::command::{Answer, Command, tokens};
use crate::mail::reply::Question;
use crate::model::consent::ConsentSource;
use crate::model::inbound::InboundKind;
use crate::model::list::{Joining, List};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::model::suppression::SuppressionReason;
use crate::model::wish::{Deed, Wish, WishState};
use crate::store::blobs::BlobError;
use crate::store::engine::EngineError;
use crate::store::{Read, StoreError, lists, subscribers, suppressions, wishes};
use crate::subscribers::import::row;

use super::ask::{QUESTION, question_data};
use super::{CommandDesk, Doing, Request, draft, known};

/// Characters of a reply's own words that the consent ledger keeps; the whole reply is kept beside it.
const REPLY_WORDS: usize = 300;
/// Characters of a Message-ID that it keeps.
const LONGEST_ID: usize = 250;

impl CommandDesk {
    /// The first signed token: of the address, else in the subject, else in the text, which may quote it. Programs for mail
    /// lose now the one, now the other.
    pub(super) fn token(&self, request: &Request<'_>) -> Option<WishId> {
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
                [wish, _expires] => Some(WishId(*wish)),
                _ => None,
            }
        })
    }

    /// What a reply with a token does.
    pub(super) async fn answered(&self, request: &Request<'_>, wish: WishId) -> Result<Option<Effects>, HandleError> {
        let now = self.clock.now();
        let (read, present) = (self.store.wish(wish).await?, self.store.present(now).await?);
        let Some(read) = read.filter(|read| !read.value.is_over(&present)) else {
            if !request.is_answerable {
                return Ok(None);
            }
            let mut doing = Doing::new();
            doing.note("the question had expired");
            self.answer(&mut doing, request, draft(request, "expired", &request.from, json!({}))).await?;
            return Ok(Some(self.finish(doing, request).await?));
        };
        let wish = &read.value;
        let message = &request.item.message;
        let known = known(request.list, &request.from, request.name.as_deref());
        let question = self.question_of(wish).await?;
        let reply = self.commands.reader().read(message);
        let answer = self.commands.answer(&reply, &known, question.as_ref());
        let yes = match &answer {
            Answer::Yes => true,
            Answer::Command(command) => deed_of(command).is_some_and(|deed| wish.asks_for(&deed)),
            Answer::No | Answer::Letter => false,
        };
        let no = match &answer {
            Answer::No => true,
            Answer::Command(Command::Unsubscribe) => wish.asks_for(&Deed::Subscribe),
            _ => false,
        };
        match (&answer, wish.state) {
            (Answer::Letter, _) => Ok(None),
            _ if !yes && !no => self.answerable(request).await,
            (_, WishState::Open) if yes => self.grant(request, &read).await,
            (_, WishState::Open) => {
                let mut doing = Doing::new();
                let declined = Wish { state: WishState::Declined { at: now }, ..wish.clone() };
                wishes::put_changed(&mut doing.batch, &read, &declined);
                doing.note("the answer was no: nothing is done");
                Ok(Some(doing.effects()))
            }
            (_, WishState::Granted { .. } | WishState::Declined { .. }) => {
                Ok(Some(Effects::none(InboundKind::Command, "the question was answered before; nothing is done")))
            }
        }
    }

    /// The question as it went out, as far as it can be made again; without it a reply needs a word.
    async fn question_of(&self, wish: &Wish) -> Result<Option<Question>, HandleError> {
        let Some(list) = self.store.list(&wish.list).await? else { return Ok(None) };
        let statements = std::slice::from_ref(&wish.words);
        let data = question_data(&self.key, wish, statements);
        let question = self.letters.question(QUESTION, &wish.language, &list.value, data);
        Ok(question.inspect_err(|error| tracing::warn!(%error, "the question could not be made again")).ok())
    }

    async fn grant(&self, request: &Request<'_>, read: &Read<Wish>) -> Result<Option<Effects>, HandleError> {
        let (wish, now) = (&read.value, self.clock.now());
        let joins = wish.asks_for(&Deed::Subscribe);
        let Some(list) = self.store.list(&wish.list).await? else { return Ok(None) };
        let mut doing = Doing::new();
        lists::expect(&mut doing.batch, &list);
        let list = list.value;
        if joins && list.joining == Joining::Closed {
            return Ok(None);
        }
        let before = self.store.subscriber_by_address(&wish.address).await?;
        let mut subscriber = before.as_ref().map_or_else(|| blank(wish, request), |read| read.value.clone());
        if joins && !self.lift_suppression(&mut doing, wish, &mut subscriber).await? {
            return Ok(None);
        }
        let evidence = content_hash(&request.item.octets);
        let source = ConsentSource::Mail { message_id: message_id(request.item), evidence: Some(evidence) };
        let was = subscriber.clone();
        let reply = self.commands.reader().read(&request.item.message).own_words();
        wish.grant(&mut subscriber, now, &source, &words(wish, &reply));
        if let (true, Err(too_large)) = (joins, subscribers::admit(&subscriber)) {
            tracing::warn!(list = %wish.list, %too_large, "a confirmed subscription cannot be added");
            return Ok(None);
        }
        match &before {
            None if joins => {
                subscriber.id = SubscriberId(self.store.allocate(subscribers::COUNTER, 1).await?);
                subscribers::put_new(&mut doing.batch, &subscriber);
            }
            // A stranger has nothing to change; the answer is the same as a member's.
            None => subscribers::expect_unknown(&mut doing.batch, &wish.address),
            Some(before) => {
                subscriber.updated = if subscriber == before.value { subscriber.updated } else { now };
                subscribers::put_changed(&mut doing.batch, before, &subscriber);
            }
        }
        if subscriber.subscriptions != was.subscriptions {
            self.keep(request.item, evidence).await?;
            wishes::put_evidence(&mut doing.batch, &evidence, subscriber.id);
        }
        wishes::put_changed(&mut doing.batch, read, &Wish { state: WishState::Granted { at: now }, ..wish.clone() });
        self.tell(&mut doing, request, &list, wish, &subscriber).await?;
        doing.note("confirmed and done");
        Ok(Some(doing.effects()))
    }

    /// Whether the address may be mailed once the wish is granted. Their own confirmed wish lifts what they or an erasure
    /// put there, and no other; what else they were subscribed to before they asked for no mail at all stays ended.
    async fn lift_suppression(
        &self,
        doing: &mut Doing,
        wish: &Wish,
        subscriber: &mut Subscriber,
    ) -> Result<bool, HandleError> {
        let edition = self.store.suppressions_edition().await?;
        suppressions::expect_edition(&mut doing.batch, edition);
        let hash = self.key.hash_address(&wish.address);
        let Some(found) = self.store.suppression(&hash).await? else { return Ok(true) };
        if !matches!(found.value.reason, SuppressionReason::Request | SuppressionReason::Erased) {
            return Ok(false);
        }
        suppressions::delete(&mut doing.batch, &hash, found.stamp);
        doing.note("the address may be mailed again");
        let rule = ConsentSource::System { rule: "asked for no mail at all, then for one list".to_owned() };
        let others: Vec<_> = subscriber.subscriptions.keys().filter(|name| **name != wish.list).cloned().collect();
        for other in others {
            let (ended, words) = (SubscriptionState::Ended, format!("begins again only for {}", wish.list));
            // Ending is never refused.
            let _ = subscriber.change(&other, ended, self.clock.now(), rule.clone(), words);
        }
        Ok(true)
    }

    /// Keeps the reply as it came, longer than the spool does. Without the commit that names it it is dropped again.
    async fn keep(&self, item: &Item, sha256: [u8; 32]) -> Result<(), HandleError> {
        match self.blobs.put(Some(sha256), item.octets.as_slice()).await {
            Ok(_) => Ok(()),
            Err(BlobError::Io { action, path, error }) => {
                let reason = format!("{}: {error}", path.display());
                Err(StoreError::Engine(EngineError::Unavailable { action, reason }).into())
            }
            Err(other) => Err(HandleError::Broken(format!("the confirmation cannot be kept: {other}"))),
        }
    }

    /// Says once that it is done.
    async fn tell(
        &self,
        doing: &mut Doing,
        request: &Request<'_>,
        list: &List,
        wish: &Wish,
        subscriber: &Subscriber,
    ) -> Result<(), HandleError> {
        let address = wish.address.as_str();
        let mut letter = draft(request, "done", &wish.address, json!({}));
        letter.language = &wish.language;
        letter.list = Some(list);
        let unsubscribe = self.unsubscribe_address(list, subscriber.id);
        let uri = format!("mailto:{unsubscribe}");
        if wish.asks_for(&Deed::Subscribe) {
            letter.template = "welcome";
            letter.unsubscribe = Some(&uri);
            letter.data = json!({ "address": address, "unsubscribe": unsubscribe });
        } else if wish.asks_for(&Deed::Unsubscribe) {
            letter.template = "goodbye";
            letter.data = json!({ "address": address });
        } else {
            letter.data = json!({ "address": address, "statements": [wish.words] });
        }
        self.letters.write(&mut doing.batch, letter).await?;
        doing.wakes = true;
        Ok(())
    }
}

/// What a command asks for; `None` for those that ask for no change.
fn deed_of(command: &Command) -> Option<Deed> {
    match command {
        Command::Subscribe => Some(Deed::Subscribe),
        Command::Unsubscribe => Some(Deed::Unsubscribe),
        Command::Pause => Some(Deed::Pause),
        Command::Resume => Some(Deed::Resume),
        Command::Language(language) => Some(Deed::Language(language.clone())),
        Command::Beats(beats) => Some(Deed::Beats(beats.clone())),
        Command::Regions(regions) => Some(Deed::Regions(regions.clone())),
        Command::Confirm | Command::Which | Command::Help | Command::Owner | Command::Erase => None,
    }
}

/// Somebody who is not known yet. Their name is taken from the reply where it comes from the address itself.
fn blank(wish: &Wish, request: &Request<'_>) -> Subscriber {
    let own = request.from.key() == wish.address.key();
    let name = request.name.as_deref().filter(|_| own).unwrap_or_default();
    Subscriber {
        id: SubscriberId(0),
        address: wish.address.clone(),
        name: row::one_line("the name", name).ok().filter(|name| !name.is_empty()),
        language: wish.language.clone(),
        organisation: None,
        beats: Default::default(),
        regions: Default::default(),
        attributes: Default::default(),
        subscriptions: Default::default(),
        created: wish.asked,
        updated: wish.asked,
    }
}

/// The exact words agreed to: those of the question, and those of the reply.
fn words(wish: &Wish, reply: &str) -> String {
    let reply: String = reply.chars().take(REPLY_WORDS).collect();
    format!("{} [reply: \u{201c}{reply}\u{201d}]", wish.words)
}

/// The Message-ID, for the ledger.
pub(super) fn message_id(item: &Item) -> String {
    item.message.message_id().unwrap_or_default().chars().take(LONGEST_ID).collect()
}
