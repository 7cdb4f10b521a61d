//! The spool: only durable data is acknowledged, and only data that was stored is read.

use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use depesch::base::clock::{FakeClock, Timestamp};
use depesch::model::inbound::SpoolPlace;
use depesch::store::spool::{MAX_MESSAGE, Spool, SpoolError, SpoolSettings};

use crate::support::disk::FaultyDisk;

fn clock() -> Arc<FakeClock> {
    FakeClock::at("2026-11-02T09:00:00Z".parse().unwrap())
}

fn settings() -> SpoolSettings {
    SpoolSettings { segment_bytes: 100_000, segment_age: Duration::from_secs(3600), reserve_bytes: 1000 }
}

fn open(directory: &Path) -> (Spool, FaultyDisk) {
    let (spool, disk, _) = open_with_clock(directory);
    (spool, disk)
}

fn open_with_clock(directory: &Path) -> (Spool, FaultyDisk, Arc<FakeClock>) {
    let (disk, clock) = (FaultyDisk::default(), clock());
    let spool = Spool::open_on(Arc::new(disk.clone()), directory, settings(), Arc::new(clock.clone())).unwrap();
    (spool, disk, clock)
}

/// Later than any time of the file system's clock.
fn later() -> Timestamp {
    "2999-01-01T00:00:00Z".parse().unwrap()
}

fn message(number: usize) -> Vec<u8> {
    format!("Subject: {number}\r\n\r\n{}\r\n", "x".repeat(number)).into_bytes()
}

async fn numbers(spool: &Spool) -> Vec<u64> {
    spool.segments().await.unwrap().iter().map(|segment| segment.number).collect()
}

async fn file_of(spool: &Spool, place: SpoolPlace) -> PathBuf {
    let segments = spool.segments().await.unwrap();
    segments.into_iter().find(|segment| segment.number == place.segment).unwrap().path
}

#[tokio::test]
async fn messages_are_read_unchanged_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("state/spool");
    let (spool, _) = open(&folder);
    assert!(numbers(&spool).await.is_empty(), "a spool without mail has no segment");
    let mut kept = Vec::new();
    for number in [0, 1, 500, 70_000] {
        kept.push((spool.append(message(number)).await.unwrap(), message(number)));
    }
    kept.push((spool.append(Vec::new()).await.unwrap(), Vec::new()));
    spool.close();
    assert_eq!(spool.append(message(1)).await, Err(SpoolError::Closed));
    let (again, _) = open(&folder);
    let new = again.append(message(7)).await.unwrap();
    assert!(kept.iter().all(|(place, _)| place.segment < new.segment), "a start begins a new segment");
    kept.push((new, message(7)));
    for (place, bytes) in kept {
        assert_eq!(spool.read(place).await.unwrap(), bytes);
        assert_eq!(again.read(place).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn messages_that_wait_together_share_one_sync() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, disk) = open(directory.path());
    for number in 0..5 {
        let before = disk.0.lock().unwrap().synced;
        spool.append(message(number)).await.unwrap();
        assert_eq!(disk.0.lock().unwrap().synced, before + 1);
    }
    let before = disk.0.lock().unwrap().synced;
    let mut appends: Vec<_> = (0..50).map(|number| Box::pin(spool.append(message(number)))).collect();
    {
        // The disk is blocked: the thread reaches the first group at most, and all others wait for the second.
        let _held = disk.0.lock().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        assert!(appends.iter_mut().all(|append| append.as_mut().poll(&mut context).is_pending()));
    }
    let places = futures_util::future::try_join_all(appends).await.unwrap();
    let syncs = disk.0.lock().unwrap().synced - before;
    assert!((1..=2).contains(&syncs), "{syncs}");
    for (number, place) in places.into_iter().enumerate() {
        assert_eq!(spool.read(place).await.unwrap(), message(number));
    }
}

