//! `depesch subscriber list`.

use crate::api::path::ApiPath;
use crate::api::subscriber::FoundPeopleView;
use crate::base::id::{ListName, SubscriberId};
use crate::base::language::Language;
use crate::cli::output::note;
use crate::cli::{CliError, Context, Done};

use super::show::table;

/// People asked for at once.
const PAGE: usize = 500;

/// Which subscribers are listed.
#[derive(Debug, clap::Args)]
pub struct ListOptions {
    /// Only who are or were on this list
    #[arg(long, value_name = "LIST")]
    list: Option<ListName>,
    /// Only whose subscription to that list, or without --list to any, is in this state
    #[arg(long, value_parser = ["pending", "active", "paused", "suspended", "ended"])]
    state: Option<String>,
    /// Only who read this language
    #[arg(long)]
    language: Option<Language>,
    /// Only who cover this beat
    #[arg(long)]
    beat: Option<String>,
    /// Only who cover this region
    #[arg(long)]
    region: Option<String>,
    /// Only whose organisation's name contains this
    #[arg(long, value_name = "TEXT")]
    organisation: Option<String>,
    /// Maximum number of people
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Only after this subscriber, to continue a list
    #[arg(long, value_name = "ID")]
    after: Option<SubscriberId>,
}

/// Lists subscribers.
pub(super) async fn run(options: ListOptions, context: &Context) -> Result<Done, CliError> {
    let mut found = FoundPeopleView { people: Vec::new(), next: options.after.map(|id| id.to_string()) };
    while found.people.len() < options.limit {
        let path = ApiPath::new("/v1/subscribers").query("limit", (options.limit - found.people.len()).min(PAGE));
        let path = path.query_some("list", options.list.as_ref()).query_some("state", options.state.as_ref());
        let path = path.query_some("language", options.language.as_ref()).query_some("beat", options.beat.as_ref());
        let path = path.query_some("region", options.region.as_ref());
        let path = path.query_some("organisation", options.organisation.as_ref());
        let more: FoundPeopleView = context.client.get(path.query_some("after", found.next.take())).await?;
        found.people.extend(more.people);
        found.next = more.next;
        if found.next.is_none() {
            break;
        }
    }
    let output = &context.output;
    if output.is_json() {
        output.json(&found)?;
        return Ok(Done::Fully);
    }
    if found.people.is_empty() {
        output.line("there are no such subscribers")?;
        return Ok(Done::Fully);
    }
    table(&found.people, context)?;
    if let Some(next) = &found.next {
        note(&format!(
            "There are more: \u{201c}--after {next}\u{201d} continues, a higher --limit shows more at once."
        ));
    }
    Ok(Done::Fully)
}
