//! `depesch mailing list` and `show`.

use crate::api::mailing::view::{AudienceView, Counts, DeliveryView, MailingView};
use crate::api::path::ApiPath;
use crate::api::person_view::SubscriberView;
use crate::base::id::{MailingId, SubscriberId};

use super::super::times::Times;
use super::super::{CliError, Context, Done};

/// Prints the list of mailings.
pub async fn list(stage: Option<String>, limit: usize, context: &Context) -> Result<Done, CliError> {
    let path = ApiPath::new("/v1/mailings").query("limit", limit).query_some("stage", stage.as_ref());
    let mailings: Vec<MailingView> = context.client.get(path).await?;
    let output = &context.output;
    if output.is_json() {
        output.json(&mailings)?;
    } else if mailings.is_empty() {
        output.line("there are no such mailings; \u{201c}depesch mailing queue\u{201d} creates one")?;
    } else {
        let rows = mailings.iter().map(|m| {
            let counts = m.counts.unwrap_or_default();
            let number = |n: u64| if m.counts.is_some() { n.to_string() } else { "-".to_owned() };
            [
                m.id.clone(),
                stage_words(m),
                m.local_time.clone(),
                number(counts.audience),
                number(counts.accepted),
                number(counts.failed),
                number(counts.waiting + counts.in_doubt + counts.deferred),
                m.headline.clone().unwrap_or_else(|| m.content().to_owned()),
            ]
        });
        output.table(&["id", "stage", "time", "audience", "accepted", "failed", "open", "headline"], rows)?;
    }
    Ok(Done::Fully)
}

/// A mailing's stage in a few words.
pub(crate) fn stage_words(mailing: &MailingView) -> String {
    match &mailing.pause {
        Some(pause) => format!("{} (paused: {})", mailing.stage, pause.reason),
        None if mailing.stage == "scheduled" && !mailing.approved => "scheduled (not approved)".to_owned(),
        None => mailing.stage.clone(),
    }
}

/// What a mailing waits for if its approval is missing.
pub(super) fn approval_words(mailing: &MailingView) -> Option<String> {
    let who = match (mailing.approved, mailing.approvals_needed, &mailing.first_approved_by) {
        (true, ..) => return None,
        (false, 2, None) => "two other people",
        (false, 2, Some(_)) => "another person, too",
        (false, ..) => "a second person",
    };
    Some(format!("It waits for the approval of {who}: \u{201c}depesch mailing approve {}\u{201d}.", mailing.id))
}

/// The audience as text.
pub(crate) fn audience_words(audience: &AudienceView) -> String {
    let mut words = vec![audience.lists.join(" + ")];
    let parts = [("beats", &audience.beats), ("regions", &audience.regions), ("languages", &audience.languages)];
    for (name, values) in parts {
        if !values.is_empty() {
            words.push(format!("{name} {}", values.join(" or ")));
        }
    }
    if let Some(earlier) = &audience.reached_by {
        words.push(format!("reached by {earlier}"));
    }
    words.join(", ")
}

/// Prints one mailing.
pub fn mailing(mailing: &MailingView, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    if output.is_json() {
        output.json(mailing)?;
        return Ok(Done::Fully);
    }
    output.fields(&fields(mailing, output.times))?;
    if let Some(counts) = &mailing.counts {
        output.line("")?;
        output.fields(&count_fields(counts))?;
    }
    Ok(Done::Fully)
}

