//! `depesch list`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hyper::Method;
use serde::Deserialize;

use crate::api::list::{Joining, Kind, ListFields, ListSet, ListView, Privacy};
use crate::api::path::ApiPath;
use crate::base::id::ListName;
use crate::base::language::Language;
use crate::model::list;

use super::consent::{self, ConsentOptions};
use super::{CliError, Context, Done};

/// Lists: named audiences of mailings.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// Create a list
    #[command(after_help = "Examples:\n  \
        depesch list create media --address media@lists.example.org --owner press@example.org --title 'Media'\n  \
        depesch list create members --address members@lists.example.org --owner office@example.org \\\n    \
        --privacy sensitive --approval true")]
    Create {
        /// The list's name: the local part of its address
        name: ListName,
        /// Its settings.
        #[command(flatten)]
        options: ListOptions,
    },
    /// Show all lists
    #[command(after_help = "Examples:\n  depesch list list\n  depesch list list --json | jq -r '.[].name'")]
    List,
    /// Show one list, with the number of its subscribers
    #[command(after_help = "Examples:\n  depesch list show media")]
    Show {
        /// The list
        name: ListName,
    },
    /// Change a list; settings not given stay as they are
    #[command(after_help = "Examples:\n  depesch list edit media --title 'Newsrooms' --approval true")]
    Edit {
        /// The list
        name: ListName,
        /// Its settings.
        #[command(flatten)]
        options: ListOptions,
    },
    /// Show the basis of each subscription: when, how and with what wording it was agreed to, and where proof is
    /// missing
    ///
    /// Proof is, from the best: own-mail-kept (the subscriber's own mail, kept as it came), own-form (a form that the
    /// subscriber sent, its text kept), own-mail, stated (the words of an operator or of who imported the file), none.
    #[command(
        after_help = "Exit codes: 0 each active subscription rests on the subscriber's own mail or form, 1 some do not.\n\n\
        Examples:\n  depesch list consent media\n  depesch list consent media --unproven --state active\n  \
        depesch list consent media --csv --addresses --output consent.csv"
    )]
    Consent(ConsentOptions),
    /// Create or change the lists in a TOML file
    #[command(
        after_help = "The file holds a [[list]] table for each list, with name, address, owner and whatever else \
        \u{201c}list create\u{201d} accepts.\nThe same file again changes nothing.\n\n\
        Examples:\n  depesch list import lists.toml"
    )]
    Import {
        /// The file
        file: PathBuf,
    },
}

/// The settings of a list.
#[derive(Debug, Args)]
pub struct ListOptions {
    /// Its address, e.g. media@lists.example.org
    #[arg(long)]
    address: Option<String>,
    /// The address of the person responsible for it
    #[arg(long)]
    owner: Option<String>,
    /// The title shown to people
    #[arg(long)]
    title: Option<String>,
    /// Who may post to it
    #[arg(long, value_parser = ["announce", "discussion"])]
    kind: Option<String>,
    /// How to join: at once, after confirming by mail, or only through an operator
    #[arg(long, value_parser = ["open", "confirmed", "closed"])]
    joining: Option<String>,
    /// Its language, e.g. sv
    #[arg(long)]
    language: Option<Language>,
    /// Whether membership is sensitive, e.g. of a union
    #[arg(long, value_parser = ["ordinary", "sensitive"])]
    privacy: Option<String>,
    /// Whether each mailing to it needs the approval of a second person
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    approval: Option<bool>,
    /// How many other people must approve each mailing, if it needs approval
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=2))]
    approvals: Option<u8>,
    /// Whether a test mail of a release must be sent before it is queued ("depesch release test")
    #[arg(long, value_parser = list::TestMailRule::WORDS.to_vec())]
    test_mail: Option<String>,
    /// An address that may send to an announce list by mail; repeat for more, replaces all; '' for none
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<Vec<String>>,
    /// An address that decides about held posts; repeat for more, replaces all; '' for the owner
    #[arg(long, value_name = "ADDRESS")]
    moderator: Option<Vec<String>>,
    /// Which posts to a discussion list are held: those of non-members, all, or none (then non-members are refused)
    #[arg(long, value_parser = list::Moderation::WORDS.to_vec())]
    moderation: Option<String>,
    /// Where replies to a post go
    #[arg(long, value_parser = list::ReplyTo::WORDS.to_vec())]
    reply_to: Option<String>,
    /// Whether a post keeps its author's address in From; by-dmarc: unless the author's domain forbids it
    #[arg(long, value_parser = list::FromPolicy::WORDS.to_vec())]
    from: Option<String>,
    /// How to treat a member's post that its author's domain does not vouch for (SPF, DKIM)
    #[arg(long, value_parser = list::Unproven::WORDS.to_vec())]
    unproven: Option<String>,
}

impl ListOptions {
    fn fields(self) -> ListFields {
        ListFields {
            name: None,
            title: self.title,
            address: self.address,
            kind: self.kind.map(|kind| if kind == "discussion" { Kind::Discussion } else { Kind::Announce }),
            joining: self.joining.map(|joining| match joining.as_str() {
                "open" => Joining::Open,
                "confirmed" => Joining::Confirmed,
                _ => Joining::Closed,
            }),
            owner: self.owner,
            language: self.language,
            privacy: self
                .privacy
                .map(|privacy| if privacy == "sensitive" { Privacy::Sensitive } else { Privacy::Ordinary }),
            approval: self.approval,
            approvals: self.approvals,
            test_mail: self.test_mail,
            senders: self.sender.map(without_empty),
            moderators: self.moderator.map(without_empty),
            moderation: self.moderation,
            reply_to: self.reply_to,
            from: self.from,
            unproven: self.unproven,
        }
    }
}

