//! Dispatch statistics, in counts and in nanoseconds by stage: for status and the bench.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters since the start of the process.
        #[derive(Default)]
        pub(crate) struct Stats {
            $(pub(super) $name: AtomicU64,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Snapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            /// The counters now.
            pub(crate) fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

stats! {
    /// Number of deliveries accepted by the relay.
    accepted,
    /// Number of deliveries deferred.
    deferred,
    /// Number of deliveries given up.
    failed,
    /// Number of deliveries not wanted any more.
    suppressed,
    /// Number of deliveries with an unknown outcome.
    uncertain,
    /// Nanoseconds spent looking up subscribers and suppressions.
    lookup_nanoseconds,
    /// Nanoseconds spent rendering and composing.
    compose_nanoseconds,
    /// Nanoseconds spent waiting for commits.
    commit_nanoseconds,
    /// Nanoseconds spent in SMTP, most of it waiting for the relay.
    smtp_nanoseconds,
}

pub(super) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}
