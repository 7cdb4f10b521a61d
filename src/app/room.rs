//! A start on a full disk waits for room: even to begin, the daemon must write, and one that ended instead would be given
//! up by systemd after some tries, and stay down when there is room again.

use std::time::Duration;

use crate::base::clock::Clock;
use crate::config::Config;
use crate::store::embedded::Settings;
use crate::store::journal::disk::{Disk, SystemDisk};

/// How often is looked.
const EVERY: Duration = Duration::from_secs(2);

/// What a start writes itself, generously: bytes beyond those that the store leaves free.
const START: u64 = 1024 * 1024;

/// Completes when the store in the state directory has room to be opened. A directory that cannot be asked, or is not
/// there yet, is not waited for: opening the store says what is wrong with it.
pub async fn wait_for_room(config: &Config, clock: &dyn Clock) {
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
                "the disk of {} is full: nothing begins until there is room, and then by itself",
                directory.display()
            );
            waits = true;
        }
        clock.wait_for(EVERY).await;
    }
    if waits {
        tracing::info!("there is room again");
    }
}
