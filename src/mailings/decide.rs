//! A person's decision on a held post, or on a mailing that a list requires a second person for. Through any channel,
//! the first decision stands; if a second person is required, no one can approve their own mailing.

use crate::base::address::Address;
use crate::base::clock::Timestamp;
use crate::base::id::MailingId;
use crate::composition::approved::post_hash;
use crate::model::authentication::Check;
use crate::model::list::List;
use crate::model::mailing::{Approval, AudienceQuery, Mailing, MailingContent, MissedPolicy, Schedule};
use crate::model::mailing_transitions::TransitionError;
use crate::model::operator::Operator;
use crate::model::post::{DecisionError, HoldReason, Post};
use crate::store::decided::Decided;
use crate::store::engine::Batch;
use crate::store::mailings::{COUNTER, put_mailing};
use crate::store::posts::put_post;
use crate::store::{Read, Store, StoreError, lists};

/// How late, in seconds, a post's mailing still counts as on time: a restart does not make it missed.
const GRACE_SECONDS: u32 = 86_400;

/// A vote on a held post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote<'a> {
    /// Send it.
    Approve,
    /// Do not send it.
    Refuse {
        /// Why, in their words; may be empty.
        why: &'a str,
    },
}

/// A person's decision on a held post.
#[derive(Clone, Copy, Debug)]
pub struct PostVote<'a> {
    /// The post, as it was read.
    pub post: &'a Read<Post>,
    /// Its list, as it was read.
    pub list: &'a Read<List>,
    /// Approval or refusal.
    pub says: Vote<'a>,
    /// Who, by address or as a user of this machine.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
}

/// The outcome of a decision on a post.
#[derive(Clone, Debug, PartialEq)]
pub enum PostDecided {
    /// It is sent as this mailing.
    Sent(MailingId),
    /// It now waits for a second person: the question must be sent to the addresses in its hold.
    AsksAgain(Box<Post>),
    /// It is not sent.
    Refused {
        /// The post.
        post: Box<Post>,
        /// Whether its author may be notified; `false` for a stranger, whose address may be forged.
        may_tell: bool,
    },
    /// The decision changes nothing.
    Not(DecisionError),
}

/// The outcome of a decision on a mailing.
#[derive(Clone, Debug, PartialEq)]
pub enum MailingDecided {
    /// The mailing as changed.
    Now(Box<Mailing>),
    /// The decision changes nothing.
    Not(TransitionError),
    /// There is no such mailing.
    NoMailing,
}

/// Who is asked for their word on a post.
pub(crate) fn asked(reason: HoldReason, post: &Post, list: &List) -> Vec<Address> {
    match reason {
        // The spelling stored with the list: another spelling in a mail may be another mailbox.
        HoldReason::Confirmation => {
            vec![list.sender(&post.author).unwrap_or(&post.author).clone()]
        }
        HoldReason::Moderation => list.moderators().into_iter().cloned().collect(),
        HoldReason::Approval => {
            let others = list.moderators().into_iter().filter(|one| !one.is_same_person(&post.author));
            others.cloned().collect()
        }
    }
}

