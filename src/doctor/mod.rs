//! Floor 14: `depesch doctor` checks everything that an installation depends on and says what to do. One file for
//! each area; in each, observation (files, sockets, the DNS) is separate from evaluation, which is pure.
//!
//! It changes nothing, sends nothing, and works without a daemon. What could not be checked is reported, and never
//! taken as good.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::api::client::Client;
use crate::app::parts::install_cryptography;
use crate::authentication::lookups::LookupSettings;
use crate::authentication::names::Names;
use crate::base::clock::Clock;
use crate::config::{Config, Loaded};
use crate::transport::relay::machine_name;

pub mod backups;
pub(crate) mod daemon;
pub mod disk;
pub mod dns;
pub mod finding;
pub mod mail_in;
pub mod permissions;
pub(crate) mod relay;
pub mod settings;
pub mod time;

use daemon::Said;
use finding::{Area, Finding, Severity};

/// Timeout for one DNS query.
const DNS_LIMIT: Duration = Duration::from_secs(10);

/// Checks everything, in order of areas.
pub(crate) async fn examine(loaded: &Loaded, client: &Client, clock: Arc<dyn Clock>) -> Vec<Finding> {
    install_cryptography();
    let config = &loaded.config;
    let said = daemon::observe(client).await;
    let (machine, relay, endpoints, names) = tokio::join!(
        machine(config.clone(), loaded.file.clone(), client.socket().to_owned(), clock),
        relay::observe(config),
        mail_in::observe(config),
        names(config, &said),
    );
    let mut found = settings::evaluate(config);
    found.extend(settings::observe(loaded));
    found.extend(machine);
    found.extend(daemon::evaluate(config, &said));
    found.extend(relay.map(|tried| relay::evaluate(config, &tried)));
    found.extend(mail_in::evaluate(&endpoints));
    found.extend(names);
    found.sort_by_key(|finding| finding.area);
    found
}

/// Checks permissions, disk, backups and clock: everything that blocks.
async fn machine(
    config: Config,
    file: Option<std::path::PathBuf>,
    socket: std::path::PathBuf,
    clock: Arc<dyn Clock>,
) -> Vec<Finding> {
    let now = clock.now();
    let observe = move || {
        let files = permissions::observe(&config, file.as_deref(), &socket);
        let mut found: Vec<Finding> = files.iter().filter_map(permissions::evaluate).collect();
        found.extend(disk_findings(&config.state_directory));
        found.extend(backups::evaluate(&backups::observe(&config), now));
        found.extend(time::evaluate(&time::observe(now, &config.store_directory())));
        found
    };
    match tokio::task::spawn_blocking(observe).await {
        Ok(found) => found,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn disk_findings(directory: &Path) -> Vec<Finding> {
    match disk::observe(directory) {
        Ok(disk) => disk::evaluate(directory, &disk),
        Err(why) => {
            let what = format!("the disk of {} cannot be examined: {why}", directory.display());
            vec![Finding::new(Severity::NotSeen, Area::Disk, "disk", what, "", "Run this as root.")]
        }
    }
}

async fn names(config: &Config, said: &Said) -> Vec<Finding> {
    let settings = LookupSettings {
        servers: config.inbound.resolvers.clone(),
        host: config.inbound.host_name.clone().unwrap_or_else(machine_name),
        time_limit: DNS_LIMIT,
        ..LookupSettings::default()
    };
    let names = match Names::new(&settings) {
        Ok(names) => names,
        Err(error) => {
            let remedy = "Fix /etc/resolv.conf, or set [inbound] resolvers.";
            let why = "Authors of incoming mail cannot be verified either.";
            return vec![Finding::new(Severity::Error, Area::Dns, "resolver", error.to_string(), why, remedy)];
        }
    };
    let none = std::collections::BTreeSet::new();
    let lists = if let Said::Running { domains, .. } = said { domains } else { &none };
    dns::evaluate(config, &dns::observe(config, lists, &names).await)
}
