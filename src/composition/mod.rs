//! Floor 4: from a release or a post and its reader to the bytes of a message; and writing notices.

pub mod approved;
pub mod content;
pub mod enclosures;
pub mod event;
pub mod list_identity;
pub mod message;
pub mod message_id;
pub mod notices;
pub mod post_messages;
pub mod preview;
pub mod release;
pub mod release_messages;
