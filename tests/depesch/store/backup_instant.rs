//! Any instant between two backups can be restored, such as the one before a bad import; if no backup contains the
//! journal needed, that is reported.

use std::sync::Arc;

use depesch::base::clock::Clock;
use depesch::operations::restore::RestoreError;
use depesch::store::backup::BackupError;
use depesch::store::backup::point::Wanted;
use depesch::store::backup::repository::Repository;
use depesch::store::backup::unwatched;
use depesch::store::embedded::{EmbeddedEngine, Settings};

use crate::support::mailings::minute;
use crate::support::site::{Records, Site, open, records, settings};

async fn as_of(site: &Site, minutes: i64) -> Result<Records, RestoreError> {
    let (target, _) = site.restore(Wanted::Until(minute(minutes))).await?;
    let mut found = records(&*open(&target, &site.clock)).await;
    found.retain(|key, _| key.first() == Some(&b'Z'));
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_minute_between_two_backups_can_be_restored() {
    let site = Site::new();
    let mut history = Vec::new();
    // A change each minute, larger than a segment; checkpoints in between drop journal; backups at minutes 20 and 60.
    for at in 0..=60_i64 {
        assert_eq!(site.clock.now(), minute(at));
        for number in 0..5 {
            site.put(number * 7 + (at % 7) as u32, &format!("{at} {}", "x".repeat(100))).await;
        }
        history.push(site.records().await);
        if at % 9 == 8 {
            site.engine.checkpoint().await.unwrap();
        }
        if at == 20 || at == 60 {
            site.back_up().await;
        }
        site.clock.advance(chrono::Duration::minutes(1));
    }
    assert_eq!(site.faults(), []);
    for at in [0, 1, 7, 19, 20, 21, 37, 44, 59] {
        assert_eq!(as_of(&site, at).await.unwrap(), history[at as usize], "minute {at}");
    }
    let late = as_of(&site, 61).await.unwrap_err();
    assert!(matches!(late, RestoreError::Backup(BackupError::TooLate { .. })), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_that_no_backup_covers_is_reported_as_lost() {
    let site = Site::new();
    // Without backups, checkpoints dropped the first hour's journal.
    let unheld = Settings { hold_bytes: 0, ..settings(&site.clock) };
    let place = site.directory.path().join("other/store");
    let site = Site { engine: Arc::new(EmbeddedEngine::open(&place, unheld).unwrap().engine), ..site };
    for number in 0..70 {
        site.put(number, &"x".repeat(200)).await;
        site.clock.advance(chrono::Duration::minutes(1));
        if number % 20 == 19 {
            site.engine.checkpoint().await.unwrap();
        }
    }
    site.back_up().await;
    let gone = as_of(&site, 5).await.unwrap_err();
    assert!(matches!(gone, RestoreError::Backup(BackupError::NoWay { .. })), "{gone}");
    assert_eq!(as_of(&site, 65).await.unwrap().len(), 66);
}

#[tokio::test(flavor = "multi_thread")]
async fn journal_that_checkpoints_need_no_more_waits_for_the_next_backup_and_not_for_ever() {
    let site = Site::new();
    let segments = || std::fs::read_dir(site.state().join("store/journal")).unwrap().count();
    for number in 0..100 {
        site.put(number, &"x".repeat(200)).await;
    }
    for number in 0..3 {
        site.engine.checkpoint().await.unwrap();
        site.put(number, "more").await;
    }
    let waiting = segments();
    assert!(waiting > 4, "{waiting}");
    site.back_up().await;
    for number in 0..3 {
        site.put(number, "more").await;
        let done = site.engine.checkpoint().await.unwrap();
        assert_eq!(done.lost_to_backups, 0);
    }
    assert!(segments() < waiting, "{}", segments());
    // A store without backups keeps no more journal than allowed.
    let small = Settings { hold_bytes: 9_000, ..settings(&site.clock) };
    let directory = tempfile::tempdir().unwrap();
    let engine = EmbeddedEngine::open(directory.path(), small).unwrap().engine;
    let site = Site { engine: Arc::new(engine), ..site };
    for number in 0..100 {
        site.put(number, &"x".repeat(200)).await;
    }
    let mut lost = 0;
    for number in 0..3 {
        site.put(number, "more").await;
        lost += site.engine.checkpoint().await.unwrap().lost_to_backups;
    }
    assert!(lost > 1);
    let left = std::fs::read_dir(directory.path().join("journal")).unwrap().count();
    assert!((2..=4).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_restores_less_and_never_more() {
    let site = Site::new();
    site.put(1, "first").await;
    site.clock.set(minute(30));
    site.put(2, "ahead").await;
    site.clock.set(minute(10));
    site.put(3, "back").await;
    site.clock.set(minute(40));
    site.back_up().await;
    let found = as_of(&site, 20).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(as_of(&site, 35).await.unwrap().len(), 3);
    assert!(Repository::open_to_write(&site.repository(), &unwatched).is_ok());
}
