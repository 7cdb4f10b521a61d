//! Parses and checks the fields of a list and applies them.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::base::unicode;
use crate::model::list::{self, List};

use super::super::error::ApiError;
use super::super::import::read_language;
use super::{Joining, Kind, ListFields, Privacy};

/// A new list with these fields, or defaults.
pub(super) fn begin(name: &ListName, fields: &ListFields, now: Timestamp) -> Result<List, ApiError> {
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
        approvals: 1,
        test_mail: Default::default(),
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

/// Applies the given fields: all of them or, with an error, none.
pub(super) fn fill(list: &mut List, fields: &ListFields) -> Result<(), ApiError> {
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
    if let Some(number) = fields.approvals {
        if !(1..=2).contains(&number) {
            return Err(ApiError::invalid(format!("approvals: {number}: 1 or 2 people approve a mailing")));
        }
        filled.approvals = number;
    }
    if let Some(word) = &fields.test_mail {
        filled.test_mail = read_word(word, "test_mail")?;
    }
    fill_posting(&mut filled.posting, fields)?;
    *list = filled;
    Ok(())
}
