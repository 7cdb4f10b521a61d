//! Lists: `GET /v1/lists`, `GET|PUT|PATCH /v1/lists/{name}`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;
use crate::base::unicode;
use crate::model::list::{self, List};
use crate::store::Store;

use super::Control;
use super::error::ApiError;
use super::extract::{Body, Caller, Parameters, Segment};
use super::import::read_language;

/// How long the second person may take to confirm that a list shall demand no approval any more.
const CONFIRM_WITHIN: Duration = Duration::hours(24);

/// What may be said of a list. Where a new list says nothing, it is a closed announce list in Swedish, of ordinary
/// privacy, without approval, titled by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListFields {
    /// The local part of its address. Never changes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<ListName>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// Who may write to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<Kind>,
    /// How one gets on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub joining: Option<Joining>,
    /// The address of the person who answers for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Its language.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<Language>,
    /// Whether being on it is sensitive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub privacy: Option<Privacy>,
    /// Whether a second person must approve each mailing to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<bool>,
    /// The addresses that may send to an announce list by mail, all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub senders: Option<Vec<String>>,
    /// The addresses of those who decide about held posts, all of them; the owner where it is empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub moderators: Option<Vec<String>>,
    /// Which posts to a discussion list are held: `none`, `non-members` or `all`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub moderation: Option<String>,
    /// Where replies to a post go: `author`, `list` or `both`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to: Option<String>,
    /// Whether a post keeps its author's address in From: `keep`, `rewrite` or `by-dmarc`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// What becomes of a member's post that its author's domain does not stand by: `hold` or `send`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unproven: Option<String>,
}

/// Who may write to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only its authorised senders.
    Announce,
    /// Its subscribers.
    Discussion,
}

/// How one gets on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Joining {
    /// At once.
    Open,
    /// After confirming by mail.
    Confirmed,
    /// Only by an operator.
    Closed,
}

/// Whether being on a list is sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Privacy {
    /// A list of media, say.
    Ordinary,
    /// Membership itself is sensitive.
    Sensitive,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListView {
    /// The local part of its address.
    pub name: ListName,
    /// What people call it.
    pub title: String,
    /// Its address.
    pub address: String,
    /// Who may write to it.
    pub kind: Kind,
    /// How one gets on it.
    pub joining: Joining,
    /// The person who answers for it.
    pub owner: String,
    /// Its language.
    pub language: Language,
    /// Whether being on it is sensitive.
    pub privacy: Privacy,
    /// Whether a second person must approve each mailing to it.
    pub approval: bool,
    /// The addresses that may send to an announce list by mail.
    #[serde(default)]
    pub senders: Vec<String>,
    /// The addresses of those who decide about held posts; the owner where it is empty.
    #[serde(default)]
    pub moderators: Vec<String>,
    /// Which posts to a discussion list are held: `none`, `non-members` or `all`.
    #[serde(default)]
    pub moderation: String,
    /// Where replies to a post go: `author`, `list` or `both`.
    #[serde(default)]
    pub reply_to: String,
    /// Whether a post keeps its author's address in From: `keep`, `rewrite` or `by-dmarc`.
    #[serde(default)]
    pub from: String,
    /// What becomes of a member's post that its author's domain does not stand by: `hold` or `send`.
    #[serde(default)]
    pub unproven: String,
    /// When it was made.
    pub created: Timestamp,
    /// How many subscriptions are in which state. Only where one list is asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subscriptions: Option<BTreeMap<String, u64>>,
}

/// What setting a list did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSet {
    /// `created`, `changed` or `unchanged`.
    pub outcome: String,
    /// The list as it is now.
    pub list: ListView,
}

#[derive(Deserialize)]
struct SetParameters {
    /// Demand that there is no such list yet.
    #[serde(default)]
    new: bool,
}

/// The routes of this noun.
pub fn routes() -> Router<Arc<Control>> {
    Router::new().route("/v1/lists", get(all)).route("/v1/lists/{name}", get(show).put(set).patch(edit))
}

async fn all(State(control): State<Arc<Control>>) -> Result<Json<Vec<ListView>>, ApiError> {
    let lists = control.store.lists().await?;
    Ok(Json(lists.iter().map(|list| view(&list.value)).collect()))
}

async fn show(
    State(control): State<Arc<Control>>,
    Segment(name): Segment<ListName>,
) -> Result<Json<ListView>, ApiError> {
    let list = control.store.list(&name).await?.ok_or_else(|| missing(&name))?;
    let subscriptions = Some(count(&control.store, &name).await?);
    Ok(Json(ListView { subscriptions, ..view(&list.value) }))
}

