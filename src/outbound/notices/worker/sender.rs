//! One connection for notices: intent, sending, outcome, and what the outcome means for the notice and for the relay.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::base::id::LetterId;
use crate::model::ledger::Cause;
use crate::model::letter::{Letter, LetterBody, LetterState};
use crate::runtime::heartbeat::Pulse;
use crate::store::engine::{Batch, Commit, Value};
use crate::store::letters::put_over;
use crate::store::spool::SpoolError;
use crate::store::{Read, StoreError};
use crate::transport::{Connection, Envelope, Outcome};

use super::Shared;

/// Interval of checks while waiting, so that a person's request for the next attempt takes effect soon.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// One connection.
pub(super) struct Carrier {
    shared: Arc<Shared>,
    connection: Option<Box<dyn Connection>>,
    pulse: Arc<Pulse>,
}

impl Carrier {
    /// Creates one that is not connected yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let pulse = shared.pulses.begin("a connection for notices");
        Self { shared, connection: None, pulse }
    }

    /// Sends the notices that it is given until there will be no more.
    pub(super) async fn run(mut self, letters: Arc<tokio::sync::Mutex<mpsc::Receiver<LetterId>>>) {
        while let Some(id) = self.next(&letters).await {
            self.pulse.works();
            // An unreadable notice stays under way: it would be found again at once, and nothing could be done.
            match self.deliver(id).await {
                Ok(()) => {}
                Err(StoreError::Record(error)) => {
                    tracing::error!(letter = %id, %error, "a notice cannot be read; it is skipped until the next start");
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
    async fn next(&mut self, letters: &tokio::sync::Mutex<mpsc::Receiver<LetterId>>) -> Option<LetterId> {
        self.pulse.rests();
        let shared = self.shared.clone();
        let take = async || letters.lock().await.recv().await;
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
    async fn deliver(&mut self, id: LetterId) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let store = &shared.parts.store;
        while !shared.is_draining() {
            let Some(read) = store.letter(id).await? else { return Ok(()) };
            if !read.value.is_due(shared.now(), &shared.parts.settings.retry) {
                return Ok(());
            }
            let octets = match shared.octets(&read.value).await? {
                Ok(octets) => octets,
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
                return self.send(Read { value: intent, stamp }, &octets).await;
            }
        }
        Ok(())
    }

    /// Opens a connection if there is none, waiting while the relay is in trouble; `false` when the daemon drains.
    async fn have_connection(&mut self) -> bool {
        if self.connection.as_ref().is_some_and(|connection| connection.is_usable()) {
            return true;
        }
        self.connection = None;
        let shared = self.shared.clone();
        while !shared.is_draining() {
            self.pulse.waits_for_relay();
            let now = shared.now();
            if let Some(at) = shared.gate.ask(now) {
                tokio::select! {
                    () = shared.parts.clock.wait_until(at, LOOK_AGAIN) => {}
                    () = shared.until_draining() => {}
                }
                continue;
            }
            let dial = shared.gate.dials(shared.now());
            let connected = shared.parts.transport.connect().await;
            shared.gate.dialed(dial);
            match connected {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.pulse.works();
                    return true;
                }
                Err(error) => shared.report_trouble(error.to_string()),
            }
        }
        false
    }

    async fn send(&mut self, mut intended: Read<Letter>, octets: &[u8]) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let Some(connection) = self.connection.as_mut() else { return Ok(()) };
        let envelope = Envelope {
            sender: intended.value.sender.clone(),
            recipient: intended.value.recipient.clone(),
            envelope_id: intended.value.id.to_string(),
        };
        self.pulse.waits_for_relay();
        let outcome = connection.send(&envelope, octets).await;
        self.pulse.works();
        let after = shared.judge(intended.value.clone(), outcome);
        loop {
            match shared.commit(&intended, &after).await {
                Ok(Some(_)) => break,
                // The acknowledgement of the intent was lost, or a person changed it: a known outcome wins over an
                // assumed one.
                Ok(None) => match shared.parts.store.letter(after.id).await? {
                    Some(again) => intended = again,
                    None => return Ok(()),
                },
                Err(error) => {
                    self.pulse.works();
                    if shared.survive(&error).await.is_err() {
                        return Err(error);
                    }
                }
            }
        }
        shared.tell(&after);
        Ok(())
    }
}

impl Shared {
    /// The whole message; or, if it is unavailable, the resulting state of the notice.
    async fn octets(&self, letter: &Letter) -> Result<Result<Vec<u8>, Letter>, StoreError> {
        let (parts, now) = (&self.parts, self.now());
        let failed = |what: String| letter.clone().failed(now, Cause::Message(what));
        Ok(match &letter.body {
            LetterBody::Kept => match parts.store.letter_octets(letter.id).await? {
                Some(octets) => Ok(octets.to_vec()),
                None => Err(failed("its text is not there any more".to_owned())),
            },
            LetterBody::PassedOn { header, place } => match parts.spool.read(*place).await {
                Ok(message) => Ok([header.as_slice(), &message].concat()),
                Err(error @ (SpoolError::Full(_) | SpoolError::Io { .. } | SpoolError::Closed)) => {
                    let cause = Cause::Message(error.to_string());
                    Err(letter.clone().put_off(now, cause, &parts.settings.retry))
                }
                Err(gone) => Err(failed(gone.to_string())),
            },
        })
    }

    /// Commits the change; `None` when another task changed the notice meanwhile.
    async fn commit(&self, read: &Read<Letter>, after: &Letter) -> Result<Option<Value>, StoreError> {
        let mut batch = Batch::new();
        let stamp = put_over(&mut batch, read, after);
        Ok((self.parts.store.commit(batch).await? == Commit::Applied).then_some(stamp))
    }

    /// Decides what an outcome means for the notice and for the relay.
    fn judge(&self, letter: Letter, outcome: Outcome) -> Letter {
        let (now, table) = (self.now(), &self.parts.settings.retry);
        let (after, trouble) = match outcome {
            Outcome::Accepted(reply) => (letter.accepted(now, reply), None),
            Outcome::Refused { stage, reply } => {
                // RFC 5321 §4.2.1: 421 concerns the connection; the server closes it.
                let trouble = (reply.code == 421).then(|| format!("the relay closed the connection: {reply}"));
                (letter.refused(now, stage, reply, table), trouble)
            }
            Outcome::Impossible(why) => (letter.failed(now, Cause::Message(why)), None),
            Outcome::NotSent(what) => (letter.not_sent(now, what.clone(), table), Some(what)),
            Outcome::Unknown(what) => (letter.unknown(now, what.clone(), table), Some(what)),
        };
        match trouble {
            Some(what) => self.report_trouble(what),
            None => self.gate.opened(now),
        }
        after
    }

    /// Counts and logs the state of a notice.
    fn tell(&self, letter: &Letter) {
        let (id, about, recipient) = (letter.id, &letter.about, letter.recipient.masked());
        match &letter.state {
            LetterState::Accepted { .. } => {
                self.accepted.fetch_add(1, Relaxed);
                tracing::debug!(letter = %id, about, recipient, "a notice was sent");
            }
            // Without the cause: a relay's reply may contain the address.
            LetterState::Failed { .. } => {
                self.failed.fetch_add(1, Relaxed);
                tracing::warn!(letter = %id, about, recipient, "a notice could not be sent; see \u{201c}depesch letter show\u{201d}");
            }
            LetterState::Waiting { .. } => tracing::debug!(letter = %id, about, recipient, "a notice waits"),
            LetterState::InDoubt { .. } => {}
        }
    }
}
