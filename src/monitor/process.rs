//! What the kernel says of this process (Linux `/proc`), under the names that all Prometheus clients use. Where `/proc` is
//! not to be read, 0 is shown.

use std::fs;

use crate::metrics::Gauges;

/// Puts what the kernel says into the gauges.
pub(super) fn show(gauges: &Gauges) {
    gauges.memory.set(memory().unwrap_or(0.0));
    gauges.files.set(fs::read_dir("/proc/self/fd").map_or(0.0, |files| files.count() as f64));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    gauges.files_most.set(limit.current.map_or(f64::INFINITY, |limit| limit as f64));
    gauges.started.set(started().unwrap_or(0.0));
}

/// Resident memory, in octets (proc_pid_status(5), VmRSS).
fn memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}

/// When the process started, in seconds since 1970: when the machine did (proc_stat(5), btime), and how long after
/// (proc_pid_stat(5), the 22nd field, in ticks).
fn started() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets, with whatever is in it.
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: f64 = after_name.split_whitespace().nth(19)?.parse().ok()?;
    let machine = fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(booted + ticks / TICKS)
}

/// Ticks in a second: 100 on every Linux that Rust runs on (USER_HZ).
const TICKS: f64 = 100.0;
