//! A mail socket that systemd passed in before but not at this start: not ready, critical and counted, until it is back
//! or no longer wanted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use depesch::base::clock::FakeClock;
use depesch::metrics::{Instruments, Metrics};
use depesch::operations::health::{Observer, Parts};
use depesch::operations::listeners::Listeners;
use depesch::store::Store;
use depesch::store::memory::MemoryEngine;

use crate::support::mailings::minute;

/// The observer of a daemon that was passed these sockets at its start.
fn started(directory: &Path, inherited: &[&str], configured: &[&str]) -> (Observer, Arc<Listeners>) {
    let listeners = Arc::new(Listeners::at_start(directory, inherited, configured));
    let clock = Arc::new(FakeClock::at(minute(0)));
    let observer = Observer::new(Store::new(Arc::new(MemoryEngine::new())), clock);
    observer.watch(Parts { listeners: Some(listeners.clone()), ..Parts::default() });
    (observer, listeners)
}

/// The number of lost listeners for Prometheus, the reason for not being ready, the status, and whether it is critical.
async fn shown(observer: &Observer) -> (String, String, String, bool) {
    let health = observer.health(Duration::ZERO).await.unwrap();
    let metrics = Metrics::new("0", Instruments::default());
    observer.show(&health, &metrics.gauges);
    let text = metrics.text().unwrap();
    let gauge = text.lines().find_map(|line| line.strip_prefix("depesch_listeners_lost ")).unwrap().to_owned();
    let ready = observer.ready().await.err().map(|unwell| unwell.0).unwrap_or_default();
    (gauge, ready, health.problems().join("; "), health.is_critical())
}

fn well() -> (String, String, String, bool) {
    ("0.0".to_owned(), String::new(), String::new(), false)
}

#[tokio::test]
async fn a_lost_socket_shows_everywhere_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let (observer, _) = started(directory.path(), &["lmtp", "smtp"], &[]);
    assert_eq!(shown(&observer).await, well());

    let (observer, _) = started(directory.path(), &["smtp"], &[]);
    let (gauge, ready, problem, critical) = shown(&observer).await;
    assert_eq!((gauge.as_str(), critical), ("1.0", true));
    assert_eq!(ready, "no mail is received by lmtp: its socket was not passed in");
    assert!(problem.starts_with("no mail is received by lmtp"), "{problem}");
    assert!(problem.contains("systemctl status depesch-lmtp.socket"), "{problem}");
    assert!(observer.alive().await.is_ok(), "a restart alone does not help");

    let (observer, _) = started(directory.path(), &[], &[]);
    let (gauge, ready, problem, _) = shown(&observer).await;
    assert_eq!(gauge, "2.0");
    assert!(ready.contains("lmtp, smtp") && problem.contains("by smtp"), "{ready}; {problem}");

    let (observer, _) = started(directory.path(), &["lmtp", "smtp"], &[]);
    assert_eq!(shown(&observer).await, well(), "both are back");
}

#[tokio::test]
async fn one_that_is_not_wanted_any_more_is_not_missed() {
    let directory = tempfile::tempdir().unwrap();
    started(directory.path(), &["lmtp", "smtp"], &[]);
    let (observer, listeners) = started(directory.path(), &["smtp"], &[]);
    assert_eq!(shown(&observer).await.0, "1.0");
    assert!(listeners.forget("lmtp").unwrap());
    assert_eq!(shown(&observer).await, well());
    let (observer, _) = started(directory.path(), &[], &["smtp"]);
    assert_eq!(shown(&observer).await, well(), "opened by the configuration instead");
}
