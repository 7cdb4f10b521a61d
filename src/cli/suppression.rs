//! `depesch suppression`.

use clap::Subcommand;
use hyper::Method;

use crate::api::path::ApiPath;
use crate::api::suppression::{NewSuppression, Reason, Suppressed, SuppressionPage, SuppressionView};

use super::{CliError, Context, Done};

/// Addresses that must never be mailed.
#[derive(Debug, Subcommand)]
pub enum SuppressionCommand {
    /// Suppress an address, whether a subscriber's or not
    #[command(after_help = "Exit code 0 also if it was suppressed before.\n\n\
        Examples:\n  depesch suppression add karin@example.org --reason request --note 'by phone, 12 November'")]
    Add {
        /// The address
        address: String,
        /// The reason
        #[arg(long, value_parser = ["request", "complaint", "operator"], default_value = "operator")]
        reason: String,
        /// What was said
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Show all suppressions; with --json one per line
    #[command(after_help = "Examples:\n  depesch suppression list\n  \
        depesch suppression list --json | jq -r 'select(.reason == \"complaint\") | .address'")]
    List,
    /// Show whether an address is suppressed; exit code 4 when it is not
    #[command(after_help = "Examples:\n  depesch suppression show karin@example.org")]
    Show {
        /// The address
        address: String,
    },
    /// Lift a suppression, because the person asks for mail again
    #[command(after_help = "This starts no subscription: what the person ended stays ended.\n\n\
        Examples:\n  depesch suppression remove karin@example.org")]
    Remove {
        /// The address
        address: String,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: SuppressionCommand, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    let path = |address: &str| ApiPath::new("/v1/suppressions").segment(address);
    match command {
        SuppressionCommand::Add { address, reason, note } => {
            let reason = match reason.as_str() {
                "request" => Reason::Request,
                "complaint" => Reason::Complaint,
                _ => Reason::Operator,
            };
            let new = NewSuppression { address: address.clone(), reason, note };
            let done: Suppressed = client.post("/v1/suppressions", &new).await?;
            match (output.is_json(), done.added) {
                (true, _) => output.json(&done)?,
                (false, true) => output.line(&format!("{address} gets no mail any more"))?,
                (false, false) => output.line(&format!("{address} was already suppressed"))?,
            }
            Ok(Done::Fully)
        }
        SuppressionCommand::List => list(context).await,
        SuppressionCommand::Show { address } => show(&client.get(path(&address)).await?, context),
        SuppressionCommand::Remove { address } => {
            let lifted: SuppressionView = client.send(Method::DELETE, path(&address), &()).await?;
            if output.is_json() {
                output.json(&lifted)?;
            } else {
                output.line(&format!("{address} may be mailed again (it was suppressed: {})", lifted.reason))?;
            }
            Ok(Done::Fully)
        }
    }
}

async fn list(context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    let (mut after, mut first) = (None::<String>, true);
    loop {
        let path = ApiPath::new("/v1/suppressions").query("limit", 1000).query_some("after", after.as_ref());
        let page: SuppressionPage = context.client.get(path).await?;
        if output.is_json() {
            page.suppressions.iter().try_for_each(|suppression| output.json(suppression))?;
        } else if page.suppressions.is_empty() && first {
            output.line("no address is suppressed")?;
        } else if !page.suppressions.is_empty() {
            let rows = page.suppressions.iter().map(|s| {
                let address = s.address.clone().unwrap_or_else(|| "(erased)".to_owned());
                [address, s.reason.clone(), output.times.instant(s.since), s.note.clone()]
            });
            output.table(&["address", "reason", "since", "note"], rows)?;
        }
        first = false;
        after = page.next;
        if after.is_none() {
            return Ok(Done::Fully);
        }
    }
}

fn show(suppression: &SuppressionView, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        context.output.json(suppression)?;
        return Ok(Done::Fully);
    }
    context.output.fields(&[
        ("address", suppression.address.clone().unwrap_or_else(|| "(erased)".to_owned())),
        ("reason", suppression.reason.clone()),
        ("since", context.output.times.instant(suppression.since)),
        ("note", suppression.note.clone()),
    ])?;
    Ok(Done::Fully)
}
