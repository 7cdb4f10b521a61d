//! `depesch bounce classify`.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bounce::{Reader, Reading, RecipientReading};
use crate::mail::incoming::Incoming;
use crate::model::classify::Classifier;

use super::super::output::complain;
use super::super::{CliError, Context, Done};

/// Maximum bytes read of one message: more than any server lets through.
const MAX_MESSAGE: u64 = 100 * 1024 * 1024;

/// One message, for programs.
#[derive(Serialize)]
struct MessageView<'a> {
    file: String,
    kind: &'static str,
    recipients: Vec<RecipientView<'a>>,
}

/// One recipient, for programs.
#[derive(Serialize)]
struct RecipientView<'a> {
    address: Option<&'a str>,
    status: Option<&'a str>,
    verdict: &'static str,
    class: &'static str,
    counts: bool,
    why: &'a str,
    evidence: &'a str,
}

impl<'a> RecipientView<'a> {
    fn new(reading: &'a RecipientReading) -> Self {
        Self {
            address: reading.address.as_deref(),
            status: reading.status.as_deref(),
            verdict: reading.verdict.word(),
            class: reading.class.word(),
            counts: reading.counts,
            why: &reading.why,
            evidence: &reading.evidence,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(files: &[PathBuf], context: &Context) -> Result<Done, CliError> {
    let rules = Classifier::shipped().and_then(Reader::new);
    let reader = rules.map_err(|error| CliError::Internal(error.to_string()))?;
    let mut done = Done::Fully;
    let mut rows = Vec::new();
    for file in files {
        let reading = match read(&reader, file) {
            Ok(reading) => reading,
            Err(error) => {
                complain(&error, None);
                done = Done::Partly;
                continue;
            }
        };
        if context.output.is_json() {
            let recipients = reading.recipients.iter().map(RecipientView::new).collect();
            context.output.json(&MessageView {
                file: file.display().to_string(),
                kind: reading.kind.word(),
                recipients,
            })?;
        } else {
            rows.extend(table_rows(file, &reading));
        }
    }
    if !rows.is_empty() {
        context.output.table(&["file", "kind", "address", "status", "verdict", "class", "counts", "why"], rows)?;
    }
    Ok(done)
}

fn read(reader: &Reader, file: &Path) -> Result<Reading, String> {
    let mut bytes = Vec::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(MAX_MESSAGE).read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|open| open.take(MAX_MESSAGE).read_to_end(&mut bytes)),
    };
    read.map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let mail = Incoming::parse(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(reader.read(&mail))
}

fn table_rows(file: &Path, reading: &Reading) -> Vec<[String; 8]> {
    let row = |one: Option<&RecipientReading>| {
        let cell = |text: Option<&str>| text.unwrap_or("-").to_owned();
        [
            file.display().to_string(),
            reading.kind.word().to_owned(),
            cell(one.and_then(|one| one.address.as_deref())),
            cell(one.and_then(|one| one.status.as_deref())),
            cell(one.map(|one| one.verdict.word())),
            cell(one.map(|one| one.class.word())),
            cell(one.map(|one| if one.counts { "yes" } else { "no" })),
            cell(one.map(|one| one.why.as_str())),
        ]
    };
    match reading.recipients.is_empty() {
        true => vec![row(None)],
        false => reading.recipients.iter().map(|one| row(Some(one))).collect(),
    }
}
