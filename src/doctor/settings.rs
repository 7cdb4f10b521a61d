//! The configuration: settings that are valid but unwise.

use std::time::Duration;

use crate::app::parts::load_content;
use crate::config::secret::SecretSource;
use crate::config::{Config, Loaded, TransportChoice};
use crate::transport::relay::Encryption;

use super::finding::{Area, Finding, Severity};

/// `TimeoutStopSec=` of the unit, less the time for closing the store.
const LONGEST_STOP: Duration = Duration::from_secs(80);

/// Whether a host is this machine.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn finding(severity: Severity, code: &'static str, what: String, why: &str, remedy: &str) -> Finding {
    Finding::new(severity, Area::Configuration, code, what, why, remedy)
}

/// Evaluates the configuration.
pub fn evaluate(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let relay = &config.relay;
    let unchecked = matches!(relay.encryption, Encryption::None | Encryption::Opportunistic);
    if config.transport == TransportChoice::Relay && unchecked && !is_local(&relay.host) {
        found.push(finding(
            Severity::Warning,
            "relay-certificate-unchecked",
            format!("mail is sent to {} without verifying its certificate", relay.host),
            "An attacker on the network can pose as the relay and read every mail and address.",
            "Set [relay] tls = \"starttls\" (or \"implicit\" on port 465).",
        ));
    }
    if config.transport == TransportChoice::Capture {
        found.push(finding(
            Severity::Warning,
            "captured",
            format!("mail is only captured, into {}", config.capture_directory().display()),
            "No mail leaves this machine.",
            "When you have tried enough, set transport = \"relay\" and [relay].",
        ));
    }
    if config.organisation.domain == "localhost" {
        found.push(finding(
            Severity::Note,
            "no-domain",
            "organisation.domain is not set".to_owned(),
            "Message-IDs take the domain of each list, and the domain of the organisation is not checked here.",
            "Set [organisation] domain, e.g. \"lists.example.org\".",
        ));
    }
    if let Some(url) = &config.base_url {
        found.push(finding(
            Severity::Note,
            "base-url",
            format!("mails carry unsubscribe links to {url}"),
            "This version serves no pages: another program must answer there, or readers get an error.",
            "Try a link from a mail, or set base_url = \"\".",
        ));
    }
    if config.stop_timeout > LONGEST_STOP {
        found.push(finding(
            Severity::Warning,
            "stop-timeout",
            format!("stop_timeout is {} s", config.stop_timeout.as_secs()),
            "systemd kills the daemon 90 s after it was told to stop (TimeoutStopSec): deliveries under way are then in doubt.",
            "Set stop_timeout to \"80s\" at most, or TimeoutStopSec to 10 s more by \u{201c}systemctl edit depesch\u{201d}.",
        ));
    }
    found
}

/// Reads the secrets and templates in the configuration.
pub(crate) fn observe(loaded: &Loaded) -> Vec<Finding> {
    let config = &loaded.config;
    let mut found = Vec::new();
    match &loaded.file {
        Some(file) => {
            found.push(Finding::good(Area::Configuration, "file", format!("{} has no error", file.display())))
        }
        None => found.push(finding(
            Severity::Note,
            "no-file",
            "there is no configuration file; the defaults are in force".to_owned(),
            "The defaults send mail to port 25 of this machine.",
            "Copy systemd/depesch.toml to /etc/depesch/depesch.toml and review it.",
        )),
    }
    found.extend(secret("the relay's password", "relay.password_file", config.relay.password.as_ref()));
    found.extend(secret("the certificate's key", "inbound.key_file", config.inbound.key.as_ref()));
    found.push(match load_content(config) {
        Ok(_) => Finding::good(Area::Configuration, "templates", "all templates can be used"),
        Err(error) => finding(
            Severity::Error,
            "templates",
            format!("the templates cannot be used: {error}"),
            "The daemon does not start with them; a reload keeps the old ones.",
            "Fix this file, or remove it from templates_directory.",
        ),
    });
    found
}

fn secret(what: &str, key: &str, source: Option<&SecretSource>) -> Option<Finding> {
    match source? {
        SecretSource::Credential(name) => Some(finding(
            Severity::NotSeen,
            "secret-credential",
            format!("{what} is the credential \u{201c}{name}\u{201d}, which only the service can read"),
            "",
            "",
        )),
        source @ SecretSource::File(path) => match source.read() {
            Ok(_) => None,
            Err(crate::config::secret::SecretError::Unreadable { error, .. })
                if error.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Some(finding(
                    Severity::NotSeen,
                    "secret-file",
                    format!("you cannot read {what} in {}", path.display()),
                    "",
                    "Run this as root, or as the service's user.",
                ))
            }
            Err(error) => Some(finding(
                Severity::Error,
                "secret-file",
                error.to_string(),
                "The daemon does not start without it.",
                &format!("Put it there, or change [{}].", key.replace('.', "] ")),
            )),
        },
    }
}
