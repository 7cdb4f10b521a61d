//! What a person must see to, in words: nothing of it means that all is well.

use chrono::Duration;

use crate::mailings::schedule::judged_at;
use crate::model::mailing::Stage;
use crate::model::mailing_transitions::Due;
use crate::runtime::clock_jump;

use super::{Health, reserve};

/// Shares of the disk that are free: below the first a person should make room, below the second at once.
const DISK_LOW: f64 = 0.10;
const DISK_CRITICAL: f64 = 0.05;
/// Mail that came in is handled within seconds.
const INBOUND_LATE: Duration = Duration::minutes(15);
/// A relay that asks for fewer mails takes some within this time.
const SLOWED_LATE: Duration = Duration::hours(2);
/// The job writes one each night.
const CHECKPOINT_LATE: Duration = Duration::days(3);
/// It is compared twice a day.
const INDEX_CHECK_LATE: Duration = Duration::days(2);
/// For so long a person is told that the index was built anew: the disk may be failing.
const REBUILT_LATELY: Duration = Duration::days(1);

impl Health {
    /// What a person must know of the clock: that it jumped, and what waits because of that.
    fn clock_problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(moved) = self.moved_by_test {
            let seconds = moved.num_seconds();
            found.push(format!(
                "DEPESCH_TEST_CLOCK is set, and moves the clock by {seconds} s: take it out unless this is a test"
            ));
        }
        let Some(trust) = &self.clock else { return found };
        if let Some(jump) = trust.told(self.at) {
            let (from, to) = (jump.from.format("%Y-%m-%d %H:%M:%S"), jump.to.format("%Y-%m-%d %H:%M:%S UTC"));
            let seconds = jump.by().num_seconds();
            let (way, by) = if seconds < 0 { ("back", -seconds) } else { ("forward", seconds) };
            found.push(format!("the clock was set {way} by {by} s, from {from} to {to}: check how it is kept right"));
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

    /// What the operator did that is not in force, or what got lost of what was set up.
    fn operation_problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for name in &self.lost_listeners {
            found.push(format!(
                "mail no longer comes in by {name}: its socket was handed over before, and was not at this start; \
                 \u{201c}systemctl status depesch-{name}.socket\u{201d} says why, or if it is not wanted: \u{201c}depesch \
                 inbound forget-listener {name}\u{201d}"
            ));
        }
        if let Some((at, why)) = &self.reload_refused {
            found.push(format!(
                "the reload of {} was refused, all of the old configuration stays in force: {why}",
                at.format("%Y-%m-%d %H:%M UTC")
            ));
        }
        found
    }

    /// How much of the disk is free, where that is little: a line, and whether it is critical.
    fn disk_problem(&self) -> Option<(String, bool)> {
        let disk = self.disk?;
        let megabytes = disk.free / 1_000_000;
        if disk.free < reserve() {
            return Some((format!("the disk is full ({megabytes} MB left): no mail is taken in"), true));
        }
        let share = disk.free_share();
        let critical = share < DISK_CRITICAL;
        (share < DISK_LOW).then(|| {
            (
                format!("the disk has {:.1} % free ({megabytes} MB): make room before it is full", share * 100.0),
                critical,
            )
        })
    }

    /// Whether mail does not go out, does not come in, or soon will not.
    pub fn is_critical(&self) -> bool {
        let disk = self.disk_problem().is_some_and(|(_, critical)| critical);
        disk || !self.trouble.is_empty() || !self.lost_listeners.is_empty()
    }

    /// What needs a person, each in one line, the worst first. No address and no list's name is in it.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        found.extend(self.disk_problem().map(|(problem, _)| problem));
        found.extend(self.index_problem());
        if let Some((_, trouble)) = self.trouble.first() {
            let since = trouble.since.map(|at| format!(" since {}", at.format("%H:%M UTC"))).unwrap_or_default();
            found.push(format!("mail out waits{since}: {}", trouble.what));
        }
        self.relay_problems(&mut found);
        let set_forward = self.clock.as_ref().and_then(|trust| trust.set_forward(self.at));
        if let Some(jumped_at) =
            self.clock_jump.filter(|jumped_at| clock_jump::is_doubted(*jumped_at, self.at)).max(set_forward)
        {
            let until = (jumped_at + clock_jump::DOUBTED_FOR).format("%Y-%m-%d %H:%M UTC");
            found.push(format!(
                "the clock was set forward: until {until} nothing is deleted by age; set it right if it is wrong"
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

    fn index_problem(&self) -> Option<String> {
        let index = self.index.as_ref()?;
        if let Some(reason) = &index.damaged {
            return Some(format!(
                "the index of the store is damaged and being built anew, which loses nothing; everything waits until \
                 then ({reason})"
            ));
        }
        let lately = index.rebuilt.as_ref().filter(|(at, _)| self.at - *at < REBUILT_LATELY);
        if let Some((at, reason)) = lately {
            return Some(format!(
                "the index of the store was built anew at {}; look at the disk, it may be failing \
                 ({reason})",
                at.format("%Y-%m-%d %H:%M UTC")
            ));
        }
        let late = index.checked.is_some_and(|at| self.at - at > INDEX_CHECK_LATE);
        late.then(|| "the index was not compared with the journal for two days; the log says why".to_owned())
    }

    /// What the relay does that a person must see to, although it answers.
    fn relay_problems(&self, found: &mut Vec<String>) {
        if let Some(put_off) = &self.put_off {
            found.push(format!(
                "nearly all mail out is deferred since {}: {} of the last {} answers are temporary refusals ({}); when the \
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
                "the relay has taken no mail since {} and asks for fewer: {}",
                slowed.last_accepted.unwrap_or(slowed.since).format("%Y-%m-%d %H:%M UTC"),
                slowed.what
            ));
        }
    }
}
