//! `depesch bounce`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::api::bounce::{BouncePage, BounceView, Forgiven, PersonBouncesView, Reset};
use crate::api::path::ApiPath;
use crate::base::id::{InboundId, MailingId};

use super::output::note;
use super::times::Times;
use super::{CliError, Context, Done};

mod classify;

/// Bounces and their consequences.
#[derive(Debug, Subcommand)]
pub enum BounceCommand {
    /// Show bounces, those of the latest mailing first; with --json one per line
    #[command(
        after_help = "effect is the consequence: nothing, scored (it counts), suspended, former-address (the subscriber has \
                      a new address since), ended (a complaint).\n\n\
                      Examples:\n  depesch bounce list --mailing m7\n  \
                      depesch bounce list --subscriber karin@example.org\n  \
                      depesch bounce list --limit 10000 --json | jq -r 'select(.effect == \"suspended\") | .subscriber'"
    )]
    List {
        /// Only bounces of this mailing
        #[arg(long)]
        mailing: Option<MailingId>,
        /// Only bounces of this subscriber: a number such as s17, or the address
        #[arg(long, value_name = "SUBSCRIBER")]
        subscriber: Option<String>,
        /// Maximum number of bounces
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
        /// Show full addresses instead of masked ones; recorded in the daemon's log
        #[arg(long)]
        addresses: bool,
    },
    /// Show a subscriber's bounces, the score, and whether they are suspended
    #[command(after_help = "Examples:\n  depesch bounce show karin@example.org\n  depesch bounce show s17 --json")]
    Show {
        /// A number such as s17, or the address
        who: String,
    },
    /// Forgive bounces: reinstate suspended subscriptions, of one subscriber or of all whom one mailing suspended
    #[command(
        after_help = "What the subscriber ended or paused stays so, and so does a suppression. The bounces stay on record.\n\n\
                      Examples:\n  depesch bounce reset karin@example.org\n  \
                      depesch bounce reset --mailing m7    # the relay refused everyone by mistake"
    )]
    Reset {
        /// A number such as s17, or the address
        #[arg(required_unless_present = "mailing")]
        who: Option<String>,
        /// Everyone suspended by bounces of this mailing
        #[arg(long, conflicts_with = "who")]
        mailing: Option<MailingId>,
    },
    /// Write a bounce in its original form to standard output, while it is kept; recorded in the daemon's log
    #[command(after_help = "\u{201c}bounce list\u{201d} and \u{201c}bounce show\u{201d} show the number.\n\n\
        Examples:\n  depesch bounce original i17 > returned.eml")]
    Original {
        /// The number of the incoming mail, such as i17
        id: InboundId,
    },
    /// Classify messages: whether each is a bounce, whose, and why; needs no daemon and changes nothing
    #[command(
        after_help = "With --json one line per message, in the order of the files: kind is bounce, complaint, auto-reply, notice \
                      or other; counts says whether it would score against the subscriber.\n\n\
                      Exit codes: 0 all could be read, 1 one could not.\n\n\
                      Examples:\n  depesch bounce classify returned.eml\n  \
                      depesch bounce classify --json Maildir/new/* | jq -r 'select(.kind == \"bounce\") | .recipients[].address'\n  \
                      depesch bounce classify - < returned.eml"
    )]
    Classify {
        /// Files with messages, or - for one on standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl BounceCommand {
    /// Whether it works without a daemon.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Classify { .. })
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: BounceCommand, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    match command {
        BounceCommand::Classify { files } => classify::run(&files, context),
        BounceCommand::List { mailing, subscriber, limit, addresses } => {
            let path = ApiPath::new("/v1/bounces")
                .query("limit", limit)
                .query("addresses", addresses)
                .query_some("mailing", mailing.as_ref())
                .query_some("subscriber", subscriber.as_ref());
            list(&client.get(path).await?, context)
        }
        BounceCommand::Show { who } => show(&client.get(ApiPath::new("/v1/bounces").segment(who)).await?, context),
        BounceCommand::Reset { who: None, mailing: None } => Err(CliError::Usage("name a subscriber".to_owned())),
        BounceCommand::Reset { mailing: Some(mailing), .. } => {
            let path = ApiPath::new("/v1/mailings").segment(mailing).segment("forgive");
            let forgiven: Forgiven = client.post(path, &()).await?;
            match output.is_json() {
                true => output.json(&forgiven)?,
                false => output.line(&format!("{} subscribers get mail again", forgiven.subscribers))?,
            }
            Ok(Done::Fully)
        }
        BounceCommand::Reset { who: Some(who), mailing: None } => {
            let reset: Reset = client.post(ApiPath::new("/v1/bounces").segment(&who).segment("reset"), &()).await?;
            let lists: Vec<&str> = reset.lists.iter().map(|list| list.as_str()).collect();
            match (output.is_json(), lists.is_empty()) {
                (true, _) => output.json(&reset)?,
                (false, true) => output.line(&format!("{who}: forgiven; no subscription was suspended"))?,
                (false, false) => output.line(&format!("{who} gets mail again: {}", lists.join(", ")))?,
            }
            Ok(Done::Fully)
        }
        BounceCommand::Original { id } => {
            // Complete before the first byte is written: half a message is useless.
            let path = ApiPath::new("/v1/inbound").segment(id).segment("raw");
            output.bytes(&client.download(path).await?.bytes().await?)?;
            Ok(Done::Fully)
        }
    }
}

