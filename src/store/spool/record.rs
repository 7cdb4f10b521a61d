//! One message in a segment.
//!
//! ```text
//! magic 4 (its last byte is the version) | length u32 | checksum u64 | the message
//! ```
//! An erased message keeps its place and length under a magic of its own; its bytes are zeros.
//! Numbers are little-endian, as in the journal. The checksum is seeded with the place, so that a message can only be
//! read where it was stored.

use crate::store::journal::record;

pub(super) use crate::store::journal::record::HEAD;

const MAGIC: [u8; 4] = *b"\xd7Ml\x01";
/// Marks an erased message: the length stays, so that the next record is still found.
const ERASED: [u8; 4] = *b"\xd7Me\x01";

/// What the head at a place denotes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A message of this length and checksum.
    Message {
        /// In bytes.
        length: usize,
        /// As computed by [`checksum`].
        checksum: u64,
    },
    /// A message that was erased.
    Erased {
        /// In bytes.
        length: usize,
    },
    /// A message in a newer format than this program knows.
    Newer,
    /// No message begins here.
    Other,
}

/// The head of `message` at offset `offset` of segment `segment`.
pub(super) fn head(segment: u64, offset: u64, message: &[u8]) -> [u8; HEAD] {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    record::write_head(MAGIC, length, checksum(segment, offset, message))
}

/// The head that replaces an erased message's.
pub(super) fn erased_head(length: u32) -> [u8; HEAD] {
    record::write_head(ERASED, length, 0)
}

/// Decodes a head.
pub(super) fn read_head(bytes: &[u8; HEAD]) -> Head {
    match record::read_head(MAGIC, bytes) {
        Some((length, checksum)) => Head::Message { length, checksum },
        None if bytes[..4] == ERASED => {
            Head::Erased { length: record::read_head(ERASED, bytes).map_or(0, |(length, _)| length) }
        }
        None if bytes[..3] == MAGIC[..3] && bytes[3] > MAGIC[3] => Head::Newer,
        None => Head::Other,
    }
}

/// The checksum of `message` at that place.
pub(super) fn checksum(segment: u64, offset: u64, message: &[u8]) -> u64 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    record::checksum(segment.rotate_left(32) ^ offset, length, message)
}
