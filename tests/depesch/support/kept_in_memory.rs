//! Attachments and received mail in memory, which can be made to fail: what a store without files of its own would do.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use depesch::base::clock::{Clock, Timestamp};
use depesch::model::inbound::SpoolPlace;
use depesch::model::present::Cutoff;
use depesch::store::blobs::{BlobError, BlobFuture, BlobStore, BlobWriter};
use depesch::store::spool::{MessageSpool, Segment, SpoolError, SpoolFuture};
use tokio::io::AsyncRead;

type Contents = Arc<Mutex<BTreeMap<[u8; 32], (Vec<u8>, Timestamp)>>>;

/// Contents by hash, with the time of receipt.
pub struct MemoryBlobs {
    pub contents: Contents,
    pub fails: AtomicBool,
    clock: Arc<dyn Clock>,
}

impl MemoryBlobs {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { contents: Contents::default(), fails: AtomicBool::new(false), clock })
    }

    fn answer<'a, T: Send + 'a>(&self, work: impl FnOnce() -> T) -> BlobFuture<'a, T> {
        let done = match self.fails.load(Ordering::SeqCst) {
            true => {
                Err(BlobError::Io { action: "reached", path: "memory".into(), error: io::Error::other("it is away") })
            }
            false => Ok(work()),
        };
        Box::pin(std::future::ready(done))
    }
}

impl BlobStore for MemoryBlobs {
    fn begin(&self) -> BlobFuture<'_, Box<dyn BlobWriter>> {
        let writer = Writer { contents: self.contents.clone(), bytes: Vec::new(), at: self.clock.now() };
        self.answer(|| Box::new(writer) as Box<dyn BlobWriter>)
    }

    fn open<'a>(&'a self, sha256: &'a [u8; 32]) -> BlobFuture<'a, Option<Box<dyn AsyncRead + Send + Unpin>>> {
        self.answer(|| {
            let found = self.contents.lock().unwrap().get(sha256).map(|(bytes, _)| bytes.clone());
            found.map(|bytes| Box::new(io::Cursor::new(bytes)) as Box<dyn AsyncRead + Send + Unpin>)
        })
    }

    fn size<'a>(&'a self, sha256: &'a [u8; 32]) -> BlobFuture<'a, Option<u64>> {
        self.answer(|| self.contents.lock().unwrap().get(sha256).map(|(bytes, _)| bytes.len() as u64))
    }

    fn received_before(&self, cutoff: Cutoff) -> BlobFuture<'_, Vec<[u8; 32]>> {
        self.answer(|| {
            let contents = self.contents.lock().unwrap();
            contents.iter().filter(|(_, (_, at))| cutoff.has(*at)).map(|(sha256, _)| *sha256).collect()
        })
    }

    fn remove<'a>(&'a self, sha256: &'a [u8; 32], before: Option<Cutoff>) -> BlobFuture<'a, ()> {
        self.answer(|| {
            let mut contents = self.contents.lock().unwrap();
            if contents.get(sha256).is_some_and(|(_, at)| before.is_none_or(|before| before.has(*at))) {
                contents.remove(sha256);
            }
        })
    }

    fn clear_incoming(&self) -> BlobFuture<'_, ()> {
        self.answer(|| ())
    }

    fn place(&self, sha256: &[u8; 32]) -> PathBuf {
        PathBuf::from(format!("memory/{:02x}", sha256[0]))
    }
}

struct Writer {
    contents: Contents,
    bytes: Vec<u8>,
    at: Timestamp,
}

impl BlobWriter for Writer {
    fn write<'a>(&'a mut self, piece: &'a [u8]) -> BlobFuture<'a, ()> {
        self.bytes.extend_from_slice(piece);
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish(self: Box<Self>, sha256: [u8; 32]) -> BlobFuture<'static, ()> {
        self.contents.lock().unwrap().insert(sha256, (self.bytes, self.at));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Messages one after the other, each in a segment of its own; an erased one is `None`.
#[derive(Default)]
pub struct MemorySpool {
    messages: Mutex<BTreeMap<u64, (Option<Vec<u8>>, Timestamp)>>,
    pub fails: AtomicBool,
}

impl MemorySpool {
    fn answer<'a, T: Send + 'a>(&self, work: impl FnOnce() -> Result<T, SpoolError>) -> SpoolFuture<'a, T> {
        let done = match self.fails.load(Ordering::SeqCst) {
            true => Err(SpoolError::Full("it is away".to_owned())),
            false => work(),
        };
        Box::pin(std::future::ready(done))
    }
}

impl MessageSpool for MemorySpool {
    fn append(&self, bytes: Vec<u8>) -> SpoolFuture<'_, SpoolPlace> {
        self.answer(|| {
            let mut messages = self.messages.lock().unwrap();
            let segment = messages.last_key_value().map_or(1, |(last, _)| last + 1);
            let place = SpoolPlace { segment, offset: 0, length: u32::try_from(bytes.len()).unwrap() };
            messages.insert(segment, (Some(bytes), Timestamp::default()));
            Ok(place)
        })
    }

    fn read(&self, place: SpoolPlace) -> SpoolFuture<'_, Vec<u8>> {
        self.answer(|| match self.messages.lock().unwrap().get(&place.segment) {
            Some((Some(bytes), _)) => Ok(bytes.clone()),
            Some((None, _)) => Err(SpoolError::Erased { path: "memory".into(), offset: place.offset }),
            None => Err(SpoolError::Dropped { path: "memory".into() }),
        })
    }

    fn segments(&self) -> SpoolFuture<'_, Vec<Segment>> {
        self.answer(|| {
            let segment = |(number, (bytes, written)): (&u64, &(Option<Vec<u8>>, Timestamp))| Segment {
                number: *number,
                path: "memory".into(),
                bytes: bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
                written: *written,
            };
            Ok(self.messages.lock().unwrap().iter().map(segment).collect())
        })
    }

    fn drop_segment(&self, number: u64, old: Cutoff) -> SpoolFuture<'_, bool> {
        self.answer(|| {
            let mut messages = self.messages.lock().unwrap();
            if messages.get(&number).is_some_and(|(_, written)| old.has(*written)) {
                messages.remove(&number);
            }
            Ok(!messages.contains_key(&number))
        })
    }

    fn seal_blocking(&self) -> Result<u64, SpoolError> {
        Ok(self.messages.lock().unwrap().last_key_value().map_or(0, |(last, _)| *last))
    }

    fn erase(&self, place: SpoolPlace) -> SpoolFuture<'_, ()> {
        self.answer(|| {
            if let Some((bytes, _)) = self.messages.lock().unwrap().get_mut(&place.segment) {
                *bytes = None;
            }
            Ok(())
        })
    }

    fn close(&self) {}
}
