//! `depesch mailing audience`, and the people that a dry run lists.

use crate::api::mailing::audience::{AudiencePage, StandingView};
use crate::api::mailing::view::AudienceView;
use crate::api::path::ApiPath;
use crate::base::id::MailingId;

use super::super::output::note;
use super::super::{CliError, Context, Done};

/// People asked for at once.
const PAGE: usize = 500;

/// The options of `audience`.
#[derive(Debug, clap::Args)]
pub struct AudienceOptions {
    /// The mailing
    id: MailingId,
    /// Only those in the audience, or only those not in it
    #[arg(long, value_parser = ["in", "out"])]
    who: Option<String>,
    /// Maximum number of people
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Show full addresses and names instead of masked addresses; recorded in the audit log
    #[arg(long)]
    addresses: bool,
}

/// Lists the people of a mailing.
pub(super) async fn run(options: AudienceOptions, context: &Context) -> Result<Done, CliError> {
    let AudienceOptions { id, who, limit, addresses } = options;
    let client = &context.client;
    let page = async |after: Option<String>, limit: usize| {
        let path = super::path(id).segment("audience").query("limit", limit).query("addresses", addresses);
        client.get::<AudiencePage>(path.query_some("who", who.as_ref()).query_some("after", after)).await
    };
    let found = all(page, limit).await?;
    show(&found, addresses, context)?;
    Ok(Done::Fully)
}

/// Lists the people of an audience that is not queued.
pub(super) async fn of_query(
    audience: &AudienceView,
    limit: usize,
    addresses: bool,
    context: &Context,
) -> Result<(), CliError> {
    let client = &context.client;
    let page = async |after: Option<String>, limit: usize| {
        let path = ApiPath::new("/v1/mailings/audience").query("limit", limit).query("addresses", addresses);
        client.post::<_, AudiencePage>(path.query_some("after", after), audience).await
    };
    let found = all(page, limit).await?;
    show(&found, addresses, context)
}

async fn all<E>(
    page: impl AsyncFn(Option<String>, usize) -> Result<AudiencePage, E>,
    limit: usize,
) -> Result<AudiencePage, CliError>
where
    CliError: From<E>,
{
    let mut found = AudiencePage::default();
    while found.people.len() < limit {
        let more = page(found.next.take(), (limit - found.people.len()).min(PAGE)).await?;
        found.people.extend(more.people);
        found.next = more.next;
        if found.next.is_none() {
            break;
        }
    }
    Ok(found)
}

fn show(found: &AudiencePage, addresses: bool, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    if output.is_json() {
        return output.json(found);
    }
    if found.people.is_empty() {
        return output.line("there are no such people on its lists");
    }
    let row = |one: &StandingView| {
        let mut row = vec![one.subscriber.clone(), one.address.clone()];
        if addresses {
            row.push(one.name.clone().unwrap_or_default());
        }
        row.push(one.organisation.clone().unwrap_or_default());
        row.push(if one.is_in { "in" } else { "out" }.to_owned());
        row.push(one.why.clone());
        row
    };
    let mut columns = vec!["id", "address", "name", "organisation", "audience", "why"];
    if !addresses {
        columns.remove(2);
    }
    output.table(&columns, found.people.iter().map(row))?;
    if found.next.is_some() {
        note("There are more: a higher --limit shows them.");
    }
    Ok(())
}
