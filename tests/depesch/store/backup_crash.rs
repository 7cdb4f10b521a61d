//! A backup interrupted at any step leaves earlier ones unchanged, and the next one succeeds and cleans up; the same
//! holds for removing old ones.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use depesch::base::clock::Clock;
use depesch::store::backup::prune::{Keep, NEWEST, prune};
use depesch::store::backup::repository::Repository;
use depesch::store::backup::{Event, unwatched};

use crate::support::site::{Site, files};

/// Fails at the `nth` step, as if the machine stopped there.
fn stop_at(nth: usize) -> impl Fn(Event) -> io::Result<()> + Send + Sync {
    let step = AtomicUsize::new(0);
    move |event| match event {
        Event::Step(_) if step.fetch_add(1, Ordering::Relaxed) == nth => Err(io::Error::other("the machine stopped")),
        _ => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_leaves_the_earlier_backups_intact() {
    let site = Site::new();
    let mut crashes = 0;
    for round in 0.. {
        site.put(round, &"value ".repeat(200)).await;
        site.attach(&format!("attachment {round}")).await;
        site.mail(&format!("Subject: {round}\r\n\r\n")).await;
        let before = std::fs::read_dir(site.repository().join("backups")).map_or(0, Iterator::count);
        let made = site.back_up_watched(&stop_at(round as usize));
        assert_eq!(site.faults().iter().filter(|fault| !fault.backups.is_empty()).count(), 0, "after step {round}");
        if made.is_ok() {
            break;
        }
        crashes += 1;
        let after = std::fs::read_dir(site.repository().join("backups")).map_or(0, Iterator::count);
        assert_eq!(before, after, "a backup that was cut short does not count");
        if round % 3 == 0 {
            site.back_up().await;
        }
    }
    assert!(crashes > 8, "{crashes}");
    assert_eq!(site.faults(), []);
    assert!(files(&site.repository().join("incoming")).is_empty());
    // Leftovers of the crashes under its name are removed, too.
    let repository = Repository::open_to_write(&site.repository(), &unwatched).unwrap();
    let week = Duration::from_secs(7 * 86_400);
    prune(&repository, Keep { all: week, daily: week }, site.clock.now(), &unwatched).unwrap();
    let named: std::collections::BTreeSet<String> = repository
        .manifests()
        .unwrap()
        .iter()
        .flat_map(|m| m.files().map(|f| f.sha256.clone()).collect::<Vec<_>>())
        .collect();
    assert_eq!(repository.contents().unwrap().len(), named.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_old_backups_are_removed_leaves_the_others_intact() {
    let site = Site::new();
    for round in 0..10 {
        site.put(round, &"value ".repeat(300)).await;
        site.attach(&format!("attachment {round}")).await;
        site.back_up().await;
        std::fs::remove_dir_all(site.state().join("blobs")).unwrap();
        site.clock.advance(chrono::Duration::days(1));
    }
    let now = depesch::base::clock::Clock::now(&site.clock);
    let keep = Keep { all: Duration::from_secs(2 * 86_400 + 1), daily: Duration::ZERO };
    let mut crashes = 0;
    loop {
        let repository = Repository::open_to_write(&site.repository(), &unwatched).unwrap();
        let done = prune(&repository, keep, now, &stop_at(1)).is_ok();
        drop(repository);
        assert_eq!(site.faults(), []);
        if done {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 3, "{crashes}");
    assert_eq!(Repository::open_to_read(&site.repository()).unwrap().list().unwrap().len(), NEWEST);
}
