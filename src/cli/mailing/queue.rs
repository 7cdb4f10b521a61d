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

/// What to queue.
#[derive(Debug, clap::Args)]
pub struct QueueOptions {
    /// A release file, which is added first, unless just this file was added before
    #[arg(value_name = "FILE", conflicts_with = "release", required_unless_present = "release")]
    file: Option<PathBuf>,
    /// A release that was added before
    #[arg(long, value_name = "ID")]
    release: Option<ReleaseId>,
    /// A list; several may be named, and who is on any of them gets one mail
    #[arg(long = "list", value_name = "LIST", required = true)]
    lists: Vec<ListName>,
    /// Only who covers this beat, or any of these
    #[arg(long = "beat", value_name = "BEAT")]
    beats: Vec<String>,
    /// Only who covers this region, or any of these
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Only who reads this language, or any of these
    #[arg(long = "language", value_name = "LANGUAGE")]
    languages: Vec<Language>,
    /// Only whom this earlier mailing reached: for a correction or an update
    #[arg(long, value_name = "MAILING")]
    reached_by: Option<MailingId>,
    /// When: now, or a time such as "2026-11-23 09:00"
    #[arg(long, value_name = "TIME")]
    at: String,
    /// The time zone of that time, e.g. Europe/Stockholm; the installation's own without it
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// What to do with a delivery of which a crash left unknown whether it was sent
    #[arg(long, value_enum, default_value_t = UncertainWord::Resend)]
    uncertain: UncertainWord,
    /// What to do when the daemon was not running at that time; as configured (ask) without it
    #[arg(long, value_enum)]
    missed: Option<MissedWord>,
    /// How many minutes late still count as on time; as configured (15) without it
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(0..=525_600))]
    grace: Option<u32>,
    /// Only look: what would be sent, to how many; a release file is added all the same, which sends nothing
    #[arg(long)]
    dry_run: bool,
    /// A key of your own by which a repetition is known: the same key queues once
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// What to do with an uncertain delivery.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum UncertainWord {
    /// Send it again, with the same Message-ID
    Resend,
    /// Hold it for a person to decide
    Hold,
}

/// What to do with a missed time.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum MissedWord {
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

/// Looks, says to how many it goes, and queues.
pub async fn run(options: QueueOptions, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    let release = match (options.release, &options.file) {
        (Some(release), _) => release.to_string(),
        (None, Some(file)) => match add_file(file, context).await? {
            Some(added) => {
                let verb = if added.known { "is known" } else { "added" };
                note(&format!("{} {verb} as {}", file.display(), added.id));
                added.id
            }
            None => return Ok(Done::Partly),
        },
        (None, None) => {
            return Err(CliError::Usage("what is to be sent? Name a release file, or --release ID".to_owned()));
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
        note(&format!("It waits until somebody else says \u{201c}depesch mailing approve {id}\u{201d}."));
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

/// So that a request sent twice by the network queues once; another call of the command is another order.
fn random_key() -> Result<String, CliError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| CliError::Internal(format!("no random bytes: {error}")))?;
    Ok(to_hex(&bytes))
}
