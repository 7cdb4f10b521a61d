//! One journal record: a group of commits that became durable together.
//!
//! ```text
//! magic 4 | length of payload u32 | checksum u64 (of all that follows, seeded by the segment's salt and the length)
//! payload: mark after the group (32) | writes: key length u16 | value length u32, all ones for a delete | key | value
//! ```
//! All numbers are little-endian. The salt, random for each segment, keeps octets that are no record of this segment
//! (old blocks of the disk, a stored value that looks like a record) from ever passing as one.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::store::fingerprint::Mark;

/// Begins every record, so that a reader finds the next one after a damaged one.
pub const MAGIC: [u8; 4] = *b"\xd7Grp";

/// Octets before the payload.
pub const HEAD: usize = 16;

/// The most octets that a payload may have; a longer length is damage.
pub const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

const DELETED: u32 = u32::MAX;

/// Builds one record in a buffer that is used again and again.
#[derive(Default)]
pub struct RecordBuffer {
    octets: Vec<u8>,
}

impl RecordBuffer {
    /// Begins a new record.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.octets.resize(HEAD + Mark::LENGTH, 0);
    }

    /// Octets so far.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether no write is in it.
    pub fn is_empty(&self) -> bool {
        self.octets.len() <= HEAD + Mark::LENGTH
    }

    /// Adds a write. Keys have at most 65,535 octets and values less than 4 GB (`Batch::admissible` sees to that).
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let value_length = value.map_or(DELETED, |value| u32::try_from(value.len()).unwrap_or(DELETED));
        self.octets.extend_from_slice(&key_length.to_le_bytes());
        self.octets.extend_from_slice(&value_length.to_le_bytes());
        self.octets.extend_from_slice(key);
        self.octets.extend_from_slice(value.unwrap_or_default());
    }

    /// The finished record, for a segment with this salt.
    pub fn finish(&mut self, salt: u64, mark: Mark) -> &[u8] {
        let length = u32::try_from(self.octets.len().saturating_sub(HEAD)).unwrap_or(u32::MAX);
        self.octets[HEAD..HEAD + Mark::LENGTH].copy_from_slice(&mark.to_octets());
        let head = write_head(MAGIC, length, checksum(salt, length, &self.octets[HEAD..]));
        self.octets[..HEAD].copy_from_slice(&head);
        &self.octets
    }
}

/// The length and checksum that a record's first [`HEAD`] octets name; `None` when they begin no record.
pub fn head(octets: &[u8]) -> Option<(usize, u64)> {
    let (length, checksum) = read_head(MAGIC, octets)?;
    (Mark::LENGTH..=MAX_PAYLOAD).contains(&length).then_some((length, checksum))
}

/// The [`HEAD`] octets before a payload. The spool's records begin as the journal's do, with a magic of their own.
pub fn write_head(magic: [u8; 4], length: u32, checksum: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&magic);
    head[4..8].copy_from_slice(&length.to_le_bytes());
    head[8..].copy_from_slice(&checksum.to_le_bytes());
    head
}

/// The length and checksum in a head; `None` when it does not begin with `magic`.
pub fn read_head(magic: [u8; 4], octets: &[u8]) -> Option<(usize, u64)> {
    let rest = octets.strip_prefix(&magic)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (checksum, _) = rest.split_first_chunk::<8>()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, u64::from_le_bytes(*checksum)))
}

/// The checksum of a payload.
pub fn checksum(salt: u64, length: u32, payload: &[u8]) -> u64 {
    xxh3_64_with_seed(payload, salt ^ u64::from(length))
}

/// A record's payload, checked.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Where the store stood after this group.
    pub mark: Mark,
    writes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a payload apart if its checksum is right.
    pub fn read(salt: u64, expected: u64, payload: &'a [u8]) -> Option<Self> {
        let length = u32::try_from(payload.len()).ok()?;
        if checksum(salt, length, payload) != expected {
            return None;
        }
        let (mark, writes) = payload.split_at_checked(Mark::LENGTH)?;
        let record = Self { mark: Mark::from_octets(mark)?, writes };
        // Once here, so that `writes` need not be able to fail.
        let mut rest = record.writes;
        while !rest.is_empty() {
            rest = split(rest)?.1;
        }
        Some(record)
    }

    /// The writes in order: key, and value or none for a delete.
    pub fn writes(&self) -> impl Iterator<Item = Write<'a>> + use<'a> {
        let mut rest = self.writes;
        std::iter::from_fn(move || {
            let (write, after) = split(rest)?;
            rest = after;
            Some(write)
        })
    }
}

/// A key and what it is set to; no value when it is deleted.
pub type Write<'a> = (&'a [u8], Option<&'a [u8]>);

fn split(octets: &[u8]) -> Option<(Write<'_>, &[u8])> {
    let (key_length, rest) = octets.split_first_chunk::<2>()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fingerprint::Fingerprint;

    #[test]
    fn a_record_is_read_as_written_and_any_flipped_bit_is_seen() {
        let mark = Mark { sequence: 5, fingerprint: Fingerprint { records: 2, sum: 77 } };
        let mut buffer = RecordBuffer::default();
        buffer.clear();
        assert!(buffer.is_empty());
        buffer.push(b"s1", Some(b"value"));
        buffer.push(b"gone", None);
        buffer.push(b"empty", Some(b""));
        let octets = buffer.finish(99, mark).to_vec();
        let parse = |octets: &[u8], salt| {
            let (length, checksum) = head(octets)?;
            let payload = octets.get(HEAD..HEAD + length)?;
            Record::read(salt, checksum, payload).map(|r| (r.mark, r.writes().count()))
        };
        assert_eq!(parse(&octets, 99), Some((mark, 3)));
        assert_eq!(parse(&octets, 98), None);
        for position in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[position] ^= 1;
            assert_eq!(parse(&damaged, 99), None, "octet {position}");
        }
        let (_, checksum) = head(&octets).unwrap();
        let record = Record::read(99, checksum, &octets[HEAD..]).unwrap();
        let writes: Vec<_> = record.writes().collect();
        assert_eq!(writes, [(&b"s1"[..], Some(&b"value"[..])), (&b"gone"[..], None), (&b"empty"[..], Some(&b""[..]))]);
    }
}
