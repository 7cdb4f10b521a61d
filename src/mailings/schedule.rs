//! The scheduler: one loop over the mailings that are due.
//!
//! Its whole state is in the store: a mailing leaves [`Stage::Scheduled`] by one conditional commit, so it begins
//! once, however often the daemon stops and however many nodes work on the same store (invariant 11). What follows
//! (freezing, dispatch) finds its work in the store too; notifications are only hints.
//!
//! It also watches the clock: when that is set forward, a mailing that was queued before also waits for the time that
//! really passed ([`crate::model::clock_trust`]), because an embargo must not end early.
//!
//! [`Stage::Scheduled`]: crate::model::mailing::Stage::Scheduled

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex;

use crate::base::clock::{Clock, Timestamp};
use crate::base::id::MailingId;
use crate::composition::message::{MessageSource, PrepareError};
use crate::model::clock_trust::{AFTER_BOOT, ClockTrust};
use crate::model::mailing::{Mailing, PauseReason};
use crate::model::mailing_transitions::{Due, TransitionError};
use crate::runtime::clock_jump::{JumpWatch, Reading};
use crate::runtime::heartbeat::Heartbeats;
use crate::runtime::notifier::Notifier;
use crate::store::clock_note::ClockNote;
use crate::store::{Store, StoreError, mailings};

use super::trial;

/// Maximum sleep. The machine's clock may be set, and timers of a suspended machine run late: so it checks again.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Interval between notes about the clock.
const NOTE_CLOCK_EVERY: TimeDelta = TimeDelta::minutes(10);
/// Delay before a retry after a store error.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Begins mailings when they are due.
pub struct Scheduler {
    store: Store,
    clock: Arc<dyn Clock>,
    notifier: Notifier,
    messages: Option<Arc<dyn MessageSource>>,
    heartbeats: Heartbeats,
    watched: Mutex<Option<Watched>>,
}

/// What is known of the clock.
#[derive(Clone, Copy)]
struct Watched {
    jumps: JumpWatch,
    trust: ClockTrust,
    /// Whether the last jump is noted in the store.
    noted: bool,
}

/// What one round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Mailings whose freezing has begun.
    pub begun: Vec<MailingId>,
    /// Mailings paused because their time was missed.
    pub asked: Vec<MailingId>,
    /// Mailings that expired.
    pub expired: Vec<MailingId>,
    /// When the next mailing is due; `None` when none is known.
    pub next: Option<Timestamp>,
}

