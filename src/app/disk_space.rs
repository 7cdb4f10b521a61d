//! Delays a start while the disk is full. Even a start must write, and systemd would give up a daemon that ended
//! instead after some attempts, and leave it down when there is space again.

use std::time::Duration;

use crate::base::clock::Clock;
use crate::config::Config;
use crate::store::embedded::Settings;
use crate::store::journal::disk::{Disk, SystemDisk};

/// Interval between checks.
const EVERY: Duration = Duration::from_secs(2);

/// Upper bound of the bytes that a start writes itself, beyond those that the store leaves free.
const START: u64 = 1024 * 1024;

/// Completes when the state directory's disk has enough space to open the store. A directory that does not exist or
/// cannot be queried is not waited for: opening the store reports the error.
pub(crate) async fn wait_for_disk_space(config: &Config, clock: &dyn Clock) {
    let needed = Settings::default().reserve_bytes + START;
    let directory = &config.state_directory;
    let mut waits = false;
    while let Ok(free) = SystemDisk.free(directory)
        && free < needed
    {
        if !waits {
            tracing::error!(
                free,
                needed,
                "the disk of {} is full: the start waits for disk space, and then continues automatically",
                directory.display()
            );
            waits = true;
        }
        clock.wait_for(EVERY).await;
    }
    if waits {
        tracing::info!("there is disk space again");
    }
}
