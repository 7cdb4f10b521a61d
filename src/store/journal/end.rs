//! Classifies the bytes after the last intact record: a write that was cut short, and so never acknowledged, or a group
//! that was once intact. The bytes alone do not always decide this; the caller combines the result with other
//! information.

use super::record::{self, Record};
use super::segment::Header;

/// The longest record, in bytes, in which a wrong bit is searched for: in a longer one the search would take seconds.
const LONGEST_SEARCHED: usize = 4096;

/// Disks write sectors of at least this many bytes atomically.
const SECTOR: u64 = 512;

/// What the bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A part of a record, or a record with parts that never reached the disk.
    CutShort,
    /// All bytes of a record are present but inconsistent: damaged, or written only in part.
    Doubtful,
    /// A damaged record that was followed by another write, and so was durable.
    Damaged,
    /// A record with one wrong bit, or a wrong head: these are its original bytes.
    Repairable(Vec<u8>),
}

/// Classifies the bytes after the last intact record of a segment, at offset `at`; no intact record follows.
pub fn judge(header: &Header, bytes: &[u8], at: u64) -> End {
    if let Some(repaired) = repaired(header, bytes) {
        return End::Repairable(repaired);
    }
    match record::head(bytes).map(|(length, _)| record::HEAD + length) {
        // A write that is cut short leaves its beginning, so the head is present, or is a hole. A length that is
        // damaged together with other bytes looks the same: only information outside the journal can tell.
        None if bytes.len() < record::HEAD || is_hole(bytes, at) => End::CutShort,
        None => End::Doubtful,
        Some(whole) if whole > bytes.len() => End::CutShort,
        Some(whole) if bytes.get(whole..).is_some_and(|rest| rest.starts_with(&record::MAGIC)) => End::Damaged,
        Some(_) if is_hole(bytes, at) => End::CutShort,
        Some(_) => End::Doubtful,
    }
}

/// Whether a sector of the file, within these bytes, is all zeros: it was never written.
fn is_hole(bytes: &[u8], at: u64) -> bool {
    let first = usize::try_from(SECTOR - at % SECTOR).unwrap_or(usize::MAX).min(bytes.len());
    let (head, rest) = bytes.split_at(first);
    let is_zero = |part: &[u8]| part.len() >= record::HEAD && part.iter().all(|byte| *byte == 0);
    is_zero(head) || rest.chunks(usize::try_from(SECTOR).unwrap_or(usize::MAX)).any(is_zero)
}

/// The original record if exactly one bit of these bytes, or the beginning of their head, is wrong.
fn repaired(header: &Header, bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, payload) = bytes.split_at_checked(record::HEAD)?;
    let length = u32::try_from(payload.len()).ok()?;
    let mut checksum = [0; 8];
    checksum.copy_from_slice(head.get(8..)?);
    let rebuilt = |expected: u64, payload: &[u8]| {
        Record::read(header, expected, payload)?;
        Some([&record::write_head(record::MAGIC, length, expected)[..], payload].concat())
    };
    let expected = u64::from_le_bytes(checksum);
    // The checksum does not cover magic and length, but the length seeds it.
    if let Some(whole) = rebuilt(expected, payload) {
        return Some(whole);
    }
    let named = record::head(bytes).map(|(length, _)| length);
    if payload.len() > LONGEST_SEARCHED || named != Some(payload.len()) {
        return None;
    }
    let found = record::checksum(header.salt, length, payload);
    if (found ^ expected).count_ones() == 1 {
        return rebuilt(found, payload);
    }
    let mut tried = payload.to_vec();
    for bit in 0..payload.len() * 8 {
        let mask = 1 << (bit % 8);
        tried[bit / 8] ^= mask;
        if record::checksum(header.salt, length, &tried) == expected {
            return rebuilt(expected, &tried);
        }
        tried[bit / 8] ^= mask;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fingerprint::Mark;
    use crate::store::journal::record::RecordBuffer;

    const HEADER: Header = Header {
        version: 2,
        salt: 77,
        before: Mark { sequence: 0, fingerprint: crate::store::fingerprint::Fingerprint { records: 0, sum: 0 } },
    };

    fn written(size: usize) -> Vec<u8> {
        let mut buffer = RecordBuffer::default();
        buffer.clear();
        buffer.push(b"key", Some(&vec![7; size]));
        buffer.finish(&HEADER, Mark { sequence: 1, ..Mark::default() }, None).to_vec()
    }

    #[test]
    fn any_single_bit_is_repaired() {
        let whole = written(50);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(judge(&HEADER, &damaged, 60), End::Repairable(whole.clone()), "bit {bit}");
        }
    }

    #[test]
    fn a_cut_is_a_cut_and_a_hole_is_a_hole() {
        let whole = written(2000);
        for length in 1..whole.len() {
            assert_eq!(judge(&HEADER, &whole[..length], 60), End::CutShort, "cut at {length}");
        }
        for sector in [1, 2, 3] {
            let mut holed = whole.clone();
            let from = sector * 512 - 60;
            let to = (from + 512).min(holed.len());
            holed[from..to].fill(0);
            assert_eq!(judge(&HEADER, &holed, 60), End::CutShort, "sector {sector}");
        }
    }

    #[test]
    fn what_is_all_there_and_does_not_fit_is_doubtful_and_what_something_follows_was_whole() {
        let whole = written(300);
        for at in [0, 9, 20, 100, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x11;
            let other = (at + 13) % whole.len();
            damaged[other] ^= 0x22;
            assert!(matches!(judge(&HEADER, &damaged, 60), End::Doubtful), "byte {at}");
        }
        let mut two = whole.clone();
        two[100] ^= 0x11;
        two.extend_from_slice(&whole[..40]);
        assert_eq!(judge(&HEADER, &two, 60), End::Damaged);
    }
}