/// `--sender ''` means none.
fn without_empty(addresses: Vec<String>) -> Vec<String> {
    addresses.into_iter().filter(|address| !address.trim().is_empty()).collect()
}

/// The file of `list import`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListFile {
    #[serde(default)]
    list: Vec<ListFields>,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: ListCommand, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    match command {
        ListCommand::Create { name, options } => {
            let path = path(&name).query("new", true);
            let set: ListSet = client.send(Method::PUT, path, &options.fields()).await?;
            show(&set.list, context)
        }
        ListCommand::List => {
            let lists: Vec<ListView> = client.get("/v1/lists").await?;
            if output.is_json() {
                output.json(&lists)?;
            } else if lists.is_empty() {
                output.line("there are no lists yet; \u{201c}depesch list create\u{201d} creates one")?;
            } else {
                let rows = lists.iter().map(|list| {
                    let (kind, joining, privacy) = words(list);
                    [list.name.to_string(), list.title.clone(), list.address.clone(), kind, joining, privacy]
                });
                output.table(&["name", "title", "address", "kind", "joining", "privacy"], rows)?;
            }
            Ok(Done::Fully)
        }
        ListCommand::Show { name } => show(&client.get(path(&name)).await?, context),
        ListCommand::Edit { name, options } => {
            show(&client.send(Method::PATCH, path(&name), &options.fields()).await?, context)
        }
        ListCommand::Consent(options) => consent::of_list(options, context).await,
        ListCommand::Import { file } => import(file, context).await,
    }
}

async fn import(file: PathBuf, context: &Context) -> Result<Done, CliError> {
    let text =
        std::fs::read_to_string(&file).map_err(|error| CliError::File { action: "read", path: file.clone(), error })?;
    let wrong = |what: String| CliError::Usage(format!("{}: {what}", file.display()));
    let text = crate::base::unicode::nfc(text.trim_start_matches('\u{feff}'));
    let lists = toml::from_str::<ListFile>(&text).map_err(|e| wrong(e.to_string()))?.list;
    let mut sets: Vec<ListSet> = Vec::new();
    for (index, list) in lists.iter().enumerate() {
        let Some(name) = &list.name else {
            return Err(wrong(format!("[[list]] number {} has no name", index + 1)));
        };
        sets.push(context.client.send(Method::PUT, path(name), list).await?);
    }
    if context.output.is_json() {
        context.output.json(&sets)?;
    } else {
        for set in &sets {
            context.output.line(&format!("{}: {}", set.list.name, set.outcome))?;
        }
    }
    Ok(Done::Fully)
}

fn path(name: &ListName) -> ApiPath {
    ApiPath::new("/v1/lists").segment(name)
}

fn words(list: &ListView) -> (String, String, String) {
    let word = |word: &str| word.to_owned();
    (
        word(if list.kind == Kind::Announce { "announce" } else { "discussion" }),
        word(match list.joining {
            Joining::Open => "open",
            Joining::Confirmed => "confirmed",
            Joining::Closed => "closed",
        }),
        word(if list.privacy == Privacy::Sensitive { "sensitive" } else { "ordinary" }),
    )
}

fn approval_words(list: &ListView) -> &'static str {
    match (list.approval, list.approvals) {
        (false, _) => "not needed",
        (true, 0 | 1) => "by a second person",
        (true, _) => "by two other people",
    }
}

fn held_words(moderation: &str) -> &str {
    match moderation {
        "none" => "none; those of non-members are refused",
        "non-members" => "those of non-members",
        other => other,
    }
}

fn show(list: &ListView, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        context.output.json(list)?;
        return Ok(Done::Fully);
    }
    let (kind, joining, privacy) = words(list);
    let mut fields = vec![
        ("name", list.name.to_string()),
        ("title", list.title.clone()),
        ("address", list.address.clone()),
        ("owner", list.owner.clone()),
        ("kind", kind),
        ("joining", joining),
        ("privacy", privacy),
        ("language", list.language.to_string()),
        ("approval", approval_words(list).to_owned()),
        ("test mail", list.test_mail.clone()),
    ];
    match list.kind {
        Kind::Announce if list.senders.is_empty() => fields.push(("senders", "none by mail".to_owned())),
        Kind::Announce => fields.push(("senders", list.senders.join(", "))),
        Kind::Discussion => fields.push(("held posts", held_words(&list.moderation).to_owned())),
    }
    let moderators = if list.moderators.is_empty() { "the owner".to_owned() } else { list.moderators.join(", ") };
    fields.push(("moderators", moderators));
    fields.push(("replies go to", list.reply_to.clone()));
    fields.push(("from", list.from.clone()));
    if list.kind == Kind::Discussion {
        fields.push(("unproven posts", list.unproven.clone()));
    }
    fields.push(("created", context.output.times.instant(list.created)));
    if let Some(counts) = &list.subscriptions {
        let counts: Vec<String> = counts.iter().map(|(state, n)| format!("{n} {state}")).collect();
        fields.push(("subscribers", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }));
    }
    context.output.fields(&fields)?;
    Ok(Done::Fully)
}
