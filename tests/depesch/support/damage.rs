//! Damage to the files of an index, of the kinds caused by disks and people.

use std::fs;
use std::path::{Path, PathBuf};

/// A random number generator: the same numbers for the same seed.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit.max(1)
    }
}

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    OneBit,
    ManyBits,
    Zeros,
    CutShort,
    Removed,
}

pub const KINDS: [Kind; 5] = [Kind::OneBit, Kind::ManyBits, Kind::Zeros, Kind::CutShort, Kind::Removed];

/// The non-empty files of a store's index, with their lengths.
pub fn index_files(store: &Path) -> Vec<(PathBuf, u64)> {
    let (mut found, mut directories) = (Vec::new(), vec![store.join("index")]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            match entry.metadata().unwrap() {
                metadata if metadata.is_dir() => directories.push(entry.path()),
                metadata if metadata.len() > 0 => found.push((entry.path(), metadata.len())),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Damages a file of the index, usually its largest; returns a description.
pub fn damage(store: &Path, kind: Kind, dice: &mut Dice) -> String {
    let files = index_files(store);
    let (path, length) = match dice.below(4) {
        0 => files[dice.below(files.len() as u64) as usize].clone(),
        _ => files.iter().max_by_key(|(_, length)| *length).unwrap().clone(),
    };
    let at = dice.below(length);
    if kind == Kind::Removed {
        fs::remove_file(&path).unwrap();
    } else if kind == Kind::CutShort {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(at).unwrap();
    } else {
        // In place: an open index continues to use this file.
        let mut bytes = fs::read(&path).unwrap();
        match kind {
            Kind::Zeros => bytes.iter_mut().skip(at as usize).take(4096).for_each(|byte| *byte = 0),
            Kind::ManyBits => (0..14).for_each(|_| bytes[dice.below(length) as usize] ^= 1 << dice.below(8)),
            _ => bytes[at as usize] ^= 1 << dice.below(8),
        }
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
    }
    format!("{kind:?} in {} at {at} of {length}", path.display())
}
