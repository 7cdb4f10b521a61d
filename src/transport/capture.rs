//! The capture folder: messages are not sent but stored in a maildir, which any mail client can open.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::base::clock::Clock;
use crate::model::reply::Reply;

use super::{ConnectError, Connection, Envelope, Outcome, Pieces, Transport, TransportFuture};

/// Settings of the capture folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    /// The maildir; created, with its `tmp`, `new` and `cur`, if it does not exist.
    pub directory: PathBuf,
}

/// Stores messages in a maildir. What is accepted is on disk, also after a power failure.
pub struct Capture {
    place: Arc<Place>,
}

struct Place {
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    count: AtomicU64,
}

impl Capture {
    /// Captures into `settings.directory`; the clock determines the names of files. Touches nothing yet.
    pub fn new(settings: CaptureSettings, clock: Arc<dyn Clock>) -> Self {
        let place = Place { directory: settings.directory, clock, count: AtomicU64::new(0) };
        Self { place: Arc::new(place) }
    }
}

impl Transport for Capture {
    fn connect(&self) -> TransportFuture<'_, Result<Box<dyn Connection>, ConnectError>> {
        let place = self.place.clone();
        Box::pin(async move {
            let made = place.clone();
            match off_thread(move || made.make()).await {
                Ok(()) => Ok(Box::new(CaptureConnection { place }) as Box<dyn Connection>),
                Err(error) => {
                    let directory = place.directory.display();
                    Err(ConnectError::Unreachable(format!("the capture folder {directory}: {error}")))
                }
            }
        })
    }
}

struct CaptureConnection {
    place: Arc<Place>,
}

impl Connection for CaptureConnection {
    fn send_pieces<'a>(&'a mut self, envelope: &'a Envelope, message: Pieces<'a>) -> TransportFuture<'a, Outcome> {
        let bytes = as_file(envelope, &message.concat());
        let place = self.place.clone();
        Box::pin(async move {
            let kept = off_thread(move || Ok(place.keep(&bytes))).await;
            kept.unwrap_or_else(|error| Outcome::Unknown(format!("the capture folder: {error}")))
        })
    }

    fn is_usable(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) -> TransportFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Place {
    fn make(&self) -> io::Result<()> {
        for folder in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(self.directory.join(folder))?;
        }
        Ok(())
    }

    /// tmp, fsync, new, fsync: every file in `new` is complete.
    fn keep(&self, bytes: &[u8]) -> Outcome {
        let now = self.clock.now();
        let number = self.count.fetch_add(1, Relaxed);
        let (second, micros) = (now.timestamp(), now.timestamp_subsec_micros());
        let name = format!("{second}.M{micros:06}P{}Q{number:06}.depesch", std::process::id());
        let draft = self.directory.join("tmp").join(&name);
        let folder = self.directory.join("new");
        let not_sent = |error: io::Error| Outcome::NotSent(format!("{}: {error}", draft.display()));
        if let Err(error) = write_durably(&draft, bytes) {
            // A half-written draft is useless; if it cannot be removed, nothing else is affected.
            drop(std::fs::remove_file(&draft));
            return not_sent(error);
        }
        if let Err(error) = std::fs::rename(&draft, folder.join(&name)) {
            return not_sent(error);
        }
        match File::open(&folder).and_then(|folder| folder.sync_all()) {
            Ok(()) => Outcome::Accepted(Reply::new(250, &format!("2.0.0 kept as new/{name}"))),
            Err(error) => Outcome::Unknown(format!("{}: {error}", folder.display())),
        }
    }
}

/// The files in a capture folder that [`Capture`] wrote, also after a mail client has moved them; no others, because
/// the folder may be a person's own maildir too. Empty if the folder does not exist.
///
/// # Errors
/// The system's.
pub(crate) async fn captured(directory: PathBuf) -> io::Result<Vec<PathBuf>> {
    off_thread(move || {
        let mut captured = Vec::new();
        for folder in ["tmp", "new", "cur"] {
            let entries = match std::fs::read_dir(directory.join(folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_name().to_str().is_some_and(is_captured) && entry.file_type()?.is_file() {
                    captured.push(entry.path());
                }
            }
        }
        Ok(captured)
    })
    .await
}

/// Whether a file has a name as [`Place::keep`] generates it; mail clients append flags after a colon.
fn is_captured(name: &str) -> bool {
    let parts = || {
        let name = name.split(':').next()?.strip_suffix(".depesch")?;
        let (second, rest) = name.split_once(".M")?;
        let (micros, rest) = rest.split_once('P')?;
        let (process, number) = rest.split_once('Q')?;
        Some([second, micros, process, number])
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts().is_some_and(|parts| parts.into_iter().all(is_number))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The message with its envelope on top (RFC 5321 §4.4), and with LF as is usual in a maildir.
fn as_file(envelope: &Envelope, message: &[u8]) -> Vec<u8> {
    let top = format!("Return-Path: <{}>\nDelivered-To: {}\n", envelope.reverse_path(), envelope.recipient);
    let mut bytes = Vec::with_capacity(top.len() + message.len());
    bytes.extend_from_slice(top.as_bytes());
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                bytes.extend_from_slice(line);
                bytes.push(b'\n');
            }
            None => bytes.extend_from_slice(line),
        }
    }
    bytes
}

/// Runs disk work, which is slow, outside the runtime's threads.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
