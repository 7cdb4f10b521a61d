//! The spool as files: append-only segments in a directory, written by one thread.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::base::clock::Clock;
use crate::model::inbound::SpoolPlace;
use crate::model::present::Cutoff;
use crate::store::journal::disk::{Disk, make_directories, numbered_files, numbered_path};

use super::writer::{Answer, Request, Writer};
use super::{MessageSpool, SUFFIX, Segment, SpoolError, SpoolFuture, SpoolSettings, reader};

/// A directory of segments, and the thread that writes them.
pub(super) struct FileSpool {
    directory: PathBuf,
    /// `None` once closed.
    requests: Mutex<Option<Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl FileSpool {
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        settings: SpoolSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SpoolError> {
        make_directories(directory, 0o777).map_err(SpoolError::io(directory, "made"))?;
        if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_directory(parent).map_err(SpoolError::io(parent, "synced"))?;
        }
        let found = numbered_files(directory, SUFFIX).map_err(SpoolError::io(directory, "read"))?;
        let last = found.last().map_or(0, |(number, _)| *number);
        let writer = Writer::new(disk, directory.to_owned(), settings, clock, last);
        let (requests, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(SpoolError::io(directory, "given a thread"))?;
        let (requests, thread) = (Mutex::new(Some(requests)), Mutex::new(Some(thread)));
        Ok(Self { directory: directory.to_owned(), requests, thread })
    }

    fn send(&self, request: Request) -> Result<(), SpoolError> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.as_ref().ok_or(SpoolError::Closed)?.send(request).map_err(|_| SpoolError::Closed)
    }

    /// Asks the thread, and waits for its answer.
    fn ask<T: Send + 'static>(&self, request: impl FnOnce(Answer<T>) -> Request) -> SpoolFuture<'_, T> {
        let (answer, receiver) = oneshot::channel();
        let sent = self.send(request(answer));
        Box::pin(async move {
            sent?;
            receiver.await.map_err(|_| SpoolError::Closed)?
        })
    }
}

impl MessageSpool for FileSpool {
    fn append(&self, bytes: Vec<u8>) -> SpoolFuture<'_, SpoolPlace> {
        self.ask(|answer| Request::Append(bytes, answer))
    }

    fn read(&self, place: SpoolPlace) -> SpoolFuture<'_, Vec<u8>> {
        let path = numbered_path(&self.directory, place.segment, SUFFIX);
        Box::pin(blocking(move || reader::read(path, place)))
    }

    fn segments(&self) -> SpoolFuture<'_, Vec<Segment>> {
        let directory = self.directory.clone();
        Box::pin(blocking(move || reader::segments(&directory)))
    }

    fn drop_segment(&self, number: u64, old: Cutoff) -> SpoolFuture<'_, bool> {
        self.ask(|answer| Request::Drop { number, old, answer })
    }

    fn seal_blocking(&self) -> Result<u64, SpoolError> {
        let (answer, receiver) = oneshot::channel();
        self.send(Request::Seal(answer))?;
        receiver.blocking_recv().map_err(|_| SpoolError::Closed)?
    }

    fn erase(&self, place: SpoolPlace) -> SpoolFuture<'_, ()> {
        self.ask(|answer| Request::Erase { place, answer })
    }

    fn close(&self) {
        // Without a sender the thread completes the pending requests and ends.
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // An error means that it panicked; waiting callers got [`SpoolError::Closed`].
            let _ = thread.join();
        }
    }
}

impl Drop for FileSpool {
    fn drop(&mut self) {
        self.close();
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(SpoolError::Closed),
    }
}
