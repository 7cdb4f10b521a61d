//! An answer to an invitation by mail: it is recorded, and one receipt states what was understood. Uncertain answers
//! are forwarded to the invitation's press contact, who enters them with `depesch rsvp set`.
//!
//! A colleague who is not a subscriber may also answer. The address in From is the respondent. The answer counts only
//! if something shows that its owner sent the mail or that the writer has the invitation (see `proof_of`); otherwise
//! the press contact decides. Our replies never depend on what is stored about an address, so that a stranger cannot
//! find out who is known.

use std::sync::Arc;

use serde_json::json;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::base::id::InboundId;
use crate::base::token::Key;
use crate::composition::event::Announced;
use crate::composition::notices::{Draft, Forwarded, Notices, may_answer};
use crate::composition::release::{LoadError, LoadedRelease};
use crate::events::answer::{Answering, Proof, answer_invitation};
use crate::events::find::{CameTo, Found, Way, find};
use crate::events::{RsvpError, mailings_of};
use crate::mail::calendar_reply::has_calendar_reply;
use crate::mail::incoming::Incoming;
use crate::mail::rsvp::{Answer, Attendance, How, Person, Reading, Rules};
use crate::model::inbound::{InboundKind, Via};
use crate::model::list::List;
use crate::model::release::{EventStatus, Release};
use crate::model::rsvp::{Detail, Rsvp, RsvpAnswer, RsvpPerson, RsvpSource};
use crate::render::dates::DateWriter;
use crate::store::Store;
use crate::subscribers::tokens::RsvpToken;

use super::{Effects, HandleError, Item};

/// What was understood from a message.
struct Understood {
    answer: RsvpAnswer,
    person: Person,
    comment: String,
    how: How,
    why: &'static str,
    /// Whether the mail is forwarded to the press contact.
    to_be_seen: bool,
}

/// Whether a message contains a calendar reply, and so answers an invitation at any of our addresses: calendar programs
/// reply to the organiser.
pub(crate) fn is_answer(message: &Incoming) -> bool {
    has_calendar_reply(message)
}

/// Handles answers to invitations.
pub struct RsvpHandler {
    /// The store.
    pub store: Store,
    /// Signs and verifies tokens.
    pub key: Key,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Writes receipts, and forwards messages.
    pub notices: Notices,
}

impl RsvpHandler {
    /// Returns what an answer does; `None` if it belongs to no invitation or has no sender, and so is for a person.
    /// `list` is the list whose address it came to, if any; `token` that of the address, if it was signed.
    ///
    /// # Errors
    /// [`HandleError`].
    pub(crate) async fn handle(
        &self,
        item: &Item,
        list: Option<&List>,
        token: Option<RsvpToken>,
    ) -> Result<Option<Effects>, HandleError> {
        let message = &item.message;
        let Some(from) = message.from().and_then(|from| from.address.parse::<Address>().ok()) else { return Ok(None) };
        let rules = Rules::shipped().map_err(|error| HandleError::Broken(error.to_string()))?;
        let reading = rules.read(message);
        // RFC 3834 §2, RFC 5321 §4.5.5: a message with an empty envelope sender is not an answer. A file may have no
        // envelope.
        let no_sender = item.inbound.arrival.sender.is_none() && item.inbound.arrival.via != Via::File;
        if no_sender || reading == Reading::Automatic {
            return Ok(Some(Effects::none(InboundKind::AutoReply, "an automatic answer to an invitation")));
        }
        let uid = match &reading {
            Reading::Answer(answer) => answer.uid.clone(),
            _ => None,
        };
        let came_to = item.inbound.recipient.parse::<Address>().ok();
        let now = self.clock.now();
        let came_to = CameTo { address: came_to.as_ref(), mailing: token.map(|token| token.mailing) };
        let found = find(&self.store, &self.key, message, uid.as_deref(), came_to, now).await?;
        let (release, way) = match found {
            Found::One { release, way, .. } => (release, way),
            Found::Several | Found::Nothing => return Ok(None),
        };
        let understood = understand(reading);
        let answering = Answering {
            release,
            proof: proof_of(item, &from, way),
            address: from,
            by: source_of(understood.how, item.inbound.id),
            answer: understood.answer,
            person: person_of(&understood.person, message),
            comment: understood.comment,
            why: understood.why.to_owned(),
            at: item.inbound.arrival.at,
        };
        let decided = match answer_invitation(&self.store, &self.key, &answering).await {
            Ok(decided) => decided,
            Err(RsvpError::Store(error) | RsvpError::Load(LoadError::Store(error))) => return Err(error.into()),
            // The release can no longer be read, or has no event.
            Err(RsvpError::NoRelease(_) | RsvpError::NoEvent(_) | RsvpError::Load(_)) => return Ok(None),
        };
        let answered = decided.outcome;
        let counted = answered.doubted.map_or(understood.answer, |_| RsvpAnswer::Unclear);
        let note = match counted {
            RsvpAnswer::Unclear => {
                format!("unclear, for release {release}: {}", answered.doubted.unwrap_or(understood.why))
            }
            answer => format!("{} to release {release}", answer.word()),
        };
        let mut effects = Effects { batch: decided.batch, ..Effects::none(InboundKind::Rsvp, note) };
        let about = self.list_of(&answered.loaded, list).await?;
        if understood.to_be_seen || answered.doubted.is_some() {
            self.forward(item, &answered.loaded.release, about.as_ref(), &mut effects).await?;
        }
        // A UID may be guessed. No sender learns whether it matched: only the guest list may differ.
        if counted != RsvpAnswer::Unclear && way != Way::Uid {
            self.receipt(item, &answered.told, &answered.rsvp, about.as_ref(), &mut effects).await?;
        }
        Ok(Some(effects))
    }

