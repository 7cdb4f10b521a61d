//! `depesch delivery`.

use clap::Subcommand;

use crate::api::delivery::FoundView;
use crate::api::path::ApiPath;

use super::mailing::show::delivery_fields;
use super::output::note;
use super::{CliError, Context, Done};

/// Follow one mail: its delivery and outcome
#[derive(Debug, Subcommand)]
pub enum DeliveryCommand {
    /// Find deliveries by Message-ID, by the relay's queue id or by address
    ///
    /// A Message-ID of ours identifies its delivery. A queue id is searched for in the relay's last answer about each
    /// delivery, newest mailings first, in up to two million deliveries. Exits with 1 when nothing is found.
    #[command(after_help = "Examples:\n  depesch delivery find --message-id \"<m7.abcd@press.example>\"\n  \
        depesch delivery find --queue-id 4XyZ12\n  depesch delivery find --address karin.ek@example.com --addresses")]
    Find {
        /// A Message-ID, with or without angle brackets
        #[arg(long, value_name = "ID", required_unless_present_any = ["queue_id", "address"])]
        message_id: Option<String>,
        /// The relay's queue id
        #[arg(long, value_name = "ID")]
        queue_id: Option<String>,
        /// The subscriber's address
        #[arg(long)]
        address: Option<String>,
        /// Show full addresses instead of masked ones; recorded in the daemon's log
        #[arg(long)]
        addresses: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: DeliveryCommand, context: &Context) -> Result<Done, CliError> {
    let DeliveryCommand::Find { message_id, queue_id, address, addresses } = command;
    let path = ApiPath::new("/v1/deliveries")
        .query_some("message_id", message_id)
        .query_some("queue_id", queue_id)
        .query_some("address", address)
        .query("addresses", addresses);
    let found: FoundView = context.client.get(path).await?;
    let output = &context.output;
    if output.is_json() {
        output.json(&found)?;
    } else {
        for (number, one) in found.deliveries.iter().enumerate() {
            if number > 0 {
                output.line("")?;
            }
            output.fields(&delivery_fields(&one.mailing, &one.delivery, output.times))?;
        }
    }
    if found.more {
        note("Older deliveries were not searched.");
    }
    if found.deliveries.is_empty() {
        note("No delivery was found.");
    }
    Ok(if found.deliveries.is_empty() { Done::Partly } else { Done::Fully })
}
