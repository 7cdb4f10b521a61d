//! Sample bounces.

use depesch::base::clock::Clock;
use depesch::base::id::{InboundId, MailingId, SubscriberId};
use depesch::base::token::Purpose;
use depesch::model::bounce::{BouncePolicy, BounceSource, Verdict};
use depesch::model::classify::Class;
use depesch::model::inbound::{InboundKind, InboundState};
use depesch::model::subscriber::SubscriptionState;
use depesch::store::Store;
use depesch::store::engine::{Batch, Commit};
use depesch::subscribers::bounces::{Noted, Report, note};

use super::inbound::{MailIn, key};
use super::mailings::{accepted, minute, put_frozen, put_subscriber, settle};

/// A report by mail that the address does not exist, `days` days after `minute(0)`.
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

/// Records a report, as a handler does.
pub async fn noted(store: &Store, report: &Report) -> Option<Noted> {
    let mut batch = Batch::new();
    let noted = note(store, &BouncePolicy::default(), &mut batch, report).await.unwrap();
    assert_eq!(store.commit(batch).await.unwrap(), Commit::Applied);
    noted
}

/// The envelope sender of a delivery to the list `media`, with its signed token.
pub fn sender_of(mailing: u64, subscriber: u64) -> String {
    format!("media-bounces+{}@lists.example.org", key().sign(Purpose::Bounce, &[mailing, subscriber]))
}

/// The header of a delivery, as returned by a server that keeps the envelope sender.
pub fn returned(mailing: u64, subscriber: u64) -> String {
    let unsubscribe = key().sign(Purpose::Unsubscribe, &[mailing, subscriber, 0]);
    let sender = sender_of(mailing, subscriber);
    format!(
        "Return-Path: <{sender}>\r\nFrom: Skara kommun <media@lists.example.org>\r\nTo: reader{subscriber}@example.com\r\nSubject: Ny skola\r\n\
         List-Unsubscribe: <mailto:media-unsubscribe+{unsubscribe}@lists.example.org>\r\n\
         Message-ID: <m{mailing}.x@lists.example.org>\r\nDate: Sat, 21 Nov 2026 11:00:00 +0100\r\n"
    )
}

/// A delivery status notification (RFC 3464) about one recipient.
pub fn notification(to: &str, action: &str, recipient: &str, status: &str, words: &str) -> String {
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\r\nTo: <{to}>\r\nSubject: Delivery Status Notification\r\n\
         Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b1\"\r\n\r\n\
         --b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis is the mail system at mx.example.net.\r\n\
         --b1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n\
         Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; {words}\r\n\
         --b1\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: media@lists.example.org\r\nSubject: Ny skola\r\n\
         --b1--\r\n"
    )
}

/// A notification that a subscriber's address does not exist, to the envelope sender of a delivery.
pub fn no_such_user(mailing: u64, subscriber: u64) -> String {
    let recipient = format!("reader{subscriber}@example.com");
    let words = format!("550 5.1.1 <{recipient}>: no such user");
    notification(&sender_of(mailing, subscriber), "failed", &recipient, "5.1.1", &words)
}

/// A complaint (RFC 5965) of this type that returns `header`.
pub fn complaint(to: &str, kind: &str, header: &str) -> String {
    format!(
        "From: <feedback@provider.example>\r\nTo: <{to}>\r\nSubject: FW: Ny skola\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"b2\"\r\n\r\n\
         --b2\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThis is an email abuse report.\r\n\
         --b2\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nUser-Agent: Provider/1.0\r\nVersion: 1\r\n\
         --b2\r\nContent-Type: message/rfc822\r\n\r\n{header}\r\nHej!\r\n--b2--\r\n"
    )
}

/// Incoming mail, an hour after the relay accepted a mailing to readers 1 to 3 of `media`.
pub async fn mailed(mail_in: &MailIn) {
    mailed_to(mail_in, 3).await;
}

/// As [`mailed`], with this number of readers.
pub async fn mailed_to(mail_in: &MailIn, readers: u32) {
    mail_in.clock.advance(minute(120) - mail_in.clock.now());
    for id in 1..=u64::from(readers) {
        put_subscriber(&mail_in.store, id, &["media"], |_| {}).await;
    }
    let mailing = put_frozen(&mail_in.store, 1, readers).await;
    settle(&mail_in.store, &mailing, (0..readers).map(|_| accepted()).collect()).await;
}

/// The state of a reader's subscription to `media`.
pub async fn standing(store: &Store, id: u64) -> SubscriptionState {
    let read = store.subscriber(SubscriberId(id)).await.unwrap().unwrap();
    read.value.state_on(&"media".parse().unwrap()).unwrap()
}

/// The number of notices to the owner of `media`.
pub async fn notices_to_owner(store: &Store) -> usize {
    let notices = store.notices(None, 100).await.unwrap();
    notices.iter().filter(|notice| notice.value.recipient.as_str() == "press@example.org").count()
}

/// Passes a message to the daemon's handlers and returns its kind.
pub async fn comes(mail_in: &MailIn, recipient: &str, bytes: &str) -> InboundKind {
    let id = mail_in.arrives(None, recipient, bytes).await;
    mail_in.handle_all(&mail_in.triage().0).await;
    match mail_in.state(id).await {
        InboundState::Handled { kind, .. } => kind,
        other => panic!("{other:?}"),
    }
}