    /// The list in whose name notices about an invitation are sent: the one the answer came to, else the first one the
    /// invitation was sent to.
    async fn list_of(&self, loaded: &LoadedRelease, list: Option<&List>) -> Result<Option<List>, HandleError> {
        if let Some(list) = list {
            return Ok(Some(list.clone()));
        }
        for mailing in mailings_of(&self.store, loaded.record.value.id).await? {
            for name in &mailing.audience.lists {
                if let Some(list) = self.store.list(name).await? {
                    return Ok(Some(list.value));
                }
            }
        }
        Ok(self.store.lists().await?.into_iter().next().map(|list| list.value))
    }

    /// Forwards to the first press contact whose address is not the one the mail came to, else to the list's owner.
    async fn forward(
        &self,
        item: &Item,
        release: &Release,
        list: Option<&List>,
        effects: &mut Effects,
    ) -> Result<(), HandleError> {
        let rsvp = release.event.as_ref().and_then(|event| event.rsvp.as_ref()).map(|rsvp| rsvp.to.key());
        let is_us = |address: &Address| {
            let key = address.key();
            key == item.inbound.recipient.to_lowercase() || Some(&key) == rsvp.as_ref()
        };
        let contact =
            release.press_contacts().filter_map(|contact| contact.contact.email.clone()).find(|one| !is_us(one));
        let to = match (contact, list) {
            (Some(contact), _) => contact,
            (None, Some(list)) => list.owner.clone(),
            (None, None) => {
                return Err(HandleError::Broken(
                    "the answer has no recipient: the release names no press contact, and no list was found".to_owned(),
                ));
            }
        };
        let passed = self.notices.forward(&mut effects.batch, &item.inbound, &item.message, &to, list).await?;
        match passed {
            Forwarded::As(notice) => {
                effects.note.push_str(&format!("; forwarded to the press contact, as notice {notice}"));
                effects.notify = true;
            }
            other => effects.note.push_str(&format!("; forwarded to the press contact, {}", other.words())),
        }
        Ok(())
    }

    /// Sends a receipt at most once a day stating what was understood, so that the author can correct it (RFC 3834);
    /// and once more if the event was changed since.
    async fn receipt(
        &self,
        item: &Item,
        told: &Announced,
        rsvp: &Rsvp,
        list: Option<&List>,
        effects: &mut Effects,
    ) -> Result<(), HandleError> {
        let sender = item.inbound.arrival.sender.as_deref();
        if !may_answer(sender, &item.message) {
            return Ok(());
        }
        let Some(to) = sender.and_then(|sender| sender.parse::<Address>().ok()) else { return Ok(()) };
        let (newest, release) = (told.newest.record.value.id, &told.newest.release);
        let what = format!("rsvp {} {} {newest}", rsvp.event, rsvp.answer().word());
        if !self.notices.once_a_day(&mut effects.batch, &to, &what).await? {
            return Ok(());
        }
        let answers_to = |release: &Release| Some(release.event.as_ref()?.rsvp.as_ref()?.to.clone());
        let reply_to = answers_to(release).or_else(|| answers_to(&told.first.release));
        let templates = self.notices.templates();
        let draft = Draft {
            template: "rsvp-receipt",
            language: &release.language,
            to: &to,
            list,
            answers: Some(&item.message),
            reply_to: reply_to.or_else(|| item.inbound.recipient.parse().ok()),
            unsubscribe: None,
            data: receipt_data(told, rsvp, templates.labels(&release.language).map(|labels| &labels.dates)),
        };
        self.notices.write(&mut effects.batch, draft).await?;
        effects.notify = true;
        Ok(())
    }
}

