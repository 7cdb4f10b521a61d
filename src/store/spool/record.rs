//! One message in a segment.
//!
//! ```text
//! magic 4 (its last octet is the version) | length u32 | checksum u64 | the message
//! ```
//! Numbers are little-endian, as in the journal. The checksum is seeded with the place, so that a message is only ever
//! read where it was put.

use crate::store::journal::record;

pub(super) use crate::store::journal::record::HEAD;

const MAGIC: [u8; 4] = *b"\xd7Ml\x01";

/// What lies at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A message of this length and checksum.
    Message {
        /// In octets.
        length: usize,
        /// As [`checksum`] gives it.
        checksum: u64,
    },
    /// A message in a form that this program does not know.
    Newer,
    /// No message begins here.
    Other,
}

/// The head of `message` at octet `offset` of segment `segment`.
pub(super) fn head(segment: u64, offset: u64, message: &[u8]) -> [u8; HEAD] {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    record::write_head(MAGIC, length, checksum(segment, offset, message))
}

/// What the octets of a head say.
pub(super) fn read_head(octets: &[u8; HEAD]) -> Head {
    match record::read_head(MAGIC, octets) {
        Some((length, checksum)) => Head::Message { length, checksum },
        None if octets[..3] == MAGIC[..3] && octets[3] > MAGIC[3] => Head::Newer,
        None => Head::Other,
    }
}

/// The checksum of `message` at that place.
pub(super) fn checksum(segment: u64, offset: u64, message: &[u8]) -> u64 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    record::checksum(segment.rotate_left(32) ^ offset, length, message)
}
