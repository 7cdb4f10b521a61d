//! A person's whole record, and its erasure.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use hyper::Method;

use crate::api::client::ClientError;
use crate::api::path::ApiPath;
use crate::api::person_view::RecordView;
use crate::api::retention::ErasureView;
use crate::api::subscriber::ErasedView;
use crate::base::clock::Timestamp;
use crate::cli::download::save;
use crate::cli::{CliError, Context, Done};

use super::path;

pub(super) async fn erase(who: &str, yes: bool, context: &Context) -> Result<Done, CliError> {
    if !yes {
        let text = "erasing cannot be undone: repeat the command with --yes; \u{201c}subscriber record\u{201d} prints what is known";
        return Err(CliError::Usage(text.to_owned()));
    }
    let erased: ErasedView = context.client.send(Method::DELETE, path(who), &()).await?;
    if context.output.is_json() {
        context.output.json(&serde_json::json!({ "erased": true, "open": erased.open }))?;
        return Ok(Done::Fully);
    }
    context.output.line("erased; the hash of the address stays, so that no import brings it back")?;
    for why in &erased.open {
        context.output.line(&format!("not complete: {why}; it continues automatically"))?;
    }
    Ok(Done::Fully)
}

/// Writes the record, and their own mails in their original form, into a new directory that only its owner can read.
pub(super) async fn record_to(who: &str, to: &Path, context: &Context) -> Result<Done, CliError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CliError::File { action: "written", path, error }
    };
    let record: RecordView = context.client.get(path(who).segment("record")).await?;
    std::fs::DirBuilder::new().mode(0o700).create(to).map_err(failed(to))?;
    let text = serde_json::to_string_pretty(&record).map_err(|e| CliError::Internal(e.to_string()))?;
    let file = to.join("record.json");
    std::fs::write(&file, text).map_err(failed(&file))?;
    let own = record.inbound.iter().filter(|message| message.own).map(|message| ("/v1/inbound", &message.what.id));
    let posts = record.posts.iter().filter(|post| post.own).map(|post| ("/v1/posts", &post.what.id));
    let mut mails = 0;
    for (noun, id) in own.chain(posts) {
        let answer = match context.client.download(ApiPath::new(noun).segment(id).segment("raw")).await {
            Ok(answer) => answer,
            // Deleted by age: the record says that there was one.
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => continue,
            Err(error) => return Err(error.into()),
        };
        save(answer, Some(to.join(format!("{id}.eml"))), context).await?;
        mails += 1;
    }
    context.output.line(&format!("wrote record.json and {mails} mails into {}", to.display()))?;
    Ok(Done::Fully)
}

pub(super) async fn erased(context: &Context) -> Result<Done, CliError> {
    let erasures: Vec<ErasureView> = context.client.get("/v1/erasures").await?;
    if context.output.is_json() {
        context.output.json(&erasures)?;
        return Ok(Done::Fully);
    }
    let times = context.output.times;
    let since = |at: Option<Timestamp>| at.map_or("not yet".to_owned(), |at| times.instant(at));
    let rows = erasures.into_iter().map(|erasure| {
        let hash = erasure.hash.chars().take(12).collect();
        [hash, times.instant(erasure.at), since(erasure.done), since(erasure.journal), since(erasure.index)]
    });
    context.output.table(&["hash", "asked", "records and mail", "journal", "index"], rows)?;
    Ok(Done::Fully)
}
