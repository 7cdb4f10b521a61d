//! Which of our addresses a message came to, and what that address is for.
//!
//! A local part is a list's name or label, then `-` or `+` and a keyword, then `-` or `+` and a token: `media`,
//! `media-subscribe`, `media+subscribe`, `media-bounces+<token>`. Both separators mean the same, because some mail
//! systems in front of us support only one of them. The longest name that is a list wins.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::base::address::Address;
use crate::base::id::{ListName, NoticeId};
use crate::base::token::{Key, Purpose};
use crate::base::unicode;
use crate::composition::list_identity;
use crate::events::is_rsvp_address;
use crate::model::list::List;
use crate::store::{Read, Store, StoreError};
use crate::subscribers::tokens::{BounceToken, RsvpToken, UnsubscribeToken};

use super::ingest::AddressBook;
use super::recipients::{IngestFuture, Recipient};

/// One of our addresses.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // one for each message, and nearly always a list
pub enum Destination {
    /// An address of a list.
    List {
        /// The list it belongs to.
        list: Read<List>,
        /// What the address is for.
        role: Role,
    },
    /// An RSVP address named in an invitation, which belongs to no list.
    Rsvp,
    /// `postmaster` or `abuse`, with or without one of our domains (RFC 5321 §4.5.1, RFC 2142).
    Postmaster,
}

/// What an address of a list is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Posts to the list.
    Post,
    /// The envelope sender of the list's mail; with a token, of one delivery.
    Bounces {
        /// The delivery, if the address was signed.
        token: Option<BounceToken>,
    },
    /// The signed envelope sender of a notice.
    Returned {
        /// The notice.
        notice: NoticeId,
    },
    /// The list's owner.
    Owner,
    /// Commands in subject and text.
    Request,
    /// Request to subscribe.
    Subscribe,
    /// Request to unsubscribe.
    Unsubscribe {
        /// The subscription, if the address was signed.
        token: Option<UnsubscribeToken>,
    },
    /// Reply to a confirmation question.
    Confirm {
        /// The signed token of the question.
        token: String,
    },
    /// Reply to a question about a held post.
    Decide {
        /// The signed token of the question.
        token: String,
    },
    /// Request to pause the mail.
    Pause,
    /// Request to resume the mail.
    Resume,
    /// Question: what am I subscribed to?
    Which,
    /// Question: which commands are there?
    Help,
    /// Change of settings.
    Set,
    /// Answer to an invitation.
    Rsvp {
        /// The invitation, if the address was signed.
        token: Option<RsvpToken>,
    },
}

/// The result of resolving an address.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // never kept
pub enum Resolved {
    /// The address is ours.
    Ours(Destination),
    /// The address is not ours; the answer to RCPT.
    No(Recipient),
}

/// Resolves our addresses.
pub struct Directory {
    store: Store,
    key: Key,
    /// The list that each label last resolved to; checked again at each use.
    labels: Mutex<HashMap<String, ListName>>,
}

impl Directory {
    /// A directory of the addresses of the lists in `store`.
    pub fn new(store: Store, key: Key) -> Self {
        Self { store, key, labels: Mutex::default() }
    }

    /// Resolves `address`, as given in RCPT.
    ///
    /// # Errors
    /// [`StoreError`], never to be treated as "unknown".
    pub async fn resolve(&self, address: &str) -> Result<Resolved, StoreError> {
        let (local, domain) = match address.rsplit_once('@') {
            Some((local, domain)) => (unicode::nfc(local).to_lowercase(), domain.to_lowercase()),
            // RFC 5321 §4.5.1: "postmaster" without a domain, in any case.
            None if address.eq_ignore_ascii_case("postmaster") => return Ok(Resolved::Ours(Destination::Postmaster)),
            None => return Ok(Resolved::No(Recipient::Unknown)),
        };
        let Some(domain) = idna::domain_to_ascii_strict(&domain).ok() else {
            return Ok(Resolved::No(Recipient::Foreign));
        };
        for (end, separator) in ends(&local) {
            let Some(list) = self.list(&local[..end], &domain).await? else { continue };
            let wanted = separator.map_or("", |_| &local[end + 1..]);
            return Ok(match role(&self.key, wanted) {
                Ok(role) => Resolved::Ours(Destination::List { list, role }),
                Err(answer) => Resolved::No(answer),
            });
        }
        if let Ok(address) = address.parse::<Address>()
            && !is_rsvp_address(&self.store, &address).await?.is_empty()
        {
            return Ok(Resolved::Ours(Destination::Rsvp));
        }
        let ours = self.store.lists().await?.iter().any(|list| list.value.address.domain() == domain);
        Ok(match ours {
            true if local == "postmaster" || local == "abuse" => Resolved::Ours(Destination::Postmaster),
            true => Resolved::No(Recipient::Unknown),
            false => Resolved::No(Recipient::Foreign),
        })
    }

