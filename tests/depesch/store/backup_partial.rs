//! All undamaged data of a damaged backup is restored, and what is missing is named exactly.

use std::path::{Path, PathBuf};

use depesch::base::clock::Clock;
use depesch::base::id::{InboundId, MailingId};
use depesch::model::inbound::Inbound;
use depesch::model::mailing::MissedPolicy;
use depesch::operations::restore::{Restoration, rehearse};
use depesch::store::backup::manifest::{FileRef, Manifest};
use depesch::store::backup::point::Wanted;
use depesch::store::backup::unwatched;
use depesch::store::blobs::{BlobError, Blobs};
use depesch::store::engine::Batch;
use depesch::store::inbound;
use depesch::store::spool::{Spool, SpoolError};

use crate::support::mailings::{mailing, put};
use crate::support::notices::inbound as message;
use crate::support::site::{Site, open, records};

fn path(site: &Site, file: &FileRef) -> PathBuf {
    site.repository().join("files").join(&file.sha256[..2]).join(&file.sha256)
}

fn flip(path: &Path, position: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[position] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

fn newest() -> Wanted {
    Wanted::Backup(None)
}

/// Records in a checkpoint and in the journal after it, three messages and two attachments.
async fn site() -> (Site, Manifest, Vec<Inbound>) {
    let site = Site::new();
    site.store().installation_key().await.unwrap();
    for number in 0..300 {
        site.put(number, &format!("value {number} ").repeat(80)).await;
    }
    put(&site.store(), &mailing(1, MissedPolicy::Send)).await;
    site.engine.checkpoint().await.unwrap();
    let mut came = Vec::new();
    for number in 1..=3 {
        let place = site.mail(&format!("Subject: {number}\r\n\r\nInvented.\r\n")).await;
        let one = Inbound { id: InboundId(number), ..message(None, place) };
        let mut batch = Batch::new();
        inbound::put_new(&mut batch, &one);
        site.store().commit(batch).await.unwrap();
        came.push(one);
    }
    site.attach("a picture").await;
    site.attach("a table").await;
    for number in 0..20 {
        site.put(number, "changed").await;
    }
    let manifest = site.back_up().await;
    (site, manifest, came)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_attachment_is_left_out_and_named() {
    let (site, manifest, _) = site().await;
    let damaged = &manifest.blobs[0];
    flip(&path(&site, &damaged.file), 3);
    let refused = site.restore(newest()).await.unwrap_err().to_string();
    assert!(refused.contains(&damaged.name) && refused.contains("--partial"), "{refused}");
    let (target, restored) = site.restore_partly(newest()).await.unwrap();
    assert!(restored.exact && !restored.is_whole());
    let told: Vec<String> = restored.faults.iter().map(|fault| fault.path.display().to_string()).collect();
    assert!(told.len() == 1 && told[0].ends_with(&damaged.name), "{told:?}");
    let blobs = Blobs::in_state_directory(&target.path().join("state"));
    let hash = |name: &str| depesch::store::blobs::parse_sha256(name).unwrap();
    assert!(matches!(blobs.read(&hash(&damaged.name)).await, Err(BlobError::Missing(_))));
    assert_eq!(blobs.size(&hash(&manifest.blobs[1].name)).await.unwrap(), Some(manifest.blobs[1].file.bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_intact_message_of_damaged_mail_is_restored() {
    let (site, manifest, came) = site().await;
    let second = came[1].place;
    flip(&path(&site, &manifest.spool[0].file), second.offset as usize + 40);
    let (target, restored) = site.restore_partly(newest()).await.unwrap();
    assert!(restored.exact, "{:?}", restored.faults);
    assert_eq!(restored.missing.len(), 1, "{:?}", restored.missing);
    assert!(restored.missing[0].contains(&came[1].id.to_string()), "{:?}", restored.missing);
    let spool =
        Spool::open(&target.path().join("state/spool"), Default::default(), std::sync::Arc::new(site.clock.clone()))
            .unwrap();
    for one in [&came[0], &came[2]] {
        assert_eq!(spool.read(one.place).await.unwrap(), site.spool.read(one.place).await.unwrap());
    }
    assert!(matches!(spool.read(second).await, Err(SpoolError::Damaged { .. })));
    spool.close();
    std::fs::remove_file(path(&site, &manifest.spool[0].file)).unwrap();
    let (_, restored) = site.restore_partly(newest()).await.unwrap();
    assert_eq!(restored.missing.len(), 1, "{:?}", restored.missing);
    assert!(came.iter().all(|one| restored.missing[0].contains(&one.id.to_string())), "{:?}", restored.missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_marker_prevents_nothing_and_is_rewritten() {
    let (site, ..) = site().await;
    let marker = site.repository().join("repository");
    for damage in [Some("Backups of Depesch, version 3."), Some(""), None] {
        match damage {
            Some(text) => std::fs::write(&marker, text).unwrap(),
            None => std::fs::remove_file(&marker).unwrap(),
        }
        assert_eq!(
            site.faults().iter().map(|fault| fault.path.clone()).collect::<Vec<_>>(),
            std::slice::from_ref(&marker)
        );
        let (target, restored) = site.restore(newest()).await.unwrap();
        assert!(restored.is_whole());
        assert!(records(&*open(&target, &site.clock)).await.len() > 300);
        site.back_up().await;
        assert_eq!(site.faults(), []);
    }
}

/// Only the notes know of a backup whose manifest is missing.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_notes_a_repository_does_not_claim_that_nothing_newer_is_missing() {
    let (site, first, _) = site().await;
    site.put(7, "later").await;
    let second = site.back_up().await;
    let (_, restored) = site.restore(newest()).await.unwrap();
    assert!(restored.is_whole());
    std::fs::remove_file(site.repository().join(format!("backups/{}.manifest", second.id))).unwrap();
    flip(&site.repository().join("health"), 20);
    let (_, restored) = site.restore(newest()).await.unwrap();
    assert_eq!(restored.point.backup, first.id);
    assert!(!restored.is_whole());
    assert!(restored.faults[0].what.contains("also a newer one"), "{:?}", restored.faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_newest_manifest_does_not_affect_older_backups() {
    let (site, first, _) = site().await;
    site.put(7, "later").await;
    let second = site.back_up().await;
    let manifest = site.repository().join(format!("backups/{}.manifest", second.id));
    flip(&manifest, 30);
    let refused = site.restore(newest()).await.unwrap_err().to_string();
    assert!(refused.contains(&second.id) && refused.contains(&first.id), "{refused}");
    let (_, restored) = site.restore_partly(newest()).await.unwrap();
    assert_eq!(restored.point.backup, first.id);
    assert!(restored.exact && !restored.is_whole(), "what was not read is named: {:?}", restored.faults);
    let (_, restored) = site.restore_partly(Wanted::Backup(Some(first.id.clone()))).await.unwrap();
    assert!(restored.is_whole() && restored.unread.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_records_are_taken_from_another_backup_where_that_leads_to_the_same() {
    let (site, first, _) = site().await;
    for number in 0..50 {
        site.put(number, "newer").await;
    }
    site.engine.checkpoint().await.unwrap();
    site.clock.advance(chrono::Duration::days(8));
    site.put(51, "newest").await;
    let second = site.back_up().await;
    let damaged = second.checkpoint.as_ref().unwrap();
    assert_ne!(Some(damaged), first.checkpoint.as_ref(), "each has a checkpoint of its own");
    flip(&path(&site, &damaged.file), damaged.file.bytes as usize / 2);
    let (target, restored) = site.restore_partly(newest()).await.unwrap();
    assert!(restored.exact && restored.faults.len() == 1, "{:?}", restored.faults);
    let (mut found, mut wanted) = (records(&*open(&target, &site.clock)).await, site.records().await);
    for all in [&mut found, &mut wanted] {
        all.retain(|key, _| key[0] == b'Z');
    }
    assert_eq!(found, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_intact_record_of_damaged_records_is_restored() {
    let (site, manifest, _) = site().await;
    let count = |all: &crate::support::site::Records| all.keys().filter(|key| key[0] == b'Z').count();
    let of_manifest = manifest.checkpoint.as_ref().unwrap();
    // So that the same records cannot be reached in another way.
    for older in manifest.journal.iter().filter(|segment| segment.last <= of_manifest.since.group) {
        std::fs::remove_file(path(&site, &older.file)).unwrap();
    }
    let checkpoint = path(&site, &of_manifest.file);
    let whole = std::fs::read(&checkpoint).unwrap();
    // In a block, in a length and in the header.
    for position in [whole.len() / 2, 52, 56, 20] {
        flip(&checkpoint, position);
        let (target, restored) = site.restore_partly(newest()).await.unwrap();
        let found = records(&*open(&target, &site.clock)).await;
        assert!(!restored.faults.is_empty());
        assert_eq!(restored.exact, position == 20, "{position}: {:?}", restored.faults);
        let expected = site.records().await;
        for (key, value) in found.iter().filter(|(key, _)| key[0] == b'Z') {
            assert_eq!(Some(value), expected.get(key), "nothing is made up");
        }
        assert!(count(&found) >= 20, "what the journal has comes back: {}", count(&found));
        std::fs::write(&checkpoint, &whole).unwrap();
    }
    // A group of the journal.
    let last = manifest.journal.last().unwrap();
    flip(&path(&site, &last.file), 150);
    let (target, restored) = site.restore_partly(newest()).await.unwrap();
    assert!(!restored.exact);
    assert!(restored.faults.iter().any(|fault| fault.what.contains("changes")), "{:?}", restored.faults);
    assert_eq!(count(&records(&*open(&target, &site.clock)).await), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_may_run_beside_a_store_which_is_moved_aside_on_request() {
    let (site, ..) = site().await;
    let target = tempfile::tempdir().unwrap();
    let pending = site.restoration(&target);
    let restore = async |pending: &Restoration| {
        let clock = std::sync::Arc::new(site.clock.clone());
        depesch::operations::restore::restore(pending, clock, std::sync::Arc::new(unwatched)).await
    };
    restore(&pending).await.unwrap();
    std::fs::create_dir(pending.target.join("backup")).unwrap();
    let rehearsed = rehearse(&pending, std::sync::Arc::new(unwatched)).await.unwrap();
    assert!(rehearsed.occupied.is_some() && rehearsed.is_whole());
    assert!(restore(&pending).await.unwrap_err().to_string().contains("already exists"));
    let busy = open(&target, &site.clock);
    let pending = Restoration { aside: true, ..pending };
    assert!(restore(&pending).await.unwrap_err().to_string().contains("in use"), "not from under a daemon");
    busy.close().unwrap();
    drop(busy);
    let restored = restore(&pending).await.unwrap();
    let aside = restored.aside.unwrap();
    assert!(aside.join("store/journal").is_dir() && aside.join("blobs").is_dir());
    assert!(pending.target.join("backup").is_dir(), "backups stay where they are");
    assert!(site.clock.now() >= restored.point.created);
    let held = depesch::store::Store::new(open(&target, &site.clock)).mailing(MailingId(1)).await.unwrap().unwrap();
    assert!(held.value.pause.is_some());
}
