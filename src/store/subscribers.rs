//! Subscribers on disk: two keys each, the record under its id and the id under the address.
//!
//! The record holds the subscriptions with their consent ledger, so that one write changes both and one read returns
//! both.

use crate::base::address::Address;
use crate::base::id::SubscriberId;
use crate::model::subscriber::Subscriber;

use super::engine::{Batch, Value};
use super::pages::Query;
use super::{CONFLICT_TRIES, Change, Changeable, Read, Store, StoreError, bounces, keys, member_rows, record};

mod form;

pub(super) use form::decode;
use form::{damaged, encode};

/// The largest record, in bytes, that adding a subscription or text may produce: about 1,500 lists. The engine accepts
/// twice that, so that leaving a list, which also enlarges the record, is always possible.
pub(crate) const MOST_BYTES: usize = 128 * 1024;
/// The counter that ids are taken from ([`Store::allocate`]).
pub(crate) const COUNTER: &str = "subscriber";

/// A record that would be larger than [`MOST_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record of the subscriber would have {bytes} bytes, more than {MOST_BYTES}: it holds {subscriptions} lists and \
     their history; subscribe another address to the new lists"
)]
pub struct TooLarge {
    /// The size it would have, in bytes.
    pub bytes: usize,
    /// The number of lists in it, including those that the subscriber left.
    pub subscriptions: usize,
}

/// Checks that a subscriber is small enough to be written after an addition.
///
/// # Errors
/// [`TooLarge`].
pub(crate) fn admit(subscriber: &Subscriber) -> Result<(), TooLarge> {
    let bytes = encode(subscriber).len();
    match bytes > MOST_BYTES {
        true => Err(TooLarge { bytes, subscriptions: subscriber.subscriptions.len() }),
        false => Ok(()),
    }
}

/// Decodes a subscriber's record read elsewhere, e.g. from a backup.
///
/// # Errors
/// [`StoreError::Record`].
pub(crate) fn read_record(bytes: &[u8]) -> Result<Subscriber, StoreError> {
    Ok(decode(&Value::from(bytes))?.value)
}

/// Adds a new subscriber to `batch`; conflicts if the address or the id is taken. Ids come from [`Store::allocate`]
/// with [`COUNTER`].
pub fn put_new(batch: &mut Batch, subscriber: &Subscriber) {
    let address = keys::address(&subscriber.address);
    let key = keys::subscriber(subscriber.id);
    batch.expect_absent(address.clone());
    batch.expect_absent(key.clone());
    batch.put(key, encode(subscriber));
    batch.put(address, subscriber.id.0.to_be_bytes().as_slice());
    member_rows::put_new(batch, subscriber);
}

/// Writes a changed subscriber in `batch`, if it is unchanged since `before` was read. A new address is claimed, if no
/// other subscriber has it, and the bounce score is reset.
pub fn put_changed(batch: &mut Batch, before: &Read<Subscriber>, subscriber: &Subscriber) {
    put_over(batch, before, subscriber);
}

fn put_over(batch: &mut Batch, before: &Read<Subscriber>, subscriber: &Subscriber) -> Value {
    let key = keys::subscriber(before.value.id);
    let stamp = encode(subscriber);
    batch.expect(key.clone(), before.stamp.clone());
    batch.put(key, stamp.clone());
    member_rows::put_changed(batch, &before.value, subscriber);
    let (old, new) = (keys::address(&before.value.address), keys::address(&subscriber.address));
    if old != new {
        batch.expect_absent(new.clone());
        batch.put(new, subscriber.id.0.to_be_bytes().as_slice());
        batch.delete(old);
        bounces::put_new_address(batch, subscriber.id, subscriber.updated);
    }
    stamp
}

/// All subscribers, in order of id.
pub fn all() -> Query<Read<Subscriber>> {
    Query::new(keys::table(b's'), |_, bytes| decode(&bytes))
}

