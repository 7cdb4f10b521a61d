//! The fields of lists in requests and responses.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::model::list::{self, List};

/// The fields of a list in a request. By default, a new list is a closed announce list in Swedish, of ordinary privacy,
/// without approval, and its title is its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListFields {
    /// The local part of its address. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<ListName>,
    /// The display name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// Who may post to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<Kind>,
    /// The join policy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub joining: Option<Joining>,
    /// The address of the person responsible for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Its language.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<Language>,
    /// Whether membership is sensitive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub privacy: Option<Privacy>,
    /// Whether a second person must approve each mailing to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<bool>,
    /// By how many other people, 1 or 2, if it needs approval.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approvals: Option<u8>,
    /// Whether a test mail of a release must be sent before a mailing of it is queued: `optional` or `required`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test_mail: Option<String>,
    /// All addresses that may send to an announce list by mail.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub senders: Option<Vec<String>>,
    /// All addresses that decide about held posts; if empty, the owner does.
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
    /// What happens to a member's post without proof from the author's domain (DMARC): `hold` or `send`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unproven: Option<String>,
}

/// Who may post to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only authorised senders.
    Announce,
    /// Its subscribers.
    Discussion,
}

/// The join policy of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Joining {
    /// Subscriptions are active immediately.
    Open,
    /// Subscriptions are active after confirmation by mail.
    Confirmed,
    /// Only an operator may subscribe people.
    Closed,
}

/// Whether membership of a list is sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Privacy {
    /// Not sensitive, e.g. a list of media.
    Ordinary,
    /// Membership is sensitive.
    Sensitive,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListView {
    /// The local part of its address.
    pub name: ListName,
    /// The display name.
    pub title: String,
    /// Its address.
    pub address: String,
    /// Who may post to it.
    pub kind: Kind,
    /// The join policy.
    pub joining: Joining,
    /// The address of the person responsible for it.
    pub owner: String,
    /// Its language.
    pub language: Language,
    /// Whether membership is sensitive.
    pub privacy: Privacy,
    /// Whether a second person must approve each mailing to it.
    pub approval: bool,
    /// By how many other people, 1 or 2, if it needs approval.
    #[serde(default)]
    pub approvals: u8,
    /// Whether a test mail of a release must be sent before a mailing of it is queued: `optional` or `required`.
    #[serde(default)]
    pub test_mail: String,
    /// The addresses that may send to an announce list by mail.
    #[serde(default)]
    pub senders: Vec<String>,
    /// The addresses that decide about held posts; if empty, the owner does.
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
    /// What happens to a member's post without proof from the author's domain (DMARC): `hold` or `send`.
    #[serde(default)]
    pub unproven: String,
    /// When it was created.
    pub created: Timestamp,
    /// The number of subscriptions by state. Only if a single list is requested.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subscriptions: Option<BTreeMap<String, u64>>,
}

/// The result of creating or changing a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSet {
    /// `created`, `changed` or `unchanged`.
    pub outcome: String,
    /// The list as it is now.
    pub list: ListView,
}

/// A list in JSON, without the number of subscriptions.
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
        approvals: list.approvals,
        test_mail: list.test_mail.word().to_owned(),
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
