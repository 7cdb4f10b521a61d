//! A clock that is years ahead for one night deletes nothing by age; once it is right, deletion resumes the next day.

use std::sync::Arc;

use depesch::app::erasures::StorageEraser;
use depesch::app::parts;
use depesch::audit::{AuditLog, AuditNote};
use depesch::base::clock::{Clock, FakeClock};
use depesch::config::Config;
use depesch::operations::backups::Backups;
use depesch::operations::jobs::Jobs;
use depesch::privacy::erasure::Eraser;
use depesch::store::backup::prune::Keep;

use crate::support::people::key;
use crate::support::site::Site;

/// The daemon's jobs for a site, with an audit log entry that is too old after two years.
async fn jobs(site: &Site) -> Jobs {
    let clock: Arc<dyn Clock> = Arc::new(site.clock.clone());
    let config = Config { state_directory: site.state(), ..Config::default() };
    let storage_eraser = StorageEraser {
        eraser: Eraser { store: site.store(), key: key(), files: None },
        spool: site.spool.clone(),
        backups: None,
        clock: clock.clone(),
    };
    let log = AuditLog::new(site.store(), clock.clone(), key());
    for what in ["daemon start", "daemon stop"] {
        log.append(&AuditNote::of_daemon(what, "", "")).await.unwrap();
    }
    let mut jobs = Jobs::new(site.store(), clock, parts::jobs(&config, &storage_eraser).unwrap());
    jobs.tick().await;
    // An ordinary night.
    site.clock.advance(chrono::Duration::days(1));
    jobs.tick().await;
    jobs
}

async fn entries(site: &Site) -> usize {
    site.store().audit_entries(0, 100).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_of_a_clock_jump_deletes_nothing_and_the_next_one_does() {
    let site = Site::new();
    let mut jobs = jobs(&site).await;
    assert_eq!(entries(&site).await, 2);
    site.clock.advance(chrono::Duration::days(1000));
    let jumped_at = site.clock.now();
    jobs.tick().await;
    assert_eq!(entries(&site).await, 2);
    assert_eq!(site.store().clock_jump().await.unwrap(), Some(jumped_at));
    // The same night again, as after a restart.
    site.clock.advance(chrono::Duration::hours(10));
    jobs.tick().await;
    assert_eq!(entries(&site).await, 2);
    site.clock.advance(chrono::Duration::days(1));
    jobs.tick().await;
    assert_eq!(site.store().audit_anchor().await.unwrap().number, 1, "the older went");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_clock_deletes_nothing_and_work_continues() {
    let site = Site::new();
    let mut jobs = jobs(&site).await;
    let right = site.clock.now();
    site.clock.advance(chrono::Duration::days(1000));
    jobs.tick().await;
    site.clock.set(right + chrono::Duration::days(1));
    jobs.tick().await;
    let noted = site.store().job("retention").await.unwrap().unwrap().value;
    assert_eq!(noted, site.clock.now(), "it is not due in three years only");
    site.clock.advance(chrono::Duration::days(1));
    jobs.tick().await;
    assert_eq!(site.store().job("retention").await.unwrap().unwrap().value, site.clock.now());
    assert_eq!(entries(&site).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_after_a_clock_jump_removes_no_other() {
    let site = Site::new();
    let backups = backups(&site, &site.clock);
    let make = || tokio::task::block_in_place(|| backups.create(&|_| {})).unwrap();
    for number in 0..9 {
        site.put(number, "value").await;
        make();
        site.clock.advance(chrono::Duration::days(1));
    }
    site.clock.advance(chrono::Duration::days(700));
    assert!(make().clock_jumped);
    site.clock.advance(chrono::Duration::hours(1));
    let again = make();
    assert!(again.clock_jumped && again.pruned.backups.is_empty(), "{again}");
    site.clock.advance(chrono::Duration::days(1));
    let later = make();
    // Nine backups from before, two from the clock jump and this one: all but the newest seven.
    assert_eq!((later.clock_jumped, later.pruned.backups.len()), (false, 5));
}

fn backups(site: &Site, clock: &Arc<FakeClock>) -> Backups {
    let month = std::time::Duration::from_secs(30 * 86_400);
    Backups::new(
        site.store(),
        (site.spool.clone(), site.state().join("spool")),
        site.state().join("blobs"),
        site.repository(),
        Keep { all: month, daily: month },
        Arc::new(clock.clone()),
    )
}
