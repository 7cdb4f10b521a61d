//! One connection for notices: intent, sending, outcome, and what the outcome means for the notice and for the relay.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::base::id::NoticeId;
use crate::model::ledger::Cause;
use crate::model::notice::{Notice, NoticeBody, NoticeState};
use crate::runtime::heartbeat::Heartbeat;
use crate::store::blobs::BlobError;
use crate::store::engine::{Batch, Commit, Value};
use crate::store::notices::put_over;
use crate::store::spool::SpoolError;
use crate::store::{Read, StoreError};
use crate::transport::{Connection, Envelope, Outcome};

use super::Shared;

/// Interval of checks while waiting, so that a person's request for the next attempt takes effect soon.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// One connection.
pub(super) struct NoticeSender {
    shared: Arc<Shared>,
    connection: Option<Box<dyn Connection>>,
    heartbeat: Arc<Heartbeat>,
}

impl NoticeSender {
    /// Creates one that is not connected yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let heartbeat = shared.heartbeats.begin("a connection for notices");
        Self { shared, connection: None, heartbeat }
    }

    /// Sends the notices from the channel until it is closed.
    pub(super) async fn run(mut self, notices: Arc<tokio::sync::Mutex<mpsc::Receiver<NoticeId>>>) {
        while let Some(id) = self.next(&notices).await {
            self.heartbeat.works();
            // An unreadable notice stays under way: it would be found again at once, and nothing could be done.
            match self.deliver(id).await {
                Ok(()) => {}
                Err(StoreError::Record(error)) => {
                    tracing::error!(notice = %id, %error, "a notice cannot be read; it is skipped until the next start");
                    continue;
                }
                Err(error) => {
                    if self.shared.survive(&error).await.is_err() {
                        break;
                    }
                }
            }
            self.shared.under_way().remove(&id);
            self.shared.done.notify_one();
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// The next notice; an idle connection is closed.
    async fn next(&mut self, notices: &tokio::sync::Mutex<mpsc::Receiver<NoticeId>>) -> Option<NoticeId> {
        self.heartbeat.rests();
        let shared = self.shared.clone();
        let take = async || notices.lock().await.recv().await;
        if self.connection.is_some() {
            let idle = Duration::from_secs(u64::from(shared.parts.settings.idle_seconds));
            tokio::select! {
                biased;
                id = take() => return id,
                () = shared.parts.clock.wait_for(idle) => {}
            }
            if let Some(connection) = self.connection.take() {
                connection.close().await;
            }
        }
        take().await
    }

    /// Sends one notice, if it is still to be sent.
    async fn deliver(&mut self, id: NoticeId) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let store = &shared.parts.store;
        while !shared.is_draining() {
            let Some(read) = store.notice(id).await? else { return Ok(()) };
            if !read.value.is_due(shared.now(), &shared.parts.settings.retry) {
                return Ok(());
            }
            let bytes = match shared.bytes(&read.value).await? {
                Ok(bytes) => bytes,
                Err(instead) => {
                    if shared.commit(&read, &instead).await?.is_some() {
                        return Ok(());
                    }
                    continue;
                }
            };
            if !self.have_connection().await {
                return Ok(());
            }
            let intent = read.value.begin(shared.now());
            if let Some(stamp) = shared.commit(&read, &intent).await? {
                return self.send(Read { value: intent, stamp }, &bytes).await;
            }
        }
        Ok(())
    }

    /// Opens a connection if absent, waiting while the relay is in trouble; `false` when the daemon drains.
    async fn have_connection(&mut self) -> bool {
        if self.connection.as_ref().is_some_and(|connection| connection.is_usable()) {
            return true;
        }
        self.connection = None;
        let shared = self.shared.clone();
        while !shared.is_draining() {
            self.heartbeat.waits_for_relay();
            let now = shared.now();
            if let Some(at) = shared.backoff.ask(now) {
                tokio::select! {
                    () = shared.parts.clock.wait_until(at, CHECK_EVERY) => {}
                    () = shared.until_draining() => {}
                }
                continue;
            }
            let dial = shared.backoff.dials(shared.now());
            let connected = shared.parts.transport.connect().await;
            shared.backoff.dialed(dial);
            match connected {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.heartbeat.works();
                    return true;
                }
                Err(error) => shared.report_trouble(error.to_string()),
            }
        }
        false
    }

    async fn send(&mut self, mut intended: Read<Notice>, bytes: &[u8]) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let Some(connection) = self.connection.as_mut() else { return Ok(()) };
        let envelope = Envelope {
            sender: intended.value.sender.clone(),
            recipient: intended.value.recipient.clone(),
            envelope_id: intended.value.id.to_string(),
        };
        self.heartbeat.waits_for_relay();
        let outcome = connection.send(&envelope, bytes).await;
        self.heartbeat.works();
        let after = shared.after_outcome(intended.value.clone(), outcome);
        loop {
            match shared.commit(&intended, &after).await {
                Ok(Some(_)) => break,
                // The acknowledgement of the intent was lost, or a person changed it: a known outcome wins over an
                // assumed one.
                Ok(None) => match shared.parts.store.notice(after.id).await? {
                    Some(again) => intended = again,
                    None => return Ok(()),
                },
                Err(error) => {
                    self.heartbeat.works();
                    if shared.survive(&error).await.is_err() {
                        return Err(error);
                    }
                }
            }
        }
        shared.log(&after);
        Ok(())
    }
}