#[tokio::test]
async fn after_a_failed_sync_or_write_the_segment_is_left_and_a_new_one_begun() {
    for is_sync in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (spool, disk) = open(directory.path());
        let first = spool.append(message(1)).await.unwrap();
        for _ in 0..3 {
            match is_sync {
                true => disk.0.lock().unwrap().sync = Some(ErrorKind::Other),
                false => disk.0.lock().unwrap().write = Some(ErrorKind::Other),
            }
            assert!(matches!(spool.append(message(2)).await, Err(SpoolError::Io { .. })));
        }
        assert_eq!(numbers(&spool).await, [first.segment], "segments in which nothing lies do not pile up");
        let third = spool.append(message(3)).await.unwrap();
        assert!(third.segment > first.segment, "nothing is acknowledged from the old segment any more");
        assert_eq!(spool.read(first).await.unwrap(), message(1));
        assert_eq!(spool.read(third).await.unwrap(), message(3));
    }
}

#[tokio::test]
async fn a_full_disk_is_reported_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, disk) = open(directory.path());
    let first = spool.append(message(1)).await.unwrap();
    let bytes = spool.segments().await.unwrap()[0].bytes;
    for room in [0, 1, 20, 100] {
        disk.0.lock().unwrap().room = Some(room);
        assert!(matches!(spool.append(message(200)).await, Err(SpoolError::Full(_))), "room {room}");
        assert_eq!(spool.segments().await.unwrap()[0].bytes, bytes, "nothing is left of it");
    }
    disk.0.lock().unwrap().room = None;
    let second = spool.append(message(2)).await.unwrap();
    assert_eq!((second.segment, second.offset), (first.segment, bytes));
    disk.0.lock().unwrap().free = Some(1100);
    assert!(matches!(spool.append(message(200)).await, Err(SpoolError::Full(_))), "the reserve is left alone");
    assert!(spool.append(message(3)).await.is_ok(), "what leaves the reserve alone is taken");
    disk.0.lock().unwrap().free = None;
    // Some file systems report a full disk only at the sync.
    disk.0.lock().unwrap().sync = Some(ErrorKind::StorageFull);
    assert!(matches!(spool.append(message(4)).await, Err(SpoolError::Full(_))));
    let last = spool.append(message(5)).await.unwrap();
    for (place, number) in [(first, 1), (second, 2), (last, 5)] {
        assert_eq!(spool.read(place).await.unwrap(), message(number));
    }
    let too_large = spool.append(vec![b'x'; MAX_MESSAGE + 1]).await;
    assert_eq!(too_large, Err(SpoolError::TooLarge(MAX_MESSAGE + 1)));
}

#[tokio::test]
async fn a_torn_last_message_affects_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(directory.path());
    let first = spool.append(message(1)).await.unwrap();
    let last = spool.append(message(30)).await.unwrap();
    let path = file_of(&spool, last).await;
    spool.close();
    let whole = std::fs::read(&path).unwrap();
    for length in usize::try_from(last.offset).unwrap()..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let (again, _) = open(directory.path());
        let new = again.append(message(9)).await.unwrap();
        assert!(new.segment > last.segment);
        assert_eq!(again.read(first).await.unwrap(), message(1));
        assert_eq!(again.read(new).await.unwrap(), message(9));
        match again.read(last).await {
            Err(SpoolError::Damaged { path: named, offset, .. }) => {
                assert_eq!((named, offset), (path.clone(), last.offset));
            }
            other => panic!("cut at {length}: {other:?}"),
        }
        assert!(again.drop_segment(new.segment, later().into()).await.unwrap());
    }
}

#[tokio::test]
async fn every_flipped_byte_is_found_and_stops_only_its_own_message() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(directory.path());
    let places = [spool.append(message(1)).await.unwrap(), spool.append(message(2)).await.unwrap()];
    let path = file_of(&spool, places[0]).await;
    let whole = std::fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x10;
        std::fs::write(&path, damaged).unwrap();
        let hit = usize::from(position as u64 >= places[1].offset);
        let found = spool.read(places[hit]).await;
        let is_named = matches!(&found, Err(SpoolError::Damaged { offset, .. }) if *offset == places[hit].offset)
            // The version is stored outside the checksum, so that a newer form is not taken for damage.
            || matches!(&found, Err(SpoolError::Newer { .. }));
        assert!(is_named, "byte {position}: {found:?}");
        assert_eq!(spool.read(places[1 - hit]).await.unwrap(), message(2 - hit));
    }
    std::fs::write(&path, &whole).unwrap();
    let elsewhere = SpoolPlace { offset: places[0].offset + 1, ..places[0] };
    assert!(matches!(spool.read(elsewhere).await, Err(SpoolError::Damaged { .. })));
    let shorter = SpoolPlace { length: places[0].length - 1, ..places[0] };
    assert!(matches!(spool.read(shorter).await, Err(SpoolError::Damaged { .. })));
}

