//! Old backups are removed by rule, never the newest undamaged ones.

use std::time::Duration;

use depesch::base::clock::Clock;
use depesch::store::backup::prune::{Keep, NEWEST, prune};
use depesch::store::backup::repository::Repository;
use depesch::store::backup::unwatched;

use crate::support::site::Site;

const DAY: Duration = Duration::from_secs(86_400);

fn forget(site: &Site, keep: Keep) -> Vec<String> {
    let repository = Repository::open_to_write(&site.repository(), &unwatched).unwrap();
    prune(&repository, keep, site.clock.now(), &unwatched).unwrap().backups
}

fn left(site: &Site) -> Vec<String> {
    let repository = Repository::open_to_read(&site.repository()).unwrap();
    repository.manifests().unwrap().iter().map(|m| m.created.format("%d.%H").to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_backups_for_some_days_then_one_a_day_then_none() {
    let site = Site::new();
    // At 09:00, 17:00 and 01:00 the next day, for seven days from the 21st.
    for number in 0..21 {
        site.put(number, "value").await;
        site.back_up().await;
        site.clock.advance(chrono::Duration::hours(8));
    }
    // It is the 28th, 09:00: the newest seven are kept in any case.
    let keep = Keep { all: DAY, daily: 5 * DAY };
    assert_eq!(forget(&site, keep).len(), 11);
    let newest = ["26.01", "26.09", "26.17", "27.01", "27.09", "27.17", "28.01"];
    assert_eq!(left(&site), [&["23.17", "24.17", "25.17"][..], &newest].concat());
    assert_eq!(site.faults(), []);
    site.clock.advance(chrono::Duration::days(100));
    forget(&site, keep);
    assert_eq!(left(&site), newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_intact_backups_are_kept_when_newer_ones_are_damaged() {
    let site = Site::new();
    let mut whole = Vec::new();
    for number in 0..9 {
        site.put(number, "value").await;
        whole.push(site.back_up().await.id);
        site.clock.advance(chrono::Duration::hours(1));
    }
    site.attach("a picture").await;
    let broken = site.back_up().await;
    let repository = Repository::open_to_read(&site.repository()).unwrap();
    std::fs::remove_file(repository.path(&broken.blobs[0].file)).unwrap();
    drop(repository);
    site.clock.advance(chrono::Duration::days(700));
    let old = [&whole[..9 - NEWEST], &[broken.id]].concat();
    assert_eq!(forget(&site, Keep { all: DAY, daily: DAY }), old);
    let kept = Repository::open_to_read(&site.repository()).unwrap().manifests().unwrap();
    assert_eq!(kept.into_iter().map(|manifest| manifest.id).collect::<Vec<_>>(), whole[9 - NEWEST..]);
}
