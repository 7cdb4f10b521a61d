//! `depesch mailing queue`.

use std::path::PathBuf;

use crate::api::mailing::queue::{Missed, QueueAnswer, QueueRequest, Uncertain};
use crate::api::mailing::view::AudienceView;
use crate::api::path::ApiPath;
use crate::base::id::{ListName, MailingId, ReleaseId};
use crate::base::language::Language;
use crate::base::token::to_hex;

use super::super::output::note;
use super::super::release::add_file;
use super::super::{CliError, Context, Done};
use super::show::audience_words;

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
    #[arg(long = "list", value_name = "LIST", required = true)]
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
    /// Only people whom this earlier mailing reached: for a correction or an update
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
    /// Only show what would be sent, and to how many; a release file is stored all the same, which sends nothing
    #[arg(long)]
    dry_run: bool,
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
        }
    }
}

/// Checks, reports the number of recipients, and queues.
pub(crate) async fn run(options: QueueOptions, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    let release = match (options.release, &options.file) {
        (Some(release), _) => release.to_string(),
        (None, Some(file)) => match add_file(file, Some((&options.at, options.zone.as_deref())), context).await? {
            Some(added) => {
                let verb = if added.known { "is known" } else { "added" };
                note(&format!("{} {verb} as {}", file.display(), added.id));
                added.id
            }
            None => return Ok(Done::Partly),
        },
        (None, None) => {
            return Err(CliError::Usage("nothing to send: name a release file, or use --release ID".to_owned()));
        }
    };
    let request = options.request(release);
    let checked: QueueAnswer = client.post(ApiPath::new("/v1/mailings").query("check", true), &request).await?;
    if options.dry_run {
        if output.is_json() {
            output.json(&checked)?;
        } else {
            output.line(&format!("would go {}", where_to(&checked)))?;
            checked.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
        }
        return Ok(Done::Fully);
    }
    if !output.is_json() {
        note(&format!("goes {}", where_to(&checked)));
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
    queued.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
    let id = &queued.mailing.id;
    match queued.repeated {
        true => output.line(&format!("{id} was queued before with this key; nothing was queued now"))?,
        false => output.line(&format!("queued {id}"))?,
    }
    if !queued.mailing.approved {
        note(&format!("It waits for the approval of a second person: \u{201c}depesch mailing approve {id}\u{201d}."));
    }
    Ok(Done::Fully)
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
