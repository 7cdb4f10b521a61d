//! `depesch contact` and `depesch organisation`: the contact book.

use std::path::PathBuf;

use clap::Subcommand;

use crate::api::contact::{AddBoilerplate, BoilerplateView, BookImported, ContactView, ImportBook, OrganisationView};
use crate::api::path::ApiPath;
use crate::base::language::Language;

use super::release_files::read_text;
use super::{CliError, Context, Done};

/// Press contacts: the people whom media may call.
#[derive(Debug, Subcommand)]
pub enum ContactCommand {
    /// Import a contact book: contacts, organisations and boilerplate from a TOML file
    #[command(
        after_help = "The file holds [[organisations]], [[contacts]] and [[boilerplates]]; docs/samples/contacts.toml \
        is an example.\nExisting entries are updated; none are removed. A changed boilerplate becomes a new revision.\n\n\
        Examples:\n  depesch contact import contacts.toml"
    )]
    Import {
        /// The file
        file: PathBuf,
    },
    /// Show all contacts
    #[command(after_help = "Examples:\n  depesch contact list\n  depesch contact list --json | jq -r '.[].id'")]
    List,
    /// Show one contact
    #[command(after_help = "Examples:\n  depesch contact show karin-ek")]
    Show {
        /// The contact's id
        id: String,
    },
}

/// Organisations that issue releases, and their boilerplate.
#[derive(Debug, Subcommand)]
pub enum OrganisationCommand {
    /// Show all organisations
    #[command(after_help = "Examples:\n  depesch organisation list")]
    List,
    /// Show one organisation with all revisions of its boilerplate
    #[command(after_help = "Examples:\n  depesch organisation show forbundet")]
    Show {
        /// The organisation's id
        id: String,
    },
    /// Add a new revision of an organisation's "about us" text
    #[command(after_help = "Examples:\n  depesch organisation boilerplate forbundet about.md --language sv")]
    Boilerplate {
        /// The organisation's id
        id: String,
        /// The text in Markdown
        file: PathBuf,
        /// The language of the text
        #[arg(long)]
        language: Language,
    },
}

/// Runs `depesch contact`.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: ContactCommand, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    match command {
        ContactCommand::Import { file } => {
            let book = ImportBook { toml: read_text(&file)? };
            let done: BookImported = client.post("/v1/contacts/import", &book).await?;
            if output.is_json() {
                output.json(&done)?;
            } else {
                let BookImported { added, changed, unchanged } = done;
                output.line(&format!("{added} added, {changed} changed, {unchanged} unchanged"))?;
            }
        }
        ContactCommand::List => {
            let contacts: Vec<ContactView> = client.get("/v1/contacts").await?;
            if output.is_json() {
                output.json(&contacts)?;
            } else if contacts.is_empty() {
                output.line("there are no contacts yet; \u{201c}depesch contact import FILE\u{201d} imports a book")?;
            } else {
                let rows = contacts.into_iter().map(|contact| {
                    let phones = phones(&contact);
                    let text = Option::unwrap_or_default;
                    [
                        contact.id,
                        contact.name,
                        text(contact.title),
                        text(contact.organisation),
                        phones,
                        text(contact.email),
                    ]
                });
                output.table(&["id", "name", "title", "organisation", "phones", "email"], rows)?;
            }
        }
        ContactCommand::Show { id } => {
            let contact: ContactView = client.get(ApiPath::new("/v1/contacts").segment(id)).await?;
            if output.is_json() {
                output.json(&contact)?;
            } else {
                output.fields(&[
                    ("contact", contact.id.clone()),
                    ("name", contact.name.clone()),
                    ("title", contact.title.clone().unwrap_or_default()),
                    ("organisation", contact.organisation.clone().unwrap_or_default()),
                    ("phones", phones(&contact)),
                    ("email", contact.email.clone().unwrap_or_default()),
                    ("hours", contact.hours.clone().unwrap_or_default()),
                ])?;
            }
        }
    }
    Ok(Done::Fully)
}

fn phones(contact: &ContactView) -> String {
    contact.phones.iter().map(|phone| phone.printed.as_str()).collect::<Vec<_>>().join(", ")
}

/// Runs `depesch organisation`.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run_organisation(command: OrganisationCommand, context: &Context) -> Result<Done, CliError> {
    let (client, output) = (&context.client, &context.output);
    match command {
        OrganisationCommand::List => {
            let organisations: Vec<OrganisationView> = client.get("/v1/organisations").await?;
            if output.is_json() {
                output.json(&organisations)?;
            } else if organisations.is_empty() {
                output.line(
                    "there are no organisations yet; \u{201c}depesch contact import FILE\u{201d} imports a book",
                )?;
            } else {
                let rows = organisations.into_iter().map(|organisation| {
                    let revisions = organisation.boilerplates.iter();
                    let revisions = revisions.map(|b| format!("{} ({})", b.revision, b.language)).collect::<Vec<_>>();
                    let url = organisation.url.unwrap_or_default();
                    [organisation.id, organisation.name, url, revisions.join(", ")]
                });
                output.table(&["id", "name", "url", "boilerplate"], rows)?;
            }
        }
        OrganisationCommand::Show { id } => {
            let organisation: OrganisationView = client.get(ApiPath::new("/v1/organisations").segment(id)).await?;
            if output.is_json() {
                output.json(&organisation)?;
            } else {
                show_organisation(&organisation, context)?;
            }
        }
        OrganisationCommand::Boilerplate { id, file, language } => {
            let body = AddBoilerplate { language, text: read_text(&file)? };
            let path = ApiPath::new("/v1/organisations").segment(&id).segment("boilerplates");
            let text: BoilerplateView = client.post(path, &body).await?;
            if output.is_json() {
                output.json(&text)?;
            } else {
                output.line(&format!("{id} revision {} ({})", text.revision, text.language))?;
            }
        }
    }
    Ok(Done::Fully)
}

fn show_organisation(organisation: &OrganisationView, context: &Context) -> Result<(), CliError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    context.output.fields(&[
        ("organisation", organisation.id.clone()),
        ("name", organisation.name.clone()),
        ("url", text(&organisation.url)),
        ("email", text(&organisation.email)),
        ("responsible publisher", text(&organisation.responsible_publisher)),
    ])?;
    for revision in &organisation.boilerplates {
        context.output.line(&format!("\nRevision {} ({})\n{}", revision.revision, revision.language, revision.text))?;
    }
    Ok(())
}
