//! Test material: a list, subscribers, and a press release with a message of about ten kilobytes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::base::clock::Timestamp;
use crate::base::id::{ListName, ReleaseId, SubscriberId};
use crate::base::language::Language;
use crate::composition::release;
use crate::model::consent::ConsentSource;
use crate::model::contact::ContactBook;
use crate::model::list::{Joining, List, ListKind, Privacy};
use crate::model::subscriber::{Subscriber, SubscriptionState};
use crate::render::source::{SourceSettings, parse};
use crate::store::engine::{Batch, Commit};
use crate::store::{Store, lists, subscribers};

/// Number of subscribers written in one batch.
const BATCH: u64 = 500;

/// The list with all subscribers.
pub(crate) fn list_name() -> anyhow::Result<ListName> {
    Ok("bench".parse()?)
}

/// Creates the list.
pub(crate) async fn add_list(store: &Store, now: Timestamp) -> anyhow::Result<()> {
    let mut batch = Batch::new();
    lists::put_new(
        &mut batch,
        &List {
            name: list_name()?,
            title: "Bench".to_owned(),
            address: "bench@lists.example.org".parse()?,
            kind: ListKind::Announce,
            joining: Joining::Closed,
            owner: "owner@example.org".parse()?,
            language: Language::english(),
            privacy: Privacy::Ordinary,
            approval: false,
            approvals: 1,
            test_mail: Default::default(),
            posting: Default::default(),
            created: now,
        },
    );
    applied(store.commit(batch).await?)
}

/// Creates `count` subscribers, all active on the list.
pub(crate) async fn add_subscribers(store: &Store, count: u64, now: Timestamp) -> anyhow::Result<()> {
    let first = store.allocate("subscriber", count).await?;
    let list = list_name()?;
    let starts = (first..first + count).step_by(BATCH as usize);
    let commits = stream::iter(starts).map(|start| {
        let list = &list;
        async move {
            let mut batch = Batch::new();
            for number in start..(start + BATCH).min(first + count) {
                subscribers::put_new(&mut batch, &subscriber(SubscriberId(number), list, now)?);
            }
            applied(store.commit(batch).await?)
        }
    });
    commits.buffered(4).try_collect::<Vec<()>>().await?;
    Ok(())
}

fn subscriber(id: SubscriberId, list: &ListName, now: Timestamp) -> anyhow::Result<Subscriber> {
    let mut subscriber = Subscriber {
        id,
        address: format!("reader{}@newsroom{}.example", id.0, id.0 % 97).parse()?,
        name: Some(format!("Reader Number {}", id.0)),
        language: Language::english(),
        organisation: Some(format!("Newsroom {}", id.0 % 97)),
        beats: BTreeSet::from(["labour".to_owned()]),
        regions: BTreeSet::from(["uppland".to_owned()]),
        attributes: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        created: now,
        updated: now,
    };
    let source = ConsentSource::Import { file: "bench.csv".to_owned(), line: id.0 + 1 };
    subscriber.change(list, SubscriptionState::Active, now, source, "asked for press releases".to_owned())?;
    Ok(subscriber)
}

/// Stores a press release with a message of about 10 KB.
pub(crate) async fn add_release(store: &Store, now: Timestamp) -> anyhow::Result<ReleaseId> {
    let settings = SourceSettings::default();
    let source = release_text();
    let parsed = parse(&source, &settings);
    let Some(draft) = parsed.draft.filter(|_| parsed.findings.is_empty()) else {
        bail!("the release of the bench is wrong: {:?}", parsed.findings);
    };
    let record =
        release::record_of(&source, &draft, &ContactBook::default(), BTreeMap::new(), &settings, (now, "bench"));
    Ok(store.add_release(record).await.context("the release cannot be stored")?.id)
}

/// The text of the release's file.
pub(crate) fn release_text() -> String {
    let head = r#"+++
kind = "press-release"
language = "en"
zone = "Europe/Stockholm"
headline = "Night trains win back readers, says a study of the bench"
lead = "More people read on night trains than ten years ago. A study made for measuring says so."
boilerplate = { name = "Bench Press", text = "Bench Press measures mail." }

[[issuers]]
name = "Bench Press"

[[contacts]]
role = "press"
name = "Karin Ek"
title = "press secretary"
phones = [{ printed = "08-465 004 11" }]
email = "press@example.org"
+++
"#;
    let paragraph = "The trains leave in the evening, and whoever boards them has a night to read in. Most of those \
        asked have a book with them, every third a newspaper, and hardly anyone reads less than an hour before the \
        lamps go out somewhere between two small stations.\n\n";
    head.to_owned() + &paragraph.repeat(12)
}

/// A bounce in the form of Postfix (RFC 3464): `reader` is unknown to the receiver, with status 5.1.1. `sender` is
/// the envelope sender of the returned message, and so the recipient of the bounce; `number` makes each one
/// different.
pub(crate) fn status_report(sender: &str, reader: &str, message_id: &str, number: u64) -> String {
    let boundary = format!("B{number}.mx.example.org");
    format!(
        "From: MAILER-DAEMON@mx.example.org (Mail Delivery System)\r\nTo: {sender}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Message-Id: <{number}@mx.example.org>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0100 (CET)\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is the mail system at host mx.example.org.\r\n\r\n\
         I'm sorry to have to inform you that your message could not\r\nbe delivered to one or more recipients.\r\n\r\n\
         <{reader}>: host mx.newsroom.example[192.0.2.7] said: 550 5.1.1\r\n    <{reader}>: Recipient address rejected: \
         User unknown (in reply to RCPT TO command)\r\n\r\n\
         --{boundary}\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.org\r\nX-Postfix-Sender: rfc822; {sender}\r\n\r\n\
         Final-Recipient: rfc822; {reader}\r\nOriginal-Recipient: rfc822;{reader}\r\nAction: failed\r\n\
         Status: 5.1.1\r\nRemote-MTA: dns; mx.newsroom.example\r\nDiagnostic-Code: smtp; 550 5.1.1 <{reader}>: \
         Recipient address rejected: User unknown\r\n\r\n\
         --{boundary}\r\nContent-Description: Undelivered Message Headers\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         From: Bench Press <bench@lists.example.org>\r\nTo: {reader}\r\nSubject: Night trains win back readers\r\n\
         Message-ID: {message_id}\r\n\r\n--{boundary}--\r\n"
    )
}

fn applied(commit: Commit) -> anyhow::Result<()> {
    match commit {
        Commit::Applied => Ok(()),
        Commit::Conflict(key) => bail!("the directory is not empty: {key:?} already exists"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_of_the_bench_is_right() {
        let parsed = parse(&release_text(), &SourceSettings::default());
        assert_eq!(parsed.findings, []);
    }
}
