//! What the handlers of mail that came in work with.

use std::sync::Arc;

use crate::base::address::Address;
use crate::base::clock::Clock;
use crate::bounce::Reader;
use crate::composition::notices::Notices;
use crate::model::bounce::BouncePolicy;
use crate::subscribers::bounces::Doubts;
use crate::subscribers::rulebook::Rulebook;

use super::command::CommandService;
use super::post::PostService;

/// What handlers work with.
pub struct InboundParts {
    /// Decides what may be done; holds the store, and the key that signs and checks tokens.
    pub rulebook: Rulebook,
    /// The time.
    pub clock: Arc<dyn Clock>,
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
