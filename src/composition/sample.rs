//! Samples: a message of a mailing that is shown or sent as a test, and counts nowhere. Its links contain tokens that are
//! valid for nothing.

use std::collections::BTreeMap;

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::{NoticeId, ReleaseId, SubscriberId};
use crate::base::language::Language;
use crate::base::token::{Key, Purpose};
use crate::model::subscriber::Subscriber;

/// The header field of a test mail; its value is the release.
pub(crate) const TEST_FIELD: &str = "X-Depesch-Test";
/// What the subject of a test mail begins with, in every language.
pub(crate) const TEST_PREFIX: &str = "[TEST] ";
/// What the UID of an event begins with in the calendar part of a test mail: so a calendar keeps it apart from the
/// event of the real mail, and an answer to it belongs to no invitation.
pub(crate) const TEST_UID: &str = "depesch-test-";
/// The number of an invented reader; no subscriber has it.
pub(crate) const INVENTED: SubscriberId = SubscriberId(u32::MAX as u64);

/// An invented reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleReader {
    /// Their name.
    pub name: Option<String>,
    /// Their newsroom.
    pub organisation: Option<String>,
    /// The language of the words around the release; the release's own if `None`.
    pub language: Option<Language>,
    /// Attributes that templates use; one that is missing is shown by its name.
    pub attributes: BTreeMap<String, String>,
}

impl Default for SampleReader {
    fn default() -> Self {
        Self {
            name: Some("Kim Exempel".to_owned()),
            organisation: Some("Exempelbladet".to_owned()),
            language: None,
            attributes: BTreeMap::new(),
        }
    }
}

impl SampleReader {
    /// As a subscriber of nothing, with an example address; `language` is the release's.
    pub(crate) fn subscriber(&self, address: Address, language: &Language, now: Timestamp) -> Subscriber {
        Subscriber {
            id: INVENTED,
            address,
            name: self.name.clone(),
            language: self.language.as_ref().unwrap_or(language).clone(),
            organisation: self.organisation.clone(),
            beats: Default::default(),
            regions: Default::default(),
            attributes: self.attributes.clone(),
            subscriptions: BTreeMap::new(),
            created: now,
            updated: now,
        }
    }
}

/// The reader whom a sample is made for.
#[derive(Clone, Copy, Debug)]
pub enum ShownTo<'a> {
    /// A subscriber: as they would get it.
    Subscriber(&'a Subscriber),
    /// An invented reader of the mailing's first list.
    Invented(&'a SampleReader),
}

/// A test mail: a notice whose content is a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestMail {
    /// The notice.
    pub notice: NoticeId,
    /// The release that is tested.
    pub release: ReleaseId,
    /// Its recipient, who need not be a subscriber.
    pub to: Address,
}

/// The left part of a test mail's Message-ID: `test.n5.<token>`.
pub(crate) fn message_id(key: &Key, notice: NoticeId, domain: &str) -> String {
    format!("test.{notice}.{}@{domain}", key.sign(Purpose::Test, &[notice.0]))
}

/// Whether a Message-ID, with or without angle brackets, is that of a test mail.
pub(crate) fn is_of_test(key: &Key, message_id: &str) -> bool {
    let id = message_id.trim().trim_matches(['<', '>']);
    let token = id.rsplit_once('@').and_then(|(local, _)| local.strip_prefix("test.")?.split_once('.'));
    token.is_some_and(|(_, token)| key.verify(Purpose::Test, token).is_some())
}