impl Shared {
    /// The whole message; or, if it is unavailable, the resulting state of the notice.
    async fn bytes(&self, notice: &Notice) -> Result<Result<Vec<u8>, Notice>, StoreError> {
        let (parts, now) = (&self.parts, self.now());
        let failed = |what: String| notice.clone().failed(now, Cause::Message(what));
        Ok(match &notice.body {
            NoticeBody::Kept => match parts.store.notice_bytes(notice.id).await? {
                Some(bytes) => Ok(bytes.to_vec()),
                None => Err(failed("its text no longer exists".to_owned())),
            },
            NoticeBody::KeptWithEnd(end) => {
                let Some(beginning) = parts.store.notice_bytes(notice.id).await? else {
                    return Ok(Err(failed("its text no longer exists".to_owned())));
                };
                match parts.blobs.read(&end.sha256).await {
                    Ok(end) => Ok([&beginning[..], &end].concat()),
                    Err(error @ BlobError::Io { .. }) => {
                        let cause = Cause::Message(error.to_string());
                        Err(notice.clone().put_off(now, cause, &parts.settings.retry))
                    }
                    Err(gone) => Err(failed(gone.to_string())),
                }
            }
            NoticeBody::Forwarded { header, place } => match parts.spool.read(*place).await {
                Ok(message) => Ok([header.as_slice(), &message].concat()),
                Err(error @ (SpoolError::Full(_) | SpoolError::Io { .. } | SpoolError::Closed)) => {
                    let cause = Cause::Message(error.to_string());
                    Err(notice.clone().put_off(now, cause, &parts.settings.retry))
                }
                Err(gone) => Err(failed(gone.to_string())),
            },
        })
    }

    /// Commits the change; `None` when another task changed the notice meanwhile.
    async fn commit(&self, read: &Read<Notice>, after: &Notice) -> Result<Option<Value>, StoreError> {
        let mut batch = Batch::new();
        let stamp = put_over(&mut batch, read, after);
        Ok((self.parts.store.commit(batch).await? == Commit::Applied).then_some(stamp))
    }

    /// Decides what an outcome means for the notice and for the relay.
    fn after_outcome(&self, notice: Notice, outcome: Outcome) -> Notice {
        let (now, table) = (self.now(), &self.parts.settings.retry);
        let (after, trouble) = match outcome {
            Outcome::Accepted(reply) => (notice.accepted(now, reply), None),
            Outcome::Refused { stage, reply } => {
                // RFC 5321 §4.2.1: 421 concerns the connection; the server closes it.
                let trouble = (reply.code == 421).then(|| format!("the relay closed the connection: {reply}"));
                (notice.refused(now, stage, reply, table), trouble)
            }
            Outcome::Impossible(why) => (notice.failed(now, Cause::Message(why)), None),
            Outcome::NotSent(what) => (notice.not_sent(now, what.clone(), table), Some(what)),
            Outcome::Unknown(what) => (notice.unknown(now, what.clone(), table), Some(what)),
        };
        match trouble {
            Some(what) => self.report_trouble(what),
            None => self.backoff.opened(now),
        }
        after
    }

    /// Counts and logs the state of a notice.
    fn log(&self, notice: &Notice) {
        let (id, about, recipient) = (notice.id, &notice.about, notice.recipient.masked());
        match &notice.state {
            NoticeState::Accepted { .. } => {
                self.accepted.fetch_add(1, Relaxed);
                tracing::debug!(notice = %id, about, recipient, "a notice was sent");
            }
            // Without the cause: a relay's reply may contain the address.
            NoticeState::Failed { .. } => {
                self.failed.fetch_add(1, Relaxed);
                tracing::warn!(notice = %id, about, recipient, "a notice could not be sent; see \u{201c}depesch notice show\u{201d}");
            }
            NoticeState::Waiting { .. } => tracing::debug!(notice = %id, about, recipient, "a notice waits"),
            NoticeState::InDoubt { .. } => {}
        }
    }
}
