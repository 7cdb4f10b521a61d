//! `depesch list consent` and `depesch subscriber consent`: the basis of subscriptions.

use std::path::PathBuf;

use clap::Args;

use crate::api::consent::{ConsentRowView, ConsentSummary};
use crate::api::path::ApiPath;
use crate::base::id::ListName;
use crate::base::spreadsheet::Sheet;

use super::output::note;
use super::times::Times;
use super::{CliError, Context, Done};

/// Maximum number of rows in a table for people.
const ROWS: u64 = 200;
/// Bytes of CSV written at once.
const BUFFER: usize = 64 * 1024;
/// The columns of the CSV.
const COLUMNS: [&str; 12] = [
    "list",
    "subscriber",
    "address",
    "state",
    "since",
    "proof",
    "agreed_at",
    "way",
    "from",
    "words",
    "evidence",
    "evidence_missing",
];

/// Options of the report on a list.
#[derive(Debug, Args)]
pub struct ConsentOptions {
    /// The list
    name: ListName,
    /// Only subscriptions in this state
    #[arg(long, value_parser = ["pending", "active", "paused", "suspended", "ended"])]
    state: Option<String>,
    /// Only those not proven by a mail from the subscriber
    #[arg(long)]
    unproven: bool,
    /// Write the whole report as CSV instead of a table
    #[arg(long)]
    csv: bool,
    /// The CSV file; standard output if absent
    #[arg(long, value_name = "FILE", requires = "csv")]
    output: Option<PathBuf>,
    /// Show full addresses instead of masked ones; recorded in the audit log
    #[arg(long)]
    addresses: bool,
}

/// Reports on a list.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn of_list(options: ConsentOptions, context: &Context) -> Result<Done, CliError> {
    let ConsentOptions { name, state, unproven, csv, output: file, addresses } = options;
    let output = &context.output;
    let whole = csv || output.is_json();
    let path = ApiPath::new("/v1/lists")
        .segment(&name)
        .segment("consent")
        .query("unproven", unproven)
        .query("addresses", addresses)
        .query_some("state", state.as_ref())
        .query_some("limit", (!whole).then_some(ROWS));
    let answer = context.client.download(path).await?;
    let mut writing = Writing::begin(csv, file)?;
    let mut failed = None;
    let summary: ConsentSummary = answer
        .follow(|row: ConsentRowView| {
            if failed.is_none() {
                failed = writing.row(row, context).err();
            }
        })
        .await?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    writing.end(&summary, context)?;
    let proven = |proof: &str| proof.starts_with("own-");
    let unproven = summary.counts.iter().any(|count| count.state == "active" && !proven(&count.proof));
    Ok(if unproven || summary.evidence_missing > 0 { Done::Partly } else { Done::Fully })
}

/// Reports on one person.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn of_subscriber(who: &str, addresses: bool, context: &Context) -> Result<Done, CliError> {
    let path = ApiPath::new("/v1/subscribers").segment(who).segment("consent").query("addresses", addresses);
    let rows: Vec<ConsentRowView> = context.client.get(path).await?;
    match (context.output.is_json(), rows.is_empty()) {
        (true, _) => context.output.json(&rows)?,
        (false, true) => context.output.line("never on a list")?,
        (false, false) => context.output.table(&HEADINGS, rows.iter().map(|row| cells(row, context.output.times)))?,
    }
    Ok(Done::Fully)
}

const HEADINGS: [&str; 8] = ["list", "subscriber", "state", "proof", "agreed", "by", "from", "words"];

fn cells(row: &ConsentRowView, times: Times) -> [String; 8] {
    let basis = |of: fn(&crate::api::person_view::ConsentView) -> String| row.basis.as_ref().map(of);
    let missing = if row.evidence_missing { ", its mail is missing" } else { "" };
    [
        row.list.to_string(),
        format!("{} {}", row.subscriber, row.address),
        row.state.clone(),
        format!("{}{missing}", row.proof),
        row.basis.as_ref().map(|basis| times.instant(basis.at)).unwrap_or_else(|| "never".to_owned()),
        basis(|basis| basis.way.clone()).unwrap_or_default(),
        basis(|basis| basis.from.clone()).unwrap_or_default(),
        basis(|basis| basis.words.clone()).unwrap_or_default(),
    ]
}

