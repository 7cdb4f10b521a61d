//! `depesch audit`.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::api::audit::{AuditLine, AuditPage, AuditVerified, AuditView, read_hash, read_link};
use crate::api::path::ApiPath;
use crate::base::clock::Timestamp;
use crate::model::audit::{ChainLink, ChainWalk};

use super::download;
use super::output::note;
use super::times::Times;
use super::{CliError, Context, Done};

/// The audit log: who did what, in a hash chain that reveals every change.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show entries, oldest first; with --json one per line
    #[command(after_help = "Examples:\n  depesch audit list --about m7\n  \
        depesch audit list --since 2026-11-01T00:00:00Z --who kim\n  depesch audit list --about s17 --json")]
    List {
        /// Only entries from this time on, e.g. 2026-11-01T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
        /// Only entries by this user; `depesch` is the daemon itself, `mail` a decision by mail
        #[arg(long, value_name = "USER")]
        who: Option<String>,
        /// Only entries about this: an id such as m7, an address, or a list's name
        #[arg(long, value_name = "WHAT")]
        about: Option<String>,
        /// Maximum number of entries
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Verify the chain: exit code 1 if anything was changed, removed or moved
    #[command(after_help = "Examples:\n  depesch audit verify\n  depesch audit verify --head 812:6f1c…\n  \
        depesch audit verify audit.jsonl")]
    Verify {
        /// An exported file, to verify without the daemon
        file: Option<PathBuf>,
        /// A head noted elsewhere, number:hash, e.g. from the daemon's log: detects a chain that was rewritten up to
        /// it
        #[arg(long, value_name = "NUMBER:HASH")]
        head: Option<String>,
    },
    /// Write the entries with their hashes as lines of JSON, for `audit verify FILE`
    #[command(after_help = "Examples:\n  depesch audit export --output audit.jsonl\n  \
        depesch audit export --since 2026-01-01T00:00:00Z | gzip > 2026.jsonl.gz")]
    Export {
        /// Only entries from this time on
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
        /// The file; standard output if absent
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

impl AuditCommand {
    /// Whether it works without a daemon.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Verify { file: Some(_), .. })
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: AuditCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        AuditCommand::List { since, who, about, limit } => list(since, who, about, limit, context).await,
        AuditCommand::Verify { file: Some(file), head } => {
            let noted = head.map(|head| read_link(&head)).transpose().map_err(CliError::Usage)?;
            show(&verify_file(&file, noted)?, context)
        }
        AuditCommand::Verify { file: None, head } => {
            let path = ApiPath::new("/v1/audit/verify").query_some("head", head.as_ref());
            show(&context.client.get(path).await?, context)
        }
        AuditCommand::Export { since, output } => {
            let path = ApiPath::new("/v1/audit/export").query_some("since", since.map(rfc3339));
            let done = download::save(context.client.download(path).await?, output, context).await?;
            let whole: AuditVerified = context.client.get("/v1/audit/verify").await?;
            note(&format!(
                "The chain ends at {}. Keep this elsewhere: \u{201c}audit verify --head\u{201d} compares with it.",
                whole.head
            ));
            Ok(done)
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

async fn list(
    since: Option<Timestamp>,
    who: Option<String>,
    about: Option<String>,
    limit: usize,
    context: &Context,
) -> Result<Done, CliError> {
    let output = &context.output;
    let (mut after, mut left, mut rows) = (None::<u64>, limit, Vec::new());
    while left > 0 {
        let path = ApiPath::new("/v1/audit")
            .query("limit", left.min(1000))
            .query_some("since", since.map(rfc3339))
            .query_some("who", who.as_ref())
            .query_some("about", about.as_ref())
            .query_some("after", after);
        let page: AuditPage = context.client.get(path).await?;
        left = left.saturating_sub(page.entries.len());
        match output.is_json() {
            true => page.entries.iter().try_for_each(|entry| output.json(entry))?,
            false => rows.extend(page.entries.iter().map(|entry| row(entry, output.times))),
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    match (output.is_json(), rows.is_empty()) {
        (true, _) => {}
        (false, true) => output.line("no entries")?,
        (false, false) => {
            output.table(&["entry", "at", "who", "what", "about", "outcome", "request", "detail"], rows)?
        }
    }
    Ok(Done::Fully)
}

fn row(entry: &AuditView, times: Times) -> [String; 8] {
    [
        entry.number.to_string(),
        times.instant(entry.at),
        entry.who.clone(),
        entry.what.clone(),
        entry.about.clone(),
        entry.outcome.clone(),
        entry.request.to_string(),
        entry.detail.clone(),
    ]
}

/// Verifies an export. It starts at the file's first entry; the result says whether that is the log's first.
fn verify_file(path: &Path, noted: Option<ChainLink>) -> Result<AuditVerified, CliError> {
    let failed = |error| CliError::File { action: "read", path: path.to_owned(), error };
    let file = std::io::BufReader::new(std::fs::File::open(path).map_err(failed)?);
    let (mut walk, mut anchor) = (ChainWalk::default().comparing(noted), ChainLink::default());
    for (line, text) in file.lines().enumerate() {
        let (line, text) = (line + 1, text.map_err(failed)?);
        let unreadable = |why: String| CliError::Usage(format!("{}, line {line}: {why}", path.display()));
        let entry: AuditLine = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        if line == 1 {
            let hash = read_hash(&entry.previous)
                .ok_or_else(|| unreadable("its field \u{201c}previous\u{201d} is not a hash".to_owned()))?;
            anchor = ChainLink { number: entry.number.saturating_sub(1), hash };
            walk = ChainWalk::after(anchor).comparing(noted);
        }
        let (entry, hash) = entry.read().map_err(unreadable)?;
        if let Err(broken) = walk.step(&entry, &hash) {
            return Ok(broken_at(&broken.to_string(), anchor, walk.at()));
        }
    }
    let at = walk.at();
    Ok(match walk.end(None) {
        Err(broken) => broken_at(&broken.to_string(), anchor, at),
        Ok(whole) => AuditVerified {
            broken: None,
            entries: whole.entries,
            anchor: anchor.to_string(),
            head: whole.head.to_string(),
            open: whole.open,
            lost: whole.lost,
        },
    })
}

fn broken_at(why: &str, anchor: ChainLink, at: ChainLink) -> AuditVerified {
    let (anchor, head) = (anchor.to_string(), at.to_string());
    AuditVerified { broken: Some(why.to_owned()), entries: 0, anchor, head, open: Vec::new(), lost: Vec::new() }
}

fn show(verified: &AuditVerified, context: &Context) -> Result<Done, CliError> {
    let is_whole = verified.broken.is_none() && verified.lost.is_empty();
    let done = if is_whole { Done::Fully } else { Done::Partly };
    if context.output.is_json() {
        context.output.json(verified)?;
        return Ok(done);
    }
    match &verified.broken {
        Some(broken) => context.output.line(&format!("the chain does not hold: {broken}"))?,
        None => context.output.line(&format!("the chain holds: {} entries", verified.entries))?,
    }
    for lost in &verified.lost {
        context.output.line(&format!("the store was recovered with losses, and entries may be among them: {lost}"))?;
    }
    let mut fields = vec![("head", verified.head.clone())];
    if !verified.anchor.starts_with("0:") {
        fields.insert(0, ("begins after", verified.anchor.clone()));
    }
    if !verified.open.is_empty() {
        let open: Vec<String> = verified.open.iter().map(u64::to_string).collect();
        fields.push(("begun; outcome unknown", open.join(" ")));
    }
    context.output.fields(&fields)?;
    Ok(done)
}
