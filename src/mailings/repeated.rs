//! Refuses to send the same twice: the same release to the same list again, or an edited release while another version of
//! it still waits for the same list.

use std::collections::HashSet;

use crate::base::id::ListName;
use crate::model::mailing::{Mailing, MailingContent, Stage};
use crate::model::release::ReleaseRecord;
use crate::render::source::{SourceSettings, parse};
use crate::store::{Store, mailings};

use super::queue_error::QueueError;

/// Of two versions of one release, more than this part of the lines of one is in the other.
const SAME_LINES: f64 = 0.5;

/// Searches for a mailing of the same release to one of the same lists. Audiences are compared by their lists: a person may
/// cover several beats and regions.
///
/// # Errors
/// [`QueueError::Again`], or an error of the store.
pub(crate) async fn must_not_repeat(store: &Store, mailing: &Mailing) -> Result<(), QueueError> {
    let MailingContent::Release(release) = mailing.content else { return Ok(()) };
    let mut of_release = store.pages(mailings::of_release(release));
    while let Some(read) = of_release.next().await? {
        let other = read.value;
        let counts = other.id != mailing.id && other.content == mailing.content && !was_never_sent(&other);
        if let Some(list) = common_list(mailing, &other).filter(|_| counts) {
            let (mailing, stage) = (other.id, other.stage.word());
            return Err(QueueError::Again { release, list, mailing, stage });
        }
    }
    Ok(())
}

/// Searches for another version of the release that still waits for one of the same lists.
///
/// # Errors
/// [`QueueError::OtherVersion`], or an error of the store.
pub(crate) async fn must_have_no_other_version(store: &Store, mailing: &Mailing) -> Result<(), QueueError> {
    let MailingContent::Release(release) = mailing.content else { return Ok(()) };
    let Some(record) = store.release(release).await? else { return Ok(()) };
    let mut open = store.pages(mailings::open());
    while let Some(read) = open.next().await? {
        let other = read.value;
        let MailingContent::Release(waits) = other.content else { continue };
        if other.id == mailing.id || other.stage != Stage::Scheduled || waits == release {
            continue;
        }
        let Some(list) = common_list(mailing, &other) else { continue };
        let Some(waiting) = store.release(waits).await? else { continue };
        if are_versions(&record.value, &waiting.value) {
            return Err(QueueError::OtherVersion { release, list, mailing: other.id, waits });
        }
    }
    Ok(())
}

/// Whether it ended before anything was sent.
fn was_never_sent(mailing: &Mailing) -> bool {
    matches!(mailing.stage, Stage::Expired { .. } | Stage::Cancelled { frozen: None, .. })
}

fn common_list(one: &Mailing, other: &Mailing) -> Option<ListName> {
    one.audience.lists.intersection(&other.audience.lists).next().cloned()
}

/// Whether the two are versions of one release: of one kind, language and issuer, with the same headline or mostly the same
/// text. A translation or a correction is not; nor is another release with the same contacts and boilerplate, which are
/// in the fields and not in the text.
fn are_versions(one: &ReleaseRecord, other: &ReleaseRecord) -> bool {
    let (a, b) = (&one.summary, &other.summary);
    let alike = a.kind == b.kind && a.language == b.language && a.issuer == b.issuer;
    let read = |record: &ReleaseRecord| {
        let settings =
            SourceSettings { zone: record.zone, country_code: record.country_code.clone(), ..Default::default() };
        // As written: whether contacts can be resolved makes no difference.
        let release = parse(&record.source, &settings).draft?.release;
        Some(format!("{}\n{}\n{}", release.headline, release.lead.unwrap_or_default(), release.body))
    };
    let mostly_same = || read(one).zip(read(other)).is_some_and(|(a, b)| share_of_lines(&a, &b) > SAME_LINES);
    alike && (a.headline == b.headline || mostly_same())
}

/// The part of the lines of the text with fewer lines that the other has, too.
fn share_of_lines(one: &str, other: &str) -> f64 {
    fn lines(text: &str) -> HashSet<&str> {
        text.lines().map(str::trim).filter(|line| line.len() > 3).collect()
    }
    let (one, other) = (lines(one), lines(other));
    let fewer = one.len().min(other.len());
    if fewer == 0 { 0.0 } else { one.intersection(&other).count() as f64 / fewer as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_text_is_mostly_the_same_and_another_is_not() {
        let text = "dagens rubrik\n\nett stycke\nandra stycket\ntredje stycket\n";
        assert!(share_of_lines(text, &text.replace("andra", "nya")) > SAME_LINES);
        assert!(share_of_lines(text, "helt annat\nett stycke\nen rad\nen annan rad\n") <= SAME_LINES);
        assert!(share_of_lines("", text) < SAME_LINES);
    }
}
