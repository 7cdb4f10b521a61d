//! `depesch inject`: passes a message to the daemon, as the end of another mail system's pipe.

use std::os::fd::AsFd;

use hyper::Method;

use crate::api::client::ClientError;
use crate::api::inject::{Injected, NO_SUCH_RECIPIENT, UNUSABLE};
use crate::api::path::ApiPath;

use super::{CliError, Context, Done};

/// Pass in a message that arrived by another way: reads it from standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --recipient it goes to the address in X-Original-To or Delivered-To, which the mail system wrote, else to those
of our addresses in its header. Without --sender, Return-Path or From is used.

Exit codes, as mail systems know them (sysexits.h):
  0   accepted and stored durably
  65  the message cannot be accepted: empty, too large, or in a loop
  67  no such address here
  75  not now, e.g. because the daemon is not running: try again later

Examples:
  depesch inject < message.eml
  depesch inject --recipient media-subscribe@lists.example.org --sender karin@example.net < message.eml
  In an alias file owned by the user depesch:   depesch-pipe: \"|/usr/bin/depesch inject\"")]
pub struct InjectCommand {
    /// The envelope sender; '' for the null sender
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// An address of ours that it is addressed to; may be repeated
    #[arg(long = "recipient", value_name = "ADDRESS")]
    recipients: Vec<String>,
}

/// `sysexits.h`: the message itself is wrong.
const DATA_ERROR: u8 = 65;
/// `sysexits.h`: the address does not exist.
const NO_USER: u8 = 67;
/// `sysexits.h`: a later attempt may succeed.
const TRY_LATER: u8 = 75;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: InjectCommand, context: &Context) -> Result<Done, CliError> {
    let InjectCommand { sender, recipients } = command;
    let recipients = (!recipients.is_empty()).then(|| recipients.join(","));
    let path = ApiPath::new("/v1/inbound").query_some("sender", sender).query_some("recipients", recipients);
    let failed = |error| CliError::File { action: "read", path: "standard input".into(), error };
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let stdin = tokio::fs::File::from_std(std::fs::File::from(stdin));
    let answer = context.client.upload(Method::POST, path, "message/rfc822", stdin).await?;
    let injected: Injected = answer.json().await?;
    match context.output.is_json() {
        true => context.output.json(&injected)?,
        false => {
            let mut pairs = injected.ids.iter().zip(&injected.recipients);
            pairs.try_for_each(|(id, to)| context.output.line(&format!("{id} for {to}")))?;
        }
    }
    Ok(Done::Fully)
}

/// The exit code for an error, as mail systems know them. Only faults of the message itself are permanent: after any
/// other error it is tried again, and never returned to its sender because a daemon was down.
pub(super) fn exit_code(error: &CliError) -> u8 {
    match error {
        CliError::Closed => 0,
        CliError::Client(ClientError::Refused(refusal)) => match refusal.code.as_str() {
            NO_SUCH_RECIPIENT => NO_USER,
            UNUSABLE | "too-large" => DATA_ERROR,
            _ => TRY_LATER,
        },
        _ => TRY_LATER,
    }
}
