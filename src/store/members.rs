//! Who is on a list, and who gets its mail.

use crate::base::id::{ListName, SubscriberId};
use crate::model::subscriber::{Subscriber, SubscriptionState};

use super::engine::{Key, KeyRange};
use super::member_rows::{code, state_of};
use super::pages::Query;
use super::record::RecordError;
use super::subscribers::decode;
use super::{Read, Store, StoreError, keys};

/// The subscribers of a list and where their subscriptions stand, in order of id.
pub fn of_list(list: &ListName) -> Query<(SubscriberId, SubscriptionState)> {
    Query::new(keys::members(list), |key, value| {
        let damaged = || RecordError::Damaged { family: "index of lists", reason: format!("the row {key:?}") };
        let id = keys::last_number(key).map(SubscriberId).ok_or_else(damaged)?;
        let state = value.first().copied().and_then(state_of).ok_or_else(damaged)?;
        Ok((id, state))
    })
}

impl Store {
    /// Up to `limit` subscribers after `after` who get mail from one of `lists`, in order of id, and the id to continue
    /// after; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn readers_of(
        &self,
        lists: impl IntoIterator<Item = &ListName>,
        after: SubscriberId,
        limit: usize,
    ) -> Result<(Vec<Read<Subscriber>>, Option<SubscriberId>), StoreError> {
        self.people_in(lists, after, limit, |state| state == code(SubscriptionState::Active)).await
    }

    /// As [`Store::readers_of`], for everyone who is or was on one of `lists`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn people_of(
        &self,
        lists: impl IntoIterator<Item = &ListName>,
        after: SubscriberId,
        limit: usize,
    ) -> Result<(Vec<Read<Subscriber>>, Option<SubscriberId>), StoreError> {
        self.people_in(lists, after, limit, |_| true).await
    }

    async fn people_in(
        &self,
        lists: impl IntoIterator<Item = &ListName>,
        after: SubscriberId,
        limit: usize,
        wanted: impl Fn(u8) -> bool + Copy,
    ) -> Result<(Vec<Read<Subscriber>>, Option<SubscriberId>), StoreError> {
        let mut ids = Vec::new();
        for list in lists {
            ids.extend(self.members_in(list, after, limit, wanted).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(limit);
        let next = ids.last().copied().filter(|_| ids.len() == limit);
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok((Vec::new(), None)) };
        // If nearly all records in between are wanted, one scan is faster than single reads.
        if last.0 - first.0 < 2 * ids.len() as u64 {
            let after_last = keys::subscriber(SubscriberId(last.0.saturating_add(1)));
            let between = KeyRange::new(keys::subscriber(*first), Some(after_last));
            let found = self.engine.scan(between, 2 * ids.len()).await?;
            let found = found.iter().map(|(_, bytes)| decode(bytes));
            let is_wanted = |read: &Result<Read<Subscriber>, StoreError>| {
                read.as_ref().map_or(true, |read| ids.binary_search(&read.value.id).is_ok())
            };
            return Ok((found.filter(is_wanted).collect::<Result<_, _>>()?, next));
        }
        let keys: Vec<Key> = ids.iter().map(|id| keys::subscriber(*id)).collect();
        let values = self.get_many(&keys).await?;
        Ok((values.iter().flatten().map(decode).collect::<Result<_, _>>()?, next))
    }

    async fn members_in(
        &self,
        list: &ListName,
        after: SubscriberId,
        limit: usize,
        wanted: impl Fn(u8) -> bool,
    ) -> Result<Vec<SubscriberId>, StoreError> {
        let (mut range, mut ids) = (keys::members(list).after(&keys::member(list, after)), Vec::new());
        while ids.len() < limit {
            let rows = self.engine.scan(range.clone(), limit).await?;
            let members = rows.iter().filter(|(_, value)| value.first().is_some_and(|state| wanted(*state)));
            ids.extend(members.filter_map(|(key, _)| keys::last_number(key)).map(SubscriberId));
            match rows.last() {
                Some((last, _)) if rows.len() == limit => range = range.after(last),
                _ => break,
            }
        }
        Ok(ids)
    }
}
