//! `journal-head`: how far the journal is known to reach, stored outside its segments, so that a missing end is noticed
//! even if the index and the mark of an orderly stop are gone.
//!
//! ```text
//! three slots of 4096 bytes, each: magic 8 | version u32 | first group of the newest segment u64 |
//!     last acknowledged group u64 | boot id 16 | checksum u64 of all that | zeros
//! ```
//! The first two slots are written alternately, and synced, with each new segment and each checkpoint. The third is
//! written after each group, before anything of it is acknowledged, and is not synced: it survives the process, not the
//! machine. As long as the machine has not restarted since (the boot id is the same), no later group was acknowledged;
//! after a power failure it is, like the others, only a minimum.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::disk::{Disk, DiskFile};

const NAME: &str = "journal-head";
const MAGIC: [u8; 8] = *b"depeschH";
const VERSION: u32 = 1;
/// Bytes of a slot: no write to one touches the disk block of another.
const SLOT: usize = 4096;
/// Bytes of a slot that are not always zero.
const USED: usize = 52;
/// The slot written after each group.
const LIVE: usize = 2;
const SLOTS: usize = 3;

/// Identifies one run of the machine; all zero if unknown.
pub(crate) type BootId = [u8; 16];

/// The content of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The first group of a segment that was begun: this segment, or a later one, must exist.
    pub segment: u64,
    /// A group that was acknowledged, or existed before the segment was begun.
    pub group: u64,
}

/// What was found in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundHead {
    /// The highest values of the intact slots; `None` if the file is absent or no slot is intact.
    pub least: Option<Head>,
    /// The last acknowledged group, if only the process ended and not the machine.
    pub last: Option<u64>,
    /// The file exists and is damaged.
    pub damaged: bool,
}

/// The path of the file.
pub(crate) fn path(store: &Path) -> PathBuf {
    store.join(NAME)
}

/// Reads the file of the store in `store`. Damage is not an error: less is known then.
///
/// # Errors
/// The operating system's.
pub fn read(store: &Path) -> io::Result<FoundHead> {
    let bytes = match fs::read(path(store)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(FoundHead::default()),
        Err(e) => return Err(e),
    };
    let mut found = FoundHead { damaged: bytes.len() != SLOT * SLOTS, ..FoundHead::default() };
    for number in 0..SLOTS {
        let Some((head, boot)) = bytes.get(number * SLOT..(number + 1) * SLOT).and_then(parse) else {
            found.damaged = true;
            continue;
        };
        let least = found.least.unwrap_or_default();
        found.least = Some(Head { segment: least.segment.max(head.segment), group: least.group.max(head.group) });
        if number == LIVE && Some(boot) == boot_id() {
            found.last = Some(head.group);
        }
    }
    // A live slot behind a synced one was not written by the last process.
    let least = found.least.map_or(0, |head| head.group);
    found.last = found.last.filter(|last| *last >= least);
    Ok(found)
}

/// Rewrites the file; durable on return. `is_last` means that no group after the head's was acknowledged.
///
/// # Errors
/// The operating system's; the previous file stays.
pub fn begin(store: &Path, head: Head, is_last: bool) -> io::Result<()> {
    let boot = if is_last { boot_id().unwrap_or_default() } else { BootId::default() };
    let bytes: Vec<u8> =
        (0..SLOTS).flat_map(|number| slot(head, if number == LIVE { boot } else { BootId::default() })).collect();
    let temporary = store.join("journal-head.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path(store))?;
    File::open(store)?.sync_all()
}

/// The open file, for storing how far the journal reaches.
pub(crate) struct HeadWriter {
    file: Box<dyn DiskFile>,
    boot: BootId,
    segment: u64,
    turn: usize,
}

impl HeadWriter {
    /// Rewrites the file, and opens it.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn begin(disk: &dyn Disk, store: &Path, head: Head) -> io::Result<Self> {
        begin(store, head, true)?;
        let file = disk.open_to_overwrite(&path(store))?;
        Ok(Self { file, boot: boot_id().unwrap_or_default(), segment: head.segment, turn: 0 })
    }

    /// Stores that a segment was begun or a checkpoint written; durable on return.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn note_durably(&mut self, head: Head) -> io::Result<()> {
        self.segment = head.segment;
        self.write(self.turn, head, BootId::default())?;
        self.turn = (self.turn + 1) % LIVE;
        self.note(head.group)?;
        self.file.sync()
    }

    /// Stores that `group` is durable, before it is acknowledged. Survives the process but not the machine.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn note(&mut self, group: u64) -> io::Result<()> {
        self.write(LIVE, Head { segment: self.segment, group }, self.boot)
    }

    fn write(&mut self, number: usize, head: Head, boot: BootId) -> io::Result<()> {
        self.file.write_at((number * SLOT) as u64, &fields(head, boot))
    }
}

