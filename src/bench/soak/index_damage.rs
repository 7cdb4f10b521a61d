//! Damages the index of a daemon that is not running: flipped bits, a block of zeros, a file truncated or removed.
//! The journal is authoritative, so nothing may be lost by that, and the daemon repairs it automatically.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::dice::Dice;

/// Bytes that a block device loses at once.
const BLOCK: u64 = 4096;

/// Damages one file of the index, and returns what it did; `None` when there is no index yet.
///
/// # Errors
/// The index cannot be read or written.
pub(crate) fn damage(store: &Path, dice: &mut Dice) -> anyhow::Result<Option<String>> {
    let mut files = Vec::new();
    files_below(&store.join("index"), &mut files);
    files.sort();
    files.retain(|file| fs::metadata(file).is_ok_and(|found| found.len() > 0));
    if files.is_empty() {
        return Ok(None);
    }
    let file = files.swap_remove(dice.below(files.len() as u64) as usize);
    let mut content = fs::read(&file).context("a file of the index cannot be read")?;
    let (length, at) = (content.len() as u64, dice.below(content.len() as u64));
    let what = match dice.below(10) {
        0..=4 => {
            content[at as usize] ^= 1 << dice.below(8);
            "a bit flipped"
        }
        5..=7 => {
            let from = at / BLOCK * BLOCK;
            content[from as usize..(from + BLOCK).min(length) as usize].fill(0);
            "a block of zeros"
        }
        8 => {
            content.truncate(at as usize);
            "cut"
        }
        _ => {
            fs::remove_file(&file).context("a file of the index cannot be removed")?;
            return Ok(Some(format!("{}: removed", file.display())));
        }
    };
    fs::write(&file, content).context("a file of the index cannot be written")?;
    Ok(Some(format!("{}: {what} at {at} of {length}", file.display())))
}

fn files_below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path(), files),
            Ok(_) => files.push(entry.path()),
            Err(_) => {}
        }
    }
}
