//! Outgoing mail: connects to the relay as the daemon does (greeting, EHLO, STARTTLS, AUTH) and closes without a
//! message.

use std::time::Duration;

use crate::base::clock::Stopwatch;
use crate::config::{Config, TransportChoice};
use crate::transport::relay::{Relay, Timeouts};
use crate::transport::{ConnectError, Transport};

use super::finding::{Area, Finding, Severity};

/// Timeout for each step; the daemon's timeouts are longer.
const STEP: Duration = Duration::from_secs(10);

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// Ready for a message.
    Ready {
        /// The time it took.
        milliseconds: u64,
        /// The accepted login, if any.
        login: Option<String>,
    },
    /// The connection failed.
    Failed(ConnectError),
    /// The settings are invalid.
    Settings(String),
    /// The password cannot be read by this user.
    NoPassword(String),
}

/// Tries the relay; `None` if absent.
pub(crate) async fn observe(config: &Config) -> Option<Tried> {
    if config.transport != TransportChoice::Relay {
        return None;
    }
    let mut settings = match config.relay.settings() {
        Ok(settings) => settings,
        Err(error) => return Some(Tried::NoPassword(error.to_string())),
    };
    settings.timeouts = Timeouts { connect: STEP, greeting: STEP, command: STEP, ..settings.timeouts };
    let relay = match Relay::new(settings) {
        Ok(relay) => relay,
        Err(error) => return Some(Tried::Settings(error.to_string())),
    };
    let watch = Stopwatch::start();
    Some(match relay.connect().await {
        Ok(connection) => {
            let milliseconds = watch.nanoseconds() / 1_000_000;
            connection.close().await;
            Tried::Ready { milliseconds, login: config.relay.login.clone() }
        }
        Err(error) => Tried::Failed(error),
    })
}

/// Evaluates the result.
pub fn evaluate(config: &Config, tried: &Tried) -> Finding {
    let place = format!("{}:{}", config.relay.host, config.relay.port);
    let finding = |severity, code, what: String, why: &str, remedy: &str| {
        Finding::new(severity, Area::Relay, code, what, why, remedy)
    };
    match tried {
        Tried::Ready { milliseconds, login } => {
            let login = login.as_ref().map(|login| format!(", logged in as {login}")).unwrap_or_default();
            let what = format!("the relay {place} is ready for mail after {milliseconds} ms{login}");
            Finding::good(Area::Relay, "relay", what)
        }
        Tried::Failed(ConnectError::Unreachable(why)) => finding(
            Severity::Error,
            "relay-unreachable",
            format!("the relay {place} cannot be reached: {why}"),
            "No mail is sent; deliveries wait.",
            "Check [relay] host and port, the firewall, and whether the relay runs.",
        ),
        Tried::Failed(ConnectError::TurnedAway(reply)) => finding(
            Severity::Error,
            "relay-turned-away",
            format!("the relay {place} turned us away: {reply}"),
            "No mail is sent; deliveries wait.",
            "Ask the relay's operator to allow this machine; the relay's log says why it was refused.",
        ),
        Tried::Failed(ConnectError::Security(why)) => finding(
            Severity::Error,
            "relay-security",
            format!("TLS or login at the relay {place} failed: {why}"),
            "No mail is sent until this is fixed.",
            "Check [relay] tls, authority_file, login and the password; the host must be the name in its certificate.",
        ),
        Tried::Settings(why) => finding(
            Severity::Error,
            "relay-settings",
            format!("the relay's settings cannot work: {why}"),
            "The daemon does not start with them.",
            "Fix [relay] in depesch.toml.",
        ),
        Tried::NoPassword(why) => finding(
            Severity::NotSeen,
            "relay",
            format!("the relay was not tried, because its password cannot be read here: {why}"),
            "",
            "Run this as root: CREDENTIALS_DIRECTORY=/etc/depesch depesch doctor",
        ),
    }
}
