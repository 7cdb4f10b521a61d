//! The running daemon: whether it is this program with this configuration, and for which domains it sends.

use std::collections::BTreeSet;

use crate::api::client::{Client, ClientError};
use crate::api::list::ListView;
use crate::api::status::Status;
use crate::base::address::Address;
use crate::config::Config;

use super::finding::{Area, Finding, Severity};

/// The daemon's answer.
#[derive(Debug)]
pub(crate) enum Said {
    /// It runs: its state, and its lists' domains.
    Running {
        /// Its version.
        version: String,
        /// The directory of its store.
        state_directory: String,
        /// Trouble with outgoing mail.
        trouble: Option<String>,
        /// The domains of the lists' addresses.
        domains: BTreeSet<String>,
    },
    /// It is not running, or denies access.
    Unreachable(String),
    /// It answers with an error.
    Broken(String),
}

/// Queries the daemon.
pub(crate) async fn observe(client: &Client) -> Said {
    let said = async {
        let status: Status = client.get("/v1/status").await?;
        let lists: Vec<ListView> = client.get("/v1/lists").await?;
        Ok((status, lists))
    };
    match said.await {
        Ok((status, lists)) => Said::Running {
            version: status.version,
            state_directory: status.state_directory,
            trouble: status.trouble.map(|trouble| trouble.what),
            domains: lists
                .iter()
                .filter_map(|list| Some(list.address.parse::<Address>().ok()?.domain().to_lowercase()))
                .collect(),
        },
        Err(ClientError::Unreachable { reason, .. }) => Said::Unreachable(reason),
        Err(error) => Said::Broken(error.to_string()),
    }
}

/// Evaluates the answer.
pub fn evaluate(config: &Config, said: &Said) -> Vec<Finding> {
    let finding = |severity, code, what: String, why: &str, remedy: &str| {
        Finding::new(severity, Area::Daemon, code, what, why, remedy)
    };
    let (version, state_directory, trouble) = match said {
        Said::Running { version, state_directory, trouble, .. } => (version, state_directory, trouble),
        Said::Unreachable(why) => {
            return vec![finding(
                Severity::NotSeen,
                "daemon",
                format!("no daemon answers: {why}"),
                "The domains of the lists are not known, so their DNS was not checked.",
                "Start it (systemctl start depesch), or run this as root or in the group depesch.",
            )];
        }
        Said::Broken(why) => {
            return vec![finding(
                Severity::Error,
                "daemon",
                format!("the daemon answers with an error: {why}"),
                "It cannot read its store, or has another version.",
                "Check journalctl -u depesch; restart it after an upgrade.",
            )];
        }
    };
    let mut found = Vec::new();
    let own = env!("CARGO_PKG_VERSION");
    found.push(match version == own {
        true => Finding::good(Area::Daemon, "daemon", format!("the daemon answers, version {version}")),
        false => finding(
            Severity::Warning,
            "version",
            format!("the daemon is version {version}, this program {own}"),
            "It was not restarted after the upgrade.",
            "systemctl restart depesch",
        ),
    });
    if *state_directory != config.state_directory.display().to_string() {
        found.push(finding(
            Severity::Warning,
            "other-configuration",
            format!("the daemon keeps its store in {state_directory}, not in {}", config.state_directory.display()),
            "The findings about disk and permissions concern another directory.",
            "Name the daemon's own configuration with --config FILE, or restart it.",
        ));
    }
    found.extend(trouble.as_ref().map(|what| {
        let why = "Deliveries wait until it is over.";
        finding(Severity::Error, "trouble", format!("the daemon has trouble sending mail: {what}"), why, "See below.")
    }));
    found
}