/// Decides about a held post: it is sent, waits for a second person if the list requires one, or is refused.
///
/// # Errors
/// [`StoreError`].
pub async fn decide_post(
    store: &Store,
    zone: chrono_tz::Tz,
    word: &PostVote<'_>,
) -> Result<Decided<PostDecided>, StoreError> {
    let PostVote { post: read, list, says, by, at } = *word;
    let (mut post, mut batch, present) = (read.value.clone(), Batch::new(), store.present(at).await?);
    let reason = read.value.hold().map(|hold| hold.reason);
    let second = list.value.approval && post.is_by(by);
    let outcome = match says {
        Vote::Approve if second && reason.is_some_and(|reason| reason != HoldReason::Approval) => {
            let asked = asked(HoldReason::Approval, &post, &list.value);
            lists::expect(&mut batch, list);
            post.hold_for(HoldReason::Approval, asked, &present)
                .map(|()| PostDecided::AsksAgain(Box::new(post.clone())))
        }
        Vote::Approve => {
            let mailing = send_post(store, zone, &mut batch, &post, (list, Some(by), at)).await?;
            post.approve(by, mailing, &present).map(|()| PostDecided::Sent(mailing))
        }
        Vote::Refuse { why } => post.refuse(by, why, &present).map(|()| {
            let may_tell = match reason {
                Some(HoldReason::Approval) => true,
                // Without a reason it may be spam with a forged From.
                Some(HoldReason::Moderation) => !why.is_empty() && post.authentication.author != Check::Fail,
                Some(HoldReason::Confirmation) | None => false,
            };
            PostDecided::Refused { post: Box::new(post.clone()), may_tell }
        }),
    };
    match outcome {
        Ok(outcome) => {
            put_post(&mut batch, &post, Some(read));
            Ok(Decided { outcome, batch })
        }
        Err(error) => Ok(Decided::unchanged(PostDecided::Not(error))),
    }
}

/// Adds to `batch` the mailing that sends a post to all of its list now, with the person who approved it, if approval
/// was required; the list must be unchanged since it was read.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn send_post(
    store: &Store,
    zone: chrono_tz::Tz,
    batch: &mut Batch,
    post: &Post,
    (list, by, at): (&Read<List>, Option<&str>, Timestamp),
) -> Result<MailingId, StoreError> {
    let id = MailingId(store.allocate(COUNTER, 1).await?);
    let audience = AudienceQuery { lists: [post.list.clone()].into(), ..AudienceQuery::default() };
    let content_hash = post_hash(&post.blob, &audience);
    let required = list.value.approval;
    let approval = by.filter(|_| required);
    let approval = approval.map(|by| Approval { by: by.to_owned(), at, content_hash: content_hash.clone() });
    let schedule =
        Schedule { at, zone: zone.name().to_owned(), missed: MissedPolicy::Send, grace_seconds: GRACE_SECONDS };
    // An unfinished delivery is sent again: the Message-ID is the author's and always the same, so a second copy is
    // recognised.
    let mailing = Mailing {
        id,
        approval_required: required,
        approval,
        content_hash,
        created_by: post.author.to_string(),
        ..Mailing::new(MailingContent::Post(post.id), audience, schedule, at)
    };
    lists::expect(batch, list);
    put_mailing(batch, &mailing, None);
    Ok(id)
}

/// Approves a mailing as a second person. `seen` is the hash of the content that they checked, or at least eight digits
/// of it; `None` stands for the current content.
///
/// # Errors
/// [`StoreError`].
pub async fn approve_mailing(
    store: &Store,
    id: MailingId,
    by: &Operator,
    seen: Option<&str>,
    at: Timestamp,
) -> Result<Decided<MailingDecided>, StoreError> {
    decide_mailing(store, id, |mailing| mailing.approve(by, at, seen)).await
}

/// Refuses a mailing, or withdraws it while it is being sent: deliveries already sent stay counted, the rest is not
/// sent.
///
/// # Errors
/// [`StoreError`].
pub async fn refuse_mailing(
    store: &Store,
    id: MailingId,
    by: &Operator,
    at: Timestamp,
) -> Result<Decided<MailingDecided>, StoreError> {
    decide_mailing(store, id, |mailing| mailing.cancel(&by.name, at)).await
}

async fn decide_mailing(
    store: &Store,
    id: MailingId,
    decide: impl FnOnce(&mut Mailing) -> Result<(), TransitionError>,
) -> Result<Decided<MailingDecided>, StoreError> {
    let Some(Read { value: mut mailing, stamp }) = store.mailing(id).await? else {
        return Ok(Decided::unchanged(MailingDecided::NoMailing));
    };
    if let Err(error) = decide(&mut mailing) {
        return Ok(Decided::unchanged(MailingDecided::Not(error)));
    }
    let mut batch = Batch::new();
    put_mailing(&mut batch, &mailing, Some(stamp));
    Ok(Decided { outcome: MailingDecided::Now(Box::new(mailing)), batch })
}
