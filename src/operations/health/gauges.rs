//! The health snapshot as numbers for Prometheus.

use crate::base::clock::Timestamp;
use crate::metrics::Gauges;
use crate::metrics::domain_group::DomainGroup;
use crate::model::mailing::{PauseReason, Stage};

use super::{Health, Observer, reserve};

impl Observer {
    /// Writes a snapshot, and the parts' counters, into the gauges.
    pub fn show(&self, health: &Health, gauges: &Gauges) {
        health.show(gauges);
        let engine = self.store.maintenance();
        if let Some(stats) = engine.stats() {
            gauges.commits.show("applied", stats.batches);
            gauges.commits.show("conflict", stats.conflicts);
            gauges.store_work.show("groups", stats.groups);
            gauges.store_work.show("writes", stats.writes);
            gauges.store_work.show("syncs", stats.syncs);
            gauges.store_work.show("journal_bytes", stats.journal_bytes);
        }
        if let Some(index) = engine.index_health() {
            gauges.store_work.show("index_rebuilds", index.rebuilds);
        }
    }
}

impl Health {
    fn show(&self, gauges: &Gauges) {
        gauges.looked.set(seconds(Some(self.at)));
        // /proc/stat, which has the process's start, is hidden from a service with ProcSubset=pid.
        gauges.started.set(seconds(Some(self.started)));
        self.show_queue(gauges);
        self.show_mail(gauges);
        self.show_relay(gauges);
        self.show_disk(gauges);
        for job in &self.jobs {
            gauges.jobs.set(job.name, seconds(job.last));
        }
        gauges.backup_at.set(seconds(self.backup));
        gauges.listeners_lost.set(self.lost_listeners.len() as f64);
        gauges.reload_refused.set(f64::from(u8::from(self.reload_refused.is_some())));
        gauges.backup_damaged.set(self.backup_condition.faults.len() as f64);
        gauges.backup_read_at.set(seconds(self.backup_condition.oldest_read));
    }

    fn show_queue(&self, gauges: &Gauges) {
        let tallies = || self.mailings.iter().filter_map(|(_, tally)| tally.as_ref());
        gauges.queue.set("waiting", tallies().map(|tally| tally.waiting).sum::<u64>() as f64);
        gauges.queue.set("in_doubt", tallies().map(|tally| tally.in_doubt).sum::<u64>() as f64);
        gauges.queue.set("deferred", tallies().map(|tally| tally.deferred).sum::<u64>() as f64);
        gauges.queue_oldest.set(self.age(self.oldest_due));
        gauges.uncertain.set(self.uncertain as f64);
        let many =
            |state: &str| self.mailings.iter().filter(|(mailing, _)| mailing.stage.word() == state).count() as f64;
        for state in ["scheduled", "freezing", "sending"] {
            gauges.mailings.set(state, many(state));
        }
        let paused = |reason: fn(&PauseReason) -> bool| {
            let pauses = self.mailings.iter().filter_map(|(mailing, _)| mailing.pause.as_ref());
            pauses.filter(|pause| reason(&pause.reason)).count() as f64
        };
        gauges.mailings.set("held_back", paused(|_| true));
        gauges.breaker_pauses.set(paused(|reason| matches!(reason, PauseReason::Breaker { .. })));
        let late = self.mailings.iter().filter(|(mailing, _)| {
            mailing.stage == Stage::Scheduled && !mailing.is_approved() && mailing.schedule.at <= self.at
        });
        gauges.mailings.set("approval_overdue", late.count() as f64);
    }

    fn show_mail(&self, gauges: &Gauges) {
        gauges.notices_waiting.set(self.notices.waiting as f64);
        gauges.notices_oldest.set(self.age(self.notices.first_due));
        gauges.notices.show("accepted", self.notices.sent.accepted);
        gauges.notices.show("failed", self.notices.sent.failed);
        gauges.inbound_waiting.set(self.inbound.waiting as f64);
        gauges.inbound_stuck.set(self.inbound.stuck as f64);
        gauges.inbound_oldest.set(self.age(self.inbound.oldest));
        let connections = &self.inbound.connections;
        gauges.mail_sessions.set(connections.open as f64);
        gauges.mail_connections.show("taken", connections.taken);
        gauges.mail_connections.show("turned_away", connections.turned_away);
    }

    fn show_relay(&self, gauges: &Gauges) {
        for part in ["deliveries", "notices"] {
            let trouble = self.trouble.iter().find(|(name, _)| *name == part).map(|(_, trouble)| trouble);
            gauges.relay_trouble.set(part, if trouble.is_some() { 1.0 } else { 0.0 });
            gauges.relay_trouble_since.set(part, seconds(trouble.and_then(|trouble| trouble.since)));
        }
        gauges.relay_puts_off.set(if self.put_off.is_some() { 1.0 } else { 0.0 });
        let slowed = self.slowed.as_ref();
        gauges.relay_connections.set(slowed.and_then(|slowed| slowed.connections).map_or(0.0, f64::from));
        gauges.relay_rate.set(slowed.and_then(|slowed| slowed.rate).unwrap_or(0.0));
        for group in DomainGroup::all() {
            let resting = self.resting.iter().filter(|(domain, _)| DomainGroup::of(domain) == group);
            gauges.breakers.set(group.word(), resting.count() as f64);
        }
    }

    fn show_disk(&self, gauges: &Gauges) {
        gauges.store_records.set(self.records.unwrap_or(0) as f64);
        gauges.spool_bytes.set(self.spool as f64);
        gauges.disk_reserve.set(reserve() as f64);
        if let Some(index) = &self.index {
            gauges.index_damaged.set(if index.damaged.is_some() { 1.0 } else { 0.0 });
            gauges.index_checked.set(seconds(index.checked));
            gauges.index_rebuilt.set(seconds(index.rebuilt.as_ref().map(|(at, _)| *at)));
        }
        let Some(disk) = &self.disk else { return };
        gauges.journal_bytes.set(disk.journal as f64);
        gauges.index_bytes.set(disk.index as f64);
        gauges.disk_free.set(disk.free as f64);
        gauges.disk_usable.set(disk.usable as f64);
        gauges.checkpoint_bytes.set(disk.checkpoint as f64);
        gauges.checkpoint_at.set(seconds(disk.checkpoint_at));
    }

    /// Age in seconds; 0 for never, and for the future.
    fn age(&self, at: Option<Timestamp>) -> f64 {
        at.map_or(0.0, |at| (self.at - at).num_milliseconds().max(0) as f64 / 1000.0)
    }
}

fn seconds(at: Option<Timestamp>) -> f64 {
    at.map_or(0.0, |at| at.timestamp_millis() as f64 / 1000.0)
}
