//! The people of an audience, one by one: who is in it, who is not, and why. Everyone is named who is or was on one of its
//! lists.

use crate::base::id::{ListName, SubscriberId};
use crate::base::token::Key;
use crate::model::mailing::{AudienceQuery, Mailing};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::store::{Store, StoreError};

use super::audience::{self, Miss};

/// Number of subscribers read at a time.
const STEP: usize = 500;

/// One person of the lists of an audience.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The person.
    pub subscriber: Subscriber,
    /// Whether they are in the audience.
    pub is_in: bool,
    /// Why, for people.
    pub why: String,
}

/// Which people are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// All.
    #[default]
    All,
    /// Those in the audience.
    In,
    /// Those not in it.
    Out,
}

impl Who {
    fn wants(self, is_in: bool) -> bool {
        match self {
            Self::All => true,
            Self::In => is_in,
            Self::Out => !is_in,
        }
    }
}

/// An audience whose people are listed.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// As it would be taken now.
    Query(&'a AudienceQuery),
    /// Of a mailing: as it was taken, once it was.
    Mailing(&'a Mailing),
}

impl Of<'_> {
    fn query(&self) -> &AudienceQuery {
        match self {
            Self::Query(query) => query,
            Self::Mailing(mailing) => &mailing.audience,
        }
    }
}

/// Up to `limit` people after `after`, in order of id, and the id to continue after; `None` at the end.
///
/// # Errors
/// [`StoreError`].
pub async fn people(
    store: &Store,
    key: &Key,
    of: Of<'_>,
    who: Who,
    (after, limit): (SubscriberId, usize),
) -> Result<(Vec<Standing>, Option<SubscriberId>), StoreError> {
    let query = of.query();
    let reached = audience::reached_filter(store, query).await?;
    let (mut found, mut cursor) = (Vec::new(), Some(after));
    while let Some(after) = cursor {
        let (step, next) = store.people_of(&query.lists, after, STEP).await?;
        cursor = next;
        for read in step {
            let subscriber = read.value;
            let (is_in, why) = match of {
                Of::Mailing(mailing) if mailing.frozen().is_some() => {
                    frozen(store, mailing, reached.as_deref(), &subscriber).await?
                }
                _ => now(store, key, query, reached.as_deref(), &subscriber).await?,
            };
            if who.wants(is_in) {
                let id = subscriber.id;
                found.push(Standing { subscriber, is_in, why });
                if found.len() == limit {
                    return Ok((found, Some(id)));
                }
            }
        }
    }
    Ok((found, None))
}

/// Whether a person would be in the audience if it were taken now.
async fn now(
    store: &Store,
    key: &Key,
    query: &AudienceQuery,
    reached: Option<&[SubscriberId]>,
    subscriber: &Subscriber,
) -> Result<(bool, String), StoreError> {
    let misses = audience::misses(query, reached, subscriber);
    if !misses.is_empty() {
        return Ok((false, words(&misses, query, subscriber)));
    }
    if store.is_suppressed(&key.hash_address(&subscriber.address)).await? {
        return Ok((false, "suppressed: no mail is sent to this address".to_owned()));
    }
    let active = |list: &&ListName| subscriber.state_on(list) == Some(SubscriptionState::Active);
    let lists: Vec<&str> = query.lists.iter().filter(active).map(ListName::as_str).collect();
    Ok((true, format!("active on {}", lists.join(", "))))
}

/// Whether a person was in the audience when it was taken, and what became of the mail.
async fn frozen(
    store: &Store,
    mailing: &Mailing,
    reached: Option<&[SubscriberId]>,
    subscriber: &Subscriber,
) -> Result<(bool, String), StoreError> {
    if let Some(row) = store.row_of(mailing, subscriber.id).await? {
        return Ok((true, mailing.settle(row.delivery).state.word().to_owned()));
    }
    let misses = audience::misses(&mailing.audience, reached, subscriber);
    let why = match misses.is_empty() {
        true => "came after the audience was taken".to_owned(),
        false => words(&misses, &mailing.audience, subscriber),
    };
    Ok((false, why))
}

fn words(misses: &[Miss], query: &AudienceQuery, subscriber: &Subscriber) -> String {
    let one = |miss: &Miss| match miss {
        Miss::Lists => {
            let on = |list: &ListName| {
                let state = subscriber.state_on(list)?;
                Some(match state {
                    SubscriptionState::Pending => format!("has not confirmed for {list}"),
                    SubscriptionState::Active => format!("active on {list}"),
                    SubscriptionState::Paused => format!("paused on {list}"),
                    SubscriptionState::Suspended => format!("suspended on {list} after bounces"),
                    SubscriptionState::Ended => format!("has left {list}"),
                })
            };
            query.lists.iter().filter_map(on).collect::<Vec<_>>().join(", ")
        }
        Miss::Beats => "covers none of the beats".to_owned(),
        Miss::Regions => "covers none of the regions".to_owned(),
        Miss::Languages => format!("reads {}", subscriber.language),
        Miss::Reached => {
            let earlier = query.reached_by.map(|id| id.to_string()).unwrap_or_default();
            format!("not reached by {earlier}")
        }
    };
    misses.iter().map(one).collect::<Vec<_>>().join("; ")
}
