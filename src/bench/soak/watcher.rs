//! Samples the daemon's memory and file descriptors from outside, once a second.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::daemon::Daemon;

/// One sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    /// The process.
    pub process: u32,
    /// Memory in use (VmRSS), in bytes.
    pub rss: u64,
    /// Number of open file descriptors.
    pub descriptors: u64,
}

/// Samples once a second until dropped.
pub(crate) async fn watch(daemon: &Daemon, observations: &Mutex<Vec<Observation>>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Some(observe) = daemon.process().and_then(observe) {
            observations.lock().unwrap_or_else(PoisonError::into_inner).push(observe);
        }
    }
}

fn observe(process: u32) -> Option<Observation> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse();
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64;
    Some(Observation { process, rss: kilobytes.ok().map(|kilobytes: u64| kilobytes * 1024)?, descriptors })
}

/// The medians of the second and of the last quarter of the samples of the last process: begin and end of a period
/// without restarts. `None` when it lived too briefly.
pub(crate) fn medians(observations: &[Observation], of: impl Fn(&Observation) -> u64) -> Option<(u64, u64)> {
    let last = observations.last()?.process;
    let figures: Vec<u64> = observations.iter().filter(|observe| observe.process == last).map(of).collect();
    let quarter = figures.len() / 4;
    let median = |part: &[u64]| {
        let mut sorted = part.to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    };
    Some((median(figures.get(quarter..2 * quarter)?)?, median(figures.get(3 * quarter..)?)?))
}

/// Bytes of all files below a directory.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        _ => entry.metadata().map_or(0, |found| found.len()),
    };
    entries.flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_process_counts() {
        let observe = |process, rss| Observation { process, rss, descriptors: 1 };
        let observations: Vec<Observation> = [900, 900]
            .map(|rss| observe(1, rss))
            .into_iter()
            .chain([1, 1, 5, 6, 7, 7, 9, 8].map(|rss| observe(2, rss)))
            .collect();
        assert_eq!(medians(&observations, |observe| observe.rss), Some((6, 9)));
        assert_eq!(medians(&[], |observe| observe.rss), None);
    }
}
