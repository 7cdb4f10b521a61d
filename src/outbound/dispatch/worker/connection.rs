//! A worker's connection: when it may be opened and used, by relay backoff (can the relay be reached?) and pace (does
//! it want fewer mails?).

use std::time::Duration;

use crate::base::clock::Timestamp;
use crate::outbound::dispatch::pace::{Place, Turn};
use crate::transport::{ConnectError, Connection};

use super::{Ended, Job, Worker};

/// A worker that waits longer than this for its turn closes its connection, since the relay asked for less.
const IDLE_WHILE_SLOWED: chrono::Duration = chrono::Duration::seconds(5);
/// Interval at which a waiting worker checks whether its mailing is stopped.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// An open connection, and its place among the allowed ones.
pub(super) struct Open {
    pub(super) connection: Box<dyn Connection>,
    _place: Place,
}

/// Whether a message may be sent.
pub(super) enum Ready {
    /// Over the open connection, without a wait.
    Now,
    /// Over the open connection, after a wait.
    AfterWait,
    /// The job's mailing is stopped, or the daemon drains.
    Stopped,
}

/// The result of opening a connection.
enum Dialed {
    Open,
    /// The relay wants no more connections than there are.
    Crowded,
    Stopped,
}

impl Worker {
    /// Waits for a turn, if `turn` is empty, and for a connection.
    pub(super) async fn ready(&mut self, job: &Job, turn: &mut Option<Turn>) -> Result<Ready, Ended> {
        let mut waited = false;
        loop {
            if turn.is_none() {
                *turn = self.turn(job, &mut waited).await?;
            }
            let Some(its) = turn else { return Ok(Ready::Stopped) };
            if self.is_connected() {
                return Ok(if waited { Ready::AfterWait } else { Ready::Now });
            }
            self.open = None;
            self.flush().await?;
            match self.dial(job, its).await {
                Dialed::Open => return Ok(Ready::AfterWait),
                Dialed::Crowded => *turn = None,
                Dialed::Stopped => return Ok(Ready::Stopped),
            }
            waited = true;
        }
    }

    /// Closes the connection, if there is one.
    pub(super) async fn hang_up(&mut self) {
        if let Some(open) = self.open.take() {
            open.connection.close().await;
        }
    }

    fn is_connected(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.connection.is_usable())
    }

    /// Waits for a turn where the relay asked us to slow down; `None` when the job's mailing is stopped or the daemon
    /// drains meanwhile.
    async fn turn(&mut self, job: &Job, waited: &mut bool) -> Result<Option<Turn>, Ended> {
        let shared = self.shared.clone();
        let clock = &shared.parts.clock;
        let mut since = None;
        while !job.run.is_stopped() && !shared.is_draining() {
            let now = clock.now();
            let at = match shared.pace.ask(now, self.is_connected()) {
                Ok(turn) => return Ok(Some(turn)),
                Err(at) => at,
            };
            *waited = true;
            self.flush().await?;
            if (now - *since.get_or_insert(now)).abs() > IDLE_WHILE_SLOWED {
                self.hang_up().await;
            }
            self.wait_until(at).await;
        }
        Ok(None)
    }

    /// Opens a connection, waiting while the relay is in trouble.
    async fn dial(&mut self, job: &Job, turn: &mut Turn) -> Dialed {
        let shared = self.shared.clone();
        let clock = &shared.parts.clock;
        while !job.run.is_stopped() && !shared.is_draining() {
            self.heartbeat.waits_for_relay();
            let now = clock.now();
            if let Some(at) = shared.backoff.ask(now) {
                self.wait_until(at).await;
                continue;
            }
            let place = turn.place.take().unwrap_or_else(|| shared.pace.place());
            let dial = shared.backoff.dials(clock.now());
            let connected = shared.parts.transport.connect().await;
            shared.backoff.dialed(dial);
            match connected {
                // Only an answer to a message shows that the relay works again: after a greeting it may still say
                // 421.
                Ok(connection) => {
                    self.open = Some(Open { connection, _place: place });
                    self.heartbeat.works();
                    return Dialed::Open;
                }
                Err(error) if self.is_crowded(&error) => return Dialed::Crowded,
                Err(error) => self.report_trouble(error.to_string()),
            }
        }
        Dialed::Stopped
    }

    /// Whether it is a 421 while other connections are open and get answers: too many at once (RFC 5321 §3.8).
    fn is_crowded(&self, error: &ConnectError) -> bool {
        let (ConnectError::TurnedAway(reply), now) = (error, self.shared.parts.clock.now()) else { return false };
        let is_crowded = !reply.is_permanent() && self.shared.backoff.answers(now) && self.shared.pace.connected() > 1;
        if is_crowded && self.shared.pace.crowded(now, &reply.to_string()) {
            tracing::info!("the relay accepts no more connections for now; one more is tried each minute");
        }
        is_crowded
    }

    pub(super) fn slow_down(&self, what: &str) {
        if self.shared.pace.slow_down(self.shared.parts.clock.now(), what) {
            tracing::info!("the relay asks for fewer mails; sending more slowly until it accepts more again");
        }
    }

    pub(super) fn report_trouble(&self, what: String) {
        if !self.shared.backoff.is_trouble(self.shared.parts.clock.now()) {
            tracing::debug!(%what, "a connection to the relay failed; others continue");
            return;
        }
        if self.shared.backoff.failed(self.shared.parts.clock.now(), what.clone()) {
            tracing::warn!(%what, "the relay is in trouble; deliveries wait");
        }
    }

    async fn wait_until(&mut self, at: Timestamp) {
        self.heartbeat.waits_for_relay();
        let shared = &self.shared;
        tokio::select! {
            () = shared.parts.clock.wait_until(at, CHECK_EVERY) => {}
            () = shared.until_draining() => {}
        }
    }
}
