//! `depesch letter`.

use clap::Subcommand;

use crate::base::id::LetterId;
use crate::control::letter::{LetterPage, LetterView};
use crate::control::path::ApiPath;

use super::output::instant;
use super::{CliError, Context, Done};

/// Notices: mails of our own that belong to no mailing, e.g. confirmations, help, forwarded messages.
#[derive(Debug, Subcommand)]
pub enum LetterCommand {
    /// Show notices, newest first; with --json one per line
    #[command(after_help = "Examples:\n  depesch letter list\n  depesch letter list --state failed\n  \
        depesch letter list --limit 1000 --json | jq -r 'select(.about == \"passed-on\") | .id'")]
    List {
        /// Only notices in this state
        #[arg(long, value_parser = ["waiting", "deferred", "in-doubt", "accepted", "failed"])]
        state: Option<String>,
        /// Maximum number of notices
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Show full addresses instead of masked ones; recorded in the daemon's log
        #[arg(long)]
        addresses: bool,
    },
    /// Show one notice: its state, and what the relay answered
    #[command(after_help = "Examples:\n  depesch letter show n17")]
    Show {
        /// A number such as n17
        id: LetterId,
        /// Show full addresses instead of masked ones; recorded in the daemon's log
        #[arg(long)]
        addresses: bool,
    },
    /// Send a failed notice again
    #[command(after_help = "Examples:\n  depesch letter retry n17")]
    Retry {
        /// A number such as n17
        id: LetterId,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: LetterCommand, context: &Context) -> Result<Done, CliError> {
    let client = &context.client;
    match command {
        LetterCommand::List { state, limit, addresses } => list(state, limit, addresses, context).await,
        LetterCommand::Show { id, addresses } => {
            show(&client.get(path(id).query("addresses", addresses)).await?, context)
        }
        LetterCommand::Retry { id } => {
            let view: LetterView = client.post(path(id).segment("retry"), &()).await?;
            match context.output.is_json() {
                true => context.output.json(&view)?,
                false => context.output.line(&format!("{id} is sent again"))?,
            }
            Ok(Done::Fully)
        }
    }
}

fn path(id: LetterId) -> ApiPath {
    ApiPath::new("/v1/letters").segment(id)
}

async fn list(state: Option<String>, limit: usize, addresses: bool, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    let (mut before, mut left, mut rows) = (None::<String>, limit, Vec::new());
    while left > 0 {
        let path = ApiPath::new("/v1/letters")
            .query("limit", left.min(1000))
            .query("addresses", addresses)
            .query_some("state", state.as_ref())
            .query_some("before", before.as_ref());
        let page: LetterPage = context.client.get(path).await?;
        left = left.saturating_sub(page.letters.len());
        match output.is_json() {
            true => page.letters.iter().try_for_each(|letter| output.json(letter))?,
            false => rows.extend(page.letters.iter().map(row)),
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    match (output.is_json(), rows.is_empty()) {
        (true, _) => {}
        (false, true) => output.line("no notices")?,
        (false, false) => output.table(&["notice", "about", "to", "written", "state", "reply"], rows)?,
    }
    Ok(Done::Fully)
}

fn row(letter: &LetterView) -> [String; 6] {
    [
        letter.id.clone(),
        letter.about.clone(),
        letter.to.clone(),
        instant(letter.written),
        letter.state.clone(),
        said(letter),
    ]
}

/// The last answer or failure as text.
fn said(letter: &LetterView) -> String {
    match letter.code {
        Some(code) => format!("{code} {}", letter.reply),
        None => letter.reply.clone(),
    }
}

fn show(letter: &LetterView, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        context.output.json(letter)?;
        return Ok(Done::Fully);
    }
    let sender = if letter.sender.is_empty() { "<>" } else { &letter.sender };
    let due = matches!(letter.state.as_str(), "waiting" | "deferred");
    let mut fields = vec![
        ("notice", letter.id.clone()),
        ("about", letter.about.clone()),
        ("to", letter.to.clone()),
        ("sender", sender.to_owned()),
        ("written", instant(letter.written)),
        ("state", letter.state.clone()),
        (if due { "due" } else { "at" }, instant(letter.at)),
        ("attempts", letter.attempts.to_string()),
    ];
    if letter.resent > 0 {
        fields.push(("resent", format!("{}: as many additional copies may have arrived", letter.resent)));
    }
    if !letter.reply.is_empty() || letter.code.is_some() {
        fields.push(("stage", letter.stage.clone()));
        fields.push(("reply", said(letter)));
    }
    if let Some((segment, offset)) = letter.spool {
        fields.push(("spool", format!("segment {segment}, byte {offset}")));
    }
    context.output.fields(&fields)?;
    Ok(Done::Fully)
}
