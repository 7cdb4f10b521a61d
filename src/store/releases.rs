//! Releases on disk: the text as written with its snapshots; never changed.

use serde::{Deserialize, Serialize};

use crate::base::clock::Timestamp;
use crate::base::id::ReleaseId;
use crate::base::language::Language;
use crate::base::token::content_hash;
use crate::model::contact::ContactBook;
use crate::model::release::{Blob, ReleaseRecord, ReleaseSummary};

use super::contacts::{BoilerplateV1, ContactV1, OrganisationV1};
use super::engine::{Batch, Commit, Key, Value};
use super::record::{self, RecordError};
use super::rsvps::Invitation;
use super::{CONFLICT_TRIES, Read, Store, StoreError, keys};

const FAMILY: &str = "release";
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct ReleaseV1 {
    kind: String,
    language: Language,
    headline: String,
    issuer: String,
    created: i64,
    created_by: String,
    zone: String,
    country_code: String,
    files: Vec<(String, [u8; 32], u64)>,
    organisations: Vec<OrganisationV1>,
    contacts: Vec<ContactV1>,
    boilerplates: Vec<BoilerplateV1>,
    source: String,
}

fn encode(release: &ReleaseRecord) -> Value {
    let book = &release.book;
    record::encode(
        VERSION,
        &ReleaseV1 {
            kind: release.summary.kind.as_str().to_owned(),
            language: release.summary.language.clone(),
            headline: release.summary.headline.clone(),
            issuer: release.summary.issuer.clone(),
            created: release.created.timestamp_millis(),
            created_by: release.created_by.clone(),
            zone: release.zone.name().to_owned(),
            country_code: release.country_code.clone(),
            files: release.files.iter().map(|(name, blob)| (name.clone(), blob.sha256, blob.size)).collect(),
            organisations: book.organisations.values().map(OrganisationV1::of).collect(),
            contacts: book.contacts.iter().map(|(id, contact)| ContactV1::of(id, contact)).collect(),
            boilerplates: book.boilerplates.values().map(BoilerplateV1::of).collect(),
            source: release.source.clone(),
        },
    )
}

/// The index key of a release's content: everything except its id, and who added it and when.
fn content_key(release: &ReleaseRecord) -> Key {
    let anonymous = ReleaseRecord { created: Timestamp::UNIX_EPOCH, created_by: String::new(), ..release.clone() };
    keys::release_content(&content_hash(&encode(&anonymous)))
}

fn damaged(reason: impl ToString) -> RecordError {
    RecordError::Damaged { family: FAMILY, reason: reason.to_string() }
}

fn decode(id: ReleaseId, bytes: &Value) -> Result<Read<ReleaseRecord>, StoreError> {
    let (version, rest) = record::split(FAMILY, bytes)?;
    if version != VERSION {
        return Err(RecordError::Newer { family: FAMILY, version }.into());
    }
    let form: ReleaseV1 = record::decode(FAMILY, rest)?;
    let mut book = ContactBook::default();
    for organisation in form.organisations {
        let organisation = organisation.read()?;
        book.organisations.insert(organisation.id.clone(), organisation);
    }
    for contact in form.contacts {
        let (id, contact) = contact.read()?;
        book.contacts.insert(id, contact);
    }
    for text in form.boilerplates {
        let text = text.read();
        book.boilerplates.insert((text.organisation.clone(), text.revision), text);
    }
    let files = form.files.into_iter().map(|(name, sha256, size)| (name, Blob { sha256, size })).collect();
    let summary = ReleaseSummary {
        kind: form.kind.parse().map_err(damaged)?,
        language: form.language,
        headline: form.headline,
        issuer: form.issuer,
    };
    let release = ReleaseRecord {
        id,
        source: form.source,
        book,
        files,
        zone: form.zone.parse().map_err(damaged)?,
        country_code: form.country_code,
        summary,
        created: record::instant(FAMILY, form.created)?,
        created_by: form.created_by,
    };
    Ok(Read { value: release, stamp: bytes.clone() })
}

fn id_of(key: &Key) -> Result<ReleaseId, RecordError> {
    let bytes = key.0.get(1..).unwrap_or_default();
    bytes.try_into().map(|o| ReleaseId(u64::from_be_bytes(o))).map_err(|_| damaged("its key is no release"))
}

impl Store {
    /// Adds a release under a new id; the id in `release` is ignored. Its files must be durable before (see
    /// [`super::blobs::Blobs::put`]).
    ///
    /// # Errors
    /// [`StoreError`]: it was not added.
    pub async fn add_release(&self, release: ReleaseRecord) -> Result<ReleaseRecord, StoreError> {
        self.add_invitation(release, None).await
    }

    /// As [`Store::add_release`], with the index rows by which answers to it are found.
    ///
    /// # Errors
    /// [`StoreError`]: it was not added.
    pub async fn add_invitation(
        &self,
        mut release: ReleaseRecord,
        invitation: Option<&Invitation>,
    ) -> Result<ReleaseRecord, StoreError> {
        for _ in 0..CONFLICT_TRIES {
            release.id = ReleaseId(self.allocate("release", 1).await?);
            let mut batch = Batch::new();
            batch.expect_absent(keys::release(release.id));
            batch.put(keys::release(release.id), encode(&release));
            batch.put(content_key(&release), release.id.0.to_be_bytes().to_vec());
            if let Some(invitation) = invitation {
                self.put_invitation(&mut batch, release.id, invitation).await?;
            }
            if self.commit(batch).await? == Commit::Applied {
                return Ok(release);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES))
    }

    /// An earlier release with the same text, files, contacts and boilerplate.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub(crate) async fn same_release(&self, release: &ReleaseRecord) -> Result<Option<ReleaseRecord>, StoreError> {
        let Some(bytes) = self.engine.get(&content_key(release)).await? else { return Ok(None) };
        let id = <[u8; 8]>::try_from(&bytes[..]).map_err(|_| damaged("its content key names no release"))?;
        Ok(self.release(ReleaseId(u64::from_be_bytes(id))).await?.map(|read| read.value))
    }

    /// A release. As releases never change, the hash of its stamp identifies what will be sent.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub(crate) async fn release(&self, id: ReleaseId) -> Result<Option<Read<ReleaseRecord>>, StoreError> {
        self.engine.get(&keys::release(id)).await?.map(|bytes| decode(id, &bytes)).transpose()
    }

    /// The stored bytes of a release, even if they cannot be decoded: their hash identifies what was approved.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub(crate) async fn release_bytes(&self, id: ReleaseId) -> Result<Option<Value>, StoreError> {
        Ok(self.engine.get(&keys::release(id)).await?)
    }

    /// Up to `limit` releases after `after`, in order of id; `ReleaseId(0)`: from the first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn releases(&self, after: ReleaseId, limit: usize) -> Result<Vec<ReleaseRecord>, StoreError> {
        let range = keys::table(b'r').after(&keys::release(after));
        let found = self.engine.scan(range, limit).await?;
        found.iter().map(|(key, bytes)| Ok(decode(id_of(key)?, bytes)?.value)).collect()
    }
}
