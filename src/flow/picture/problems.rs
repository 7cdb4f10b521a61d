//! What a person must see to, in words: nothing of it means that all is well.

use chrono::Duration;

use crate::flow::leap;

use super::{Picture, reserve};

/// Mail that came in is handled within seconds.
const INBOUND_LATE: Duration = Duration::minutes(15);
/// The chore writes one each night.
const CHECKPOINT_LATE: Duration = Duration::days(3);

impl Picture {
    /// What needs a person, each in one line, the worst first. No address and no list's name is in it.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(free) = self.disk.map(|disk| disk.free).filter(|free| *free < reserve()) {
            found.push(format!("the disk is full ({} MB left): no mail is taken in", free / 1_000_000));
        }
        if let Some((_, trouble)) = self.trouble.first() {
            let since = trouble.since.map(|at| format!(" since {}", at.format("%H:%M UTC"))).unwrap_or_default();
            found.push(format!("mail out waits{since}: {}", trouble.what));
        }
        if let Some(leapt) = self.leap.filter(|leapt| leap::is_doubted(*leapt, self.at)) {
            let until = (leapt + leap::DOUBTED_FOR).format("%Y-%m-%d %H:%M UTC");
            found.push(format!(
                "the clock leapt far ahead: until {until} nothing is deleted by age; set it right if it is wrong"
            ));
        }
        if let Some((at, why)) = &self.backup_failure {
            found.push(format!("the backup of {} failed: {why}", at.format("%Y-%m-%d %H:%M UTC")));
        }
        if let Some((at, why)) = &self.reload_refused {
            found.push(format!(
                "the reload of {} was refused, all of the old configuration stays in force: {why}",
                at.format("%Y-%m-%d %H:%M UTC")
            ));
        }
        found.extend(self.monitor_trouble.clone());
        found.extend(self.doubted.iter().cloned());
        for (mailing, _) in &self.mailings {
            if let Some(pause) = &mailing.pause {
                found.push(format!("mailing {} is held back: {}", mailing.id, pause.reason.words()));
            } else if !mailing.is_approved() && mailing.schedule.at <= self.at {
                found.push(format!("mailing {} was not approved in time", mailing.id));
            }
        }
        if self.uncertain > 0 {
            let many = self.uncertain;
            found.push(format!("{many} deliveries are uncertain: see \u{201c}depesch mailing resolve --help\u{201d}"));
        }
        let inbound = &self.inbound;
        if inbound.stuck > 0 {
            let stuck = inbound.stuck;
            found.push(format!(
                "{stuck} messages that came in are stuck: \u{201c}depesch inbound list --state stuck\u{201d}"
            ));
        }
        if inbound.oldest.is_some_and(|at| self.at - at > INBOUND_LATE) {
            found.push(format!("{} messages that came in are not handled", inbound.waiting));
        }
        if inbound.later.answers > 0 {
            let many = inbound.later.answers;
            found.push(format!(
                "{many} mails are answered in a later hour: too many came for one domain or from one machine \
                 (inbound.answers_per_hour)"
            ));
        }
        if inbound.later.questions > 0 {
            let many = inbound.later.questions;
            found.push(format!(
                "{many} questions about held posts wait for a digest, for too many came today: \
                 \u{201c}depesch post list --state held\u{201d}"
            ));
        }
        if inbound.later.forwards > 0 {
            let many = inbound.later.forwards;
            found.push(format!(
                "{many} messages to people wait for a digest, for too many came today: \u{201c}depesch inbound list\u{201d}"
            ));
        }
        if let Some(disk) = &self.disk {
            let counted = disk.checkpoint_at.map_or(self.started, |at| at.max(self.started));
            if self.at - counted > CHECKPOINT_LATE {
                found.push("no checkpoint was written for three days; the log says why".to_owned());
            }
        }
        found
    }
}
