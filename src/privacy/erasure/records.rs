//! Erases pending requests, answers to invitations, posts, and mentions in mailings and lists.

use std::collections::BTreeSet;

use crate::base::clock::Timestamp;
use crate::model::mailing::{Mailing, PauseReason, Stage};
use crate::model::post::{Post, PostState};
use crate::model::rsvp::Rsvp;
use crate::privacy::personal_data::{Files, PersonalDataError};
use crate::privacy::retention::is_over;
use crate::store::engine::{Batch, Commit};
use crate::store::{Read, Store, StoreError, mailings, pending_requests, posts, rsvps};

use super::{Cases, rows};

/// Processes pending requests, answers, mailings and lists.
pub(super) async fn sweep(store: &Store, cases: &mut Cases) -> Result<(), StoreError> {
    for entry in cases.people.pending_requests(store).await? {
        if cases.concerned(&entry, entry.read.value.asked).is_empty() {
            continue;
        }
        let mut batch = Batch::new();
        pending_requests::delete(&mut batch, entry.read.value.id);
        store.commit(batch).await?;
    }
    for (hash, entry) in cases.people.rsvps(store).await? {
        let first = entry.read.value.changes.first().map_or(Timestamp::MIN_UTC, |change| change.at);
        let who = cases.concerned(&entry, first);
        if who.is_empty() {
            continue;
        }
        let mut batch = Batch::new();
        match entry.own {
            true => rsvps::delete(&mut batch, &hash, &entry.read),
            false => {
                let scrubbed = scrub_rsvp(cases, &entry.read.value);
                rsvps::put(&mut batch, &hash, Some(entry.read.stamp.clone()), &scrubbed);
            }
        }
        if store.commit(batch).await? != Commit::Applied {
            cases.hold(&who, "an answer to an invitation was changed meanwhile");
        }
    }
    let mut mailings = store.pages(mailings::all());
    while let Some(read) = mailings.next().await? {
        if scrub_mailing(cases, &read.value) == read.value {
            continue;
        }
        let change = |mailing: &mut Mailing, _: &mut Batch| {
            *mailing = scrub_mailing(cases, mailing);
            Ok::<(), StoreError>(())
        };
        store.update_mailing(read.value.id, change).await?;
    }
    for list in store.lists().await? {
        let list = list.value;
        let who: BTreeSet<usize> = list.named().filter_map(|address| cases.people.owner(address)).collect();
        cases.hold(&who, &format!("the list {} names them as owner, sender or moderator: change the list", list.name));
    }
    Ok(())
}

fn scrub_rsvp(cases: &Cases, rsvp: &Rsvp) -> Rsvp {
    let mut rsvp = rsvp.clone();
    for change in &mut rsvp.changes {
        change.comment = cases.scrub(&change.comment);
        change.why = cases.scrub(&change.why);
    }
    rsvp
}

fn scrub_mailing(cases: &Cases, mailing: &Mailing) -> Mailing {
    let mut mailing = mailing.clone();
    mailing.created_by = cases.scrub(&mailing.created_by);
    if let Some(approval) = &mut mailing.approval {
        approval.by = cases.scrub(&approval.by);
    }
    let users =
        mailing.edits.iter_mut().map(|edit| &mut edit.by).chain(mailing.first_approval.as_mut().map(|one| &mut one.by));
    users.for_each(|user| user.name = cases.scrub(&user.name));
    if let Stage::Cancelled { by, .. } = &mut mailing.stage {
        *by = cases.scrub(by);
    }
    match mailing.pause.as_mut().map(|pause| &mut pause.reason) {
        Some(PauseReason::Person { by: text } | PauseReason::Breaker { evidence: text }) => *text = cases.scrub(text),
        Some(PauseReason::Broken { what }) => *what = cases.scrub(what),
        Some(PauseReason::Missed) | None => {}
    }
    mailing
}

/// Processes posts by them, and posts that mention them: those being sent or held for another person's decision wait.
pub(super) async fn sweep_posts(
    store: &Store,
    files: Option<&Files>,
    cases: &mut Cases,
) -> Result<(), PersonalDataError> {
    let entries = cases.people.posts(store, files.map(|files| &files.blobs)).await?;
    cases.hold_unreadable(&entries.unreadable);
    for entry in entries.found {
        let (id, who) = (entry.read.value.id, cases.concerned(&entry, entry.read.value.received));
        if who.is_empty() {
            continue;
        }
        let held = entry.read.value.hold().is_some();
        let settled = is_over(store, &entry.read.value).await?;
        if !(settled || held && entry.own) {
            cases.hold(&who, &format!("post {id} is held or being sent"));
            continue;
        }
        let only_decided = !entry.own && only_decided_by(cases, files, &entry.read.value).await?;
        let mut batch = Batch::new();
        match only_decided {
            true => scrub_decision(&mut batch, cases, &entry.read),
            false => {
                posts::delete(&mut batch, &entry.read);
                for place in &who {
                    if let Some(case) = cases.list.get_mut(*place) {
                        case.work.files.push(entry.read.value.blob.sha256);
                        case.put(&mut batch);
                    }
                }
            }
        }
        if store.commit(batch).await? != Commit::Applied {
            // The stamps of the erasures are outdated: this run cannot complete them, the next one does.
            cases.hold(&who, &format!("post {id} was changed meanwhile"));
        }
    }
    Ok(())
}

/// Whether a post mentions them only as those who decided about it.
async fn only_decided_by(cases: &Cases, files: Option<&Files>, post: &Post) -> Result<bool, PersonalDataError> {
    let Some(files) = files else { return Ok(true) };
    match files.blobs.read(&post.blob.sha256).await {
        Ok(bytes) => Ok(cases.people.in_message(bytes).await.is_empty()),
        Err(_) => Ok(true),
    }
}

fn scrub_decision(batch: &mut Batch, cases: &Cases, read: &Read<Post>) {
    let mut post = read.value.clone();
    match &mut post.state {
        PostState::Approved { by: Some(by), .. } => *by = cases.scrub(by),
        PostState::Refused { by, why, .. } => {
            *by = cases.scrub(by);
            *why = cases.scrub(why);
        }
        _ => {}
    }
    posts::put_post(batch, &post, Some(read));
}

/// The text with all spellings of the address replaced.
pub(super) fn without(text: &str, address: &str) -> String {
    // Positions correspond only if the lower-case form has the same number of bytes.
    let (lower, address) = (text.to_lowercase(), address.to_lowercase());
    if !lower.contains(&address) {
        return text.to_owned();
    }
    match lower.len() == text.len() {
        true => {
            let (mut out, mut from) = (String::new(), 0);
            while let Some(at) = lower[from..].find(&address) {
                out.push_str(&text[from..from + at]);
                out.push_str(rows::ERASED);
                from += at + address.len();
            }
            out.push_str(&text[from..]);
            out
        }
        false => lower.replace(&address, rows::ERASED),
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn no_spelling_of_the_address_stays() {
        let text = "5.1.1 <Karin@Example.org>: karin@example.org is unknown";
        assert_eq!(without(text, "karin@example.org"), "5.1.1 <(erased)>: (erased) is unknown");
        assert_eq!(without("İ karin@example.org", "karin@example.org"), "i\u{307} (erased)");
        assert_eq!(without("5.1.1 unknown", "karin@example.org"), "5.1.1 unknown");
    }
}
