//! Problems that need a person, as text; none means that all is well.

use chrono::Duration;

use crate::mailings::schedule::judged_at;
use crate::model::mailing::Stage;
use crate::model::mailing_transitions::Due;
use crate::runtime::clock_jump;

use super::{Health, reserve};

/// Shares of free disk space: below the first a person should free space, below the second at once.
const DISK_LOW: f64 = 0.10;
const DISK_CRITICAL: f64 = 0.05;
/// Incoming mail is normally handled within seconds.
const INBOUND_LATE: Duration = Duration::minutes(15);
/// A relay that asks for fewer mails normally accepts some within this time.
const SLOWED_LATE: Duration = Duration::hours(2);
/// The job writes one each night.
const CHECKPOINT_LATE: Duration = Duration::days(3);
/// The index is compared twice a day.
const INDEX_CHECK_LATE: Duration = Duration::days(2);
/// How long a rebuilt index is reported: the disk may be failing.
const REBUILT_LATELY: Duration = Duration::days(1);

impl Health {
    /// Problems of the clock: a jump, and its effects.
    fn clock_problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(moved) = self.moved_by_test {
            let seconds = moved.num_seconds();
            found.push(format!(
                "DEPESCH_TEST_CLOCK is set, and moves the clock by {seconds} s: remove it unless this is a test"
            ));
        }
        let Some(trust) = &self.clock else { return found };
        if let Some(jump) = trust.told(self.at) {
            let (from, to) = (jump.from.format("%Y-%m-%d %H:%M:%S"), jump.to.format("%Y-%m-%d %H:%M:%S UTC"));
            let seconds = jump.by().num_seconds();
            let (way, by) = if seconds < 0 { ("back", -seconds) } else { ("forward", seconds) };
            found.push(format!("the clock was set {way} by {by} s, from {from} to {to}: check the time service"));
        }
        for (mailing, _) in self.mailings.iter().filter(|(mailing, _)| mailing.stage == Stage::Scheduled) {
            let judged = judged_at(mailing, trust, self.at);
            let Due::Later(at) = mailing.due(judged) else { continue };
            if matches!(mailing.due(self.at), Due::Later(_) | Due::Never) {
                continue;
            }
            let until = (at + (self.at - judged)).format("%Y-%m-%d %H:%M UTC");
            found.push(format!(
                "mailing {id} waits until {until}, because the clock was set forward; if the clock is right, cancel it and \
                 queue it again",
                id = mailing.id
            ));
        }
        found
    }

    /// Changes by the operator that are not in force, and missing parts of the set-up.
    fn operation_problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for name in &self.lost_listeners {
            found.push(format!(
                "no mail is received by {name}: its socket was passed in at an earlier start, and not at this one; \
                 \u{201c}systemctl status depesch-{name}.socket\u{201d} says why, or if it is not wanted: \u{201c}depesch \
                 inbound forget-listener {name}\u{201d}"
            ));
        }
        if let Some((at, why)) = &self.reload_refused {
            found.push(format!(
                "the reload of {} was refused, the old configuration stays in force: {why}",
                at.format("%Y-%m-%d %H:%M UTC")
            ));
        }
        found
    }

    /// The problem of low disk space: a line, and whether it is critical.
    fn disk_problem(&self) -> Option<(String, bool)> {
        let disk = self.disk?;
        let megabytes = disk.free / 1_000_000;
        if disk.free < reserve() {
            return Some((format!("the disk is full ({megabytes} MB left): no mail is accepted"), true));
        }
        let share = disk.free_share();
        let critical = share < DISK_CRITICAL;
        (share < DISK_LOW).then(|| {
            (
                format!("the disk has {:.1} % free ({megabytes} MB): free space before it is full", share * 100.0),
                critical,
            )
        })
    }

    /// Whether mail is not sent, not received, or soon will not be.
    pub fn is_critical(&self) -> bool {
        let disk = self.disk_problem().is_some_and(|(_, critical)| critical);
        disk || !self.trouble.is_empty() || !self.lost_listeners.is_empty()
    }

    /// All problems that need a person, one line each, the worst first. Without addresses and names of lists.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(self.disk_problem().map(|(problem, _)| problem));
        found.extend(self.index_problem());
        if let Some((_, trouble)) = self.trouble.first() {
            let since = trouble.since.map(|at| format!(" since {}", at.format("%H:%M UTC"))).unwrap_or_default();
            found.push(format!("outgoing mail waits{since}: {}", trouble.what));
        }
        self.relay_problems(&mut found);
        let set_forward = self.clock.as_ref().and_then(|trust| trust.set_forward(self.at));
        if let Some(jumped_at) =
            self.clock_jump.filter(|jumped_at| clock_jump::is_doubted(*jumped_at, self.at)).max(set_forward)
        {
            let until = (jumped_at + clock_jump::DOUBTED_FOR).format("%Y-%m-%d %H:%M UTC");
            found.push(format!(
                "the clock was set forward: until {until} nothing is deleted by age; correct it if it is wrong"
            ));
        }
        found.extend(self.clock_problems());
        if let Some((at, why)) = &self.backup_failure {
            found.push(format!("the backup of {} failed: {why}", at.format("%Y-%m-%d %H:%M UTC")));
        }
        if !self.backup_condition.faults.is_empty() {
            let many = self.backup_condition.faults.len();
            found.push(format!(
                "{many} files of backups are damaged or missing: \u{201c}depesch backup list\u{201d} names them"
            ));
        }
        found.extend(self.operation_problems());
        found.extend(self.monitor_trouble.clone());
        found.extend(self.doubted.iter().cloned());
        for (mailing, _) in &self.mailings {
            if let Some(pause) = &mailing.pause {
                found.push(format!("mailing {} is paused: {}", mailing.id, pause.reason.words()));
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
                "{stuck} incoming messages are stuck: \u{201c}depesch inbound list --state stuck\u{201d}"
            ));
        }
        if inbound.oldest.is_some_and(|at| self.at - at > INBOUND_LATE) {
            found.push(format!("{} incoming messages are not handled", inbound.waiting));
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
                "{many} questions about held posts wait for a digest, because too many came today: \
                 \u{201c}depesch post list --state held\u{201d}"
            ));
        }
        if inbound.later.forwards > 0 {
            let many = inbound.later.forwards;
            found.push(format!(
                "{many} messages to people wait for a digest, because too many came today: \u{201c}depesch inbound list\u{201d}"
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

    fn index_problem(&self) -> Option<String> {
        let index = self.index.as_ref()?;
        if let Some(reason) = &index.damaged {
            return Some(format!(
                "the index of the store is damaged and being rebuilt, which loses nothing; everything waits until \
                 then ({reason})"
            ));
        }
        let lately = index.rebuilt.as_ref().filter(|(at, _)| self.at - *at < REBUILT_LATELY);
        if let Some((at, reason)) = lately {
            return Some(format!(
                "the index of the store was rebuilt at {}; look at the disk, it may be failing \
                 ({reason})",
                at.format("%Y-%m-%d %H:%M UTC")
            ));
        }
        let late = index.checked.is_some_and(|at| self.at - at > INDEX_CHECK_LATE);
        late.then(|| "the index was not compared with the journal for two days; the log says why".to_owned())
    }

    /// Problems of a relay that does answer.
    fn relay_problems(&self, found: &mut Vec<String>) {
        if let Some(put_off) = &self.put_off {
            found.push(format!(
                "nearly all outgoing mail is deferred since {}: {} of the last {} answers are temporary refusals ({}); when the \
                 relay is repaired: \u{201c}depesch outbound flush\u{201d}",
                put_off.since.format("%Y-%m-%d %H:%M UTC"),
                put_off.refusals,
                put_off.answers,
                put_off.example
            ));
        }
        if let Some(slowed) = &self.slowed
            && self.at - slowed.last_accepted.unwrap_or(slowed.since).max(slowed.since) > SLOWED_LATE
        {
            found.push(format!(
                "the relay has accepted no mail since {} and asks for fewer: {}",
                slowed.last_accepted.unwrap_or(slowed.since).format("%Y-%m-%d %H:%M UTC"),
                slowed.what
            ));
        }
    }
}