#[tokio::test]
async fn segments_end_by_size_and_by_age_and_are_dropped_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _, clock) = open_with_clock(directory.path());
    let first = spool.append(message(99_990)).await.unwrap();
    let second = spool.append(message(1)).await.unwrap();
    assert!(second.segment > first.segment, "by size");
    clock.advance(chrono::Duration::minutes(59));
    assert_eq!(spool.append(message(1)).await.unwrap().segment, second.segment);
    clock.advance(chrono::Duration::minutes(1));
    let third = spool.append(message(3)).await.unwrap();
    assert!(third.segment > second.segment, "by age");
    assert_eq!(numbers(&spool).await, [first.segment, second.segment, third.segment]);
    let long_ago: Timestamp = "2001-01-01T00:00:00Z".parse().unwrap();
    assert!(!spool.drop_segment(first.segment, long_ago.into()).await.unwrap(), "not what was written to since");
    assert_eq!(spool.read(first).await.unwrap(), message(99_990));
    assert!(spool.drop_segment(first.segment, later().into()).await.unwrap());
    assert!(spool.drop_segment(first.segment, later().into()).await.unwrap());
    assert!(matches!(spool.read(first).await, Err(SpoolError::Dropped { .. })));
    assert!(spool.drop_segment(third.segment, later().into()).await.unwrap());
    assert_eq!(numbers(&spool).await, [second.segment]);
    let fourth = spool.append(message(4)).await.unwrap();
    assert!(fourth.segment > third.segment, "no number is given twice");
    assert_eq!(spool.read(second).await.unwrap(), message(1));
    assert_eq!(spool.read(fourth).await.unwrap(), message(4));
}

#[tokio::test]
async fn an_erased_message_is_gone_from_the_disk_and_all_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(directory.path());
    let secret = b"From: karin.ek@example.org\r\n\r\nprivate".repeat(5000);
    let before = spool.append(message(1)).await.unwrap();
    let place = spool.append(secret).await.unwrap();
    let after = spool.append(message(2)).await.unwrap();
    let path = file_of(&spool, place).await;
    let written = std::fs::metadata(&path).unwrap().modified().unwrap();
    for _ in 0..2 {
        spool.erase(place).await.unwrap();
        assert!(matches!(spool.read(place).await, Err(SpoolError::Erased { offset, .. }) if offset == place.offset));
    }
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"karin" || window == b"priva"));
    let age = std::fs::metadata(&path).unwrap().modified().unwrap().duration_since(written).unwrap();
    assert_eq!(age, Duration::from_millis(2), "it gets no younger by it, and is not taken for what it was");
    assert_eq!(spool.read(before).await.unwrap(), message(1));
    assert_eq!(spool.read(after).await.unwrap(), message(2));
    let more = spool.append(message(3)).await.unwrap();
    assert_eq!(spool.read(more).await.unwrap(), message(3));
    // A place where no message begins cannot be read.
    let wrong = SpoolPlace { offset: after.offset + 1, ..after };
    assert!(matches!(spool.erase(wrong).await, Err(SpoolError::Damaged { .. })));
    assert_eq!(spool.read(after).await.unwrap(), message(2));
    spool.drop_segment(place.segment, later().into()).await.unwrap();
    spool.erase(place).await.unwrap();
}

#[tokio::test]
async fn an_erasure_that_stopped_half_way_reads_as_erased_and_is_ended_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(directory.path());
    let place = spool.append(message(900)).await.unwrap();
    let path = file_of(&spool, place).await;
    let whole = std::fs::read(&path).unwrap();
    spool.erase(place).await.unwrap();
    // As after a crash: the header was written, the message was not.
    let half = [&std::fs::read(&path).unwrap()[..16], &whole[16..]].concat();
    std::fs::write(&path, half).unwrap();
    assert!(matches!(spool.read(place).await, Err(SpoolError::Erased { .. })));
    spool.erase(place).await.unwrap();
    assert!(std::fs::read(&path).unwrap()[16..].iter().all(|byte| *byte == 0));
}
