//! An answer to an invitation, come by mail: recorded, and answered once with what was understood; what is uncertain goes
//! to the invitation's press contact, who enters it with `depesch rsvp set`.
//!
//! A colleague who is no subscriber may answer, too. The address in From is who answers. It counts only where something
//! shows that its owner sent the mail or that the writer has the invitation (see `is_vouched`); otherwise the press contact
//! decides. No answer of ours depends on what is stored about an address: else a stranger could ask who is known.

use serde_json::json;

use crate::base::address::Address;
use crate::base::id::ReleaseId;
use crate::composition::event::{Told, told};
use crate::composition::notices::{Draft, Forwarded, may_answer};
use crate::composition::release::{LoadError, LoadedRelease, load};
use crate::events::find::{Found, Way, begun, find};
use crate::events::{Said, deadline, mailings_of, put_said};
use crate::mail::calendar_reply::has_calendar_reply;
use crate::mail::incoming::Incoming;
use crate::mail::rsvp::{Answer, Attendance, How, Person, Reading, Rules};
use crate::model::inbound::{InboundKind, Via};
use crate::model::list::List;
use crate::model::release::{EventStatus, Release};
use crate::model::rsvp::{Detail, Rsvp, RsvpAnswer, RsvpChange, RsvpPerson, RsvpSource};

use super::parts::InboundParts;
use super::{Effects, HandleError, Item};

/// What is written into the store of a message that is no calendar reply and says nothing certain.
struct Understood {
    answer: RsvpAnswer,
    person: Person,
    comment: String,
    how: How,
    why: &'static str,
    /// Whether the press contact is to see the mail.
    to_be_seen: bool,
}

/// Whether a message to any address of ours answers an invitation: calendar programs answer to the organiser.
pub fn is_answer(message: &Incoming) -> bool {
    has_calendar_reply(message)
}

/// What an answer does. `None` where it belongs to no invitation, or comes from nobody: then it is for a person. `list` is
/// the list that it came to, if it came to a list's address.
///
/// # Errors
/// [`HandleError`].
pub async fn handle(parts: &InboundParts, item: &Item, list: Option<&List>) -> Result<Option<Effects>, HandleError> {
    let message = &item.message;
    let Some(from) = message.from().and_then(|from| from.address.parse::<Address>().ok()) else { return Ok(None) };
    let rules = Rules::shipped().map_err(|error| HandleError::Broken(error.to_string()))?;
    let reading = rules.read(message);
    // RFC 3834 §2, RFC 5321 §4.5.5: nobody who answers has no address. A file may come without an envelope.
    let nobody = item.inbound.arrival.sender.is_none() && item.inbound.arrival.via != Via::File;
    if nobody || reading == Reading::Automatic {
        return Ok(Some(Effects::none(InboundKind::AutoReply, "an automatic answer to an invitation")));
    }
    let uid = match &reading {
        Reading::Answer(answer) => answer.uid.clone(),
        _ => None,
    };
    let came_to = item.inbound.recipient.parse::<Address>().ok();
    let now = parts.clock.now();
    let found =
        find(&parts.rulebook.store, &parts.rulebook.key, message, uid.as_deref(), came_to.as_ref(), now).await?;
    let (event, release, way) = match found {
        Found::One { event, release, way } => (event, release, way),
        Found::Several(_) | Found::Nothing => return Ok(None),
    };
    let loaded = match load(&parts.rulebook.store, release).await {
        Ok(Some(loaded)) => loaded,
        Ok(None) | Err(LoadError::Unreadable { .. }) => return Ok(None),
        Err(LoadError::Store(error)) => return Err(error.into()),
    };
    // The newest release of the event says when and whether it takes place, whichever was answered.
    let told = told(&parts.rulebook.store, release, &begun(&parts.rulebook.store).await?).await?;
    let told = told.unwrap_or_else(|| Told { first: loaded.clone(), newest: loaded.clone() });
    let mut understood = understand(reading);
    if !is_vouched(item, &from, way) {
        understood = for_the_contact(understood, "it was sent by another address than it says it is from");
        // What a forger gives must not replace what the person gave.
        understood.person = Person::default();
    } else if way == Way::Uid && !is_known(parts, event, &from).await? {
        understood =
            for_the_contact(understood, "only its calendar part says which event, and its sender is not known");
    }
    let inbound = item.inbound.id;
    let late = told.newest.release.event.as_ref().and_then(deadline);
    // A clock that may stand ahead makes no answer late.
    let arrived = parts.rulebook.store.present(item.inbound.arrival.at).await?.earliest();
    let change = RsvpChange {
        at: item.inbound.arrival.at,
        answer: understood.answer,
        source: match understood.how {
            How::Calendar => RsvpSource::Calendar { inbound },
            How::Words => RsvpSource::Words { inbound },
        },
        release,
        comment: understood.comment.clone(),
        why: understood.why.to_owned(),
        late: late.is_some_and(|deadline| arrived >= deadline),
    };
    let person = person_of(&understood.person, message);
    let mut effects = Effects::none(InboundKind::Rsvp, String::new());
    let said = Said { event, address: from, person, change };
    let rsvp = put_said(&parts.rulebook.store, &parts.rulebook.key, &mut effects.batch, said).await?;
    effects.note = match understood.answer {
        RsvpAnswer::Unclear => format!("unclear, for release {release}: {}", understood.why),
        answer => format!("{} to release {release}", answer.word()),
    };
    let about = list_of(parts, &loaded, list).await?;
    if understood.to_be_seen {
        pass_on(parts, item, &loaded.release, about.as_ref(), &mut effects).await?;
    }
    // A UID may be a guess. Whether it hit is told to no sender, known or not: the list of guests is all that may differ.
    if understood.answer != RsvpAnswer::Unclear && way != Way::Uid {
        receipt(parts, item, &told, &rsvp, about.as_ref(), &mut effects).await?;
    }
    Ok(Some(effects))
}