/// The fields of a mailing, without its counts.
pub(crate) fn fields(mailing: &MailingView, times: Times) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("mailing", mailing.id.clone()),
        (
            if mailing.post.is_some() { "post" } else { "release" },
            match &mailing.headline {
                Some(headline) => format!("{} {headline}", mailing.content()),
                None => mailing.content().to_owned(),
            },
        ),
        ("stage", stage_words(mailing)),
    ];
    if let Some(pause) = &mailing.pause {
        fields.push(("why", pause.why.clone()));
    }
    fields.push(("audience", audience_words(&mailing.audience)));
    fields.push(("time", format!("{} ({})", mailing.local_time, mailing.zone)));
    fields.push(("queued", format!("{} by {}", times.instant(mailing.created), mailing.created_by)));
    if let Some(by) = &mailing.edited_by {
        fields.push((
            "edited",
            format!("by {by}; \u{201c}depesch mailing diff {}\u{201d} shows what changed", mailing.id),
        ));
    }
    if mailing.approval_required {
        let people: Vec<&str> =
            mailing.first_approved_by.iter().chain(&mailing.approved_by).map(String::as_str).collect();
        let words = match (mailing.approved, people.as_slice()) {
            (true, people) => format!("by {}", people.join(" and ")),
            (false, [first, ..]) if mailing.first_approved_by.is_some() => {
                format!("by {first}, and missing of another person; content hash {}", mailing.content_hash)
            }
            (false, _) => format!("missing; content hash {}", mailing.content_hash),
        };
        fields.push(("approval", words));
    }
    if let Some(ended) = mailing.ended {
        let by = mailing.cancelled_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        fields.push(("ended", format!("{}{by}", times.instant(ended))));
    }
    fields
}

/// Counts for people: every state that occurs, and the sum.
pub(crate) fn count_fields(counts: &Counts) -> Vec<(&'static str, String)> {
    let states = [
        ("accepted", counts.accepted),
        ("failed", counts.failed),
        ("suppressed", counts.suppressed),
        ("cancelled", counts.cancelled),
        ("uncertain", counts.uncertain),
        ("deferred", counts.deferred),
        ("in doubt", counts.in_doubt),
        ("waiting", counts.waiting),
    ];
    let width = counts.audience.to_string().len();
    let mut fields: Vec<_> = states
        .into_iter()
        .filter(|(name, count)| *count > 0 || matches!(*name, "accepted" | "failed"))
        .map(|(name, count)| (name, format!("{count:>width$}")))
        .collect();
    fields.push(("audience", format!("{:>width$}", counts.audience)));
    if counts.resent > 0 {
        let words = format!("{:>width$} of these, after a doubt: a second copy may have arrived", counts.resent);
        fields.push(("sent again", words));
    }
    fields
}

/// Prints the delivery to one person.
pub(crate) async fn delivery(id: MailingId, who: &str, addresses: bool, context: &Context) -> Result<Done, CliError> {
    let subscriber = match who.parse::<SubscriberId>() {
        Ok(id) => id,
        Err(_) => context.client.get::<SubscriberView>(ApiPath::new("/v1/subscribers").segment(who)).await?.id,
    };
    let path = super::path(id).segment("deliveries").segment(subscriber).query("addresses", addresses);
    let delivery: DeliveryView = context.client.get(path).await?;
    let output = &context.output;
    if output.is_json() {
        output.json(&delivery)?;
        return Ok(Done::Fully);
    }
    output.fields(&delivery_fields(&id.to_string(), &delivery, output.times))?;
    Ok(Done::Fully)
}

/// The fields of a delivery.
pub(crate) fn delivery_fields(mailing: &str, delivery: &DeliveryView, times: Times) -> Vec<(&'static str, String)> {
    let when = if delivery.state == "deferred" { "next attempt" } else { "when" };
    let mut fields = vec![
        ("mailing", mailing.to_owned()),
        ("subscriber", delivery.subscriber.clone()),
        ("address", delivery.address.clone()),
        ("state", delivery.state.clone()),
        (when, delivery.at.map_or_else(|| "-".to_owned(), |at| times.instant(at))),
        ("attempts", delivery.attempts.to_string()),
    ];
    if delivery.resent > 0 {
        fields.push(("sent again", delivery.resent.to_string()));
    }
    fields.push(("message id", delivery.message_id.clone()));
    fields.push(("reply", reply_words(delivery)));
    if let Some(later) = &delivery.later {
        fields.push(("came back", format!("{} {}: {}", times.instant(later.at), later.class, later.words)));
    }
    fields
}

/// The last reply, with its code and stage.
pub(crate) fn reply_words(delivery: &DeliveryView) -> String {
    let code = delivery.code.map(|code| format!("{code} ")).unwrap_or_default();
    let stage = if delivery.stage.is_empty() { String::new() } else { format!(" ({})", delivery.stage) };
    let words = format!("{code}{}{stage}", delivery.reply);
    if words.is_empty() { "-".to_owned() } else { words }
}
