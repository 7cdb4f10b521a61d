//! Process figures from the kernel (Linux `/proc`): CPU time and memory.

use std::fs;

/// Nanoseconds of CPU used by the live threads whose name satisfies `counts`.
pub(crate) fn cpu_nanoseconds(counts: impl Fn(&str) -> bool) -> u64 {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return 0 };
    let of_task = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let used = fs::read_to_string(task.path().join("schedstat")).ok()?;
        counts(name.trim()).then(|| used.split_whitespace().next()?.parse::<u64>().ok()).flatten()
    };
    tasks.filter_map(|task| of_task(task.ok()?)).sum()
}

/// Peak memory of this process (VmHWM), in bytes.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
