//! Decisions on held posts by an operator or by expiry: the same as by mail.

use chrono::TimeDelta;

use crate::base::id::PostId;
use crate::inbound::HandleError;
use crate::model::authentication::Check;
use crate::model::list::List;
use crate::model::post::{DecisionError, HELD_DAYS, HoldReason, Post};
use crate::model::present::Present;
use crate::store::engine::{Batch, Commit};
use crate::store::posts::put_post;
use crate::store::{Attempt, Read, StoreError};

use super::PostService;

/// Held posts read per query.
const STEP: usize = 100;

/// Why a post was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// No post has this id.
    #[error("there is no post {0}")]
    NoPost(PostId),
    /// The post's state does not allow the decision.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A required record or file is missing or broken.
    #[error("{0}")]
    Broken(String),
}

impl From<HandleError> for PostError {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::Store(error) => Self::Store(error),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl PostService {
    /// Approves a held post on behalf of an operator, whatever it is held for.
    ///
    /// # Errors
    /// [`PostError`]: nothing was changed.
    pub async fn approve(&self, id: PostId, by: &str) -> Result<Post, PostError> {
        let decided = self.store.attempt(|| async move {
            let (read, list) = self.open(id).await?;
            Ok::<_, PostError>(Attempt::Commit(self.approved(&list, &read, by).await?.batch, ()))
        });
        decided.await?;
        self.again(id).await
    }

    /// Rejects a held post on behalf of an operator.
    ///
    /// # Errors
    /// [`PostError`]: nothing was changed.
    pub async fn refuse(&self, id: PostId, by: &str, why: &str) -> Result<Post, PostError> {
        let decided = self.store.attempt(|| async move {
            let (read, list) = self.open(id).await?;
            Ok::<_, PostError>(Attempt::Commit(self.refused(&list, &read, by, why).await?.batch, ()))
        });
        decided.await?;
        self.again(id).await
    }

    /// Expires held posts that were not decided in time, and notifies their authors. Returns the number of posts.
    ///
    /// # Errors
    /// [`PostError`]: posts expired before it stay expired.
    pub async fn expire(&self) -> Result<u64, PostError> {
        let (now, mut expired) = (self.clock.now(), 0);
        // A clock that was set forward must not cause anything irreversible.
        let present = self.store.present(now).await?;
        for id in self.store.held_posts_after(now + TimeDelta::days(HELD_DAYS), STEP).await? {
            match self.expire_one(id, &present).await? {
                true => expired += 1,
                false => self.bound_one(id, &present).await?,
            }
        }
        loop {
            let due = self.store.held_posts(Some(now), STEP).await?;
            let before = expired;
            for id in &due {
                expired += u64::from(self.expire_one(*id, &present).await?);
            }
            if due.len() < STEP || expired == before {
                return Ok(expired);
            }
        }
    }

    async fn bound_one(&self, id: PostId, present: &Present) -> Result<(), PostError> {
        let Some(read) = self.store.post(id).await? else { return Ok(()) };
        let (mut post, mut batch) = (read.value.clone(), Batch::new());
        if post.bound_hold(present) {
            tracing::warn!(post = %id, "a post was held while the clock was ahead; its time counts from when the clock was set right");
            put_post(&mut batch, &post, Some(&read));
            self.store.commit(batch).await?;
        }
        Ok(())
    }

    async fn expire_one(&self, id: PostId, present: &Present) -> Result<bool, PostError> {
        let Some(read) = self.store.post(id).await? else { return Ok(false) };
        let (mut post, mut batch) = (read.value.clone(), Batch::new());
        let reason = read.value.hold().map(|hold| hold.reason);
        if !post.expire(present) {
            return Ok(false);
        }
        // A stranger's address may be forged, so no mail is sent to it.
        let tells = reason != Some(HoldReason::Moderation) || post.authentication.author == Check::Pass;
        if let Some(list) = self.store.list(&post.list).await?.filter(|_| tells) {
            self.notify_author(&mut batch, "post-expired", &post, &list.value, "").await?;
        }
        put_post(&mut batch, &post, Some(&read));
        // It was decided at this moment: then it has not expired.
        Ok(self.store.commit(batch).await? == Commit::Applied)
    }

    async fn open(&self, id: PostId) -> Result<(Read<Post>, Read<List>), PostError> {
        let read = self.store.post(id).await?.ok_or(PostError::NoPost(id))?;
        read.value.open(&self.present().await?)?;
        let gone = || PostError::Broken(format!("the list of post {id} no longer exists"));
        let list = self.store.list(&read.value.list).await?.ok_or_else(gone)?;
        Ok((read, list))
    }

    /// The current time, for a decision on a held post.
    pub(super) async fn present(&self) -> Result<Present, StoreError> {
        self.store.present(self.clock.now()).await
    }

    async fn again(&self, id: PostId) -> Result<Post, PostError> {
        Ok(self.store.post(id).await?.ok_or(PostError::NoPost(id))?.value)
    }
}
