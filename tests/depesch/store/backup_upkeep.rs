//! With each backup, a part of the repository is verified; damaged files are reported and rewritten, and a missing
//! backup is noticed.

use std::path::PathBuf;
use std::time::Duration;

use depesch::store::backup::health::{Condition, condition};
use depesch::store::backup::prune::{Keep, forget};
use depesch::store::backup::repository::Repository;
use depesch::store::backup::unwatched;

use crate::support::site::{Site, files};

const KEEP: Keep = Keep { all: Duration::from_secs(86_400 * 30), daily: Duration::from_secs(86_400 * 30) };

fn now(site: &Site) -> Condition {
    condition(&Repository::open_to_read(&site.repository()).unwrap()).unwrap()
}

fn contents(site: &Site) -> Vec<PathBuf> {
    files(&site.repository().join("files")).into_keys().map(|name| site.repository().join("files").join(name)).collect()
}

fn manifest(site: &Site, id: &str) -> PathBuf {
    site.repository().join(format!("backups/{id}.manifest"))
}

async fn site() -> Site {
    let site = Site::new();
    for number in 0..40 {
        site.put(number, &format!("value {number} ").repeat(5)).await;
    }
    site.engine.checkpoint().await.unwrap();
    site.attach("a picture").await;
    site.mail("Subject: one\r\n\r\nOne.\r\n").await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_store_still_has_is_written_again() {
    let site = site().await;
    site.night(KEEP).unwrap();
    let all = contents(&site);
    assert!(all.len() >= 4, "journal, checkpoint, attachment and mail: {all:?}");
    for path in all {
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        for damage in [Some(&damaged[..]), Some(&whole[..whole.len() - 1]), None] {
            match damage {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            site.clock.advance(chrono::Duration::days(1));
            let report = site.night(KEEP).unwrap();
            assert_eq!(report.upkeep.rewritten, std::slice::from_ref(&path));
            assert_eq!(report.condition.faults, []);
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
    }
    assert_eq!(site.faults(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_data_is_reported_until_its_backup_is_removed() {
    let site = site().await;
    let first = site.night(KEEP).unwrap().manifest;
    let lost = Repository::open_to_read(&site.repository()).unwrap().path(&first.blobs[0].file);
    std::fs::remove_dir_all(site.state().join("blobs")).unwrap();
    site.clock.advance(chrono::Duration::days(1));
    site.night(KEEP).unwrap();
    let whole = std::fs::read(&lost).unwrap();
    std::fs::write(&lost, b"a pictura").unwrap();
    site.clock.advance(chrono::Duration::days(1));
    for _ in 0..2 {
        let report = site.night(KEEP).unwrap();
        assert_eq!(report.condition.faults.iter().map(|fault| &fault.path).collect::<Vec<_>>(), [&lost]);
        assert_eq!(report.condition.faults[0].backups, std::slice::from_ref(&first.id));
        assert_eq!(now(&site).faults, report.condition.faults, "after a restart as well");
    }
    // Restored by hand, it is no fault any more.
    std::fs::write(&lost, &whole).unwrap();
    assert_eq!(site.night(KEEP).unwrap().condition.faults, []);
    std::fs::remove_file(&lost).unwrap();
    assert_ne!(site.night(KEEP).unwrap().condition.faults, []);
    forget(&Repository::open_to_write(&site.repository(), &unwatched).unwrap(), &first.id, &unwatched).unwrap();
    assert_eq!(site.night(KEEP).unwrap().condition.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_read_within_a_week_and_not_all_of_it_each_night() {
    let site = site().await;
    for number in 0..20 {
        site.attach(&format!("{number} ").repeat(500)).await;
    }
    site.back_up().await;
    let all = contents(&site).len() as u64;
    site.read_part().unwrap();
    let mut read = Vec::new();
    for _ in 0..7 {
        site.clock.advance(chrono::Duration::days(1));
        read.push(site.read_part().unwrap().files);
        let at = depesch::base::clock::Clock::now(&site.clock);
        assert!(at - now(&site).oldest_read.unwrap() <= chrono::Duration::days(7));
    }
    assert!(read.iter().all(|files| *files < all), "{read:?} of {all}");
    assert!(read.iter().sum::<u64>() >= all, "{read:?} of {all}");
    assert_eq!(site.read_part().unwrap().files, 0, "nothing is due twice at once");
    // After a month without backups everything is read at once, and a clock that was set back leaves no file out.
    site.clock.advance(chrono::Duration::days(30));
    assert_eq!(site.read_part().unwrap().files, all);
    site.clock.advance(-chrono::Duration::days(300));
    site.read_part().unwrap();
    site.clock.advance(chrono::Duration::days(7));
    assert_eq!(site.read_part().unwrap().files, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_backup_is_noticed_but_not_one_removed_by_rule() {
    let site = site().await;
    let mut made = Vec::new();
    for number in 0..12 {
        site.put(number, "changed").await;
        made.push(site.night(KEEP).unwrap().manifest);
        site.clock.advance(chrono::Duration::days(1));
    }
    assert_eq!(made.iter().map(|one| one.number.unwrap()).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert_eq!(made[4].before.as_ref().unwrap().id, made[3].id);
    // The rule removes the first five, and none counts as missing.
    let short = Keep { all: Duration::from_secs(86_400), daily: Duration::ZERO };
    site.put(1, "again").await;
    let report = site.night(short).unwrap();
    assert_eq!(report.pruned.backups.len(), 6);
    assert_eq!((report.condition.faults, site.faults()), (Vec::new(), Vec::new()));
    // A backup in the middle, the newest, and the newest together with the notes.
    for (id, notes) in [(&made[8].id, true), (&report.manifest.id, true), (&made[9].id, false)] {
        let saved = files(&site.repository());
        std::fs::remove_file(manifest(&site, id)).unwrap();
        if !notes {
            std::fs::remove_file(site.repository().join("health")).unwrap();
        }
        let told = now(&site).faults;
        assert!(told.iter().any(|fault| fault.path == manifest(&site, id)), "{id}: {told:?}");
        assert!(site.faults().iter().any(|fault| fault.path == manifest(&site, id)));
        for (name, bytes) in saved {
            std::fs::write(site.repository().join(name), bytes).unwrap();
        }
    }
    assert_eq!(site.faults(), []);
    // While one is missing no file is removed; after a user has removed it from the list, there is no fault.
    std::fs::remove_file(manifest(&site, &made[8].id)).unwrap();
    assert_eq!(site.night(short).unwrap().pruned.files, 0);
    forget(&Repository::open_to_write(&site.repository(), &unwatched).unwrap(), &made[8].id, &unwatched).unwrap();
    assert_eq!(site.night(short).unwrap().condition.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_an_older_program_is_still_read() {
    let site = site().await;
    site.night(KEEP).unwrap();
    std::fs::remove_file(site.repository().join("health")).unwrap();
    let path = std::fs::read_dir(site.repository().join("backups")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&path).unwrap();
    let body = text.lines().next().unwrap();
    let body = body[..body.find(",\"number\"").unwrap()].to_owned() + "}\n";
    let hash = depesch::base::token::to_hex(&depesch::base::token::content_hash(body.as_bytes()));
    std::fs::write(&path, format!("{body}sha256 {hash}\n")).unwrap();
    assert_eq!((now(&site).faults, site.faults()), (Vec::new(), Vec::new()));
    let next = site.night(KEEP).unwrap();
    assert_eq!(next.manifest.before.unwrap().sha256, hash);
    assert_eq!((next.condition.faults, site.faults()), (Vec::new(), Vec::new()));
}
