//! `depesch inbound`.

use clap::Subcommand;

use crate::api::inbound::{InboundPage, InboundView};
use crate::api::path::ApiPath;
use crate::base::id::InboundId;

use super::times::Times;
use super::{CliError, Context, Done};

/// Incoming mail and its handling.
#[derive(Debug, Subcommand)]
pub enum InboundCommand {
    /// Show incoming mail, newest first; with --json one message per line
    #[command(after_help = "Examples:\n  depesch inbound list\n  depesch inbound list --state stuck\n  \
        depesch inbound list --limit 1000 --json | jq -r 'select(.kind == \"bounce\") | .id'")]
    List {
        /// Only messages that are waiting, handled or stuck
        #[arg(long, value_parser = ["waiting", "handled", "stuck"])]
        state: Option<String>,
        /// Maximum number of messages
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Show full addresses instead of masked ones; recorded in the daemon's log
        #[arg(long)]
        addresses: bool,
    },
    /// Show one message: how it arrived and what was done
    #[command(after_help = "Examples:\n  depesch inbound show i17")]
    Show {
        /// A number such as i17
        id: InboundId,
        /// Show full addresses instead of masked ones; recorded in the daemon's log
        #[arg(long)]
        addresses: bool,
    },
    /// Stop expecting a socket that systemd passed in at earlier starts
    #[command(
        after_help = "Examples:\n  systemctl disable depesch-lmtp.socket && depesch inbound forget-listener lmtp"
    )]
    ForgetListener {
        /// smtp or lmtp
        #[arg(value_parser = ["smtp", "lmtp"])]
        protocol: String,
    },
    /// Handle a stuck message again, e.g. with a newer version
    #[command(after_help = "Examples:\n  depesch inbound retry i17")]
    Retry {
        /// A number such as i17
        id: InboundId,
    },
    /// Write a message in its original form to standard output; recorded in the daemon's log
    #[command(after_help = "Examples:\n  depesch inbound raw i17 > message.eml")]
    Raw {
        /// A number such as i17
        id: InboundId,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: InboundCommand, context: &Context) -> Result<Done, CliError> {
    let client = &context.client;
    match command {
        InboundCommand::List { state, limit, addresses } => list(state, limit, addresses, context).await,
        InboundCommand::Show { id, addresses } => {
            show(&client.get(path(id).query("addresses", addresses)).await?, context)
        }
        InboundCommand::ForgetListener { protocol } => {
            let path = ApiPath::new("/v1/listeners").segment(&protocol);
            let forgotten: serde_json::Value = client.send(hyper::Method::DELETE, path, &()).await?;
            match context.output.is_json() {
                true => context.output.json(&forgotten)?,
                false => context.output.line(&format!("the socket for {protocol} is no longer expected"))?,
            }
            Ok(Done::Fully)
        }
        InboundCommand::Retry { id } => {
            let view: InboundView = client.post(path(id).segment("retry"), &()).await?;
            match context.output.is_json() {
                true => context.output.json(&view)?,
                false => context.output.line(&format!("{id} is handled again"))?,
            }
            Ok(Done::Fully)
        }
        InboundCommand::Raw { id } => {
            // Complete before the first byte is written: half a message is useless.
            let bytes = client.download(path(id).segment("raw")).await?.bytes().await?;
            context.output.bytes(&bytes)?;
            Ok(Done::Fully)
        }
    }
}

fn path(id: InboundId) -> ApiPath {
    ApiPath::new("/v1/inbound").segment(id)
}

async fn list(state: Option<String>, limit: usize, addresses: bool, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    let (mut before, mut left, mut rows) = (None::<String>, limit, Vec::new());
    while left > 0 {
        let path = ApiPath::new("/v1/inbound")
            .query("limit", left.min(1000))
            .query("addresses", addresses)
            .query_some("state", state.as_ref())
            .query_some("before", before.as_ref());
        let page: InboundPage = context.client.get(path).await?;
        left = left.saturating_sub(page.messages.len());
        match output.is_json() {
            true => page.messages.iter().try_for_each(|message| output.json(message))?,
            false => rows.extend(page.messages.iter().map(|message| row(message, output.times))),
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    match (output.is_json(), rows.is_empty()) {
        (true, _) => {}
        (false, true) => output.line("no incoming mail")?,
        (false, false) => output.table(&["message", "came", "via", "to", "state", "note"], rows)?,
    }
    Ok(Done::Fully)
}

fn row(message: &InboundView, times: Times) -> [String; 6] {
    let state = match &message.kind {
        Some(kind) => format!("{}: {kind}", message.state),
        None => message.state.clone(),
    };
    [
        message.id.clone(),
        times.instant(message.at),
        message.via.clone(),
        message.recipient.clone(),
        state,
        message.note.clone(),
    ]
}

fn show(message: &InboundView, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        context.output.json(message)?;
        return Ok(Done::Fully);
    }
    let sender = if message.sender.is_empty() { "<>" } else { &message.sender };
    let times = context.output.times;
    let mut fields = vec![
        ("message", message.id.clone()),
        ("came", times.instant(message.at)),
        ("via", message.via.clone()),
        ("from", sender.to_owned()),
        ("to", message.recipient.clone()),
        ("bytes", message.bytes.to_string()),
        ("state", message.state.clone()),
    ];
    if let Some(peer) = &message.peer {
        let tls = if message.encrypted { "with TLS" } else { "without TLS" };
        fields.insert(3, ("machine", format!("{} [{peer}], {tls}", message.helo)));
    }
    fields.extend(message.kind.iter().map(|kind| ("taken for", kind.clone())));
    fields.extend(message.since.map(|since| ("since", times.instant(since))));
    if !message.note.is_empty() {
        fields.push(("note", message.note.clone()));
    }
    fields.push(("spool", format!("segment {}, byte {}", message.segment, message.offset)));
    context.output.fields(&fields)?;
    Ok(Done::Fully)
}
