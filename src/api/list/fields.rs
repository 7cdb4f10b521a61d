//! A list as the API takes and shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::model::list::{self, List};

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

/// A list for the API, without its counts.
pub(super) fn view(list: &List) -> ListView {
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
