//! What the handlers of mail that came in work with.

use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::base::token::Key;
use crate::bounce::Reader;
use crate::composition::notices::Notices;
use crate::model::bounce::BouncePolicy;
use crate::store::Store;
use crate::store::blobs::Blobs;
use crate::store::spool::Spool;
use crate::subscribers::bounces::Doubts;

use super::command::CommandService;
use super::post::PostService;

/// What handlers work with.
pub struct InboundParts {
    /// The store.
    pub store: Store,
    /// Where messages lie.
    pub spool: Spool,
    /// Where content is kept for longer than the spool keeps it.
    pub blobs: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Signs tokens and hashes addresses.
    pub key: Key,
    /// Tells bounces, complaints and automatic answers from mail that people wrote.
    pub reader: Reader,
    /// When bounces suspend a subscriber.
    pub bounce: BouncePolicy,
    /// Which bounces are not believed.
    pub doubts: Arc<Doubts>,
    /// Writes answers, and passes messages on.
    pub notices: Notices,
    /// Handles commands.
    pub commands: CommandService,
    /// Handles posts, and decisions about them.
    pub posts: PostService,
    /// Who gets what came to no list; the owner of the first list without it.
    pub postmaster: Option<Address>,
}