fn slot(head: Head, boot: BootId) -> Vec<u8> {
    let mut bytes = fields(head, boot);
    bytes.resize(SLOT, 0);
    bytes
}

/// The part of a slot that is not always zero.
fn fields(head: Head, boot: BootId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USED);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&head.segment.to_le_bytes());
    bytes.extend_from_slice(&head.group.to_le_bytes());
    bytes.extend_from_slice(&boot);
    bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<(Head, BootId)> {
    let (fields, rest) = bytes.split_at_checked(USED - 8)?;
    let (checksum, zeros) = rest.split_first_chunk::<8>()?;
    let is_whole = xxh3_64(fields) == u64::from_le_bytes(*checksum) && zeros.iter().all(|byte| *byte == 0);
    let (version, fields) = fields.strip_prefix(&MAGIC)?.split_first_chunk::<4>()?;
    let (segment, fields) = fields.split_first_chunk::<8>()?;
    let (group, boot) = fields.split_first_chunk::<8>()?;
    let head = Head { segment: u64::from_le_bytes(*segment), group: u64::from_le_bytes(*group) };
    (is_whole && u32::from_le_bytes(*version) == VERSION).then_some((head, boot.try_into().ok()?))
}

/// The boot id of the machine's present run; `None` if the system does not provide it.
pub(crate) fn boot_id() -> Option<BootId> {
    let digits: Vec<u8> = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = digits.into_iter().filter(u8::is_ascii_hexdigit).collect();
    let mut id = BootId::default();
    for (place, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *place = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
    }
    (id != BootId::default()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::super::disk::SystemDisk;
    use super::*;

    fn head(segment: u64, group: u64) -> Head {
        Head { segment, group }
    }

    #[test]
    fn what_was_noted_is_found() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()).unwrap(), FoundHead::default());
        let mut writer = HeadWriter::begin(&SystemDisk, directory.path(), head(1, 0)).unwrap();
        for group in 1..=5 {
            writer.note(group).unwrap();
            let found = read(directory.path()).unwrap();
            assert_eq!(found, FoundHead { least: Some(head(1, group)), last: Some(group), damaged: false });
        }
        writer.note_durably(head(6, 5)).unwrap();
        writer.note(6).unwrap();
        writer.note_durably(head(7, 6)).unwrap();
        let found = read(directory.path()).unwrap();
        assert_eq!(found, FoundHead { least: Some(head(7, 6)), last: Some(6), damaged: false });
    }

    #[test]
    fn one_damaged_slot_leaves_what_the_others_say_and_no_flipped_bit_goes_unseen() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = HeadWriter::begin(&SystemDisk, directory.path(), head(1, 0)).unwrap();
        writer.note_durably(head(4, 3)).unwrap();
        writer.note(9).unwrap();
        let whole = fs::read(path(directory.path())).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(path(directory.path()), &damaged).unwrap();
            let found = read(directory.path()).unwrap();
            let group = if at / SLOT == LIVE { 3 } else { 9 };
            assert!(found.damaged && found.least.is_some_and(|least| least.group == group), "byte {at}: {found:?}");
            assert_eq!(found.last.is_some(), at / SLOT != LIVE, "byte {at}");
        }
        fs::write(path(directory.path()), &whole[..SLOT]).unwrap();
        assert_eq!(read(directory.path()).unwrap(), FoundHead { least: Some(head(4, 3)), last: None, damaged: true });
    }

    #[test]
    fn after_another_start_of_the_machine_the_last_group_is_only_the_least() {
        let directory = tempfile::tempdir().unwrap();
        begin(directory.path(), head(1, 8), false).unwrap();
        assert_eq!(read(directory.path()).unwrap().last, None);
        let mut bytes = fs::read(path(directory.path())).unwrap();
        bytes.splice(LIVE * SLOT.., slot(head(1, 12), [7; 16]));
        fs::write(path(directory.path()), bytes).unwrap();
        let found = read(directory.path()).unwrap();
        assert_eq!(found, FoundHead { least: Some(head(1, 12)), last: None, damaged: false });
    }
}