const COLUMNS: [&str; 9] =
    ["mailing", "subscriber", "address", "came", "verdict", "class", "effect", "original", "evidence"];

fn row(bounce: &BounceView, times: Times) -> [String; 9] {
    [
        bounce.mailing.to_string(),
        bounce.subscriber.to_string(),
        bounce.address.clone(),
        times.instant(bounce.at),
        bounce.verdict.clone(),
        bounce.class.clone(),
        bounce.effect.clone(),
        bounce.inbound.map_or_else(|| bounce.source.clone(), |id| id.to_string()),
        bounce.evidence.clone(),
    ]
}

fn list(page: &BouncePage, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    match (output.is_json(), page.bounces.is_empty()) {
        (true, _) => page.bounces.iter().try_for_each(|bounce| output.json(bounce))?,
        (false, true) => output.line("no bounces")?,
        (false, false) => output.table(&COLUMNS, page.bounces.iter().map(|bounce| row(bounce, output.times)))?,
    }
    if page.more {
        note("There are more: use --limit NUMBER.");
    }
    Ok(Done::Fully)
}

fn show(person: &PersonBouncesView, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    if output.is_json() {
        output.json(person)?;
        return Ok(Done::Fully);
    }
    let times = output.times;
    let mut fields = vec![("subscriber", person.subscriber.to_string()), ("address", person.address.clone())];
    if let Some(since) = person.address_since {
        fields.push(("address since", times.instant(since)));
    }
    let counted: Vec<String> =
        person.counted.iter().map(|one| format!("{} ({})", one.mailing, times.instant(one.at))).collect();
    fields.push(("counted", if counted.is_empty() { "nothing".to_owned() } else { counted.join(", ") }));
    match &person.suspension {
        Some(suspension) => {
            let lists: Vec<&str> = suspension.lists.iter().map(|list| list.as_str()).collect();
            fields.push(("suspended", format!("since {} on {}", times.instant(suspension.at), lists.join(", "))));
            fields.push(("why", suspension.why.clone()));
            if let Some(probed) = suspension.probed {
                fields.push(("probes", format!("{}, the last {}", suspension.probes, times.instant(probed))));
            }
        }
        None => fields.push(("suspended", "no".to_owned())),
    }
    output.fields(&fields)?;
    if !person.bounces.is_empty() {
        output.line("")?;
        output.table(&COLUMNS, person.bounces.iter().map(|bounce| row(bounce, times)))?;
    }
    Ok(Done::Fully)
}
