//! A backup is restored to an empty machine record for record, attachment for attachment, message for message, even if
//! commits continued while it was made; existing files are not written again.

use std::collections::BTreeMap;

use depesch::store::backup::point::Wanted;
use depesch::store::backup::restore::check_target;
use depesch::store::engine::{Batch, Engine, Key};

use crate::support::site::{Site, files, open, records};

fn newest() -> Wanted {
    Wanted::Backup(None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_has_every_record_attachment_and_message() {
    let site = Site::new();
    for number in 0..300 {
        site.put(number, &format!("value {number}")).await;
        if number == 150 {
            site.engine.checkpoint().await.unwrap();
        }
    }
    site.attach("a picture").await;
    site.attach("an annual report").await;
    let place = site.mail("Subject: one\r\n\r\nOne.\r\n").await;
    site.back_up().await;
    let (target, restored) = site.restore(newest()).await.unwrap();
    assert_eq!(restored.records, 300);
    let engine = open(&target, &site.clock);
    let mut found = records(&*engine).await;
    // The installation's key is created when it is first read; a store that was never served has no key.
    found.retain(|key, _| key.first() == Some(&b'Z'));
    assert_eq!(found, site.records().await);
    let state = target.path().join("state");
    assert_eq!(files(&state.join("blobs")), files(&site.state().join("blobs")));
    assert_eq!(files(&state.join("spool")), files(&site.state().join("spool")));
    assert_eq!(files(&state.join("spool")).len(), 1);
    assert!(site.spool.read(place).await.is_ok());
    assert!(!state.join("restoring").exists());
    // Attachments are kept by their time of arrival, so that must be restored too.
    let written = |root: std::path::PathBuf| -> BTreeMap<_, _> {
        let all = files(&root).into_keys();
        all.map(|path| (path.clone(), std::fs::metadata(root.join(path)).unwrap().modified().unwrap())).collect()
    };
    assert_eq!(written(state.join("blobs")), written(site.state().join("blobs")));
    assert!(check_target(&state).is_err(), "never over a store");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_meanwhile_is_in_it_up_to_its_mark_and_nothing_after() {
    let site = Site::new();
    let (engine, done) = (site.engine.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let stop = done.clone();
    // Sequential commits form one group each: group n sets record n % 50 to n.
    let writer = tokio::spawn(async move {
        let mut number = 0_u64;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) || number < 200 {
            number += 1;
            let mut batch = Batch::new();
            batch.put(Key(format!("Z{:05}", number % 50).into_bytes()), number.to_string().into_bytes());
            engine.commit(batch).await.unwrap();
        }
        number
    });
    let mut manifests = Vec::new();
    for round in 0..4 {
        while site.engine.stats().groups < 40 * (round + 1) {
            tokio::task::yield_now().await;
        }
        if round == 2 {
            site.engine.checkpoint().await.unwrap();
        }
        manifests.push(site.back_up().await);
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let written = writer.await.unwrap();
    assert!(manifests.iter().all(|manifest| manifest.mark.group <= written));
    assert_eq!(site.faults(), []);
    for manifest in &manifests {
        let mut expected = BTreeMap::new();
        for number in 1..=manifest.mark.group {
            expected.insert(format!("Z{:05}", number % 50).into_bytes(), number.to_string().into_bytes());
        }
        let (target, _) = site.restore(Wanted::Backup(Some(manifest.id.clone()))).await.unwrap();
        let mut found = records(&*open(&target, &site.clock)).await;
        found.retain(|key, _| key.first() == Some(&b'Z'));
        assert_eq!(found, expected, "{}", manifest.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_backup_before_has_is_not_written_again() {
    let site = Site::new();
    for number in 0..200 {
        site.put(number, &"long value ".repeat(20)).await;
    }
    site.attach(&"a large picture ".repeat(5000)).await;
    site.mail(&"Subject: long\r\n".repeat(2000)).await;
    let first = site.back_up().await;
    site.put(1, "changed").await;
    let second = site.back_up().await;
    assert!(first.new_bytes > 100_000 && first.new_bytes == first.bytes);
    assert!(second.new_bytes < 1_000, "{}", second.new_bytes);
    assert!(second.bytes > first.bytes);
    let third = site.back_up().await;
    assert_eq!((third.new_bytes, third.mark), (0, second.mark));
    assert_eq!(site.faults(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_continues_and_is_backed_up_into_the_same_repository() {
    let site = Site::new();
    for number in 0..100 {
        site.put(number, "old").await;
    }
    let old = site.back_up().await;
    for number in 0..100 {
        site.put(number, "lost").await;
    }
    site.back_up().await;
    let (target, _) = site.restore(Wanted::Backup(Some(old.id))).await.unwrap();
    // The restored store replaces the old one.
    let Site { directory, engine, spool, clock } = site;
    engine.close().unwrap();
    spool.close();
    std::fs::remove_dir_all(directory.path().join("state")).unwrap();
    std::fs::rename(target.path().join("state"), directory.path().join("state")).unwrap();
    let settings = crate::support::site::settings(&clock);
    let engine = depesch::store::embedded::EmbeddedEngine::open(&directory.path().join("state/store"), settings);
    let spool = depesch::store::spool::Spool::open(
        &directory.path().join("state/spool"),
        Default::default(),
        std::sync::Arc::new(clock.clone()),
    );
    let site = Site { directory, engine: std::sync::Arc::new(engine.unwrap().engine), spool: spool.unwrap(), clock };
    for number in 0..100 {
        site.put(number, "new").await;
    }
    site.back_up().await;
    site.put(5, "newer").await;
    site.back_up().await;
    assert_eq!(site.faults(), []);
    let (target, _) = site.restore(newest()).await.unwrap();
    assert_eq!(records(&*open(&target, &site.clock)).await, site.records().await);
}
