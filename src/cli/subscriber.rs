//! `depesch subscriber`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hyper::Method;

use crate::api::list::ListView;
use crate::api::path::ApiPath;
use crate::api::person_view::{RecordView, SubscriberView};
use crate::api::subscriber::{Change, ChangeSubscription, SubscriberFields};
use crate::base::id::ListName;

use super::consent;
use super::download::save;
use super::import::{ImportOptions, import};
use super::{CliError, Context, Done};

mod list;
mod personal_data;
mod show;

use personal_data::{erase, erased, record_to};
use show::{search, show};

/// Subscribers: the people and newsrooms on the lists.
#[derive(Debug, Subcommand)]
pub enum SubscriberCommand {
    /// Add one subscriber
    #[command(after_help = "Examples:\n  depesch subscriber add karin@example.org --name 'Karin Ek' --language sv\n  \
        depesch subscriber add karin@example.org --list media --consent 'Asked for our releases by phone, 12 November'")]
    Add {
        /// The address
        address: String,
        /// Their details.
        #[command(flatten)]
        options: PersonOptions,
        /// A list to subscribe to; may be repeated
        #[arg(long = "list", value_name = "LIST", requires = "consent")]
        lists: Vec<ListName>,
        /// What the person agreed to, in their words, and how
        #[arg(long, value_name = "WORDS")]
        consent: Option<String>,
    },
    /// Find people by name, organisation or address
    ///
    /// Each word may be any part of them, in any order and case, with or without accents.
    #[command(
        after_help = "Exit codes: 0 also when the search finds none.\n\nExamples:\n  depesch subscriber search karin ek\n  \
                            depesch subscriber search 'skövde dagbl'\n  depesch subscriber search kvarnvik.example"
    )]
    Search {
        /// The words
        #[arg(required = true)]
        words: Vec<String>,
        /// People shown at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// List subscribers by list, state, language, beat, region or organisation
    #[command(after_help = "Without options all are listed, in the order in which they were added.\n\n\
        Examples:\n  depesch subscriber list --list media --state paused\n  \
        depesch subscriber list --list media --beat v\u{e5}rd --region sk\u{e5}ne --limit 500\n  \
        depesch subscriber list --organisation radio --after s500")]
    List(list::ListOptions),
    /// Show one subscriber
    #[command(
        after_help = "Examples:\n  depesch subscriber show karin@example.org\n  depesch subscriber show s17 --json"
    )]
    Show {
        /// A number such as s17, or the address
        who: String,
    },
    /// Change a subscriber's details; those not given stay as they are, an empty text clears one
    #[command(
        after_help = "Examples:\n  depesch subscriber edit s17 --address karin.ek@example.org --beats 'culture, schools'\n  \
        depesch subscriber edit s17 --set phone='070-174 06 05' --set fax="
    )]
    Edit {
        /// A number such as s17, or the address
        who: String,
        /// The new address
        #[arg(long)]
        address: Option<String>,
        /// Their details.
        #[command(flatten)]
        options: PersonOptions,
    },
    /// Import a CSV file; its format is described in subscribers/README.md
    #[command(after_help = "Encoding and delimiter are detected. Columns are recognised by the names that people and \
        common programs\nuse (e-post/email, namn/name, språk/language, redaktion/company, bevakning/beats, region, \
        listor/lists);\nany other is stored as an attribute, or assigned with --column.\nA column about permission to mail (status, unsubscribed, \
        bounced, confirmed, …) is obeyed:\nrows without permission are left out, and an unknown word in it is refused until --state gives its meaning.\nPeople who have left a list are never put back on it. The same file again changes nothing.\n\n\
        Exit codes: 0 all of it, 1 some rows were rejected.\n\n\
        Examples:\n  depesch subscriber import media.csv --list media --consent 'Signed up at the 2026 press day' --dry-run\n  \
        depesch subscriber import media.csv --list media --consent 'Signed up at the 2026 press day' \\\n    \
        --rejects rejected.csv\n  \
        depesch subscriber import contacts.csv --column address='E-mail 1 - Value' --dry-run")]
    Import(ImportOptions),
    /// Write subscribers to a CSV file that is safe to open in a spreadsheet
    #[command(
        after_help = "Text that a spreadsheet would run as a formula is preceded by an apostrophe; import removes \
        it.\n\nExamples:\n  depesch subscriber export > all.csv\n  \
        depesch subscriber export --list media --excel --output media.csv"
    )]
    Export {
        /// Only active subscribers of this list
        #[arg(long, value_name = "LIST")]
        list: Option<ListName>,
        /// For Excel with a decimal comma: byte order mark, and ; between cells
        #[arg(long)]
        excel: bool,
        /// The file, instead of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Subscribe a person to a list
    #[command(after_help = "An ended subscription is not started again: only the subscriber can do that.\n\n\
        Examples:\n  depesch subscriber subscribe s17 media --consent 'Asked by mail on 12 November'")]
    Subscribe {
        /// A number such as s17, or the address
        who: String,
        /// The list
        list: ListName,
        /// What the person agreed to, in their words, and how
        #[arg(long, value_name = "WORDS")]
        consent: String,
    },
    /// End a subscription for good
    #[command(after_help = "Examples:\n  depesch subscriber unsubscribe karin@example.org media --reason 'by phone'")]
    Unsubscribe {
        /// A number such as s17, or the address
        who: String,
        /// The list
        list: ListName,
        /// The reason
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Pause mail from a list
    #[command(after_help = "Examples:\n  depesch subscriber pause s17 media --reason 'parental leave until August'")]
    Pause {
        /// A number such as s17, or the address
        who: String,
        /// The list
        list: ListName,
        /// The reason
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Resume mail from a list after a pause, or after a suspension by bounces
    #[command(after_help = "Examples:\n  depesch subscriber resume s17 media")]
    Resume {
        /// A number such as s17, or the address
        who: String,
        /// The list
        list: ListName,
        /// The reason
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Erase a person for good; only a keyed hash of the address is kept, so that no import brings them back
    #[command(after_help = "Examples:\n  depesch subscriber record s17 > for-the-person.json\n  \
        depesch subscriber erase s17 --yes")]
    Erase {
        /// A number such as s17, or the address
        who: String,
        /// Really do it: it cannot be undone
        #[arg(long)]
        yes: bool,
    },
    /// Show the basis of a person's subscriptions: when, how and with what wording they agreed
    #[command(after_help = "Examples:\n  depesch subscriber consent karin@example.org")]
    Consent {
        /// A number such as s17, or the address
        who: String,
        /// Show the full address instead of a masked one; recorded in the audit log
        #[arg(long)]
        addresses: bool,
    },
    /// Show all erasures, and from which files the erased data is gone
    #[command(after_help = "They contain no names: each is identified by the keyed hash of its address.\n\n\
        Examples:\n  depesch subscriber erased\n  depesch subscriber erased --json | jq '.[] | select(.done == null)'")]
    Erased,
    /// Print everything that is known of a person, as JSON
    #[command(
        after_help = "Also for a person who is not a subscriber but wrote a mail: by address. Of other people's mails and posts that \
        mention\nthem, only that fact is shown.\n\n\
        Examples:\n  depesch subscriber record karin@example.org | jq .deliveries\n  \
        depesch subscriber record karin@example.org --to for-karin"
    )]
    Record {
        /// A number such as s17, or the address
        who: String,
        /// A new directory for the record and their own mails in their original form
        #[arg(long, value_name = "DIRECTORY")]
        to: Option<PathBuf>,
    },
}

/// A subscriber's details.
#[derive(Debug, Args)]
pub struct PersonOptions {
    /// The full name
    #[arg(long)]
    name: Option<String>,
    /// The language of mails to them, e.g. sv or en
    #[arg(long)]
    language: Option<String>,
    /// The newsroom or organisation
    #[arg(long)]
    organisation: Option<String>,
    /// All beats, separated by commas
    #[arg(long)]
    beats: Option<String>,
    /// All regions, separated by commas
    #[arg(long)]
    regions: Option<String>,
    /// An attribute, as NAME=VALUE; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = attribute)]
    attributes: Vec<(String, String)>,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("an attribute has the form NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl PersonOptions {
    fn fields(self, address: Option<String>) -> SubscriberFields {
        let Self { name, language, organisation, beats, regions, attributes } = self;
        let attributes: BTreeMap<String, String> = attributes.into_iter().collect();
        SubscriberFields { address, name, language, organisation, beats, regions, attributes }
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: SubscriberCommand, context: &Context) -> Result<Done, CliError> {
    let client = &context.client;
    match command {
        SubscriberCommand::Add { address, options, lists, consent } => {
            // Checked first, so that a mistyped list leaves nothing half done.
            for list in &lists {
                let _: ListView = client.get(ApiPath::new("/v1/lists").segment(list)).await?;
            }
            let mut added: SubscriberView = client.post("/v1/subscribers", &options.fields(Some(address))).await?;
            let words = consent.unwrap_or_default();
            for list in &lists {
                added = change(&added.id.to_string(), list, Change::Subscribe, &words, context).await?;
            }
            show(&added, context).await
        }
        SubscriberCommand::List(options) => list::run(options, context).await,
        SubscriberCommand::Search { words, limit } => search(&words.join(" "), limit, context).await,
        SubscriberCommand::Show { who } => show(&client.get(path(&who)).await?, context).await,
        SubscriberCommand::Edit { who, address, options } => {
            show(&client.send(Method::PATCH, path(&who), &options.fields(address)).await?, context).await
        }
        SubscriberCommand::Import(options) => import(options, context).await,
        SubscriberCommand::Export { list, excel, output } => export(list, excel, output, context).await,
        SubscriberCommand::Subscribe { who, list, consent } => {
            show(&change(&who, &list, Change::Subscribe, &consent, context).await?, context).await
        }
        SubscriberCommand::Unsubscribe { who, list, reason } => {
            show(&change(&who, &list, Change::Unsubscribe, &reason, context).await?, context).await
        }
        SubscriberCommand::Pause { who, list, reason } => {
            show(&change(&who, &list, Change::Pause, &reason, context).await?, context).await
        }
        SubscriberCommand::Resume { who, list, reason } => {
            show(&change(&who, &list, Change::Resume, &reason, context).await?, context).await
        }
        SubscriberCommand::Erase { who, yes } => erase(&who, yes, context).await,
        SubscriberCommand::Consent { who, addresses } => consent::of_subscriber(&who, addresses, context).await,
        SubscriberCommand::Erased => erased(context).await,
        SubscriberCommand::Record { who, to: Some(to) } => record_to(&who, &to, context).await,
        SubscriberCommand::Record { who, to: None } => {
            let record: RecordView = client.get(path(&who).segment("record")).await?;
            if context.output.is_json() {
                context.output.json(&record)?;
            } else {
                let text = serde_json::to_string_pretty(&record).map_err(|e| CliError::Internal(e.to_string()))?;
                context.output.line(&text)?;
            }
            Ok(Done::Fully)
        }
    }
}

fn path(who: &str) -> ApiPath {
    ApiPath::new("/v1/subscribers").segment(who)
}

async fn change(
    who: &str,
    list: &ListName,
    change: Change,
    words: &str,
    context: &Context,
) -> Result<SubscriberView, CliError> {
    let body = ChangeSubscription { change, words: words.to_owned() };
    Ok(context.client.post(path(who).segment("subscriptions").segment(list), &body).await?)
}

async fn export(
    list: Option<ListName>,
    excel: bool,
    output: Option<PathBuf>,
    context: &Context,
) -> Result<Done, CliError> {
    let path = ApiPath::new("/v1/subscribers/export").query_some("list", list.as_ref()).query("excel", excel);
    save(context.client.download(path).await?, output, context).await
}
