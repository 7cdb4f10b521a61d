//! `[backup]`: where backups are stored, when they are made, and how long they are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::recurrence::Recurrence;
use crate::store::backup::prune::Keep;

use super::reader::Reader;

const DAY: Duration = Duration::from_secs(86_400);

/// Settings of backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupConfig {
    /// The repository; `backup` in the state directory if `None`.
    pub directory: Option<PathBuf>,
    /// When a backup is made: cron fields in the schedule's zone; never automatically if `None`.
    pub schedule: Option<String>,
    /// Which backups are kept.
    pub keep: Keep,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self { directory: None, schedule: Some("27 4 * * *".to_owned()), keep: Keep { all: 7 * DAY, daily: 30 * DAY } }
    }
}

impl BackupConfig {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.section("backup");
        reader.optional_path("directory", "a directory, or \"\"", &mut self.directory);
        reader.optional_text("schedule", "five cron fields such as \"27 4 * * *\", or \"\"", &mut self.schedule);
        if let Some(Err(error)) = self.schedule.as_deref().map(|when| Recurrence::new(when, "UTC")) {
            reader.problem("backup.schedule", error.to_string());
        }
        reader.duration("keep_all", Duration::ZERO..=36_500 * DAY, &mut self.keep.all);
        reader.duration("keep_daily", Duration::ZERO..=36_500 * DAY, &mut self.keep.daily);
    }
}
