//! Attachments and received mail need not be files: names, hashes and limits are the same wherever they are kept, and a
//! place that fails is never taken for one that has nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use depesch::base::clock::FakeClock;
use depesch::model::inbound::SpoolPlace;
use depesch::store::blobs::{BlobError, Blobs};
use depesch::store::spool::{MAX_MESSAGE, Spool, SpoolError};

use crate::support::kept_in_memory::{MemoryBlobs, MemorySpool};
use crate::support::mailings::minute;

#[tokio::test]
async fn attachments_are_verified_wherever_they_are() {
    let kept = MemoryBlobs::new(Arc::new(FakeClock::at(minute(0))));
    let blobs = Blobs::new(kept.clone());
    let blob = blobs.put(None, &b"hello"[..]).await.unwrap();
    assert_eq!((blobs.size(&blob.sha256).await.unwrap(), blob.size), (Some(5), 5));
    assert_eq!(blobs.read(&blob.sha256).await.unwrap(), b"hello");
    let other = blobs.put(Some(blob.sha256), &b"hullo"[..]).await;
    assert!(matches!(other, Err(BlobError::Different { .. })), "{other:?}");
    assert_eq!(kept.contents.lock().unwrap().len(), 1, "what was refused is not there");
    kept.contents.lock().unwrap().get_mut(&blob.sha256).unwrap().0[0] ^= 1;
    assert!(matches!(blobs.read(&blob.sha256).await, Err(BlobError::Damaged { .. })));
    kept.contents.lock().unwrap().clear();
    assert!(matches!(blobs.read(&blob.sha256).await, Err(BlobError::Missing(_))));
}

#[tokio::test]
async fn a_place_that_fails_is_not_an_empty_one() {
    let kept = MemoryBlobs::new(Arc::new(FakeClock::at(minute(0))));
    let blobs = Blobs::new(kept.clone());
    let blob = blobs.put(None, &b"hello"[..]).await.unwrap();
    kept.fails.store(true, Ordering::SeqCst);
    assert!(matches!(blobs.read(&blob.sha256).await, Err(BlobError::Io { .. })));
    assert!(matches!(blobs.size(&blob.sha256).await, Err(BlobError::Io { .. })));
    assert!(matches!(blobs.put(None, &b"more"[..]).await, Err(BlobError::Io { .. })));
    kept.fails.store(false, Ordering::SeqCst);
    assert_eq!(blobs.read(&blob.sha256).await.unwrap(), b"hello");

    let mail = Arc::new(MemorySpool::default());
    let spool = Spool::new(mail.clone());
    let place = spool.append(b"mail".to_vec()).await.unwrap();
    mail.fails.store(true, Ordering::SeqCst);
    assert!(matches!(spool.append(b"more".to_vec()).await, Err(SpoolError::Full(_))));
    assert!(matches!(spool.read(place).await, Err(SpoolError::Full(_))));
    mail.fails.store(false, Ordering::SeqCst);
    assert_eq!(spool.read(place).await.unwrap(), b"mail");
}

#[tokio::test]
async fn received_mail_is_limited_and_erased_wherever_it_is() {
    let spool = Spool::new(Arc::new(MemorySpool::default()));
    let too_large = spool.append(vec![0; MAX_MESSAGE + 1]).await;
    assert!(matches!(too_large, Err(SpoolError::TooLarge(_))));
    let place = spool.append(b"mail".to_vec()).await.unwrap();
    assert_eq!(spool.segments().await.unwrap().len(), 1);
    spool.erase(place).await.unwrap();
    assert!(matches!(spool.read(place).await, Err(SpoolError::Erased { .. })));
    let never = SpoolPlace { segment: 9, ..place };
    assert!(matches!(spool.read(never).await, Err(SpoolError::Dropped { .. })));
}