/// The subscribers after this one, in order of id.
pub(super) fn after(id: u64) -> Query<Read<Subscriber>> {
    Query::new(keys::table(b's').after(&keys::subscriber(SubscriberId(id))), |_, bytes| decode(&bytes))
}

impl Changeable for Subscriber {
    type Id = SubscriberId;

    async fn read(store: &Store, id: &SubscriberId) -> Result<Option<Read<Subscriber>>, StoreError> {
        store.subscriber(*id).await
    }

    fn put(batch: &mut Batch, before: &Read<Subscriber>, after: &Subscriber) -> Value {
        put_over(batch, before, after)
    }
}

/// Deletes a subscriber in `batch`, if it is unchanged since it was read.
pub fn delete(batch: &mut Batch, before: &Read<Subscriber>) {
    let key = keys::subscriber(before.value.id);
    batch.expect(key.clone(), before.stamp.clone());
    batch.delete(key);
    batch.delete(keys::address(&before.value.address));
    member_rows::delete(batch, &before.value);
    bounces::delete_score(batch, before.value.id);
}

/// Requires in `batch` that the subscriber is unchanged since it was read.
pub(crate) fn expect(batch: &mut Batch, read: &Read<Subscriber>) {
    batch.expect(keys::subscriber(read.value.id), read.stamp.clone());
}

/// Requires in `batch` that no subscriber has this address.
pub(crate) fn expect_unknown(batch: &mut Batch, address: &Address) {
    batch.expect_absent(keys::address(address));
}

impl Store {
    /// The subscriber with this id.
    ///
    /// # Errors
    /// [`StoreError`]: never treat it as "not found".
    pub async fn subscriber(&self, id: SubscriberId) -> Result<Option<Read<Subscriber>>, StoreError> {
        self.engine.get(&keys::subscriber(id)).await?.map(|bytes| decode(&bytes)).transpose()
    }

