//! `depesch notice`.

use clap::Subcommand;

use crate::api::notice::{NoticePage, NoticeView};
use crate::api::path::ApiPath;
use crate::base::id::NoticeId;

use super::times::Times;
use super::{CliError, Context, Done};

/// Notices: mails of our own that belong to no mailing, e.g. confirmations, help, forwarded messages.
#[derive(Debug, Subcommand)]
pub enum NoticeCommand {
    /// Show notices, newest first; with --json one per line
    #[command(after_help = "Examples:\n  depesch notice list\n  depesch notice list --state failed\n  \
        depesch notice list --limit 1000 --json | jq -r 'select(.about == \"passed-on\") | .id'")]
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
    #[command(after_help = "Examples:\n  depesch notice show n17")]
    Show {
        /// A number such as n17
        id: NoticeId,
        /// Show full addresses instead of masked ones; recorded in the daemon's log
        #[arg(long)]
        addresses: bool,
    },
    /// Send a failed notice again
    #[command(after_help = "Examples:\n  depesch notice retry n17")]
    Retry {
        /// A number such as n17
        id: NoticeId,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: NoticeCommand, context: &Context) -> Result<Done, CliError> {
    let client = &context.client;
    match command {
        NoticeCommand::List { state, limit, addresses } => list(state, limit, addresses, context).await,
        NoticeCommand::Show { id, addresses } => {
            show(&client.get(path(id).query("addresses", addresses)).await?, context)
        }
        NoticeCommand::Retry { id } => {
            let view: NoticeView = client.post(path(id).segment("retry"), &()).await?;
            match context.output.is_json() {
                true => context.output.json(&view)?,
                false => context.output.line(&format!("{id} is sent again"))?,
            }
            Ok(Done::Fully)
        }
    }
}

fn path(id: NoticeId) -> ApiPath {
    ApiPath::new("/v1/notices").segment(id)
}

async fn list(state: Option<String>, limit: usize, addresses: bool, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    let (mut before, mut left, mut rows) = (None::<String>, limit, Vec::new());
    while left > 0 {
        let path = ApiPath::new("/v1/notices")
            .query("limit", left.min(1000))
            .query("addresses", addresses)
            .query_some("state", state.as_ref())
            .query_some("before", before.as_ref());
        let page: NoticePage = context.client.get(path).await?;
        left = left.saturating_sub(page.notices.len());
        match output.is_json() {
            true => page.notices.iter().try_for_each(|notice| output.json(notice))?,
            false => rows.extend(page.notices.iter().map(|notice| row(notice, output.times))),
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

fn row(notice: &NoticeView, times: Times) -> [String; 6] {
    [
        notice.id.clone(),
        notice.about.clone(),
        notice.to.clone(),
        times.instant(notice.written),
        notice.state.clone(),
        said(notice),
    ]
}

/// The last answer or failure as text.
fn said(notice: &NoticeView) -> String {
    match notice.code {
        Some(code) => format!("{code} {}", notice.reply),
        None => notice.reply.clone(),
    }
}

fn show(notice: &NoticeView, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        context.output.json(notice)?;
        return Ok(Done::Fully);
    }
    let sender = if notice.sender.is_empty() { "<>" } else { &notice.sender };
    let times = context.output.times;
    let due = matches!(notice.state.as_str(), "waiting" | "deferred");
    let mut fields = vec![
        ("notice", notice.id.clone()),
        ("about", notice.about.clone()),
        ("to", notice.to.clone()),
        ("sender", sender.to_owned()),
        ("written", times.instant(notice.written)),
        ("state", notice.state.clone()),
        (if due { "due" } else { "at" }, times.instant(notice.at)),
        ("attempts", notice.attempts.to_string()),
    ];
    if notice.resent > 0 {
        fields.push(("resent", format!("{}: as many additional copies may have arrived", notice.resent)));
    }
    if !notice.reply.is_empty() || notice.code.is_some() {
        fields.push(("stage", notice.stage.clone()));
        fields.push(("reply", said(notice)));
    }
    if let Some((segment, offset)) = notice.spool {
        fields.push(("spool", format!("segment {segment}, byte {offset}")));
    }
    context.output.fields(&fields)?;
    Ok(Done::Fully)
}
