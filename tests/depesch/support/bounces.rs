//! Bounces to try things with.

use depesch::base::id::{InboundId, MailingId, SubscriberId};
use depesch::flow::bounces::{Noted, Report, note};
use depesch::model::bounce::{BouncePolicy, BounceSource, Verdict};
use depesch::model::classify::Class;
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit};

use super::mailings::minute;

/// A report by mail, so many days after `minute(0)`, that the address does not exist.
pub fn gone(mailing: u64, subscriber: u64, days: i64) -> Report {
    Report {
        mailing: MailingId(mailing),
        subscriber: SubscriberId(subscriber),
        at: minute(0) + chrono::Duration::days(days),
        sent_to: None,
        verdict: Verdict::Permanent,
        class: Class::Address,
        counts: true,
        names_other: false,
        status: Some("5.1.1".into()),
        words: format!("550 5.1.1 <reader{subscriber}@example.com>: no such user"),
        source: BounceSource::Mail(InboundId(1000 * mailing + subscriber)),
    }
}

/// A report that the mailbox is full.
pub fn full(mailing: u64, subscriber: u64, days: i64) -> Report {
    let words = "552 5.2.2 mailbox full".to_owned();
    Report { class: Class::Mailbox, status: Some("5.2.2".into()), words, ..gone(mailing, subscriber, days) }
}

/// Notes a report, as a handler does it.
pub async fn noted(store: &Store, report: &Report) -> Option<Noted> {
    let mut batch = Batch::new();
    let noted = note(store, &BouncePolicy::default(), &mut batch, report).await.unwrap();
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    noted
}
