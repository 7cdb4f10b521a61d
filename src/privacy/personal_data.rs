//! Finds personal data outside subscribers' own records: notices, incoming mail, posts, pending requests, answers to
//! invitations. Used to export it and to erase it, so that both find the same.
//!
//! Each search reads a record family once, a page at a time, for all people together, and returns exactly the records
//! that concern them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::address::Address;
use crate::base::id::{InboundId, PostId, SubscriberId};
use crate::mail::mentions::Wanted;
use crate::model::inbound::{Inbound, SpoolPlace};
use crate::model::notice::{Notice, NoticeBody};
use crate::model::pending_request::PendingRequest;
use crate::model::post::{Post, PostState};
use crate::model::rsvp::Rsvp;
use crate::runtime::reading::{SMALL, apart};
use crate::store::blobs::{BlobError, Blobs};
use crate::store::spool::{Spool, SpoolError};
use crate::store::suppressions::AddressHash;
use crate::store::{Read, Store, StoreError};
use crate::subscribers::profile::PersonError;

/// Number of records read at a time.
const PAGE: usize = 500;

/// Where data too large for records is stored.
#[derive(Clone)]
pub struct Files {
    /// Incoming mail.
    pub spool: Spool,
    /// Posts and confirmations.
    pub blobs: Blobs,
    /// The maildir of the capture transport, if it belongs to us.
    pub capture: Option<std::path::PathBuf>,
}

/// Why the search is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum PersonalDataError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool failed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A kept file could not be read or removed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A captured mail could not be read or removed.
    #[error("{path} could not be searched: {error}")]
    Capture {
        /// The file or directory.
        path: std::path::PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
}

impl From<PersonalDataError> for PersonError {
    fn from(error: PersonalDataError) -> Self {
        match error {
            PersonalDataError::Store(error) => Self::Store(error),
            error => Self::Incomplete(error.to_string()),
        }
    }
}

/// The people searched for, each identified by an index.
pub(crate) struct People {
    by_key: BTreeMap<String, usize>,
    by_subscriber: BTreeMap<SubscriberId, usize>,
    by_hash: BTreeMap<AddressHash, usize>,
    /// Finds their addresses in texts and mails.
    pub wanted: Arc<Wanted>,
}

/// A record that concerns some of them.
#[derive(Clone, Debug)]
pub struct PersonalRecord<T> {
    /// Their indexes.
    pub who: BTreeSet<usize>,
    /// Whether it is addressed to or from one of them, and does not merely mention them.
    pub own: bool,
    /// The record.
    pub read: Read<T>,
}

/// What was found, and what could not be examined.
#[derive(Debug)]
pub(crate) struct PersonalRecords<T> {
    /// Records that concern some of them.
    pub found: Vec<PersonalRecord<T>>,
    /// Unreadable records, which may concern anyone: which, and why.
    pub unreadable: Vec<(String, StoreError)>,
}

impl<T> PersonalRecords<T> {
    const NONE: Self = Self { found: Vec::new(), unreadable: Vec::new() };

    /// All records found.
    ///
    /// # Errors
    /// [`StoreError::Record`] when one cannot be read.
    pub(crate) fn whole(self) -> Result<Vec<PersonalRecord<T>>, StoreError> {
        match self.unreadable.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(self.found),
        }
    }
}

impl People {
    /// Searches for these people: address, its keyed hash, and number if they have one.
    pub(crate) fn new(people: &[(Address, AddressHash, Option<SubscriberId>)]) -> Self {
        let each = || people.iter().enumerate();
        Self {
            by_key: each().map(|(place, (address, ..))| (address.key(), place)).collect(),
            by_subscriber: each().filter_map(|(place, (.., id))| Some(((*id)?, place))).collect(),
            by_hash: each().map(|(place, (_, hash, _))| (*hash, place)).collect(),
            wanted: Arc::new(Wanted::new(people.iter().map(|(address, ..)| address))),
        }
    }

    /// The person with this address.
    pub(crate) fn owner(&self, address: &Address) -> Option<usize> {
        self.by_key.get(&address.key()).copied()
    }

    fn places<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> BTreeSet<usize> {
        keys.into_iter().filter_map(|key| self.by_key.get(key).copied()).collect()
    }

    /// The people mentioned in a text.
    pub(crate) fn in_text(&self, text: &str) -> BTreeSet<usize> {
        self.places(self.wanted.in_text(text))
    }

    /// The people mentioned in a message. Strangers' messages are searched outside the threads of all other work.
    pub(crate) async fn in_message(&self, bytes: impl AsRef<[u8]> + Send + 'static) -> BTreeSet<usize> {
        let (wanted, is_small) = (self.wanted.clone(), bytes.as_ref().len() <= SMALL);
        let search = move || wanted.in_message(bytes.as_ref()).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let keys = apart(is_small, search).await;
        self.places(keys.iter().map(String::as_str))
    }

    fn entry<T>(&self, owner: Option<usize>, mut who: BTreeSet<usize>, read: Read<T>) -> Option<PersonalRecord<T>> {
        who.extend(owner);
        (!who.is_empty()).then_some(PersonalRecord { who, own: owner.is_some(), read })
    }

