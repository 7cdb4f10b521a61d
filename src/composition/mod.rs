//! Floor 4: composes messages from a release or post and its recipient, and writes notices.

pub(crate) mod approved;
pub mod content;
pub mod enclosures;
pub mod event;
pub(crate) mod kind_trial;
pub mod list_identity;
pub mod message;
pub(crate) mod message_id;
pub mod notices;
pub(crate) mod originals;
pub mod pictures;
pub mod post_messages;
pub mod preview;
pub mod release;
pub mod release_messages;
pub mod sample;