/// A report being written: CSV as it arrives, or a table.
struct Writing {
    csv: Option<(Sheet, Option<File>)>,
    rows: Vec<[String; 8]>,
}

/// A file that gets its name when it is complete.
struct File {
    path: PathBuf,
    new: tempfile::NamedTempFile,
}

impl Writing {
    fn begin(csv: bool, file: Option<PathBuf>) -> Result<Self, CliError> {
        let file = file.map(|path| -> Result<File, CliError> {
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            let new = tempfile::NamedTempFile::new_in(directory.unwrap_or(std::path::Path::new(".")));
            let failed = |error| CliError::File { action: "written", path: path.clone(), error };
            Ok(File { new: new.map_err(failed)?, path })
        });
        let file = file.transpose()?;
        let mut sheet = Sheet::for_program(false);
        sheet.row(COLUMNS);
        Ok(Self { csv: csv.then_some((sheet, file)), rows: Vec::new() })
    }

    fn row(&mut self, row: ConsentRowView, context: &Context) -> Result<(), CliError> {
        let Some((sheet, _)) = &mut self.csv else {
            match context.output.is_json() {
                true => context.output.json(&row)?,
                false => self.rows.push(cells(&row, context.output.times)),
            }
            return Ok(());
        };
        let at = |at: crate::base::clock::Timestamp| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let basis = row.basis.as_ref();
        let record = [
            row.list.to_string(),
            row.subscriber.clone(),
            row.address.clone(),
            row.state.clone(),
            row.since.map(at).unwrap_or_default(),
            row.proof.clone(),
            basis.map(|basis| at(basis.at)).unwrap_or_default(),
            basis.map(|basis| basis.way.clone()).unwrap_or_default(),
            basis.map(|basis| basis.from.clone()).unwrap_or_default(),
            basis.map(|basis| basis.words.clone()).unwrap_or_default(),
            basis.and_then(|basis| basis.evidence.clone()).unwrap_or_default(),
            row.evidence_missing.to_string(),
        ];
        sheet.row(record);
        match sheet.len() > BUFFER {
            true => self.flush(context),
            false => Ok(()),
        }
    }

    fn flush(&mut self, context: &Context) -> Result<(), CliError> {
        use std::io::Write;
        let Some((sheet, file)) = &mut self.csv else { return Ok(()) };
        let bytes = sheet.take();
        match file {
            None => context.output.bytes(&bytes),
            Some(File { path, new }) => {
                new.write_all(&bytes).map_err(|error| CliError::File { action: "written", path: path.clone(), error })
            }
        }
    }

    fn end(mut self, summary: &ConsentSummary, context: &Context) -> Result<(), CliError> {
        self.flush(context)?;
        match self.csv {
            Some((_, Some(File { path, new }))) => {
                new.persist(&path).map_err(|error| CliError::File { action: "written", path, error: error.error })?;
            }
            Some((_, None)) => {}
            None if context.output.is_json() => return context.output.json(summary),
            None => {
                let shown = self.rows.len() as u64;
                if shown > 0 {
                    context.output.table(&HEADINGS, self.rows)?;
                    context.output.line("")?;
                }
                if shown == ROWS {
                    note("There may be more: use --csv or --json for all.");
                }
                let rows = summary.counts.iter().map(|c| [c.state.clone(), c.proof.clone(), c.count.to_string()]);
                context.output.table(&["state", "proof", "count"], rows)?;
            }
        }
        if summary.evidence_missing > 0 {
            note(&format!("{} mails that should be kept as evidence are missing", summary.evidence_missing));
        }
        Ok(())
    }
}
