//! The demo's mail server. It accepts mail, but treats a few domains specially, so that the report has something to
//! show.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::mock_smtp::record::Keep;
use crate::mock_smtp::script::{Action, Event, Point};
use crate::mock_smtp::{MockServer, MockSettings};

use super::CliError;

/// Number of samples with a full mailbox, which is tried again for days.
pub(crate) const FULL_MAILBOXES: u64 = 2;

/// A running mail server.
pub(crate) struct MailServer {
    mock: MockServer,
    /// Milliseconds that it takes for each message.
    pace: Arc<AtomicU64>,
}

impl MailServer {
    /// Starts a server that stores what it accepts in a maildir.
    pub(crate) fn start(maildir: &Path) -> Result<Self, CliError> {
        let keep = Keep { maildir: Some(maildir.to_owned()), ..Keep::default() };
        let mock = MockServer::start(MockSettings { keep, ..MockSettings::default() })
            .map_err(|error| CliError::Internal(format!("the demo's mail server did not start: {error}")))?;
        // Slow enough for people to watch, and for one member to leave.
        let pace = Arc::new(AtomicU64::new(40));
        let (script_pace, greylisted) = (pace.clone(), Mutex::new(HashSet::new()));
        mock.follow(move |event: &Event<'_>| answer(event, &script_pace, &greylisted));
        Ok(Self { mock, pace })
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.mock.address().port()
    }

    /// Number of accepted messages.
    pub(crate) fn accepted(&self) -> u64 {
        self.mock.record().totals().accepted
    }

    /// Takes more time for each message from now on.
    pub(crate) fn slow_down(&self) {
        self.pace.store(150, Ordering::Relaxed);
    }
}

fn answer(event: &Event<'_>, pace: &AtomicU64, greylisted: &Mutex<HashSet<String>>) -> Action {
    let domain = event.address.rsplit_once('@').map_or("", |(_, domain)| domain.trim_end_matches('>'));
    let reply = |text: &str| Action::Reply(text.to_owned());
    match (event.point, domain) {
        (Point::Recipient, "gone.example") => reply("550 5.1.1 No such user here"),
        (Point::Recipient, "full.example") => reply("452 4.2.2 Mailbox full, try again later"),
        (Point::Recipient, "greylist.example") => {
            let mut seen = greylisted.lock().unwrap_or_else(PoisonError::into_inner);
            match seen.insert(event.address.to_owned()) {
                true => reply("451 4.7.1 Greylisted, try again in a moment"),
                false => Action::Proceed,
            }
        }
        (Point::Message, "drop.example") => Action::AcceptThenClose,
        (Point::Message, _) => Action::Delay(Duration::from_millis(pace.load(Ordering::Relaxed))),
        _ => Action::Proceed,
    }
}
