//! What came back from one person, and its end by an operator.

use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::model::bounce::{Bounce, BounceEffect, Score, reinstate};
use crate::model::consent::ConsentSource;
use crate::model::subscriber::Subscriber;
use crate::store::bounces::put_score;
use crate::store::engine::{Batch, Commit};
use crate::store::{CONFLICT_TRIES, StoreError, subscribers};

use super::profile::{PersonError, SubscriberService};

/// Bounces read at a time.
const PAGE: usize = 500;

/// What came back from one person, and what it has come to.
#[derive(Clone, Debug)]
pub struct PersonBounces {
    /// The person.
    pub subscriber: Subscriber,
    /// What bounces have come to.
    pub score: Score,
    /// What came back, the oldest mailing first.
    pub bounces: Vec<Bounce>,
}

impl SubscriberService {
    /// What came back from one person.
    ///
    /// # Errors
    /// [`PersonError::NotFound`], [`PersonError::Store`].
    pub async fn bounces(&self, who: &str) -> Result<PersonBounces, PersonError> {
        let subscriber = self.find(who).await?.value;
        let score = self.store.score(subscriber.id).await?.map(|read| read.value).unwrap_or_default();
        let bounces = self.store.bounces_of(subscriber.id).await?.into_iter().map(|read| read.value).collect();
        Ok(PersonBounces { subscriber, score, bounces })
    }

    /// Forgets what bounces have come to, and lets the subscriptions that they suspended begin again: gives their lists.
    /// What the person ended or paused, and a suppression, stay as they are; so do the bounces themselves.
    ///
    /// # Errors
    /// [`PersonError::NotFound`], [`PersonError::Store`].
    pub async fn reset_bounces(&self, who: &str) -> Result<Vec<ListName>, PersonError> {
        for _ in 0..CONFLICT_TRIES {
            let before = self.find(who).await?;
            let mut subscriber = before.value.clone();
            let mut batch = Batch::new();
            if let Some(score) = self.store.score(subscriber.id).await? {
                put_score(&mut batch, subscriber.id, Some(score.stamp), &score.value.cleared());
            }
            let source = ConsentSource::Operator { who: self.who.clone() };
            let lists = reinstate(&mut subscriber, self.at, &source, "bounces forgiven");
            match lists.is_empty() {
                true => subscribers::expect(&mut batch, &before),
                false => subscribers::put_changed(&mut batch, &before, &subscriber),
            }
            if self.store.commit(batch).await? == Commit::Applied {
                return Ok(lists);
            }
        }
        Err(StoreError::Contended(CONFLICT_TRIES).into())
    }

    /// Forgives everybody whom bounces of one mailing suspended, and who still is: a relay that refused everybody by
    /// mistake has suspended a whole audience. Gives how many get mail again.
    ///
    /// # Errors
    /// [`PersonError::Store`]: who was forgiven before stays so.
    pub async fn reset_bounces_of(&self, mailing: MailingId) -> Result<u64, PersonError> {
        let (mut again, mut after) = (0, SubscriberId(0));
        loop {
            let page = self.store.bounces_of_mailing(mailing, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(again) };
            after = last.subscriber;
            for bounce in page.iter().filter(|bounce| bounce.effect == BounceEffect::Suspended) {
                match self.reset_bounces(&bounce.subscriber.to_string()).await {
                    Ok(lists) => again += u64::from(!lists.is_empty()),
                    // Erased meanwhile.
                    Err(PersonError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
