//! Posts: mails to a list's own address. An announce list accepts them only from its authorised senders, and holds each
//! until its sender has confirmed it by a reply to a signed address, because a From field proves nothing (`receive`). A
//! discussion list accepts them from members, or holds them for its moderators, who decide by reply (`decide`).
//! [`decide_post`](crate::mailings::decide::decide_post) decides the consequences: an approved post becomes a mailing,
//! in one commit with the decision, so it is sent exactly once.
//!
//! Strangers get no answer: a rejected mail goes to the list's owner, and members and strangers see no difference
//! (invariant 9).

use std::sync::Arc;

use crate::authentication::Authenticator;
use crate::base::clock::Clock;
use crate::base::token::Key;
use crate::composition::notices::Notices;
use crate::mail::post_decision::DecisionWords;
use crate::store::Store;
use crate::store::blobs::Blobs;

mod ask;
mod decide;
mod operator;
mod receive;

pub use ask::QUESTIONS_A_DAY;
pub(crate) use operator::PostError;
pub use receive::{Received, SEEN_DAYS};

/// Handles posts.
#[derive(Clone)]
pub struct PostService {
    /// The store.
    pub store: Store,
    /// Where posts are kept.
    pub blobs: Blobs,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Signs and verifies tokens.
    pub key: Key,
    /// Writes the questions and notices.
    pub notices: Notices,
    /// Verifies authors.
    pub authenticator: Arc<dyn Authenticator>,
    /// The keywords of decisions.
    pub words: Arc<DecisionWords>,
    /// The installation's time zone, for the mailings' schedule and the notices' dates.
    pub zone: chrono_tz::Tz,
}