/// What proves that the owner of the From address answers. From alone proves nothing. Either it is a single mailbox and
/// also the envelope sender, to which the receipt goes; or the mail answers a signed Message-ID, so its writer has the
/// invitation. For a file without an envelope the operator who piped it in is responsible.
fn proof_of(item: &Item, from: &Address, way: Way) -> Proof {
    if way == Way::Signed {
        return Proof::Own;
    }
    let one_author = item.message.correspondents("From").len() == 1;
    let arrival = &item.inbound.arrival;
    let sender = arrival.sender.as_deref().map(|sender| sender.parse::<Address>());
    let is_vouched = one_author
        && match sender {
            Some(Ok(sender)) => sender.is_same_person(from),
            Some(Err(_)) => false,
            None => arrival.via == Via::File,
        };
    match (is_vouched, way) {
        (false, _) => Proof::Unproven,
        (true, Way::Uid) => Proof::OwnByUid,
        (true, _) => Proof::Own,
    }
}

fn source_of(how: How, inbound: InboundId) -> RsvpSource {
    match how {
        How::Calendar => RsvpSource::Calendar { inbound },
        How::Words => RsvpSource::Words { inbound },
    }
}

fn understand(reading: Reading) -> Understood {
    match reading {
        Reading::Answer(Answer { attendance, person, comment, how, asks, .. }) => {
            let answer = match attendance {
                Attendance::Yes => RsvpAnswer::Yes,
                Attendance::No => RsvpAnswer::No,
                Attendance::Maybe => RsvpAnswer::Maybe,
            };
            Understood { answer, person, comment, how, why: "", to_be_seen: asks }
        }
        Reading::Uncertain { why, person, comment } => {
            let why = why.words();
            Understood { answer: RsvpAnswer::Unclear, person, comment, how: How::Words, why, to_be_seen: true }
        }
        Reading::Automatic => {
            let person = Person::default();
            let (answer, how, why) = (RsvpAnswer::Unclear, How::Words, "it is automatic");
            Understood { answer, person, comment: String::new(), how, why, to_be_seen: false }
        }
    }
}

/// The person's details as given, with the name in From as fallback.
fn person_of(person: &Person, message: &Incoming) -> RsvpPerson {
    let given = |text: &Option<String>| text.clone().map(|text| Detail { text, given: true });
    let from = message.from().map(|from| from.name.trim()).filter(|name| !name.is_empty() && !name.contains('@'));
    let from = from.map(|name| Detail { text: name.chars().take(200).collect(), given: false });
    RsvpPerson {
        name: given(&person.name).or(from),
        newsroom: given(&person.newsroom),
        function: given(&person.function),
        press_card: given(&person.press_card),
        people: person.people,
    }
}

/// The data of the receipt: the answer and what came with it, in the person's own words, and the event as the newest
/// release describes it. Details from the subscriber's record are left out: an answer may be forged.
fn receipt_data(told: &Announced, rsvp: &Rsvp, dates: Option<&DateWriter>) -> serde_json::Value {
    let release = &told.newest.release;
    let event = release.event.as_ref();
    let is = |status: EventStatus| event.is_some_and(|event| event.status == status);
    let (answer, cancelled) = (rsvp.answer(), is(EventStatus::Cancelled));
    let says = |one: RsvpAnswer| answer == one && !cancelled;
    // A cancellation's headline describes the cancellation, so it is not used as the event's name.
    let name = event.and_then(|event| event.title.as_ref()).unwrap_or(&told.first.release.headline);
    let mut data = json!({
        "headline": if cancelled { name } else { &release.headline },
        "yes": says(RsvpAnswer::Yes),
        "no": says(RsvpAnswer::No),
        "maybe": says(RsvpAnswer::Maybe),
        "cancelled": cancelled,
        "moved": is(EventStatus::Moved),
        "late": !cancelled && rsvp.current().is_some_and(|change| change.late),
    });
    let person = &rsvp.person;
    let given = |detail: &Option<Detail>| detail.clone().filter(|detail| detail.given).map(|detail| detail.text);
    let people =
        person.people.filter(|people| *people > 1 && answer != RsvpAnswer::No).map(|people| people.to_string());
    let optional = [
        ("place", event.and_then(|event| event.place())),
        ("start", event.zip(dates).map(|(event, dates)| dates.moment(event.start))),
        ("name", given(&person.name)),
        ("newsroom", given(&person.newsroom)),
        ("function", given(&person.function)),
        ("press_card", given(&person.press_card)),
        ("people", people),
    ];
    for (field, text) in optional {
        if let Some(text) = text {
            data[field] = json!(text);
        }
    }
    data
}
