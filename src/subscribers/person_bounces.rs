//! One person's bounces, and their reset by an operator.

use crate::base::id::{ListName, MailingId, SubscriberId};
use crate::model::bounce::{Bounce, BounceEffect, Score, reinstate};
use crate::model::consent::ConsentSource;
use crate::model::subscriber::Subscriber;
use crate::store::bounces::put_score;
use crate::store::engine::Batch;
use crate::store::{Attempt, subscribers};

use super::profile::{PersonError, SubscriberService};

/// Bounces read per query.
const PAGE: usize = 500;

/// One person's bounces and their effect.
#[derive(Clone, Debug)]
pub(crate) struct PersonBounces {
    /// The person.
    pub subscriber: Subscriber,
    /// The current bounce score.
    pub score: Score,
    /// The bounces, the oldest mailing first.
    pub bounces: Vec<Bounce>,
}

impl SubscriberService {
    /// The bounces of one person.
    ///
    /// # Errors
    /// [`PersonError::NotFound`], [`PersonError::Store`].
    pub(crate) async fn bounces(&self, who: &str) -> Result<PersonBounces, PersonError> {
        let subscriber = self.find(who).await?.value;
        let score = self.store.score(subscriber.id).await?.map(|read| read.value).unwrap_or_default();
        let bounces = self.store.bounces_of(subscriber.id).await?.into_iter().map(|read| read.value).collect();
        Ok(PersonBounces { subscriber, score, bounces })
    }

    /// Resets a person's bounce score and resumes the subscriptions that bounces suspended. Returns their lists.
    /// Subscriptions that the person ended or paused, suppressions and the bounces themselves are unchanged.
    ///
    /// # Errors
    /// [`PersonError::NotFound`], [`PersonError::Store`].
    pub async fn reset_bounces(&self, who: &str) -> Result<Vec<ListName>, PersonError> {
        let reset = self.store.attempt(|| async move {
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
            Ok(Attempt::Commit(batch, lists))
        });
        reset.await
    }

    /// Resets the score of everyone who is still suspended by bounces of one mailing, for a relay that refused a whole
    /// audience by mistake. Returns the number of people who get mail again.
    ///
    /// # Errors
    /// [`PersonError::Store`]: people reset before it stay reset.
    pub(crate) async fn reset_bounces_of(&self, mailing: MailingId) -> Result<u64, PersonError> {
        let (mut again, mut after) = (0, SubscriberId(0));
        loop {
            let page = self.store.bounces_of_mailing(mailing, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(again) };
            after = last.subscriber;
            for bounce in page.iter().filter(|bounce| bounce.effect == BounceEffect::Suspended) {
                match self.reset_bounces(&bounce.subscriber.to_string()).await {
                    Ok(lists) => again += u64::from(!lists.is_empty()),
                    // The person was erased meanwhile.
                    Err(PersonError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
