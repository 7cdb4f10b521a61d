//! Whether `serve` would start with a configuration, checked without a daemon: the parts are built
//! as `serve` builds them ([`prepare`]), with the secrets that the service would get from systemd.

use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::config::Config;
use crate::config::environment::credentials_directory;
use crate::config::secret::SecretSource;

use super::prepared::prepare;
use super::unit::Unit;

/// Time reserved for closing the store, between `stop_timeout` and systemd's kill.
const CLOSING: Duration = Duration::from_secs(10);

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// What is wrong: the errors that `serve` would report, and contradictions with the unit.
    pub wrong: Vec<String>,
    /// What could not be checked here, and why.
    pub not_seen: Vec<String>,
}

/// Checks a configuration against the files that it names and the unit; `unit` is `None` where no unit is installed.
pub(crate) fn check(config: &Config, unit: Option<&Unit>, clock: Arc<dyn Clock>) -> Checked {
    let mut checked = Checked::default();
    let config = as_the_service_sees(config, unit, &mut checked.not_seen);
    if let Err(wrong) = prepare(&config, clock) {
        checked.wrong.extend(wrong.iter().map(ToString::to_string));
    }
    if let Some(limit) = unit.and_then(|unit| unit.stop_timeout)
        && config.stop_timeout + CLOSING > limit
    {
        checked.wrong.push(format!(
            "stop_timeout: {} s and {} s to close the store are longer than the unit's TimeoutStopSec={} s, after which \
             systemd kills the daemon: lower it, or raise TimeoutStopSec by \u{201c}systemctl edit depesch\u{201d}",
            config.stop_timeout.as_secs(),
            CLOSING.as_secs(),
            limit.as_secs()
        ));
    }
    checked
}

/// The configuration with the files behind its credentials. A credential that only the service can read is left out and
/// said to be so.
fn as_the_service_sees(config: &Config, unit: Option<&Unit>, not_seen: &mut Vec<String>) -> Config {
    let mut seen = config.clone();
    if credentials_directory().is_some() {
        return seen;
    }
    let mut hidden = |source: &mut Option<SecretSource>, what: &str| {
        let Some(SecretSource::Credential(name)) = source else { return false };
        match unit {
            Some(unit) if unit.loaded.contains_key(name) => {
                *source = Some(SecretSource::File(unit.loaded[name].clone()));
                false
            }
            Some(unit) if !unit.other.contains(name) => false,
            _ => {
                not_seen
                    .push(format!("{what} is the credential \u{201c}{name}\u{201d}, which only the service can read"));
                true
            }
        }
    };
    if hidden(&mut seen.relay.password, "the relay's password") {
        (seen.relay.login, seen.relay.password) = (None, None);
    }
    let certificate = hidden(&mut seen.inbound.certificate, "the certificate");
    if hidden(&mut seen.inbound.key, "the certificate's key") || certificate {
        (seen.inbound.certificate, seen.inbound.key) = (None, None);
    }
    seen
}