    /// Notices to them, and those that mention them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn notices(&self, store: &Store) -> Result<PersonalRecords<Notice>, StoreError> {
        let (mut entries, mut before) = (PersonalRecords::NONE, None);
        loop {
            let page = store.each_notice(before, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(entries) };
            before = Some(*last);
            for (id, read) in page {
                let read = match read {
                    Ok(read) => read,
                    Err(error) => {
                        entries.unreadable.push((format!("notice {id}"), error.into()));
                        continue;
                    }
                };
                let notice = &read.value;
                let owner = self.owner(&notice.recipient);
                let mut who = notice.state.text().map(|text| self.in_text(text)).unwrap_or_default();
                match &notice.body {
                    NoticeBody::Kept | NoticeBody::KeptWithEnd(_) => {
                        if let Some(bytes) = store.notice_bytes(notice.id).await? {
                            who.extend(self.in_message(bytes).await);
                        }
                    }
                    NoticeBody::Forwarded { header, .. } => who.extend(self.in_text(&String::from_utf8_lossy(header))),
                }
                entries.found.extend(self.entry(owner, who, read));
            }
        }
    }

    /// Mail from them, and mail that mentions them, with ids after `after`.
    ///
    /// # Errors
    /// [`PersonalDataError`].
    pub(crate) async fn inbound(
        &self,
        store: &Store,
        spool: Option<&Spool>,
        mut after: Option<InboundId>,
    ) -> Result<PersonalRecords<Inbound>, PersonalDataError> {
        let (mut entries, mut last_read) = (PersonalRecords::NONE, None::<(SpoolPlace, BTreeSet<usize>)>);
        loop {
            let page = store.each_inbound(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(entries) };
            after = Some(*last);
            for (id, read) in page {
                let read = match read {
                    Ok(read) => read,
                    Err(error) => {
                        entries.unreadable.push((format!("message {id}"), error));
                        continue;
                    }
                };
                let place = read.value.place;
                // The records of one message to several recipients are adjacent.
                let named = match (&last_read, spool) {
                    (Some((last, named)), _) if *last == place => named.clone(),
                    (_, Some(spool)) => self.in_spool(spool, place).await?,
                    (_, None) => BTreeSet::new(),
                };
                last_read = Some((place, named.clone()));
                let sender = read.value.arrival.sender.as_deref().and_then(|sender| sender.parse::<Address>().ok());
                let owner = sender.and_then(|sender| self.owner(&sender));
                entries.found.extend(self.entry(owner, named, read));
            }
        }
    }

    async fn in_spool(&self, spool: &Spool, place: SpoolPlace) -> Result<BTreeSet<usize>, SpoolError> {
        match spool.read(place).await {
            Ok(bytes) => Ok(self.in_message(bytes).await),
            // No longer readable by anyone.
            Err(SpoolError::Erased { .. } | SpoolError::Dropped { .. } | SpoolError::Damaged { .. }) => {
                Ok(BTreeSet::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Posts by them, and posts that mention them.
    ///
    /// # Errors
    /// [`PersonalDataError`].
    pub(crate) async fn posts(
        &self,
        store: &Store,
        blobs: Option<&Blobs>,
    ) -> Result<PersonalRecords<Post>, PersonalDataError> {
        let (mut entries, mut after) = (PersonalRecords::NONE, PostId(0));
        loop {
            let page = store.each_post(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(entries) };
            after = *last;
            for (id, read) in page {
                let read = match read {
                    Ok(read) => read,
                    Err(error) => {
                        entries.unreadable.push((format!("post {id}"), error.into()));
                        continue;
                    }
                };
                let post = &read.value;
                let mut who = match &post.state {
                    PostState::Held(hold) => hold.asked.iter().filter_map(|asked| self.owner(asked)).collect(),
                    PostState::Approved { by: Some(by), .. } => self.in_text(by),
                    PostState::Refused { by, why, .. } => self.in_text(&format!("{by} {why}")),
                    PostState::Approved { by: None, .. } | PostState::Expired { .. } => BTreeSet::new(),
                };
                if let Some(blobs) = blobs {
                    match blobs.read(&post.blob.sha256).await {
                        Ok(bytes) => who.extend(self.in_message(bytes).await),
                        Err(BlobError::Missing(_) | BlobError::Damaged { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                entries.found.extend(self.entry(self.owner(&post.author), who, read));
            }
        }
    }

    /// Their requests made by mail.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn pending_requests(
        &self,
        store: &Store,
    ) -> Result<Vec<PersonalRecord<PendingRequest>>, StoreError> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = store.scan_requests(cursor, PAGE).await?;
            let entries =
                page.into_iter().filter_map(|read| self.entry(self.owner(&read.value.address), BTreeSet::new(), read));
            found.extend(entries);
            cursor = next;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// Their answers to invitations, and others' answers that mention them; with the hash that each is stored under.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn rsvps(&self, store: &Store) -> Result<Vec<(AddressHash, PersonalRecord<Rsvp>)>, StoreError> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = store.scan_rsvps(cursor, PAGE).await?;
            for (hash, read) in page {
                let by_number = read.value.subscriber.and_then(|id| self.by_subscriber.get(&id));
                let owner = self.by_hash.get(&hash).or(by_number).copied();
                let said = read.value.changes.iter().map(|change| format!("{} {}", change.comment, change.why));
                let who = self.in_text(&said.collect::<Vec<_>>().join("\n"));
                found.extend(self.entry(owner, who, read).map(|entry| (hash, entry)));
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }
}
