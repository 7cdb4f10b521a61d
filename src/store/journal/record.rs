//! One journal record: a group of commits that became durable together.
//!
//! ```text
//! magic 4 | length of payload u32 | checksum u64 (of all that follows, seeded by the segment's salt and the length)
//! payload: mark after the group (32) | time i64 | writes: key length u16 | value length u32, all ones for a delete | key | value
//! ```
//! All numbers are little-endian. The time is when the group was made durable, in milliseconds since 1970; the lowest
//! number if unknown; absent in segments of version 1. The salt, random for each segment, prevents foreign bytes (old
//! disk blocks, a stored value that looks like a record) from being read as a record of this segment.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::base::clock::Timestamp;
use crate::store::engine::MAX_KEY;
use crate::store::fingerprint::Mark;

use super::segment::Header;

/// Begins every record, so that a reader finds the next one after a damaged one.
pub(crate) const MAGIC: [u8; 4] = *b"\xd7Grp";

/// Bytes before the payload.
pub(crate) const HEAD: usize = 16;

/// The largest payload, in bytes; a longer length is damage.
pub(crate) const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

const DELETED: u32 = u32::MAX;

/// Bytes of a record's time.
const TIME: usize = 8;
/// The time is unknown.
const UNKNOWN: i64 = i64::MIN;

/// Builds one record in a reused buffer.
#[derive(Default)]
pub(crate) struct RecordBuffer {
    bytes: Vec<u8>,
}

impl RecordBuffer {
    /// Begins a new record.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEAD + Mark::LENGTH + TIME, 0);
    }

    /// Number of bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it contains no writes.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() <= HEAD + Mark::LENGTH + TIME
    }

    /// Adds a write. Keys have at most 65,535 bytes and values less than 4 GB (ensured by `Batch::admissible`).
    pub(crate) fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let value_length = value.map_or(DELETED, |value| u32::try_from(value.len()).unwrap_or(DELETED));
        self.bytes.extend_from_slice(&key_length.to_le_bytes());
        self.bytes.extend_from_slice(&value_length.to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
    }

    /// Completes the record for the segment with this header.
    pub(crate) fn finish(&mut self, header: &Header, mark: Mark, at: Option<Timestamp>) -> &[u8] {
        // The writes follow space for a time; in records without one, everything before them moves up by that space.
        let begin = if header.is_timed() { 0 } else { TIME };
        let bytes = &mut self.bytes[begin..];
        let length = u32::try_from(bytes.len().saturating_sub(HEAD)).unwrap_or(u32::MAX);
        bytes[HEAD..HEAD + Mark::LENGTH].copy_from_slice(&mark.to_bytes());
        if header.is_timed() {
            let millis = at.map_or(UNKNOWN, |at| at.timestamp_millis());
            bytes[HEAD + Mark::LENGTH..HEAD + Mark::LENGTH + TIME].copy_from_slice(&millis.to_le_bytes());
        }
        let head = write_head(MAGIC, length, checksum(header.salt, length, &bytes[HEAD..]));
        bytes[..HEAD].copy_from_slice(&head);
        bytes
    }
}

/// The length and checksum in a record's first [`HEAD`] bytes; `None` if they do not begin a record.
pub(crate) fn head(bytes: &[u8]) -> Option<(usize, u64)> {
    let (length, checksum) = read_head(MAGIC, bytes)?;
    (Mark::LENGTH..=MAX_PAYLOAD).contains(&length).then_some((length, checksum))
}

/// The [`HEAD`] bytes before a payload. The spool's records begin like the journal's, with their own magic.
pub(crate) fn write_head(magic: [u8; 4], length: u32, checksum: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&magic);
    head[4..8].copy_from_slice(&length.to_le_bytes());
    head[8..].copy_from_slice(&checksum.to_le_bytes());
    head
}

/// The length and checksum in a head; `None` if it does not begin with `magic`.
pub(crate) fn read_head(magic: [u8; 4], bytes: &[u8]) -> Option<(usize, u64)> {
    let rest = bytes.strip_prefix(&magic)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (checksum, _) = rest.split_first_chunk::<8>()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, u64::from_le_bytes(*checksum)))
}

/// The checksum of a payload.
pub(crate) fn checksum(salt: u64, length: u32, payload: &[u8]) -> u64 {
    xxh3_64_with_seed(payload, salt ^ u64::from(length))
}

/// The verified payload of a record.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// The store's mark after this group.
    pub mark: Mark,
    /// When it became durable, if recorded.
    pub at: Option<Timestamp>,
    writes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Decodes a payload of the segment with this header, if its checksum is right.
    pub fn read(header: &Header, expected: u64, payload: &'a [u8]) -> Option<Self> {
        let length = u32::try_from(payload.len()).ok()?;
        if checksum(header.salt, length, payload) != expected {
            return None;
        }
        let (mark, writes) = payload.split_at_checked(Mark::LENGTH)?;
        let (at, writes) = match header.is_timed() {
            true => {
                let (millis, writes) = writes.split_first_chunk::<TIME>()?;
                (Timestamp::from_timestamp_millis(i64::from_le_bytes(*millis)), writes)
            }
            false => (None, writes),
        };
        let record = Self { mark: Mark::from_bytes(mark)?, at, writes };
        // Checked once here, so that `writes` cannot fail.
        let mut rest = record.writes;
        while !rest.is_empty() {
            rest = split(rest)?.1;
        }
        Some(record)
    }

    /// The writes in order: key, and value or `None` for a delete.
    pub(crate) fn writes(&self) -> impl Iterator<Item = Write<'a>> + use<'a> {
        let mut rest = self.writes;
        std::iter::from_fn(move || {
            let (write, after) = split(rest)?;
            rest = after;
            Some(write)
        })
    }
}

