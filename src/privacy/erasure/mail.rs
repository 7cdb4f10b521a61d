//! Erases notices and incoming mail. A message is overwritten in the spool first, then its records are removed: a
//! crash in between finds the records and repeats it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::inbound::{Inbound, InboundState, SpoolPlace};
use crate::model::notice::{NoticeBody, NoticeState};
use crate::privacy::personal_data::{Files, PersonalDataError, PersonalRecord};
use crate::store::engine::{Batch, Commit};
use crate::store::{Store, StoreError, inbound, notices};

use super::Cases;

/// Notices first: one that forwards a message must be gone before the message is.
pub(super) async fn sweep(store: &Store, files: Option<&Files>, cases: &mut Cases) -> Result<(), PersonalDataError> {
    let entries = cases.people.notices(store).await?;
    cases.hold_unreadable(&entries.unreadable);
    for entry in entries.found {
        let notice = &entry.read.value;
        let who = cases.concerned(&entry, notice.created);
        if who.is_empty() {
            continue;
        }
        let removable = match notice.state {
            NoticeState::InDoubt { .. } => false,
            NoticeState::Waiting { .. } => entry.own,
            NoticeState::Accepted { .. } | NoticeState::Failed { .. } => true,
        };
        let mut batch = Batch::new();
        notices::delete(&mut batch, &entry.read);
        if !removable || store.commit(batch).await? != Commit::Applied {
            cases.hold(&who, &format!("notice {} is being sent", notice.id));
        }
    }
    let since = cases.list.iter().map(|case| case.work.mail).min().flatten();
    let last = match store.newest_inbound(None, 1).await {
        // It is found again below, and then the next run starts where this one did.
        Err(StoreError::Record(_)) => None,
        newest => newest?.first().map(|read| read.value.id),
    };
    let entries = cases.people.inbound(store, files.map(|files| &files.spool), since).await?;
    cases.hold_unreadable(&entries.unreadable);
    // Unreadable records are examined again each time, until they are repaired.
    let mut unfinished: BTreeSet<usize> =
        if entries.unreadable.is_empty() { BTreeSet::new() } else { (0..cases.list.len()).collect() };
    for (place, of) in by_place(entries.found) {
        let who: BTreeSet<usize> =
            of.iter().flat_map(|entry| cases.concerned(entry, entry.read.value.arrival.at)).collect();
        if who.is_empty() {
            continue;
        }
        if let Some(why) = erase_message(store, files, place, &of).await? {
            cases.hold(&who, &why);
            unfinished.extend(who);
        }
    }
    for (place, case) in cases.list.iter_mut().enumerate() {
        // The next run continues from here, if anything keeps this one open.
        if files.is_some() && !unfinished.contains(&place) {
            case.work.mail = last;
        }
    }
    Ok(())
}

/// Groups the records of each message.
fn by_place(entries: Vec<PersonalRecord<Inbound>>) -> Vec<(SpoolPlace, Vec<PersonalRecord<Inbound>>)> {
    let mut messages: BTreeMap<(u64, u64), (SpoolPlace, Vec<PersonalRecord<Inbound>>)> = BTreeMap::new();
    for entry in entries {
        let place = entry.read.value.place;
        messages.entry((place.segment, place.offset)).or_insert((place, Vec::new())).1.push(entry);
    }
    messages.into_values().collect()
}

/// Erases one message with its records; returns what prevents it, if anything does.
async fn erase_message(
    store: &Store,
    files: Option<&Files>,
    place: SpoolPlace,
    of: &[PersonalRecord<Inbound>],
) -> Result<Option<String>, PersonalDataError> {
    for entry in of {
        let id = entry.read.value.id;
        match entry.read.value.state {
            InboundState::Waiting => return Ok(Some(format!("message {id} waits to be handled"))),
            // Nothing is discarded unread, unless it is the person's own.
            InboundState::Stuck { .. } if !entry.own => {
                return Ok(Some(format!("message {id} must be examined by a person")));
            }
            InboundState::Stuck { .. } | InboundState::Handled { .. } => {}
        }
    }
    let Some(files) = files else { return Ok(Some("their mail is in the spool".to_owned())) };
    if let Some(notice) = forwarding(store, place).await? {
        return Ok(Some(format!("notice {notice} forwards a message from them")));
    }
    files.spool.erase(place).await?;
    let mut batch = Batch::new();
    of.iter().for_each(|entry| inbound::delete(&mut batch, &entry.read));
    let gone = store.commit(batch).await? == Commit::Applied;
    Ok((!gone).then(|| "a message from them was being read meanwhile".to_owned()))
}

/// Handles a notice that forwards the message; a settled one is removed, because it could not be sent again.
async fn forwarding(store: &Store, place: SpoolPlace) -> Result<Option<crate::base::id::NoticeId>, PersonalDataError> {
    let mut before = None;
    loop {
        let page = store.each_notice(before, 500).await?;
        let Some((last, _)) = page.last() else { return Ok(None) };
        before = Some(*last);
        for (id, read) in page {
            // An unreadable notice may forward this message.
            let Ok(read) = read else { return Ok(Some(id)) };
            if !matches!(&read.value.body, NoticeBody::Forwarded { place: of, .. } if *of == place) {
                continue;
            }
            let mut batch = Batch::new();
            notices::delete(&mut batch, &read);
            if read.value.settled().is_none() || store.commit(batch).await? != Commit::Applied {
                return Ok(Some(read.value.id));
            }
        }
    }
}
