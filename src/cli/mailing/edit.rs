//! `depesch mailing edit` and `depesch mailing diff`.

use std::path::PathBuf;

use crate::api::mailing::edit::{DiffView, EditAnswer, EditRequest};
use crate::base::id::{MailingId, ReleaseId};

use super::super::output::note;
use super::super::release::stored_file;
use super::super::{CliError, Context, Done};
use super::queue::undo_words;
use super::show::approval_words;

/// The options of `edit`.
#[derive(Debug, clap::Args)]
pub struct EditOptions {
    /// The mailing
    id: MailingId,
    /// The changed release file; it is stored first
    #[arg(value_name = "FILE", conflicts_with = "release", required_unless_present = "release")]
    file: Option<PathBuf>,
    /// A stored release
    #[arg(long, value_name = "ID")]
    release: Option<ReleaseId>,
    /// Change it even if the same release, or another version of it, was queued for the same list
    #[arg(long)]
    again: bool,
}

/// Replaces what a mailing sends.
pub(super) async fn run(options: EditOptions, context: &Context) -> Result<Done, CliError> {
    let EditOptions { id, file, release, again } = options;
    let release = match (release, &file) {
        (Some(release), _) => release,
        (None, Some(file)) => match stored_file(file, None, context).await? {
            Some(release) => release,
            None => return Ok(Done::Partly),
        },
        (None, None) => return Err(CliError::Usage("name a release file, or use --release ID".to_owned())),
    };
    let answer: EditAnswer = context
        .client
        .post(super::path(id).segment("edit"), &EditRequest { release: release.to_string(), again })
        .await?;
    let (output, mailing) = (&context.output, &answer.mailing);
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Done::Fully);
    }
    answer.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    let people = if answer.audience == 1 { "subscriber" } else { "subscribers" };
    output.line(&format!(
        "{id} now sends {release} instead of {}, at {} to {} {people}",
        answer.before, mailing.local_time, answer.audience
    ))?;
    note(&format!("\u{201c}depesch mailing diff {id}\u{201d} shows what changed."));
    if let Some(words) = undo_words(mailing) {
        note(&words);
    }
    if let Some(words) = approval_words(mailing) {
        note(&words);
    }
    Ok(Done::Fully)
}

/// Shows what the last edit changed.
pub(super) async fn diff(id: MailingId, context: &Context) -> Result<Done, CliError> {
    let view: DiffView = context.client.get(super::path(id).segment("diff")).await?;
    let output = &context.output;
    if output.is_json() {
        output.json(&view)?;
        return Ok(Done::Fully);
    }
    output.line(&format!("{id}: {} edited by {} at {}", view.after, view.by, output.times.instant(view.at)))?;
    match view.diff.trim_end() {
        "" => output.line("the text is the same; attached files, contacts or boilerplate differ")?,
        diff => output.line(diff)?,
    }
    Ok(Done::Fully)
}
