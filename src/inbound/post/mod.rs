//! Posts: mails to a list's own address. To an announce list only from its authorised senders, each held until its sender
//! has confirmed it by a reply to a signed address, because a From field proves nothing (`receive`). To a discussion list
//! from members, or held for its moderators, who decide by reply (`decide`). What is let out becomes a mailing, in one
//! commit with the decision: so it is sent once, whatever happens.
//!
//! Nothing here answers a stranger: a mail that is not let in goes to the list's owner, and members and strangers see no
//! difference (invariant 9).

use std::sync::Arc;

use crate::authentication::Authenticator;
use crate::base::clock::Clock;
use crate::base::id::MailingId;
use crate::base::token::Key;
use crate::composition::approved;
use crate::composition::notices::Notices;
use crate::mail::post_decision::DecisionWords;
use crate::model::list::List;
use crate::model::mailing::{
    Approval, AudienceQuery, Mailing, MailingContent, MissedPolicy, Schedule, Stage, UncertainPolicy,
};
use crate::model::post::Post;
use crate::store::blobs::Blobs;
use crate::store::engine::Batch;
use crate::store::{Read, Store, StoreError, lists, mailings};

mod ask;
mod decide;
mod operator;
mod receive;

pub use ask::QUESTIONS_A_DAY;
pub use operator::PostError;
pub use receive::{Received, SEEN_DAYS};

/// What posts are handled with.
#[derive(Clone)]
pub struct PostService {
    /// The store.
    pub store: Store,
    /// Where posts are kept.
    pub blobs: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Signs and checks tokens.
    pub key: Key,
    /// Writes the questions and notices.
    pub notices: Notices,
    /// Checks authors.
    pub authenticator: Arc<dyn Authenticator>,
    /// The words of decisions.
    pub words: Arc<DecisionWords>,
    /// The installation's time zone, for the mailings' schedule and the notices' dates.
    pub zone: chrono_tz::Tz,
}

/// How late, in seconds, a post's mailing still counts as on time: a restart does not make it missed.
const GRACE_SECONDS: u32 = 86_400;

impl PostService {
    /// Puts the mailing that sends a post into `batch`, to all of its list, now; the list must still be as it was read.
    /// `by` is whose word lets it out, where somebody's was asked.
    async fn send(
        &self,
        batch: &mut Batch,
        post: &Post,
        list: &Read<List>,
        by: Option<&str>,
    ) -> Result<MailingId, StoreError> {
        let now = self.clock.now();
        let id = MailingId(self.store.allocate(mailings::COUNTER, 1).await?);
        let audience = AudienceQuery { lists: [post.list.clone()].into(), ..AudienceQuery::default() };
        let content_hash = approved::post_hash(&post.blob, &audience);
        let required = list.value.approval;
        let approval = by.filter(|_| required);
        let approval = approval.map(|by| Approval { by: by.to_owned(), at: now, content_hash: content_hash.clone() });
        let mailing = Mailing {
            id,
            content: MailingContent::Post(post.id),
            audience,
            schedule: Schedule {
                at: now,
                zone: self.zone.name().to_owned(),
                missed: MissedPolicy::Send,
                grace_seconds: GRACE_SECONDS,
            },
            // The Message-ID is the author's and always the same, so a second copy is known as one.
            uncertain: UncertainPolicy::Resend,
            stage: Stage::Scheduled,
            pause: None,
            approval_required: required,
            approval,
            content_hash,
            reopened: 0,
            created: now,
            created_by: post.author.to_string(),
            created_uid: None,
        };
        lists::expect(batch, list);
        mailings::put_mailing(batch, &mailing, None);
        Ok(id)
    }
}
