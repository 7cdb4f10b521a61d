//! The relay and its storms: temporary and permanent refusals, connections lost before and after the final dot, slow
//! answers, no greeting, and not listening at all.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use crate::base::clock::Clock;
use crate::mock_smtp::record::{Keep, Received};
use crate::mock_smtp::script::{Action, Event, Point, Script};
use crate::mock_smtp::{MockServer, MockSettings};

use super::books::Books;
use super::daemon::CONNECTIONS;
use super::dice::Dice;

/// Seconds after an unsubscribe in which an earlier message may still arrive: the time that the relay may take for
/// one.
const STILL_UNDER_WAY: i64 = 15;

/// The state of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Calm,
    Slow,
    RefusesForNow,
    RefusesSomeForGood,
    Busy,
    CutsBeforeTheDot,
    CutsAfterTheDot,
}

const ALL: [Weather; 7] = [
    Weather::Calm,
    Weather::Slow,
    Weather::RefusesForNow,
    Weather::RefusesSomeForGood,
    Weather::Busy,
    Weather::CutsBeforeTheDot,
    Weather::CutsAfterTheDot,
];

/// The state seen by all connections.
struct Sky {
    weather: AtomicUsize,
    books: Arc<Books>,
    clock: Arc<dyn Clock>,
    dice: Mutex<Dice>,
    storms: AtomicU64,
    /// Connections with a notice under way: it has no sender.
    notices: Mutex<BTreeSet<u64>>,
}

impl Sky {
    fn percent(&self, chance: u64) -> bool {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).percent(chance)
    }

    fn doubt(&self) {
        self.books.open().doubts += 1;
    }

    /// Records whether the message under way is a notice.
    fn begins(&self, connection: u64, sender: &str) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        match sender {
            "" => notices.insert(connection),
            _ => notices.remove(&connection),
        };
    }

    /// A reader who left this long ago must get no mailing; the notice that confirms it may come late.
    fn look_at(&self, connection: u64, address: &str) {
        if self.notices.lock().unwrap_or_else(PoisonError::into_inner).contains(&connection) {
            return;
        }
        let now = self.clock.now();
        let mut entries = self.books.open();
        let left = entries.left.get(address).or_else(|| entries.suppressed.get(address));
        if let Some(late) = left.map(|left| (now - left.at).num_seconds()).filter(|late| *late > STILL_UNDER_WAY) {
            entries.faults.push(format!("{address} was sent to {late} s after leaving"));
        }
    }
}

struct UnderTheSky(Arc<Sky>);

impl Script for UnderTheSky {
    fn decide(&self, event: &Event<'_>) -> Action {
        let sky = &self.0;
        match event.point {
            Point::Mail => sky.begins(event.connection, event.address),
            Point::Message => sky.look_at(event.connection, event.address),
            _ => {}
        }
        match (ALL[sky.weather.load(Relaxed) % ALL.len()], event.point) {
            (Weather::Calm, Point::Message) => Action::Delay(Duration::from_millis(2)),
            (Weather::Slow, Point::Message) if sky.percent(20) => Action::Delay(Duration::from_millis(700)),
            (Weather::RefusesForNow, Point::Recipient) if sky.percent(30) => {
                Action::Reply("450 4.2.0 mailbox busy, try again later".to_owned())
            }
            (Weather::RefusesForNow, Point::Message) if sky.percent(30) => {
                Action::Reply("451 4.3.0 queue file trouble, try again later".to_owned())
            }
            (Weather::RefusesSomeForGood, Point::Recipient) if sky.percent(1) => {
                Action::Reply("550 5.1.1 no such user here".to_owned())
            }
            (Weather::Busy, Point::Greeting) => Action::ReplyThenClose("421 4.3.2 too busy".to_owned()),
            (Weather::Busy, Point::Mail) if sky.percent(20) => Action::Reply("421 4.3.2 going away".to_owned()),
            (Weather::CutsBeforeTheDot, Point::Message) if sky.percent(5) => {
                sky.doubt();
                Action::Close
            }
            (Weather::CutsBeforeTheDot, Point::Data) if sky.percent(5) => Action::Close,
            (Weather::CutsAfterTheDot, Point::Message) if sky.percent(5) => {
                sky.doubt();
                Action::AcceptThenClose
            }
            _ => Action::Proceed,
        }
    }
}

/// The relay, which may be present or not. What it accepted is in a log that outlives it.
pub(crate) struct StormyRelay {
    sky: Arc<Sky>,
    log: PathBuf,
    settings: MockSettings,
    mock: Option<MockServer>,
}

impl StormyRelay {
    /// Starts in calm weather. A sample of what it accepts goes to `tap`.
    ///
    /// # Errors
    /// It cannot listen.
    pub(crate) fn start(
        log: PathBuf,
        books: Arc<Books>,
        clock: Arc<dyn Clock>,
        dice: Dice,
        tap: mpsc::Sender<Received>,
    ) -> anyhow::Result<Self> {
        let sky = Sky {
            weather: AtomicUsize::new(0),
            books,
            clock,
            dice: Mutex::new(dice),
            storms: AtomicU64::new(0),
            notices: Mutex::default(),
        };
        let keep = Keep { log: Some(log.clone()), tap: Some(tap), ..Keep::default() };
        let settings = MockSettings { keep, ..MockSettings::default() };
        let mut relay = Self { sky: Arc::new(sky), log, settings, mock: None };
        relay.appear()?;
        Ok(relay)
    }

    fn appear(&mut self) -> anyhow::Result<()> {
        if self.mock.is_none() {
            let mock = MockServer::start(self.settings.clone()).context("the relay cannot listen")?;
            mock.follow(UnderTheSky(self.sky.clone()));
            // Its address from now on.
            self.settings.listen = mock.address();
            self.mock = Some(mock);
        }
        Ok(())
    }

    /// The port where it is.
    pub(crate) fn port(&self) -> u16 {
        self.settings.listen.port()
    }

    /// What it accepted: lines of `message-id recipient`.
    ///
    /// # Errors
    /// Its log cannot be read.
    pub(crate) fn taken(&self) -> anyhow::Result<String> {
        std::fs::read_to_string(&self.log).context("the relay's log cannot be read")
    }

    /// Number of storms so far.
    pub(crate) fn storms(&self) -> u64 {
        self.sky.storms.load(Relaxed)
    }

    fn set(&self, weather: Weather) {
        let place = ALL.iter().position(|known| *known == weather).unwrap_or(0);
        self.sky.weather.store(place, Relaxed);
    }

    /// One storm after the other, with calm between them, until dropped.
    ///
    /// # Errors
    /// It cannot listen any more.
    pub(crate) async fn storms_on(&mut self, dice: &mut Dice) -> anyhow::Result<()> {
        loop {
            self.set(Weather::Calm);
            tokio::time::sleep(dice.pause(300, 2500)).await;
            self.sky.storms.fetch_add(1, Relaxed);
            match dice.below(ALL.len() as u64) as usize {
                0 => {
                    // Absent: whatever was under way then is in doubt, including notices.
                    self.sky.books.open().doubts += 2 * CONNECTIONS;
                    self.mock = None;
                    tokio::time::sleep(dice.pause(200, 2500)).await;
                    self.appear()?;
                }
                which => {
                    self.set(ALL[which]);
                    tokio::time::sleep(dice.pause(500, 4000)).await;
                }
            }
        }
    }

    /// Makes it present and calm for good.
    ///
    /// # Errors
    /// It cannot listen any more.
    pub(crate) fn calm(&mut self) -> anyhow::Result<()> {
        self.set(Weather::Calm);
        self.appear()
    }
}