    /// The list with that name or label at that domain.
    async fn list(&self, name: &str, domain: &str) -> Result<Option<Read<List>>, StoreError> {
        let fits = |list: &Read<List>| list.value.address.domain() == domain;
        let named = match name.parse::<ListName>() {
            Ok(name) => self.store.list(&name).await?,
            Err(_) => return Ok(None),
        };
        if let Some(list) = named.filter(fits) {
            return Ok(Some(list));
        }
        match list_identity::is_label(name) {
            true => Ok(self.labelled(name).await?.filter(fits)),
            false => Ok(None),
        }
    }

    async fn labelled(&self, label: &str) -> Result<Option<Read<List>>, StoreError> {
        let is_it = |list: &Read<List>| list_identity::label(&self.key, &list.value) == label;
        let known = self.labels.lock().unwrap_or_else(PoisonError::into_inner).get(label).cloned();
        if let Some(name) = known
            && let Some(list) = self.store.list(&name).await?.filter(is_it)
        {
            return Ok(Some(list));
        }
        let found = self.store.lists().await?.into_iter().find(is_it);
        if let Some(list) = &found {
            let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
            labels.insert(label.to_owned(), list.value.name.clone());
        }
        Ok(found)
    }
}

impl AddressBook for Directory {
    fn recipient<'a>(&'a self, recipient: &'a str) -> IngestFuture<'a, Recipient> {
        Box::pin(async move {
            match self.resolve(recipient).await {
                Ok(Resolved::Ours(_)) => Recipient::Welcome,
                Ok(Resolved::No(answer)) => answer,
                // An error must not become "unknown": that would cause a bounce.
                Err(error) => Recipient::Later(error.to_string()),
            }
        })
    }
}

/// The positions where a list's name may end in a local part, the longest first, with the separator found there.
fn ends(local: &str) -> impl Iterator<Item = (usize, Option<char>)> {
    let inner = local.char_indices().rev().filter(|(_, c)| matches!(c, '-' | '+')).map(|(at, c)| (at, Some(c)));
    std::iter::once((local.len(), None)).chain(inner)
}

/// The role for the keyword after a list's name: keywords of both languages, with and without diacritics.
fn role(key: &Key, wanted: &str) -> Result<Role, Recipient> {
    let (word, token) = match wanted.split_once(['+', '-']) {
        Some((word, token)) => (word, Some(token)),
        None => (wanted, None),
    };
    let signed = |purpose: Purpose| match token {
        Some(token) if key.verify(purpose, token).is_some() => Ok(token.to_owned()),
        Some(_) => Err(Recipient::Forged),
        None => Err(Recipient::Unknown),
    };
    let forged = |verified: bool| if verified { Ok(()) } else { Err(Recipient::Forged) };
    let role = match word {
        "" if token.is_none() => Role::Post,
        "bounces" => {
            if let Some(&[notice]) = token.and_then(|token| key.verify(Purpose::Notice, token)).as_deref() {
                return Ok(Role::Returned { notice: NoticeId(notice) });
            }
            let verified = token.map(|token| BounceToken::verify(key, token));
            forged(verified != Some(None))?;
            return Ok(Role::Bounces { token: verified.flatten() });
        }
        "unsubscribe" | "leave" | "avsluta" | "avprenumerera" => {
            let verified = token.map(|token| UnsubscribeToken::verify(key, token));
            forged(verified != Some(None))?;
            return Ok(Role::Unsubscribe { token: verified.flatten() });
        }
        // For mail programs that strip the part after a separator: the token may be in the subject or the text.
        "confirm" | "bekrafta" | "bekräfta" if token.is_none() => Role::Request,
        "confirm" | "bekrafta" | "bekräfta" => return Ok(Role::Confirm { token: signed(Purpose::Confirm)? }),
        "decide" | "beslut" => return Ok(Role::Decide { token: signed(Purpose::Decide)? }),
        "owner" | "agare" | "ägare" => Role::Owner,
        "request" => Role::Request,
        "subscribe" | "join" | "prenumerera" => Role::Subscribe,
        "pause" | "pausa" => Role::Pause,
        "resume" | "ateruppta" | "återuppta" => Role::Resume,
        "which" | "vilka" => Role::Which,
        "help" | "hjalp" | "hjälp" => Role::Help,
        "set" | "installningar" | "inställningar" => Role::Set,
        "rsvp" | "osa" => {
            let verified = token.map(|token| RsvpToken::verify(key, token));
            forged(verified != Some(None))?;
            return Ok(Role::Rsvp { token: verified.flatten() });
        }
        _ => return Err(Recipient::Unknown),
    };
    match token {
        None => Ok(role),
        Some(_) => Err(Recipient::Unknown),
    }
}