/// Makes a list, or gives one that is there every field that is named.
async fn set(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Segment(name): Segment<ListName>,
    Parameters(SetParameters { new }): Parameters<SetParameters>,
    Body(fields): Body<ListFields>,
) -> Result<Json<ListSet>, ApiError> {
    let Some(before) = control.store.list(&name).await? else {
        let list = begin(&name, &fields, control.clock.now())?;
        if !control.store.create_list(&list).await? {
            return Err(taken(&name));
        }
        return Ok(Json(ListSet { outcome: "created".to_owned(), list: view(&list) }));
    };
    if new {
        return Err(taken(&name));
    }
    let list = change(&control, &caller, &name, &fields).await?;
    let outcome = if list == before.value { "unchanged" } else { "changed" };
    Ok(Json(ListSet { outcome: outcome.to_owned(), list: view(&list) }))
}

async fn edit(
    State(control): State<Arc<Control>>,
    caller: Caller,
    Segment(name): Segment<ListName>,
    Body(fields): Body<ListFields>,
) -> Result<Json<ListView>, ApiError> {
    Ok(Json(view(&change(&control, &caller, &name, &fields).await?)))
}

async fn change(control: &Control, caller: &Caller, name: &ListName, fields: &ListFields) -> Result<List, ApiError> {
    let ends_approval = fields.approval == Some(false);
    if ends_approval {
        // What is wrong with the other fields is said before somebody is asked to confirm them.
        let read = control.store.list(name).await?.ok_or_else(|| missing(name))?;
        fill(&mut read.value.clone(), fields)?;
    }
    let confirmed = ends_approval && must_be_confirmed(control, caller, name).await?;
    let mut refusal = None;
    let change = |list: &mut List| {
        refusal = match list.approval && ends_approval && !confirmed {
            true => Some(ApiError::conflict("the list was changed by another user at this moment; try again")),
            false => fill(list, fields).err(),
        }
    };
    let changed = control.store.change_list(name, change).await?;
    let list = match (refusal, changed) {
        (Some(refusal), _) => return Err(refusal),
        (None, Some(list)) => list,
        (None, None) => return Err(missing(name)),
    };
    if fields.approval.is_some() {
        control.store.note_request_to_end_approval(name, None).await?;
    }
    Ok(list)
}

/// Whether another user asked for the same within [`CONFIRM_WITHIN`]: then approval may end. Without it the request is noted
/// and refused, because who is to be checked by a second person must not be able to end the checking alone. `false` where
/// the list demands no approval.
async fn must_be_confirmed(control: &Control, caller: &Caller, name: &ListName) -> Result<bool, ApiError> {
    let list = control.store.list(name).await?.ok_or_else(|| missing(name))?;
    if !list.value.approval {
        return Ok(false);
    }
    let (by, now) = (caller.operator(), control.clock.now());
    let asked = control.store.request_to_end_approval(name).await?;
    let present = control.store.present(now).await?;
    let asked = asked.filter(|(_, at)| !present.has_lasted(*at, CONFIRM_WITHIN));
    let at = match asked {
        Some((first, _)) if by.is_surely_another(&first) => return Ok(true),
        Some((_, at)) => at,
        None => now,
    };
    control.store.note_request_to_end_approval(name, Some((&by, at))).await?;
    let until = present.end(at, at + CONFIRM_WITHIN).format("%Y-%m-%d %H:%M UTC");
    let what =
        format!("list \u{201c}{name}\u{201d} demands a second person, also for ending that; nothing was changed");
    let hint = format!(
        "It is noted that {by} asked: another user of this machine must run the same command before {until}.",
        by = by.name
    );
    Err(ApiError::new(403, "second-person", what).hint(hint))
}

fn begin(name: &ListName, fields: &ListFields, now: Timestamp) -> Result<List, ApiError> {
    let needed = |field: &Option<String>, what: &str| match field {
        Some(address) => read_address(address, what),
        None => Err(ApiError::invalid(format!("a new list needs {what}"))),
    };
    let mut list = List {
        name: name.clone(),
        title: name.to_string(),
        address: needed(&fields.address, "an address")?,
        kind: list::ListKind::Announce,
        joining: list::Joining::Closed,
        owner: needed(&fields.owner, "an owner")?,
        language: Language::swedish(),
        privacy: list::Privacy::Ordinary,
        approval: false,
        posting: list::Posting::default(),
        created: now,
    };
    fill(&mut list, fields)?;
    Ok(list)
}

fn read_address(text: &str, what: &str) -> Result<Address, ApiError> {
    text.parse().map_err(|e| ApiError::invalid(format!("{what}: {e}")))
}

fn read_addresses(texts: &[String], what: &str) -> Result<BTreeSet<Address>, ApiError> {
    texts.iter().map(|text| read_address(text, what)).collect()
}

fn read_word<T: FromStr<Err = list::UnknownWord>>(text: &str, what: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::invalid(format!("{what}: {error}")))
}

