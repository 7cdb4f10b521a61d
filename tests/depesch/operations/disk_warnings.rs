//! A disk that is filling up is reported before it is full: at 10 % free in the status, at 5 % as critical, with the
//! same limits in metrics and alerts.

use std::sync::Arc;

use depesch::base::clock::FakeClock;
use depesch::metrics::{Instruments, Metrics};
use depesch::operations::health::{Health, Observer};
use depesch::store::Store;
use depesch::store::maintenance::DiskUse;
use depesch::store::memory::MemoryEngine;

use crate::support::mailings::minute;

const ALERTS: &str = include_str!("../../../docs/monitoring/alerts.yml");
const GIGABYTE: u64 = 1_000_000_000;

/// The daemon's health on a disk with `free` of `usable` bytes left.
fn health(free: u64, usable: u64) -> Health {
    let at = minute(0);
    let disk = DiskUse { free, usable, checkpoint_at: Some(at), ..DiskUse::default() };
    Health { at, started: at, disk: Some(disk), ..Health::default() }
}

#[test]
fn the_status_warns_below_10_percent_and_is_critical_below_5() {
    let said = |free: u64| {
        let health = health(free, 100 * GIGABYTE);
        (health.problems().join("; "), health.is_critical())
    };
    assert_eq!(said(10 * GIGABYTE), (String::new(), false));
    let (problem, critical) = said(10 * GIGABYTE - 1_000_000);
    assert!(problem.starts_with("the disk has 10.0 % free (9999 MB)") && !critical, "{problem}");
    let (problem, critical) = said(5 * GIGABYTE);
    assert!(problem.starts_with("the disk has 5.0 % free") && !critical, "{problem}");
    let (problem, critical) = said(5 * GIGABYTE - 1_000_000);
    assert!(problem.starts_with("the disk has 5.0 % free (4999 MB)") && critical, "{problem}");
}

#[test]
fn a_full_disk_is_reported_whatever_its_share_and_an_unknown_size_is_not() {
    let full = health(100_000_000, 200_000_000);
    assert!(full.is_critical() && full.problems()[0].starts_with("the disk is full (100 MB left)"));
    let unknown = health(GIGABYTE, 0);
    assert!(!unknown.is_critical() && unknown.problems().is_empty(), "{:?}", unknown.problems());
    let small = health(GIGABYTE, 2 * GIGABYTE);
    assert!(small.problems().is_empty(), "half of a small disk is free: {:?}", small.problems());
}

#[test]
fn the_metrics_export_what_the_alerts_divide() {
    let clock = Arc::new(FakeClock::at(minute(0)));
    let observer = Observer::new(Store::new(Arc::new(MemoryEngine::new())), clock);
    let metrics = Metrics::new("0", Instruments::default());
    observer.show(&health(3 * GIGABYTE, 100 * GIGABYTE), &metrics.gauges);
    let text = metrics.text().unwrap();
    for line in ["depesch_disk_free_bytes 3000000000.0", "depesch_disk_usable_bytes 100000000000.0"] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_alerts_have_the_limits_of_the_status() {
    let share = "depesch_disk_free_bytes / (depesch_disk_usable_bytes > 0) < ";
    for (alert, limit, severity) in
        [("DepeschDiskLow", "0.10", "severity: warning"), ("DepeschDiskCritical", "0.05", "severity: critical")]
    {
        let rule = ALERTS.split("- alert: ").find(|rule| rule.starts_with(&format!("{alert}\n"))).unwrap();
        assert!(rule.contains(&format!("{share}{limit}\n")) && rule.contains(severity), "{rule}");
        let limit: f64 = limit.parse().unwrap();
        let free = |share: f64| health((share * 100e9) as u64, 100 * GIGABYTE);
        let (below, above) = (free(limit - 0.001), free(limit + 0.001));
        let says = |health: &Health| (health.problems().len(), health.is_critical());
        assert_ne!(says(&below), says(&above), "{alert} and the status differ");
    }
}
