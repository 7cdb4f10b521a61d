//! Floor 0: counters and measurements, for Prometheus. The registry is created once and passed in; there are no
//! globals.
//!
//! Parts of the daemon count for themselves ([`parts`], [`outcomes`]); what must be looked up (queues, disks, the
//! relay) is put into [`Gauges`] on each request. Every name and label is defined here only; a test compares the
//! dashboard and the alert rules in `docs/monitoring/` with them.
//!
//! Labels contain no address, no person's domain and no list's name, and each has few values, known in advance.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub mod domain_group;
pub mod outcomes;
pub mod parts;

use outcomes::Outcomes;
use parts::{CommitMetrics, InboundMetrics};

/// The labels of one series.
type Labels = Vec<(&'static str, String)>;
/// A number that goes up and down.
type Number = Gauge<f64, AtomicU64>;

fn labels(pairs: &[(&'static str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// The counters kept by the parts of the daemon.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    /// The store's commits.
    pub commits: CommitMetrics,
    /// Outcomes of deliveries.
    pub outcomes: Outcomes,
    /// Outcomes of incoming messages.
    pub inbound: InboundMetrics,
}

/// A number for each value of one label.
#[derive(Clone, Debug)]
pub struct Numbers {
    label: &'static str,
    family: Family<Labels, Number>,
}

impl Numbers {
    /// Sets the number of one value of the label.
    pub fn set(&self, value: &str, number: f64) {
        self.family.get_or_create_owned(&labels(&[(self.label, value)])).set(number);
    }
}

/// Counts for each value of one label that are kept elsewhere, shown unchanged.
#[derive(Clone, Debug)]
pub struct Counts {
    label: &'static str,
    family: Family<Labels, Counter>,
}

impl Counts {
    /// Sets the present count for one value of the label.
    pub fn show(&self, value: &str, count: u64) {
        self.family.get_or_create_owned(&labels(&[(self.label, value)])).inner().store(count, Ordering::Relaxed);
    }
}

macro_rules! gauges {
    (
        numbers { $($number:ident: $number_name:literal, $number_help:literal;)* }
        labelled { $($labelled:ident($label:literal): $labelled_name:literal, $labelled_help:literal;)* }
        counts { $($count:ident($count_label:literal): $count_name:literal, $count_help:literal;)* }
    ) => {
        /// Values looked up on each request. Times are seconds since 1970, 0 for never.
        #[derive(Clone, Debug)]
        pub struct Gauges {
            $(#[doc = $number_help] pub $number: Number,)*
            $(#[doc = $labelled_help] pub $labelled: Numbers,)*
            $(#[doc = $count_help] pub $count: Counts,)*
        }

        impl Gauges {
            fn register(registry: &mut Registry) -> Self {
                $(let $number = Number::default();
                registry.register($number_name, $number_help, $number.clone());)*
                $(let $labelled = Numbers { label: $label, family: Family::default() };
                registry.register($labelled_name, $labelled_help, $labelled.family.clone());)*
                $(let $count = Counts { label: $count_label, family: Family::default() };
                registry.register($count_name, $count_help, $count.family.clone());)*
                Self { $($number,)* $($labelled,)* $($count,)* }
            }
        }
    };
}

gauges! {
    numbers {
        ready: "depesch_ready", "1 when new work is accepted, 0 when it is not, e.g. because the disk is full";
        looked: "depesch_looked_timestamp_seconds", "When queues and disks were last examined";
        queue_oldest: "depesch_queue_oldest_due_seconds", "How long the longest waiting delivery has been due, in mailings that are not paused";
        uncertain: "depesch_deliveries_uncertain", "Deliveries that a person must decide about, in mailings that are open or ended less than a week ago";
        notices_waiting: "depesch_notices_waiting", "Notices still to be sent";
        notices_oldest: "depesch_notices_oldest_due_seconds", "How long the longest waiting notice has been due";
        inbound_waiting: "depesch_inbound_waiting", "Incoming messages not handled yet";
        inbound_stuck: "depesch_inbound_stuck", "Incoming messages that need a person";
        inbound_oldest: "depesch_inbound_oldest_waiting_seconds", "How long the oldest message not handled yet has waited";
        mail_sessions: "depesch_mail_sessions", "Open connections for incoming mail";
        breaker_pauses: "depesch_breaker_paused_mailings", "Mailings paused by the circuit breaker";
        store_records: "depesch_store_records", "Records in the store";
        journal_bytes: "depesch_store_journal_bytes", "The journal on disk";
        index_bytes: "depesch_store_index_bytes", "The index on disk";
        index_damaged: "depesch_store_index_damaged", "1 while the index is damaged and being rebuilt: everything waits for it";
        index_checked: "depesch_store_index_checked_timestamp_seconds", "When all of the index was last compared with the journal";
        index_rebuilt: "depesch_store_index_rebuilt_timestamp_seconds", "When the index was last rebuilt, since the start or during it";
        spool_bytes: "depesch_spool_bytes", "Incoming mail on disk";
        disk_free: "depesch_disk_free_bytes", "Free space on the disk of the state directory";
        disk_usable: "depesch_disk_usable_bytes", "Total space of the state directory's disk that the service can use";
        disk_reserve: "depesch_disk_reserve_bytes", "Free disk space below which no mail is accepted";
        checkpoint_at: "depesch_checkpoint_last_timestamp_seconds", "When the last checkpoint was written";
        checkpoint_bytes: "depesch_checkpoint_last_bytes", "The last checkpoint on disk";
        backup_at: "depesch_backup_last_success_timestamp_seconds", "When the last known backup was made";
        relay_puts_off: "depesch_relay_puts_off", "1 while nearly all answers of the relay are temporary refusals";
        relay_connections: "depesch_relay_slowed_connections", "Maximum open connections while the relay accepts fewer; 0 without such a limit";
        relay_rate: "depesch_relay_slowed_messages_per_second", "Messages per second while the relay asks for fewer mails; 0 without such a limit";
        listeners_lost: "depesch_listeners_lost", "Protocols with inherited sockets at earlier starts, and missing now";
        reload_refused: "depesch_reload_refused", "1 after a refused reload of the configuration, until one succeeds";
        backup_damaged: "depesch_backup_damaged_files", "Files of backups known to be damaged or missing";
        backup_read_at: "depesch_backup_oldest_read_timestamp_seconds", "When the least recently checked file of backups was read";
        memory: "process_resident_memory_bytes", "Memory in use";
        files: "process_open_fds", "Open files and sockets";
        files_most: "process_max_fds", "Maximum open files and sockets";
        started: "process_start_time_seconds", "When the process started";
    }
    labelled {
        queue("state"): "depesch_queue_deliveries", "Deliveries not yet settled, in mailings being sent";
        mailings("state"): "depesch_mailings", "Mailings that have not ended";
        relay_trouble("part"): "depesch_relay_trouble", "1 while the relay cannot be used";
        relay_trouble_since("part"): "depesch_relay_trouble_since_timestamp_seconds", "Since when the relay cannot be used";
        breakers("domain_group"): "depesch_breaker_resting_domains", "Domains that the circuit breaker lets rest";
        jobs("name"): "depesch_job_last_timestamp_seconds", "When a job last ran";
    }
    counts {
        notices("outcome"): "depesch_notices", "Notices since the start";
        commits("result"): "depesch_store_commits", "Commits requested since the start";
        store_work("what"): "depesch_store_operations", "What the store did since the start";
        mail_connections("outcome"): "depesch_mail_connections", "Connections for incoming mail since the start";
    }
}

/// Converts OpenMetrics to the older text format (Prometheus exposition formats, 0.0.4), which has no `# EOF` and no
/// units, and in which the name of a family is that of its series.
pub fn older_text(text: &str) -> String {
    let kind_of = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        Some((name.to_owned(), suffix))
    };
    let suffixes: std::collections::HashMap<String, &str> = text.lines().filter_map(kind_of).collect();
    let mut older = String::with_capacity(text.len());
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), rest) => {
                let suffix = suffixes.get(name).copied().unwrap_or_default();
                let rest = match rest.unwrap_or_default() {
                    "info" if what == "TYPE" => "gauge",
                    "unknown" if what == "TYPE" => "untyped",
                    rest => rest,
                };
                older.push_str(&format!("# {what} {name}{suffix} {rest}\n"));
            }
            (Some("#"), ..) => {}
            _ => {
                older.push_str(line);
                older.push('\n');
            }
        }
    }
    older
}

/// All metrics, ready to be shown.
pub struct Metrics {
    registry: Registry,
    /// Values looked up on each request.
    pub gauges: Gauges,
}

impl Metrics {
    /// Creates the metrics of a program of this version.
    pub fn new(version: &str, instruments: Instruments) -> Self {
        let mut registry = Registry::default();
        let Instruments { commits, outcomes, inbound } = instruments;
        registry.register("depesch_build", "The program", Info::new(labels(&[("version", version)])));
        registry.register("depesch_delivery_outcomes", "Outcomes of deliveries, one for each attempt", outcomes.family);
        registry.register(
            "depesch_inbound_messages",
            "Incoming messages by what they were classified as",
            inbound.messages,
        );
        registry.register("depesch_bounces", "Bounces and complaints received by mail", inbound.bounces);
        registry.register(
            "depesch_commit_seconds",
            "Time from the request of a commit until it is durable",
            commits.seconds,
        );
        registry.register("depesch_commit_group_size", "Commits made durable by one sync", commits.group);
        let gauges = Gauges::register(&mut registry);
        Self { registry, gauges }
    }

    /// All metrics as text (OpenMetrics 1.0.0).
    ///
    /// # Errors
    /// [`fmt::Error`], which never occurs for a text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