fn fill_posting(posting: &mut list::Posting, fields: &ListFields) -> Result<(), ApiError> {
    if let Some(senders) = &fields.senders {
        posting.senders = read_addresses(senders, "senders")?;
    }
    if let Some(moderators) = &fields.moderators {
        posting.moderators = read_addresses(moderators, "moderators")?;
    }
    if let Some(word) = &fields.moderation {
        posting.moderation = read_word(word, "moderation")?;
    }
    if let Some(word) = &fields.reply_to {
        posting.reply_to = read_word(word, "reply_to")?;
    }
    if let Some(word) = &fields.from {
        posting.from = read_word(word, "from")?;
    }
    if let Some(word) = &fields.unproven {
        posting.unproven = read_word(word, "unproven")?;
    }
    Ok(())
}

/// Takes over what is named; all of it or, with an error, nothing.
fn fill(list: &mut List, fields: &ListFields) -> Result<(), ApiError> {
    let mut filled = list.clone();
    if fields.name.as_ref().is_some_and(|name| *name != list.name) {
        return Err(ApiError::invalid(format!("a list keeps its name; this one is \u{201c}{}\u{201d}", list.name)));
    }
    if let Some(title) = &fields.title {
        let title = unicode::tidy(title).split_whitespace().collect::<Vec<_>>().join(" ");
        if title.is_empty() || title.chars().count() > 200 || title.contains(char::is_control) {
            return Err(ApiError::invalid("a title has 1 to 200 characters, none of them a control character"));
        }
        filled.title = title;
    }
    if let Some(address) = &fields.address {
        filled.address = read_address(address, "the list's address")?;
        if filled.address.local_part() != list.name.as_str() {
            let (name, domain) = (&list.name, filled.address.domain());
            return Err(ApiError::invalid(format!(
                "the list's name is the local part of its address: {name}@{domain}"
            )));
        }
    }
    if let Some(owner) = &fields.owner {
        filled.owner = read_address(owner, "the owner's address")?;
    }
    filled.kind = match fields.kind {
        Some(Kind::Announce) => list::ListKind::Announce,
        Some(Kind::Discussion) => list::ListKind::Discussion,
        None => filled.kind,
    };
    filled.joining = match fields.joining {
        Some(Joining::Open) => list::Joining::Open,
        Some(Joining::Confirmed) => list::Joining::Confirmed,
        Some(Joining::Closed) => list::Joining::Closed,
        None => filled.joining,
    };
    filled.privacy = match fields.privacy {
        Some(Privacy::Ordinary) => list::Privacy::Ordinary,
        Some(Privacy::Sensitive) => list::Privacy::Sensitive,
        None => filled.privacy,
    };
    if let Some(language) = &fields.language {
        filled.language = read_language(language.as_str())?;
    }
    filled.approval = fields.approval.unwrap_or(filled.approval);
    fill_posting(&mut filled.posting, fields)?;
    *list = filled;
    Ok(())
}

fn missing(name: &ListName) -> ApiError {
    ApiError::not_found(format!("there is no list \u{201c}{name}\u{201d}"))
        .hint("\u{201c}depesch list list\u{201d} shows them all.")
}

fn taken(name: &ListName) -> ApiError {
    ApiError::conflict(format!("there is a list \u{201c}{name}\u{201d} already"))
        .hint("\u{201c}depesch list edit\u{201d} changes it.")
}

async fn count(store: &Store, name: &ListName) -> Result<BTreeMap<String, u64>, ApiError> {
    let (mut counts, mut cursor) = (BTreeMap::new(), SubscriberId(0));
    loop {
        let step = store.scan_subscribers(cursor, 2000).await?;
        let Some(last) = step.last() else { return Ok(counts) };
        cursor = last.value.id;
        for state in step.iter().filter_map(|subscriber| subscriber.value.state_on(name)) {
            *counts.entry(state.word().to_owned()).or_default() += 1;
        }
    }
}

fn view(list: &List) -> ListView {
    let texts = |all: &BTreeSet<Address>| all.iter().map(Address::to_string).collect();
    ListView {
        name: list.name.clone(),
        title: list.title.clone(),
        address: list.address.to_string(),
        kind: match list.kind {
            list::ListKind::Announce => Kind::Announce,
            list::ListKind::Discussion => Kind::Discussion,
        },
        joining: match list.joining {
            list::Joining::Open => Joining::Open,
            list::Joining::Confirmed => Joining::Confirmed,
            list::Joining::Closed => Joining::Closed,
        },
        owner: list.owner.to_string(),
        language: list.language.clone(),
        privacy: match list.privacy {
            list::Privacy::Ordinary => Privacy::Ordinary,
            list::Privacy::Sensitive => Privacy::Sensitive,
        },
        approval: list.approval,
        senders: texts(&list.posting.senders),
        moderators: texts(&list.posting.moderators),
        moderation: list.posting.moderation.word().to_owned(),
        reply_to: list.posting.reply_to.word().to_owned(),
        from: list.posting.from.word().to_owned(),
        unproven: list.posting.unproven.word().to_owned(),
        created: list.created,
        subscriptions: None,
    }
}
