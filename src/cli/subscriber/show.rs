//! One person, or those that a search finds.

use crate::api::client::ClientError;
use crate::api::path::ApiPath;
use crate::api::person_view::SubscriberView;
use crate::api::subscriber::FoundPeopleView;
use crate::api::suppression::SuppressionView;
use crate::cli::{CliError, Context, Done};

async fn suppression(address: &str, context: &Context) -> Result<Option<SuppressionView>, CliError> {
    match context.client.get(ApiPath::new("/v1/suppressions").segment(address)).await {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::Refused(refusal)) if refusal.status == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// People asked for at once.
const PAGE: usize = 500;

pub(super) async fn search(words: &str, limit: usize, context: &Context) -> Result<Done, CliError> {
    let client = &context.client;
    let (mut people, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = (limit - people.len().min(limit)).clamp(1, PAGE);
        let path = ApiPath::new("/v1/subscribers").query("search", words).query("limit", page);
        let found: FoundPeopleView = client.get(path.query_some("after", after)).await?;
        people.extend(found.people);
        after = found.next;
        if after.is_none() || people.len() >= limit {
            break;
        }
    }
    if context.output.is_json() {
        context.output.json(&FoundPeopleView { people, next: after })?;
        return Ok(Done::Fully);
    }
    table(&people, context)?;
    if after.is_some() {
        context.output.line("There may be more: add a word, or name a higher --limit.")?;
    }
    Ok(Done::Fully)
}

/// Prints people as a table.
pub(super) fn table(people: &[SubscriberView], context: &Context) -> Result<(), CliError> {
    let row = |person: &SubscriberView| {
        let lists = person.subscriptions.iter().map(|(list, subscription)| format!("{list} ({})", subscription.state));
        [
            person.id.to_string(),
            person.address.clone(),
            person.name.clone().unwrap_or_default(),
            person.organisation.clone().unwrap_or_default(),
            lists.collect::<Vec<_>>().join(", "),
        ]
    };
    context.output.table(&["id", "address", "name", "organisation", "lists"], people.iter().map(row))
}

pub(super) async fn show(subscriber: &SubscriberView, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        context.output.json(subscriber)?;
        return Ok(Done::Fully);
    }
    let times = context.output.times;
    let joined = |words: &std::collections::BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut fields = vec![
        ("subscriber", subscriber.id.to_string()),
        ("address", subscriber.address.clone()),
        ("name", subscriber.name.clone().unwrap_or_default()),
        ("language", subscriber.language.to_string()),
        ("organisation", subscriber.organisation.clone().unwrap_or_default()),
        ("beats", joined(&subscriber.beats)),
        ("regions", joined(&subscriber.regions)),
    ];
    fields.extend(subscriber.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())));
    fields.extend([("created", times.instant(subscriber.created)), ("updated", times.instant(subscriber.updated))]);
    if let Some(suppression) = suppression(&subscriber.address, context).await? {
        let words = format!("gets no mail from any list: {}, {}", suppression.reason, times.instant(suppression.since));
        fields.push(("suppressed", words));
    }
    context.output.fields(&fields)?;
    if !subscriber.subscriptions.is_empty() {
        let rows = subscriber.subscriptions.iter().filter_map(|(list, subscription)| {
            let last = subscription.events.last()?;
            let from = format!("{}: {}", last.way, last.from);
            Some([list.to_string(), subscription.state.clone(), times.instant(last.at), from, last.words.clone()])
        });
        context.output.line("")?;
        context.output.table(&["list", "state", "since", "from", "words"], rows)?;
    }
    Ok(Done::Fully)
}