    /// The subscriber who has this address, in any spelling.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn subscriber_by_address(&self, address: &Address) -> Result<Option<Read<Subscriber>>, StoreError> {
        let key = keys::address(address);
        for _ in 0..CONFLICT_TRIES {
            let Some(id) = self.engine.get(&key).await? else { return Ok(None) };
            let id = SubscriberId(record::decode_counter(&id)?);
            // Not found: erased between the two reads, or moved to another address; read the index again.
            match self.subscriber(id).await? {
                Some(found) if keys::address(&found.value.address) == key => return Ok(Some(found)),
                _ => {}
            }
        }
        Err(damaged(format!("the index of addresses names a subscriber who does not exist ({})", address.masked()))
            .into())
    }

    /// Up to `limit` subscribers after `after` (`SubscriberId(0)`: from the first), in order of id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scan_subscribers(
        &self,
        after: SubscriberId,
        limit: usize,
    ) -> Result<Vec<Read<Subscriber>>, StoreError> {
        let range = keys::table(b's').after(&keys::subscriber(after));
        let found = self.engine.scan(range, limit).await?;
        found.iter().map(|(_, bytes)| decode(bytes)).collect()
    }

    /// Whether there are no subscribers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_no_subscribers(&self) -> Result<bool, StoreError> {
        Ok(self.engine.scan(keys::table(b'a'), 1).await?.is_empty())
    }

    /// Reads, changes and writes a subscriber; calls `change` again if the record was changed meanwhile. `None` if
    /// there is no such subscriber.
    ///
    /// # Errors
    /// The error of `change`, or [`StoreError`].
    pub async fn change_subscriber<E: From<StoreError> + Send>(
        &self,
        id: SubscriberId,
        mut change: impl FnMut(&mut Subscriber) -> Result<(), E> + Send,
    ) -> Result<Option<Subscriber>, E> {
        let changed = self.update(&id, |subscriber: &mut Subscriber, _| {
            let before = subscriber.clone();
            change(subscriber)?;
            Ok::<_, E>(if *subscriber == before { Change::Leave } else { Change::Save })
        });
        Ok(changed.await?.map(|read| read.value))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::base::language::Language;
    use crate::model::consent::ConsentSource;
    use crate::model::subscriber::SubscriptionState;
    use crate::store::engine::Commit;
    use crate::store::memory::MemoryEngine;

    fn karin(id: u64) -> Subscriber {
        let at = Timestamp::from_timestamp_millis(1_795_000_000_000).unwrap();
        let mut karin = Subscriber {
            id: SubscriberId(id),
            address: "Karin.Ek@example.org".parse().unwrap(),
            name: Some("Karin Ek".to_owned()),
            language: Language::swedish(),
            organisation: Some("Skövde Dagblad".to_owned()),
            beats: ["kultur".to_owned(), "skola".to_owned()].into(),
            regions: ["skaraborg".to_owned()].into(),
            attributes: [("phone".to_owned(), "070-174 06 05".to_owned())].into(),
            subscriptions: Default::default(),
            created: at,
            updated: at,
        };
        let source = ConsentSource::Import { file: "media.csv".to_owned(), line: 2 };
        let list = "media".parse().unwrap();
        karin.change(&list, SubscriptionState::Active, at, source, "asked by phone".to_owned()).unwrap();
        karin
    }

    #[test]
    fn a_record_of_version_1_is_read_for_ever() {
        let mut bytes = encode(&karin(1)).to_vec();
        bytes[0] = 1;
        assert_eq!(decode(&bytes.into()).unwrap().value, karin(1));
    }

    /// A record written by version 2, with the sources file, bounces, operator, mail named and mail kept.
    const VERSION_2: &str = include_str!("../../tests/data/subscriber-version-2.hex");

    #[test]
    fn a_stored_record_of_version_2_is_read_for_ever() {
        let digits: Vec<u8> = VERSION_2.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
        let read = decode(&bytes.into()).unwrap().value;
        let mut expected = karin(17);
        let mut changes = |list: &str, state, source, minutes, words: &str| {
            let at = expected.created + chrono::Duration::minutes(minutes);
            expected.change(&list.parse().unwrap(), state, at, source, words.to_owned()).unwrap();
        };
        let mail = |evidence| ConsentSource::Mail { message_id: "svar.1@press.example".to_owned(), evidence };
        let rule = ConsentSource::System { rule: "bounces".to_owned() };
        let who = ConsentSource::Operator { who: "anna.lind".to_owned() };
        let why = "mailbox: 550 5.1.1 no such user (mailing m3)";
        changes("media", SubscriptionState::Suspended, rule, 1, why);
        changes("media", SubscriptionState::Active, who, 2, "bounces forgiven");
        changes("media", SubscriptionState::Ended, mail(None), 3, "mail to the unsubscribe address of m4");
        changes("sport", SubscriptionState::Active, mail(Some([9; 32])), 4, "Ja [reply: \u{201c}ja\u{201d}]");
        assert_eq!(read, expected);
        // Encoded again, it has the newest version and the same content.
        assert_eq!(decode(&encode(&read)).unwrap().value, expected);
    }

    #[test]
    fn the_proof_of_a_form_is_kept() {
        use crate::base::peer::Network;
        let mut karin = karin(1);
        for (list, network) in [("sport", "192.0.2.77"), ("kultur", "2001:db8:1:2::9")] {
            let network = Network::of(network.parse().unwrap());
            let source = ConsentSource::Web { network, revision: "2026-11-01".to_owned() };
            let text = "Yes, send me press releases".to_owned();
            karin.change(&list.parse().unwrap(), SubscriptionState::Active, karin.created, source, text).unwrap();
        }
        let source = ConsentSource::Api { client: "union-website".to_owned() };
        let media = "media".parse().unwrap();
        karin
            .change(&media, SubscriptionState::Ended, karin.created, source, "left on the website".to_owned())
            .unwrap();
        assert_eq!(decode(&encode(&karin)).unwrap().value, karin);
    }

    #[test]
    fn the_evidence_of_a_confirmation_is_kept() {
        let mut karin = karin(1);
        let source = ConsentSource::Mail { message_id: "a@example.org".to_owned(), evidence: Some([9; 32]) };
        let media = "media".parse().unwrap();
        karin.change(&media, SubscriptionState::Ended, karin.created, source, "Nej tack".to_owned()).unwrap();
        assert_eq!(decode(&encode(&karin)).unwrap().value, karin);
    }

    /// Karin on this many more lists, as an import adds her.
    fn on_lists(count: usize) -> Subscriber {
        let mut karin = karin(1);
        for number in 0..count {
            let list = format!("local-branch-{number}").parse().unwrap();
            let source = ConsentSource::Import { file: "members-2026.csv".to_owned(), line: 2 };
            karin
                .change(&list, SubscriptionState::Active, karin.created, source, "joined at the fair".to_owned())
                .unwrap();
        }
        karin
    }

    #[test]
    fn a_thousand_lists_are_no_trouble_and_too_many_are_named() {
        assert_eq!(admit(&on_lists(1000)), Ok(()));
        let too_large = admit(&on_lists(4000)).unwrap_err();
        assert!(too_large.bytes > MOST_BYTES, "{too_large}");
        assert_eq!(too_large.subscriptions, 4001);
    }

    /// The limit is half of what the engine accepts: a subscriber on as many lists as possible can still leave all of
    /// them.
    #[tokio::test]
    async fn at_the_limit_every_list_can_be_left() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let most = (1000..).step_by(50).take_while(|count| admit(&on_lists(*count)).is_ok()).last().unwrap();
        assert_eq!(put(&store, &on_lists(most)).await, Commit::Applied);
        let left = store.change_subscriber::<StoreError>(SubscriberId(1), |karin| {
            let lists: Vec<_> = karin.subscriptions.keys().cloned().collect();
            for list in &lists {
                let source = ConsentSource::Operator { who: "anna.lind".to_owned() };
                karin
                    .change(list, SubscriptionState::Ended, karin.created, source, "asked by phone".to_owned())
                    .unwrap();
            }
            Ok(())
        });
        assert!(left.await.unwrap().is_some());
    }

    async fn put(store: &Store, subscriber: &Subscriber) -> Commit {
        let mut batch = Batch::new();
        put_new(&mut batch, subscriber);
        store.commit(batch).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_written_is_read_by_id_by_address_and_by_scan() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        assert_eq!(put(&store, &karin(1)).await, Commit::Applied);
        assert_eq!(store.subscriber(SubscriberId(1)).await.unwrap().unwrap().value, karin(1));
        let other_spelling = "karin.ek@EXAMPLE.org".parse().unwrap();
        assert_eq!(store.subscriber_by_address(&other_spelling).await.unwrap().unwrap().value, karin(1));
        assert_eq!(store.scan_subscribers(SubscriberId(0), 10).await.unwrap().len(), 1);
        assert!(store.scan_subscribers(SubscriberId(1), 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn two_subscribers_never_share_an_address() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        put(&store, &karin(1)).await;
        assert!(matches!(put(&store, &karin(2)).await, Commit::Conflict(_)));
    }

    #[tokio::test]
    async fn a_new_address_frees_the_old_one() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        put(&store, &karin(1)).await;
        let changed = store
            .change_subscriber::<StoreError>(SubscriberId(1), |s| {
                s.address = "ek@example.org".parse().unwrap();
                Ok(())
            })
            .await;
        assert!(changed.unwrap().is_some());
        assert!(store.subscriber_by_address(&karin(1).address).await.unwrap().is_none());
        assert_eq!(put(&store, &karin(2)).await, Commit::Applied);
    }
}
