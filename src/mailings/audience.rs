//! Freezing: walks the readers of the lists in order and writes the ledger in chunks, each commit with the cursor, so that a
//! crash resumes with no gap and no repeat. The ledger holds ids, no addresses.

use std::collections::BTreeSet;

use crate::base::clock::Clock;
use crate::base::id::{MailingId, SubscriberId};
use crate::base::language::Language;
use crate::base::unicode;
use crate::model::mailing::{AudienceQuery, Frozen, Mailing, Stage};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::engine::{Batch, Commit};
use crate::store::ledger::{CHUNK_SIZE, put_chunk};
use crate::store::mailings::put_mailing;
use crate::store::{Read, Store, StoreError};

/// Number of subscribers read between two commits: 32 chunks, if all of them match.
const STEP: usize = 32 * CHUNK_SIZE as usize;

/// The result of freezing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freezing {
    /// The audience is frozen; the mailing is sending.
    Done,
    /// The mailing was paused, cancelled or changed meanwhile: stop working on it.
    Stopped,
}

/// A condition of an audience that a subscriber does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// Active on none of the lists.
    Lists,
    /// Covers none of the beats.
    Beats,
    /// Covers none of the regions.
    Regions,
    /// Reads none of the languages.
    Languages,
    /// Not reached by the earlier mailing.
    Reached,
}

/// The conditions that a subscriber does not meet, as far as can be decided from the subscriber's record; empty for one in
/// the audience. `reached` holds whom the earlier mailing reached, sorted, if the audience is restricted to them.
pub(crate) fn misses(query: &AudienceQuery, reached: Option<&[SubscriberId]>, subscriber: &Subscriber) -> Vec<Miss> {
    let active = |list| subscriber.state_on(list) == Some(SubscriptionState::Active);
    let any = |wanted: &BTreeSet<String>, has: &BTreeSet<String>| {
        // Words stored before normalisation was introduced match in any spelling.
        let same = |word: &String| wanted.iter().any(|one| unicode::same(one, word));
        wanted.is_empty() || !wanted.is_disjoint(has) || has.iter().any(same)
    };
    let reads = |language: &Language| language.primary() == subscriber.language.primary();
    let conditions = [
        (Miss::Lists, query.lists.iter().any(active)),
        (Miss::Beats, any(&query.beats, &subscriber.beats)),
        (Miss::Regions, any(&query.regions, &subscriber.regions)),
        (Miss::Languages, query.languages.is_empty() || query.languages.iter().any(reads)),
        (Miss::Reached, reached.is_none_or(|reached| reached.binary_search(&subscriber.id).is_ok())),
    ];
    // Without an allocation for who is in.
    conditions.into_iter().filter(|(_, met)| !met).map(|(miss, _)| miss).collect()
}

/// Number of subscribers who match a query now.
///
/// # Errors
/// [`StoreError`].
pub async fn count(store: &Store, query: &AudienceQuery) -> Result<u64, StoreError> {
    visit(store, query, |_| {}).await
}

/// Calls the visitor for each subscriber who matches a query now, and counts them.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn visit(
    store: &Store,
    query: &AudienceQuery,
    mut show: impl FnMut(&Subscriber) + Send,
) -> Result<u64, StoreError> {
    let reached = reached_filter(store, query).await?;
    let (mut cursor, mut found) = (Some(SubscriberId(0)), 0);
    while let Some(after) = cursor {
        let (step, next) = store.readers_of(&query.lists, after, STEP).await?;
        cursor = next;
        for subscriber in step.iter().map(|read| &read.value).filter(|s| selects(query, reached.as_deref(), s)) {
            show(subscriber);
            found += 1;
        }
    }
    Ok(found)
}

/// Freezes the audience of a mailing that is [`Stage::Freezing`], starting at its cursor.
///
/// # Errors
/// [`StoreError`]: what was written stays; call again to continue.
pub async fn freeze(store: &Store, clock: &dyn Clock, id: MailingId) -> Result<Freezing, StoreError> {
    let Some(mut read) = store.mailing(id).await? else { return Ok(Freezing::Stopped) };
    let reached = reached_filter(store, &read.value.audience).await?;
    loop {
        let Stage::Freezing { cursor, .. } = read.value.stage else { return Ok(Freezing::Stopped) };
        if read.value.pause.is_some() {
            return Ok(Freezing::Stopped);
        }
        let mut found: Vec<SubscriberId> = Vec::new();
        let (mut at, mut ended) = (cursor, false);
        while found.len() < STEP && !ended {
            let (step, next) = store.readers_of(&read.value.audience.lists, at, STEP).await?;
            ended = next.is_none();
            at = next.or_else(|| step.last().map(|s| s.value.id)).unwrap_or(at);
            let selected = step.iter().filter(|s| selects(&read.value.audience, reached.as_deref(), &s.value));
            found.extend(selected.map(|s| s.value.id));
        }
        match write_step(store, clock, &read, &found, at, ended).await? {
            None => return Ok(Freezing::Stopped),
            Some(next) if matches!(next.value.stage, Stage::Sending(_)) => return Ok(Freezing::Done),
            Some(next) => read = next,
        }
    }
}

/// Whom an audience is restricted to by an earlier mailing, sorted; `None` without one.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn reached_filter(
    store: &Store,
    query: &AudienceQuery,
) -> Result<Option<Vec<SubscriberId>>, StoreError> {
    match query.reached_by {
        Some(id) => match store.mailing(id).await? {
            Some(mailing) => Ok(Some(store.reached_by(&mailing.value).await?)),
            None => Ok(Some(Vec::new())),
        },
        None => Ok(None),
    }
}

fn selects(query: &AudienceQuery, reached: Option<&[SubscriberId]>, subscriber: &Subscriber) -> bool {
    misses(query, reached, subscriber).is_empty()
}

/// Writes the full chunks of the subscribers found, and the last partial chunk once the walk has `ended`. `None` when
/// the mailing was changed by others meanwhile: then nothing was written.
async fn write_step(
    store: &Store,
    clock: &dyn Clock,
    read: &Read<Mailing>,
    found: &[SubscriberId],
    walked_to: SubscriberId,
    ended: bool,
) -> Result<Option<Read<Mailing>>, StoreError> {
    let Stage::Freezing { cursor, mut chunks, mut audience, since } = read.value.stage else { return Ok(None) };
    let mut batch = Batch::new();
    let mut written_to = cursor;
    let mut rest = found;
    while rest.len() >= CHUNK_SIZE as usize || (ended && !rest.is_empty()) {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK_SIZE as usize));
        put_chunk(&mut batch, read.value.id, chunks, chunk);
        chunks += 1;
        audience += chunk.len() as u32;
        written_to = chunk.last().copied().unwrap_or(written_to);
        rest = after;
    }
    // Subscribers found but not yet written are found again; if none are left, the walk continues from its end.
    let cursor = if rest.is_empty() { walked_to } else { written_to };
    let mut mailing = read.value.clone();
    mailing.stage = match ended {
        true => Stage::Sending(Frozen { at: clock.now(), chunks, audience }),
        false => Stage::Freezing { cursor, chunks, audience, since },
    };
    let stamp = put_mailing(&mut batch, &mailing, Some(read.stamp.clone()));
    match store.commit(batch).await? {
        Commit::Applied => Ok(Some(Read { value: mailing, stamp })),
        Commit::Conflict(_) => Ok(None),
    }
}
