//! Lists on disk: one record each, under the list's name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::address::Address;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::model::list::{
    FromPolicy, Joining, List, ListKind, Moderation, Posting, Privacy, ReplyTo, TestMailRule, Unproven,
};

use super::engine::{Batch, Commit, Value};
use super::pages::Query;
use super::record::{self, RecordError, stored_enum};
use super::{Change, Changeable, Read, Store, StoreError, keys};

const FAMILY: &str = "list";
const VERSION: u8 = 4;

#[derive(Serialize, Deserialize)]
struct ListV1 {
    name: ListName,
    title: String,
    address: String,
    kind: KindV1,
    joining: JoiningV1,
    owner: String,
    language: Language,
    sensitive: bool,
    approval: bool,
    created: i64,
}

/// The fields of version 1, then those for posts.
#[derive(Serialize, Deserialize)]
struct ListV2 {
    list: ListV1,
    senders: Vec<String>,
    moderators: Vec<String>,
    moderation: ModerationV2,
    reply_to: ReplyToV2,
    from: FromV2,
}

/// The fields of version 2, then how to treat unproven posts.
#[derive(Serialize, Deserialize)]
struct ListV3 {
    list: ListV2,
    holds_unproven: bool,
}

/// The fields of version 3, then whether a test mail is required, and the number of approvals.
#[derive(Serialize, Deserialize)]
struct ListV4 {
    list: ListV3,
    test_mail: TestMailV4,
    approvals: u8,
}

stored_enum!(TestMailV4 is TestMailRule { Optional, Required });

stored_enum!(ModerationV2 is Moderation { None, NonMembers, All });

stored_enum!(ReplyToV2 is ReplyTo { Author, List, Both });

stored_enum!(FromV2 is FromPolicy { Keep, Rewrite, ByDmarc });

stored_enum!(KindV1 is ListKind { Announce, Discussion });

stored_enum!(JoiningV1 is Joining { Open, Confirmed, Closed });

fn encode(list: &List) -> Value {
    let texts = |all: &BTreeSet<Address>| all.iter().map(|address| address.as_str().to_owned()).collect();
    let posting = &list.posting;
    let form = ListV2 {
        list: ListV1 {
            name: list.name.clone(),
            title: list.title.clone(),
            address: list.address.as_str().to_owned(),
            kind: list.kind.into(),
            joining: list.joining.into(),
            owner: list.owner.as_str().to_owned(),
            language: list.language.clone(),
            sensitive: list.privacy == Privacy::Sensitive,
            approval: list.approval,
            created: list.created.timestamp_millis(),
        },
        senders: texts(&posting.senders),
        moderators: texts(&posting.moderators),
        moderation: posting.moderation.into(),
        reply_to: posting.reply_to.into(),
        from: posting.from.into(),
    };
    let form = ListV3 { list: form, holds_unproven: posting.unproven == Unproven::Hold };
    record::encode(VERSION, &ListV4 { list: form, test_mail: list.test_mail.into(), approvals: list.approvals })
}

fn read_address(text: String) -> Result<Address, RecordError> {
    Address::from_stored(text).map_err(|e| RecordError::Damaged { family: FAMILY, reason: e.to_string() })
}

/// A list created before this option existed keeps sending unproven posts until its owner changes that.
fn read_posting(form: ListV2, holds_unproven: bool) -> Result<(ListV1, Posting), RecordError> {
    let posting = Posting {
        unproven: if holds_unproven { Unproven::Hold } else { Unproven::Send },
        senders: form.senders.into_iter().map(read_address).collect::<Result<_, _>>()?,
        moderators: form.moderators.into_iter().map(read_address).collect::<Result<_, _>>()?,
        moderation: form.moderation.into(),
        reply_to: form.reply_to.into(),
        from: form.from.into(),
    };
    Ok((form.list, posting))
}