/// Why a mailing was not changed.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it was changed meanwhile")]
    Overtaken,
    #[error(transparent)]
    Transition(#[from] TransitionError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Scheduler {
    /// Creates a scheduler for the mailings in `store`; `notifier` notifies it of changes, and it notifies the dispatcher
    /// by it.
    pub fn new(store: Store, clock: Arc<dyn Clock>, notifier: Notifier) -> Self {
        Self { store, clock, notifier, messages: None, heartbeats: Heartbeats::default(), watched: Mutex::default() }
    }

    /// Makes it verify, before an approved mailing begins, that what would be sent is what was approved.
    pub fn checking(mut self, messages: Arc<dyn MessageSource>) -> Self {
        self.messages = Some(messages);
        self
    }

    /// Its heartbeats: one at each [`Notifier`].
    pub fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    /// Works until `stop` completes. Store errors are logged and the step is retried (invariant 10).
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let heartbeat = self.heartbeats.begin("the scheduler");
        loop {
            heartbeat.works();
            let woken = self.notifier.notified();
            let (until, longest) = match self.tick().await {
                Ok(tick) => (tick.next.unwrap_or(Timestamp::MAX_UTC), LONGEST_SLEEP),
                Err(error) => {
                    tracing::error!(%error, "the scheduler could not search for due mailings; it tries again");
                    (Timestamp::MAX_UTC, AFTER_ERROR)
                }
            };
            tokio::select! {
                () = &mut stop => return,
                () = woken => {}
                () = self.clock.wait_until(until, longest) => {}
            }
        }
    }

    /// Examines all mailings once and does what is due.
    ///
    /// # Errors
    /// [`StoreError`]: what was done before stays done; the rest is found in the next round.
    pub async fn tick(&self) -> Result<Tick, StoreError> {
        let (now, trust) = self.read_clock().await?;
        let mut tick = Tick::default();
        let mut open = self.store.pages(mailings::open());
        while let Some(read) = open.next().await? {
            let id = read.value.id;
            let judged = judged_at(&read.value, &trust, now);
            let done = match read.value.due(judged) {
                Due::Later(at) => {
                    let at = at + (now - judged);
                    tick.next = Some(tick.next.map_or(at, |next| next.min(at)));
                    continue;
                }
                Due::Never => continue,
                due => self.look_at(&read.value, due, judged).await,
            };
            let done = match done {
                // A damaged record holds back only its own mailing.
                Err(StoreError::Record(error)) => {
                    self.hold_back(id, error.to_string(), now).await?;
                    continue;
                }
                done => done?,
            };
            match done {
                Some(Due::Begin) => tick.begun.push(id),
                Some(Due::Ask) => tick.asked.push(id),
                Some(Due::Expire) => tick.expired.push(id),
                Some(Due::Later(_) | Due::Never) | None => {}
            }
        }
        if !tick.begun.is_empty() {
            self.notifier.notify();
        }
        Ok(tick)
    }

    /// Reads the clock once for a round, with how far it can be trusted. A jump is noted before anything is done, so
    /// that a restart knows of it; and each start is noted, so that the next one knows how much time passed.
    async fn read_clock(&self) -> Result<(Timestamp, ClockTrust), StoreError> {
        let mut watched = self.watched.lock().await;
        let (jumps, jump, mut trust, noted) = match *watched {
            Some(mut known) => {
                let (Reading { steady, .. }, jump) = known.jumps.observe(&*self.clock);
                let trust = match jump {
                    // A machine without a battery-backed clock gets the time shortly after it started.
                    Some(jump) if steady - Timestamp::UNIX_EPOCH < AFTER_BOOT => known.trust.corrected(jump),
                    Some(jump) => known.trust.jumped(jump),
                    None => known.trust,
                };
                (known.jumps, jump, trust, known.noted && jump.is_none())
            }
            None => {
                let jumps = JumpWatch::new(&*self.clock);
                let Reading { now, steady } = jumps.last();
                let trust = match self.store.clock_note().await? {
                    Some(before) => match before.passed(self.clock.origin(), steady) {
                        Some(passed) => before.trust.after(passed, now),
                        None => before.trust.at_start(now),
                    },
                    None => ClockTrust::new(now),
                };
                // Noted at each start, so that a clock set back before the next start is detected.
                (jumps, trust.last.filter(|jump| jump.to == now), trust, false)
            }
        };
        let Reading { now, steady } = jumps.last();
        *watched = Some(Watched { jumps, trust, noted });
        if let Some(jump) = jump {
            let (from, to, seconds) = (jump.from, jump.to, jump.by().num_seconds());
            let doubted = trust.is_doubted(now);
            tracing::warn!(%from, %to, seconds, doubted, "the clock jumped");
            // Everything deferred is examined again.
            self.notifier.notify();
        }
        trust = trust.settled(now);
        if !noted || (now - trust.noted).abs() >= NOTE_CLOCK_EVERY {
            trust.noted = now;
            let steady = self.clock.origin().map(|origin| (origin, steady));
            // If this cannot be noted, the next round detects it again.
            self.store.note_clock(&ClockNote { trust, steady }).await?;
        }
        *watched = Some(Watched { jumps, trust, noted: true });
        Ok((now, trust))
    }

    async fn look_at(&self, mailing: &Mailing, due: Due, now: Timestamp) -> Result<Option<Due>, StoreError> {
        if due == Due::Begin && !self.is_as_approved(mailing).await? {
            return Ok(None);
        }
        self.act(mailing.id, due, now).await
    }

    /// Pauses a mailing that cannot begin, until a person resumes it.
    async fn hold_back(&self, id: MailingId, what: String, now: Timestamp) -> Result<(), StoreError> {
        tracing::error!(mailing = %id, what, "the mailing cannot begin and is paused");
        let hold =
            |mailing: &mut Mailing, _: &mut _| Ok(mailing.hold(PauseReason::Broken { what: what.clone() }, now)?);
        match self.store.update_mailing::<Refused>(id, hold).await {
            Ok(_) | Err(Refused::Overtaken | Refused::Transition(_)) => Ok(()),
            Err(Refused::Store(error)) => Err(error),
        }
    }

    /// Whether an approved mailing still has the approved content; if not, the approval is voided.
    async fn is_as_approved(&self, mailing: &Mailing) -> Result<bool, StoreError> {
        let Some(messages) = self.messages.as_ref().filter(|_| mailing.approval_required) else { return Ok(true) };
        let hash = match trial::content_hash(&self.store, messages.as_ref(), mailing).await {
            Ok(hash) => hash,
            Err(PrepareError::Store(error)) => return Err(error),
            // A content that cannot be composed is reported by the dispatcher.
            Err(PrepareError::Broken(_)) => return Ok(true),
        };
        if hash == mailing.content_hash {
            return Ok(true);
        }
        tracing::warn!(mailing = %mailing.id, "what would be sent has changed since it was approved: approve it again");
        let changed = |mailing: &mut Mailing, _: &mut _| Ok(mailing.change_content(hash.clone())?);
        match self.store.update_mailing::<Refused>(mailing.id, changed).await {
            Ok(_) | Err(Refused::Overtaken | Refused::Transition(_)) => Ok(false),
            Err(Refused::Store(error)) => Err(error),
        }
    }

    /// Does what is due for one mailing; `None` when it is no longer due, because another task was faster.
    async fn act(&self, id: MailingId, due: Due, now: Timestamp) -> Result<Option<Due>, StoreError> {
        let done = self.store.update_mailing(id, |mailing: &mut Mailing, _| {
            // Read again, it may not be due any more, or for another reason: then the next round decides.
            match (due, mailing.due(now) == due) {
                (Due::Begin, true) => mailing.begin(now)?,
                (Due::Ask, true) => mailing.hold(PauseReason::Missed, now)?,
                (Due::Expire, true) => mailing.expire(now)?,
                _ => return Err(Refused::Overtaken),
            }
            Ok(())
        });
        match done.await {
            Ok(Some(read)) => {
                let late_seconds = (now - read.value.schedule.at).num_seconds();
                tracing::info!(mailing = %id, late_seconds, "{}", words(due));
                Ok(Some(due))
            }
            Ok(None) | Err(Refused::Overtaken | Refused::Transition(_)) => Ok(None),
            Err(Refused::Store(error)) => Err(error),
        }
    }
}

/// The time that a mailing's schedule is compared with when the clock shows `now`: no mailing begins early because
/// the clock was set forward, and one queued "at once" while the clock was ahead does not wait for years.
pub(crate) fn judged_at(mailing: &Mailing, trust: &ClockTrust, now: Timestamp) -> Timestamp {
    let judged = trust.now_for(mailing.created, now);
    // A mailing queued for "at once" is due whatever the clock showed then, even between a jump and the note about
    // it. Within the time in which it can be undone it waits for the clock; but one that was set back is not waited for.
    let at_once = mailing.schedule.at <= mailing.created;
    let set_back = mailing.undo_seconds > 0 && now < mailing.created;
    if at_once || set_back { judged.max(mailing.schedule.at) } else { judged }
}

fn words(due: Due) -> &'static str {
    match due {
        Due::Begin => "the mailing is due: its audience is being frozen",
        Due::Ask => "the mailing's time was missed: it is paused until a person decides",
        Due::Expire => "the mailing's time was missed: it has expired unsent",
        Due::Later(_) | Due::Never => "nothing is due",
    }
}
