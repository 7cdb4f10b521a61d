//! `depesch mailing queue`.

use std::path::PathBuf;

use crate::api::mailing::queue::{Missed, QueueAnswer, QueueRequest, Uncertain};
use crate::api::mailing::view::{AudienceView, MailingView};
use crate::api::path::ApiPath;
use crate::base::id::{ListName, MailingId, ReleaseId};
use crate::base::language::Language;
use crate::base::token::to_hex;

use super::super::output::note;
use super::super::release::stored_file;
use super::super::{CliError, Context, Done};
use super::audience;
use super::show::{approval_words, audience_words};

/// The options of `queue`.
#[derive(Debug, clap::Args)]
pub struct QueueOptions {
    /// A release file; it is stored first, unless the same file was stored before
    #[arg(value_name = "FILE", conflicts_with = "release", required_unless_present = "release")]
    file: Option<PathBuf>,
    /// A stored release
    #[arg(long, value_name = "ID")]
    release: Option<ReleaseId>,
    /// A list; may be repeated, and a person on several of them gets one mail
    #[arg(long = "list", value_name = "LIST", required_unless_present = "reached_by")]
    lists: Vec<ListName>,
    /// Only people who cover this beat; may be repeated
    #[arg(long = "beat", value_name = "BEAT")]
    beats: Vec<String>,
    /// Only people who cover this region; may be repeated
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Only people who read this language; may be repeated
    #[arg(long = "language", value_name = "LANGUAGE")]
    languages: Vec<Language>,
    /// Only people whom this earlier mailing reached: for a correction or an update; by default through its lists
    #[arg(long, value_name = "MAILING")]
    reached_by: Option<MailingId>,
    /// When: now, or a time such as "2026-11-23 09:00"
    #[arg(long, value_name = "TIME")]
    at: String,
    /// The time zone of that time, e.g. Europe/Stockholm; by default the installation's own
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// What to do with a delivery if a crash left unknown whether it was sent
    #[arg(long, value_enum, default_value_t = UncertainWord::Resend)]
    uncertain: UncertainWord,
    /// What to do if the daemon was not running at that time; by default as configured (ask)
    #[arg(long, value_enum)]
    missed: Option<MissedWord>,
    /// How many minutes late still count as on time; by default as configured (15)
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(0..=525_600))]
    grace: Option<u32>,
    /// Only show what would be sent, to how many, and to whom; a release file is stored all the same, which sends nothing
    #[arg(long)]
    dry_run: bool,
    /// How many people a dry run lists, in the audience or not; 0 for none
    #[arg(long, value_name = "NUMBER", default_value_t = 20, requires = "dry_run")]
    people: usize,
    /// Show full addresses and names of these people; recorded in the audit log
    #[arg(long, requires = "dry_run")]
    addresses: bool,
    /// Queue it even if the same release, or another version of it, was queued for the same list
    #[arg(long)]
    again: bool,
    /// Your own key for this request: a repetition with the same key does not queue twice
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// What to do with an uncertain delivery.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum UncertainWord {
    /// Send it again, with the same Message-ID
    Resend,
    /// Hold it for a person to decide
    Hold,
}

/// What to do with a missed time.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MissedWord {
    /// Send it late
    Send,
    /// Pause it and ask
    Ask,
    /// Let it expire
    Expire,
}

impl From<MissedWord> for Missed {
    fn from(word: MissedWord) -> Self {
        match word {
            MissedWord::Send => Missed::Send,
            MissedWord::Ask => Missed::Ask,
            MissedWord::Expire => Missed::Expire,
        }
    }
}

impl QueueOptions {
    fn request(&self, release: String) -> QueueRequest {
        QueueRequest {
            release,
            audience: AudienceView {
                lists: self.lists.iter().map(ToString::to_string).collect(),
                beats: self.beats.clone(),
                regions: self.regions.clone(),
                languages: self.languages.iter().map(ToString::to_string).collect(),
                reached_by: self.reached_by.map(|id| id.to_string()),
            },
            at: self.at.clone(),
            zone: self.zone.clone(),
            uncertain: match self.uncertain {
                UncertainWord::Resend => Uncertain::Resend,
                UncertainWord::Hold => Uncertain::Hold,
            },
            missed: self.missed.map(Into::into),
            grace_seconds: self.grace.map(|minutes| minutes * 60),
            again: self.again,
        }
    }
}

/// Queues, or with `--dry-run` only checks: both prepare the whole mailing, so only one of them is asked for.
pub(crate) async fn run(options: QueueOptions, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    let release = match (options.release, &options.file) {
        (Some(release), _) => release.to_string(),
        (None, Some(file)) => match stored_file(file, Some((&options.at, options.zone.as_deref())), context).await? {
            Some(id) => id.to_string(),
            None => return Ok(Done::Partly),
        },
        (None, None) => {
            return Err(CliError::Usage("nothing to send: name a release file, or use --release ID".to_owned()));
        }
    };
    let request = options.request(release);
    if options.dry_run {
        return dry_run(&options, &request, context).await;
    }
    let key = match &options.key {
        Some(key) => key.clone(),
        None => random_key()?,
    };
    let queued: QueueAnswer = client.post_once("/v1/mailings", &key, &request).await?;
    if output.is_json() {
        output.json(&queued)?;
        return Ok(Done::Fully);
    }
    if queued.audience.is_some() {
        note(&format!("goes {}", where_to(&queued)));
    }
    queued.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    let id = &queued.mailing.id;
    match queued.repeated {
        true => output.line(&format!("{id} was queued before with this key; nothing was queued now"))?,
        false => output.line(&format!("queued {id}"))?,
    }
    if let Some(words) = undo_words(&queued.mailing) {
        note(&words);
    }
    if let Some(words) = approval_words(&queued.mailing) {
        note(&words);
    }
    Ok(Done::Fully)
}

/// Checks, and shows what would be sent and to whom.
async fn dry_run(options: &QueueOptions, request: &QueueRequest, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    let checked: QueueAnswer = context.client.post(ApiPath::new("/v1/mailings").query("check", true), request).await?;
    if output.is_json() {
        output.json(&checked)?;
        return Ok(Done::Fully);
    }
    output.line(&format!("would go {}", where_to(&checked)))?;
    checked.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    if options.people > 0 {
        output.line("")?;
        audience::of_query(&request.audience, options.people, options.addresses, context).await?;
    }
    Ok(Done::Fully)
}

/// Until when a mailing that is to be sent at once can still be stopped.
pub(super) fn undo_words(mailing: &MailingView) -> Option<String> {
    let id = &mailing.id;
    let waits = mailing.undo_seconds > 0 && mailing.stage == "scheduled" && mailing.pause.is_none() && mailing.approved;
    waits.then(|| {
        format!(
            "It is sent at {}; until then \u{201c}depesch mailing cancel {id}\u{201d} stops it and \u{201c}depesch mailing edit {id} FILE\u{201d} \
             changes it.",
            mailing.sent_at()
        )
    })
}

fn where_to(answer: &QueueAnswer) -> String {
    let mailing = &answer.mailing;
    let headline = mailing.headline.as_deref().unwrap_or(mailing.content());
    let count = answer.audience.unwrap_or_default();
    let people = if count == 1 { "subscriber" } else { "subscribers" };
    format!("to {count} {people} ({}) at {}: {headline}", audience_words(&mailing.audience), mailing.local_time)
}

/// A request repeated by the network queues once; a second call of the command is another order.
fn random_key() -> Result<String, CliError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| CliError::Internal(format!("no random bytes: {error}")))?;
    Ok(to_hex(&bytes))
}