fn decode(bytes: &Value) -> Result<Read<List>, StoreError> {
    let (version, rest) = record::split(FAMILY, bytes)?;
    let (mut test_mail, mut approvals) = (TestMailRule::Optional, 1);
    let (form, posting) = match version {
        1 => {
            let posting = Posting { unproven: Unproven::Send, ..Posting::default() };
            (record::decode::<ListV1>(FAMILY, rest)?, posting)
        }
        2 => read_posting(record::decode(FAMILY, rest)?, false)?,
        3 => {
            let form: ListV3 = record::decode(FAMILY, rest)?;
            read_posting(form.list, form.holds_unproven)?
        }
        VERSION => {
            let ListV4 { list: form, test_mail: rule, approvals: number } = record::decode(FAMILY, rest)?;
            (test_mail, approvals) = (rule.into(), number);
            read_posting(form.list, form.holds_unproven)?
        }
        _ => return Err(RecordError::Newer { family: FAMILY, version }.into()),
    };
    let list = List {
        name: form.name,
        title: form.title,
        address: read_address(form.address)?,
        kind: form.kind.into(),
        joining: form.joining.into(),
        owner: read_address(form.owner)?,
        language: form.language,
        privacy: if form.sensitive { Privacy::Sensitive } else { Privacy::Ordinary },
        approval: form.approval,
        approvals,
        test_mail,
        posting,
        created: record::instant(FAMILY, form.created)?,
    };
    Ok(Read { value: list, stamp: bytes.clone() })
}

/// Adds a new list to `batch`; conflicts if the name is taken.
pub fn put_new(batch: &mut Batch, list: &List) {
    let key = keys::list(&list.name);
    batch.expect_absent(key.clone());
    batch.put(key, encode(list));
}

/// Requires in `batch` that the list is unchanged since it was read.
pub(crate) fn expect(batch: &mut Batch, list: &Read<List>) {
    batch.expect(keys::list(&list.value.name), list.stamp.clone());
}

/// All lists, in order of name.
pub(crate) fn all() -> Query<Read<List>> {
    Query::new(keys::table(b'l'), |_, bytes| decode(&bytes))
}

impl Changeable for List {
    type Id = ListName;

    async fn read(store: &Store, name: &ListName) -> Result<Option<Read<List>>, StoreError> {
        store.list(name).await
    }

    fn put(batch: &mut Batch, before: &Read<List>, after: &List) -> Value {
        let (key, stamp) = (keys::list(&before.value.name), encode(after));
        batch.expect(key.clone(), before.stamp.clone());
        batch.put(key, stamp.clone());
        stamp
    }
}

impl Store {
    /// The list of that name.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn list(&self, name: &ListName) -> Result<Option<Read<List>>, StoreError> {
        self.engine.get(&keys::list(name)).await?.map(|bytes| decode(&bytes)).transpose()
    }

    /// All lists, in order of name. Lists are created by hand, so all fit in memory; use [`all`] where one at a time is
    /// enough.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lists(&self) -> Result<Vec<Read<List>>, StoreError> {
        let (mut pages, mut lists) = (self.pages(all()), Vec::new());
        while let Some(list) = pages.next().await? {
            lists.push(list);
        }
        Ok(lists)
    }

    /// Creates a list; `false` if the name is taken, and the existing list is left unchanged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_list(&self, list: &List) -> Result<bool, StoreError> {
        let mut batch = Batch::new();
        put_new(&mut batch, list);
        Ok(self.commit(batch).await? == Commit::Applied)
    }

    /// Reads, changes and writes a list; the name cannot be changed. `None` if there is no such list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_list(
        &self,
        name: &ListName,
        mut change: impl FnMut(&mut List) + Send,
    ) -> Result<Option<List>, StoreError> {
        let changed = self.update(name, |list: &mut List, _| {
            change(list);
            list.name = name.clone();
            Ok::<_, StoreError>(Change::Save)
        });
        Ok(changed.await?.map(|read| read.value))
    }
}
