//! Old backups are forgotten by rule, and the newest that is whole never is.

use std::time::Duration;

use depesch::base::clock::Clock;
use depesch::store::backup::prune::{Keep, prune};
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
async fn all_of_some_days_then_one_a_day_then_none() {
    let site = Site::new();
    // At 09, 17 and 01 o'clock, the next day already, for five days from the 21st.
    for number in 0..15 {
        site.put(number, "value").await;
        site.back_up().await;
        site.clock.advance(chrono::Duration::hours(8));
    }
    // It is the 26th, 09 o'clock.
    let keep = Keep { all: DAY, daily: 3 * DAY };
    assert_eq!(forget(&site, keep).len(), 10);
    assert_eq!(left(&site), ["23.17", "24.17", "25.09", "25.17", "26.01"].map(str::to_owned));
    assert_eq!(site.faults(), []);
    site.clock.advance(chrono::Duration::days(100));
    forget(&site, keep);
    assert_eq!(left(&site), ["26.01"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_whole_one_stays_when_newer_ones_are_broken() {
    let site = Site::new();
    site.put(1, "value").await;
    let good = site.back_up().await;
    site.attach("a picture").await;
    let broken = site.back_up().await;
    let repository = Repository::open_to_read(&site.repository()).unwrap();
    std::fs::remove_file(repository.path(&broken.blobs[0].file)).unwrap();
    drop(repository);
    site.clock.advance(chrono::Duration::days(100));
    assert_eq!(forget(&site, Keep { all: DAY, daily: DAY }), [broken.id]);
    assert_eq!(left(&site).len(), 1);
    let kept = Repository::open_to_read(&site.repository()).unwrap().manifest(None).unwrap();
    assert_eq!(kept.id, good.id);
}