/// Whether an answer may count as that of its From. From alone proves nothing: it must be one mailbox, the envelope
/// sender's, to which the receipt goes; or the mail answers a signed Message-ID, so that its writer has the invitation. A
/// file that came without an envelope is vouched for by the operator who handed it over.
fn is_vouched(item: &Item, from: &Address, way: Way) -> bool {
    if way == Way::Signed {
        return true;
    }
    let one_author = item.message.correspondents("From").len() == 1;
    let arrival = &item.inbound.arrival;
    let sender = arrival.sender.as_deref().map(|sender| sender.parse::<Address>());
    one_author
        && match sender {
            Some(Ok(sender)) => sender.is_same_person(from),
            Some(Err(_)) => false,
            None => arrival.via == Via::File,
        }
}

/// The same as unclear, for the press contact to decide.
fn for_the_contact(understood: Understood, why: &'static str) -> Understood {
    Understood { answer: RsvpAnswer::Unclear, why, to_be_seen: true, ..understood }
}

/// Whether who wrote it is a subscriber, or has answered to the event before.
async fn is_known(parts: &InboundParts, event: ReleaseId, from: &Address) -> Result<bool, HandleError> {
    let answered = parts.rulebook.store.rsvp(event, &parts.rulebook.key.hash_address(from)).await?;
    let has_answered = answered.is_some_and(|read| read.value.answer() != RsvpAnswer::Unclear);
    Ok(has_answered || parts.rulebook.store.subscriber_by_address(from).await?.is_some())
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

/// What is given, and the name in From where none is.
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

/// The list in whose name notices about an invitation go out: the one that the answer came to, else the first one that it
/// was sent to.
async fn list_of(
    parts: &InboundParts,
    loaded: &LoadedRelease,
    list: Option<&List>,
) -> Result<Option<List>, HandleError> {
    if let Some(list) = list {
        return Ok(Some(list.clone()));
    }
    for mailing in mailings_of(&parts.rulebook.store, loaded.record.value.id).await? {
        for name in &mailing.audience.lists {
            if let Some(list) = parts.rulebook.store.list(name).await? {
                return Ok(Some(list.value));
            }
        }
    }
    Ok(parts.rulebook.store.lists().await?.into_iter().next().map(|list| list.value))
}

/// To the first press contact who has an address that is not the one it came to, else to the list's owner.
async fn pass_on(
    parts: &InboundParts,
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
    let contact = release.press_contacts().filter_map(|contact| contact.contact.email.clone()).find(|one| !is_us(one));
    let to = match (contact, list) {
        (Some(contact), _) => contact,
        (None, Some(list)) => list.owner.clone(),
        (None, None) => return Err(HandleError::Broken("there is nobody to whom the answer could go".to_owned())),
    };
    let passed = parts.notices.pass_on(&mut effects.batch, &item.inbound, &item.message, &to, list).await?;
    match passed {
        Forwarded::As(notice) => {
            effects.note.push_str(&format!("; passed on to the press contact, as notice {notice}"));
            effects.notify = true;
        }
        other => effects.note.push_str(&format!("; passed on to the press contact, {}", other.words())),
    }
    Ok(())
}

/// Says once a day what was understood, so that a misunderstanding is corrected by its author (RFC 3834); and once more
/// when the event was changed since.
async fn receipt(
    parts: &InboundParts,
    item: &Item,
    told: &Told,
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
    if !parts.notices.once_a_day(&mut effects.batch, &to, &what).await? {
        return Ok(());
    }
    let answers_to = |release: &Release| Some(release.event.as_ref()?.rsvp.as_ref()?.to.clone());
    let reply_to = answers_to(release).or_else(|| answers_to(&told.first.release));
    let draft = Draft {
        template: "rsvp-receipt",
        language: &release.language,
        to: &to,
        list,
        answers: Some(&item.message),
        reply_to: reply_to.or_else(|| item.inbound.recipient.parse().ok()),
        unsubscribe: None,
        data: receipt_data(told, rsvp),
    };
    parts.notices.write(&mut effects.batch, draft).await?;
    effects.notify = true;
    Ok(())
}

/// What the receipt says: the answer and the event as the newest release tells of it.
fn receipt_data(told: &Told, rsvp: &Rsvp) -> serde_json::Value {
    let release = &told.newest.release;
    let event = release.event.as_ref();
    let is = |status: EventStatus| event.is_some_and(|event| event.status == status);
    let (answer, cancelled) = (rsvp.answer(), is(EventStatus::Cancelled));
    let says = |one: RsvpAnswer| answer == one && !cancelled;
    // A cancellation's headline is about the cancellation, not the name of what is cancelled.
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
    if let Some(place) = event.and_then(|event| event.place()) {
        data["place"] = json!(place);
    }
    if let Some(event) = event {
        let form = if event.start.time.is_some() { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" };
        data["start"] = json!(event.start.local().format(form).to_string());
    }
    data
}
