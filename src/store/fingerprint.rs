//! A checksum over a whole store: the number of records and the sum of their hashes. It is updated with every write,
//! and two copies of a store with the same fingerprint hold the same records.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

/// The number of records and the wrapping sum of their hashes, independent of order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Number of records.
    pub records: u64,
    /// The sum of the records' hashes, modulo 2^128.
    pub sum: u128,
}

impl Fingerprint {
    /// Adds a record.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.records = self.records.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(key, value));
    }

    /// Removes a record.
    pub(crate) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.records = self.records.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash(key, value));
    }

    /// The sum of both.
    pub(crate) fn plus(self, other: Fingerprint) -> Self {
        Self { records: self.records.wrapping_add(other.records), sum: self.sum.wrapping_add(other.sum) }
    }
}

/// The key seeds the value's hash, so that neither can move to another record undetected.
fn hash(key: &[u8], value: &[u8]) -> u128 {
    xxh3_128_with_seed(value, xxh3_64(key))
}

/// A point in a store's history: the number of groups applied, and the fingerprint after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The number of the last group of commits; 0 before the first.
    pub sequence: u64,
    /// The fingerprint of all records after that group.
    pub fingerprint: Fingerprint,
}

impl Mark {
    /// Bytes of the encoded form.
    pub(crate) const LENGTH: usize = 32;

    /// Encodes it for the disk, little-endian.
    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.fingerprint.records.to_le_bytes());
        bytes[16..].copy_from_slice(&self.fingerprint.sum.to_le_bytes());
        bytes
    }

    /// Decodes the form on disk; `None` unless there are exactly [`Self::LENGTH`] bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::LENGTH {
            return None;
        }
        let (sequence, rest) = bytes.split_first_chunk::<8>()?;
        let (records, sum) = rest.split_first_chunk::<8>()?;
        let sum = u128::from_le_bytes(sum.try_into().ok()?);
        let fingerprint = Fingerprint { records: u64::from_le_bytes(*records), sum };
        Some(Self { sequence: u64::from_le_bytes(*sequence), fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_but_content_does() {
        let (mut one, mut other, mut third) = (Fingerprint::default(), Fingerprint::default(), Fingerprint::default());
        one.add(b"a", b"1");
        one.add(b"b", b"2");
        other.add(b"b", b"2");
        other.add(b"c", b"3");
        other.add(b"a", b"1");
        other.remove(b"c", b"3");
        third.add(b"a", b"2");
        third.add(b"b", b"1");
        assert_eq!(one, other);
        assert_ne!(one, third);
    }

    #[test]
    fn a_mark_survives_its_form_on_disk() {
        let mark = Mark { sequence: 7, fingerprint: Fingerprint { records: 9, sum: u128::MAX - 3 } };
        assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        assert_eq!(Mark::from_bytes(&[0; 31]), None);
    }
}
