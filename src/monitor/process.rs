//! Process metrics from the kernel (Linux `/proc`), with the names that all Prometheus clients use. If `/proc` is not
//! readable, they are 0.

use std::fs;

use crate::metrics::Gauges;

/// Writes the kernel's numbers into the gauges.
pub(super) fn show(gauges: &Gauges) {
    gauges.memory.set(memory().unwrap_or(0.0));
    gauges.files.set(fs::read_dir("/proc/self/fd").map_or(0.0, |files| files.count() as f64));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    gauges.files_most.set(limit.current.map_or(f64::INFINITY, |limit| limit as f64));
}

/// Resident memory, in bytes (proc_pid_status(5), VmRSS).
fn memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}
