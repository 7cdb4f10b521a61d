//! The disk of the state directory: free space, kind of file system, and the time of a sync.

use std::io::Write;
use std::path::Path;

use crate::base::clock::Stopwatch;

use super::finding::{Area, Finding, Severity};

const MEGABYTE: u64 = 1024 * 1024;
/// Below this the store or the spool soon refuses writes: they leave 64 and 128 MB free.
const HARDLY_ANY: u64 = 256 * MEGABYTE;
/// Below this a person should act.
const LITTLE: u64 = 1024 * MEGABYTE;
/// The minimum number of free files: each checkpoint, attachment and segment is a file.
const FEW_FILES: u64 = 10_000;
/// Number of syncs measured.
const SYNCS: usize = 15;
/// Milliseconds of a sync that are noticeable: a commit waits for one.
const SLOW: u64 = 25;

/// The observed state of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that the service may still use.
    pub free: u64,
    /// Number of files that can still be created; `None` if the file system does not count them.
    pub free_files: Option<u64>,
    /// The kind of file system (statfs(2), `f_type`).
    pub kind: u64,
    /// Microseconds to make 4 KiB durable, the median of several; or why it was not measured.
    pub sync: Result<u64, String>,
}

/// Examines the disk of `directory`, and briefly writes a small file there to measure it. Blocks.
///
/// # Errors
/// The system's error, when it cannot be examined.
pub fn observe(directory: &Path) -> Result<Disk, String> {
    let words = |error: rustix::io::Errno| error.to_string();
    let room = rustix::fs::statvfs(directory).map_err(words)?;
    let kind = rustix::fs::statfs(directory).map_err(words)?.f_type;
    Ok(Disk {
        free: room.f_bavail.saturating_mul(room.f_frsize),
        free_files: (room.f_files > 0).then_some(room.f_favail),
        kind: u64::try_from(kind).unwrap_or_default() & 0xffff_ffff,
        sync: measure(directory).map_err(|error| error.to_string()),
    })
}

fn measure(directory: &Path) -> std::io::Result<u64> {
    let mut file = tempfile::Builder::new().prefix("doctor-").tempfile_in(directory)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let watch = Stopwatch::start();
        file.write_all(&[0; 4096])?;
        file.as_file().sync_data()?;
        times.push(watch.nanoseconds() / 1000);
    }
    times.sort_unstable();
    Ok(times.get(SYNCS / 2).copied().unwrap_or_default())
}

/// Evaluates a disk.
pub fn evaluate(directory: &Path, disk: &Disk) -> Vec<Finding> {
    let mut found = vec![room(directory, disk), kind(directory, disk.kind)];
    found.extend(disk.free_files.and_then(files));
    found.push(sync(disk));
    found
}

fn finding(severity: Severity, code: &'static str, what: String, why: &str, remedy: &str) -> Finding {
    Finding::new(severity, Area::Disk, code, what, why, remedy)
}

fn room(directory: &Path, disk: &Disk) -> Finding {
    let what = format!("{} MB are free for {}", disk.free / MEGABYTE, directory.display());
    let remedy = "Free space, or use a larger disk; delete nothing in store/ yourself.";
    match disk.free {
        0..HARDLY_ANY => {
            let why = "With so little space, commits and incoming mail are refused, and sending waits.";
            finding(Severity::Error, "disk-space", what, why, remedy)
        }
        HARDLY_ANY..LITTLE => {
            let why = "A large import or a checkpoint can fill it; then sending waits.";
            finding(Severity::Warning, "disk-space", what, why, remedy)
        }
        _ => Finding::good(Area::Disk, "disk-space", what),
    }
}

fn files(free: u64) -> Option<Finding> {
    (free < FEW_FILES).then(|| {
        let what = format!("{free} more files can be created on this file system");
        finding(
            Severity::Warning,
            "files",
            what,
            "Without any, no segment, checkpoint or attachment can be written.",
            "Remove what creates so many small files, or recreate the file system with more inodes.",
        )
    })
}

/// linux/magic.h.
fn kind(directory: &Path, kind: u64) -> Finding {
    let place = directory.display();
    let network = |name: &str| {
        finding(
            Severity::Warning,
            "network-disk",
            format!("{place} is on a network file system ({name})"),
            "When the network hangs, so do all commits, and durability depends on the server.",
            "Put the state directory on a local disk.",
        )
    };
    match kind {
        0x0102_1994 | 0x8584_58f6 => finding(
            Severity::Error,
            "memory-disk",
            format!("{place} is in memory (tmpfs)"),
            "After a restart of the machine everything is gone: subscribers, consents, suppressions.",
            "Put the state directory on a disk.",
        ),
        0x6969 => network("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => network("SMB"),
        0x00c3_6400 => network("Ceph"),
        0x0102_1997 => network("9p"),
        0x6573_5546 => finding(
            Severity::Warning,
            "fuse-disk",
            format!("{place} is on a file system in user space (FUSE)"),
            "Whether synced data survives a power failure depends on a program.",
            "Put the state directory on a local disk.",
        ),
        0x794c_7630 => finding(
            Severity::Warning,
            "overlay-disk",
            format!("{place} is on the upper layer of an overlay, as in a container"),
            "Everything is lost with the container.",
            "Mount a volume there.",
        ),
        _ => Finding::good(Area::Disk, "kind", format!("{place} is on a local file system")),
    }
}

fn sync(disk: &Disk) -> Finding {
    match &disk.sync {
        Err(why) => finding(
            Severity::NotSeen,
            "sync",
            format!("how fast the disk is was not measured: {why}"),
            "",
            "Run this as root, or as the service's user.",
        ),
        Ok(micros) if micros / 1000 >= SLOW => finding(
            Severity::Warning,
            "sync",
            format!("the disk takes {} ms to make 4 KiB durable", micros / 1000),
            "Every delivery waits for this twice, and so does every incoming message.",
            "Use a faster disk (an SSD), or find out what else writes to this one.",
        ),
        Ok(micros) => {
            let what = format!("the disk makes 4 KiB durable in {}.{} ms", micros / 1000, micros % 1000 / 100);
            Finding::good(Area::Disk, "sync", what)
        }
    }
}