/// A key and its new value; `None` if it is deleted.
pub(crate) type Write<'a> = (&'a [u8], Option<&'a [u8]>);

fn split(bytes: &[u8]) -> Option<(Write<'_>, &[u8])> {
    let (key_length, rest) = bytes.split_first_chunk::<2>()?;
    let (value_length, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_length)))?;
    match u32::from_le_bytes(*value_length) {
        DELETED => Some(((key, None), rest)),
        length => {
            let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some(((key, Some(value)), rest))
        }
    }
}

/// The keys of the writes in damaged bytes of a segment, as far as they can be parsed; nothing is verified.
pub(crate) fn lenient_keys(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let mut begin = 0;
    while let Some(rest) = bytes.get(begin..).filter(|rest| !rest.is_empty()) {
        // A record that begins within the damage may have lost its magic.
        let next = rest.windows(MAGIC.len()).skip(1).position(|four| four == MAGIC).map_or(rest.len(), |at| at + 1);
        let record = rest.get(..next).unwrap_or_default();
        for skipped in [HEAD + Mark::LENGTH + TIME, HEAD + Mark::LENGTH] {
            let found = keys_of(record.get(skipped..).unwrap_or_default());
            if !found.is_empty() {
                keys.extend(found);
                break;
            }
        }
        begin += next;
    }
    keys.sort();
    keys.dedup();
    keys
}

/// The keys of writes, up to the first invalid one.
fn keys_of(mut writes: &[u8]) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    while let Some((length, _)) = writes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length));
        let key = writes.get(6..6 + length).filter(|key| (1..=MAX_KEY).contains(&key.len()) && key.first() != Some(&0));
        let Some(key) = key else { break };
        keys.push(key.to_vec());
        match split(writes) {
            Some((_, rest)) => writes = rest,
            None => break,
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fingerprint::Fingerprint;
    use crate::store::journal::segment::VERSION;

    #[test]
    fn a_record_is_read_as_written_and_any_flipped_bit_is_seen() {
        let mark = Mark { sequence: 5, fingerprint: Fingerprint { records: 2, sum: 77 } };
        let mut buffer = RecordBuffer::default();
        buffer.clear();
        assert!(buffer.is_empty());
        buffer.push(b"s1", Some(b"value"));
        buffer.push(b"gone", None);
        buffer.push(b"empty", Some(b""));
        let at = Timestamp::from_timestamp_millis(1_795_000_000_123);
        let header = |salt| Header { version: VERSION, salt, before: Mark::default() };
        let bytes = buffer.finish(&header(99), mark, at).to_vec();
        let parse = |bytes: &[u8], salt| {
            let (length, checksum) = head(bytes)?;
            let payload = bytes.get(HEAD..HEAD + length)?;
            Record::read(&header(salt), checksum, payload).map(|r| (r.mark, r.at, r.writes().count()))
        };
        assert_eq!(parse(&bytes, 99), Some((mark, at, 3)));
        assert_eq!(parse(&bytes, 98), None);
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert_eq!(parse(&damaged, 99), None, "byte {position}");
        }
        let (_, checksum) = head(&bytes).unwrap();
        let header = header(99);
        let record = Record::read(&header, checksum, &bytes[HEAD..]).unwrap();
        let writes: Vec<_> = record.writes().collect();
        assert_eq!(writes, [(&b"s1"[..], Some(&b"value"[..])), (&b"gone"[..], None), (&b"empty"[..], Some(&b""[..]))]);
    }
    #[test]
    fn a_record_of_a_segment_without_times_is_read_as_ever() {
        let mark = Mark { sequence: 1, fingerprint: Fingerprint { records: 1, sum: 7 } };
        let header = Header { version: 1, salt: 5, before: Mark::default() };
        let mut payload = mark.to_bytes().to_vec();
        payload.extend_from_slice(b"\x01\0\x02\0\0\0kvv");
        let expected = checksum(5, u32::try_from(payload.len()).unwrap(), &payload);
        let mut buffer = RecordBuffer::default();
        buffer.clear();
        buffer.push(b"k", Some(b"vv"));
        assert_eq!(buffer.finish(&header, mark, None)[HEAD..], payload);
        let record = Record::read(&header, expected, &payload).unwrap();
        assert_eq!((record.mark, record.at), (mark, None));
        assert_eq!(record.writes().collect::<Vec<_>>(), [(&b"k"[..], Some(&b"vv"[..]))]);
    }
}
