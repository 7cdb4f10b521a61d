//! `depesch delivery`.

use clap::Subcommand;

use crate::api::delivery::FoundView;
use crate::api::path::ApiPath;

use super::mailing::show::delivery_fields;
use super::output::note;
use super::{CliError, Context, Done};

/// One mail's way: what became of it
#[derive(Debug, Subcommand)]
pub enum DeliveryCommand {
    /// Find deliveries by Message-ID, by the relay's queue id or by address
    ///
    /// A Message-ID of ours names its delivery. A queue id is looked for in the relay's last answer about each delivery, the newest
    /// mailings first, in up to two million deliveries. Ends with 1 when nothing is found.
    #[command(after_help = "Examples:\n  depesch delivery find --message-id \"<m7.abcd@press.example>\"\n  \
        depesch delivery find --queue-id 4XyZ12\n  depesch delivery find --address karin.ek@example.com --addresses")]
    Find {
        /// A Message-ID, with or without angle brackets
        #[arg(long, value_name = "ID", required_unless_present_any = ["queue_id", "address"])]
        message_id: Option<String>,
        /// The id under which the relay has it
        #[arg(long, value_name = "ID")]
        queue_id: Option<String>,
        /// The subscriber's address
        #[arg(long)]
        address: Option<String>,
        /// Show addresses whole instead of masked; the daemon's log notes who saw them
        #[arg(long)]
        addresses: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: DeliveryCommand, context: &Context) -> Result<Done, CliError> {
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
            output.fields(&delivery_fields(&one.mailing, &one.delivery))?;
        }
    }
    if found.more {
        note("Older deliveries were not looked at.");
    }
    if found.deliveries.is_empty() {
        note("No delivery was found.");
    }
    Ok(if found.deliveries.is_empty() { Done::Partly } else { Done::Fully })
}
