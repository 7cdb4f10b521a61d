//! Records deleted by age while the clock jumps: none is deleted early, and none is kept for years once the clock is
//! right.

use std::sync::Arc;

use chrono::{Duration, TimeDelta};
use depesch::audit::{AuditLog, AuditNote};
use depesch::base::clock::{Clock, FakeClock, Timestamp};
use depesch::base::id::{MailingId, NoticeId, PendingRequestId};
use depesch::base::language::Language;
use depesch::inbound::post::SEEN_DAYS;
use depesch::model::notice::{Notice, NoticeBody, NoticeState};
use depesch::model::pending_request::{PendingRequest, PendingState};
use depesch::model::recurrence::Recurrence;
use depesch::model::reply::Reply;
use depesch::operations::jobs::{Job, Jobs};
use depesch::privacy::retention::KEY_DAYS;
use depesch::privacy::retention::rules::{Periods, Rules};
use depesch::store::blobs::Blobs;
use depesch::store::engine::{Batch, Commit};
use depesch::store::idempotency::{self, Answered};
use depesch::store::spool::{Spool, SpoolSettings};
use depesch::store::{Store, notices, pending_requests};
use proptest::prelude::*;

use crate::support::clock_jumps::{Lasting, Script, holds, run, scripts};
use crate::support::mailings::{minute, store};
use crate::support::people::key;

/// The daemon's nightly job on a store.
struct House {
    store: Store,
    clock: Arc<FakeClock>,
    jobs: Jobs,
    _directory: tempfile::TempDir,
}

#[derive(Clone, Copy, Debug)]
enum Kept {
    /// By what a repeated request is known.
    Key,
    /// What was asked for by mail.
    Request,
    /// A notice that was sent.
    Notice,
    /// An entry of the audit log.
    Entry,
}

const ALL: [Kept; 4] = [Kept::Key, Kept::Request, Kept::Notice, Kept::Entry];
const MAIL_DAYS: i64 = 12;
const AUDIT_DAYS: i64 = 9;

async fn put(store: &Store, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
}

impl Lasting for Kept {
    type House = House;

    fn store(house: &House) -> (&Store, &Arc<FakeClock>) {
        (&house.store, &house.clock)
    }

    fn lifetime(&self) -> TimeDelta {
        Duration::days(match self {
            Self::Key => KEY_DAYS,
            Self::Request => SEEN_DAYS,
            Self::Notice => MAIL_DAYS,
            Self::Entry => AUDIT_DAYS,
        })
    }

    /// Deletion runs once a night, but not in the night after the clock was set forward.
    fn slack(&self) -> TimeDelta {
        Duration::hours(50)
    }

    async fn build(&self) -> House {
        let (store, clock) = (store(), FakeClock::at(minute(0)));
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(&directory.path().join("spool"), SpoolSettings::default(), Arc::new(clock.clone()));
        let days = |days: i64| std::time::Duration::from_secs(days.unsigned_abs() * 86_400);
        let rules = Rules {
            store: store.clone(),
            key: key(),
            clock: Arc::new(clock.clone()),
            spool: spool.unwrap(),
            blobs: Blobs::in_state_directory(directory.path()),
            capture: None,
            configured: Vec::new(),
            store_directory: directory.path().join("store"),
            periods: Periods { mail: days(MAIL_DAYS), audit: Some(days(AUDIT_DAYS)), ..Periods::default() },
        };
        let now = clock.clone();
        let job = Job::new("retention", Recurrence::new("@daily", "UTC").unwrap(), move || {
            let (rules, now) = (rules.clone(), now.now());
            Box::pin(async move {
                rules.apply(now, false).await.map_err(|error| error.to_string())?;
                Ok("done".to_owned())
            })
        });
        let jobs = vec![job.deleting_by_age()];
        let mut jobs = Jobs::new(store.clone(), Arc::new(clock.clone()), jobs);
        jobs.tick().await;
        House { store, clock, jobs, _directory: directory }
    }

    async fn make(&self, house: &mut House) {
        let (store, at) = (&house.store, house.clock.now());
        match self {
            Self::Key => {
                let answered = Answered { request: [1; 32], mailing: MailingId(1), at };
                put(store, |batch| idempotency::put(batch, "k", &answered)).await;
            }
            Self::Request => put(store, |batch| pending_requests::put_new(batch, &request(at))).await,
            Self::Notice => put(store, |batch| notices::put_new(batch, &notice(at), None)).await,
            Self::Entry => {
                let log = AuditLog::new(store.clone(), Arc::new(house.clock.clone()), key());
                for what in ["daemon start", "daemon stop"] {
                    log.append(&AuditNote::of_daemon(what, "", "")).await.unwrap();
                }
            }
        }
    }

    async fn daily(&self, house: &mut House) {
        house.jobs.tick().await;
    }

    async fn is_over(&self, house: &mut House) -> bool {
        house.jobs.tick().await;
        match self {
            Self::Key => house.store.answered("k").await.unwrap().is_none(),
            Self::Request => house.store.pending(PendingRequestId(1)).await.unwrap().is_none(),
            Self::Notice => house.store.notice(NoticeId(1)).await.unwrap().is_none(),
            Self::Entry => house.store.audit_anchor().await.unwrap().number > 0,
        }
    }
}

fn request(asked: Timestamp) -> PendingRequest {
    PendingRequest {
        id: PendingRequestId(1),
        address: "karin@example.org".parse().unwrap(),
        list: "media".parse().unwrap(),
        language: Language::swedish(),
        actions: Vec::new(),
        words: String::new(),
        asked,
        expires: asked + Duration::days(SEEN_DAYS),
        state: PendingState::Open,
    }
}

fn notice(at: Timestamp) -> Notice {
    Notice {
        id: NoticeId(1),
        sender: None,
        recipient: "karin@example.org".parse().unwrap(),
        body: NoticeBody::Kept,
        about: "help".into(),
        created: at,
        opened: at,
        attempts: 1,
        resent: 0,
        state: NoticeState::Accepted { at, reply: Reply::new(250, "ok") },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn data_with_a_retention_period_is_removed_on_time(script in scripts(), which in 0..ALL.len()) {
        run(holds(&ALL[which], script));
    }
}

#[test]
fn jumps_in_both_directions_delete_nothing_early() {
    for by in [3652 * 86_400, 10 * 86_400, -10 * 86_400, -3652 * 86_400] {
        for (restarts, noted) in [(false, true), (true, false)] {
            let script = Script { by, wrong_for: 3600, restarts, noted };
            ALL.iter().for_each(|kept| run(holds(kept, script)));
        }
    }
}
