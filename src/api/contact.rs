//! The contact book: `GET /v1/contacts`, `GET /v1/contacts/{id}`, `POST /v1/contacts/import`,
//! `GET /v1/organisations`, `GET /v1/organisations/{id}`, `POST /v1/organisations/{id}/boilerplates`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::base::language::Language;
use crate::model::contact::{Boilerplate, Contact, ContactBook, Organisation};
use crate::render::finding::Finding;
use crate::render::source::book::{BookFile, parse_book};
use crate::store::contacts::{BookChange, BookError, BookOutcome};

use super::ApiState;
use super::error::ApiError;
use super::extract::{Body, Segment};

/// A press contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactView {
    /// The id used in releases.
    pub id: String,
    /// The name.
    pub name: String,
    /// The title.
    pub title: Option<String>,
    /// The organisation.
    pub organisation: Option<String>,
    /// Phone numbers, preferred first.
    pub phones: Vec<PhoneView>,
    /// The address.
    pub email: Option<String>,
    /// When they can be reached.
    pub hours: Option<String>,
}

/// A phone number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneView {
    /// As printed.
    pub printed: String,
    /// In ITU-T E.164 form, if known.
    pub e164: Option<String>,
}

/// An organisation with its "about us" texts (boilerplates).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganisationView {
    /// The id used in releases.
    pub id: String,
    /// The name, as printed.
    pub name: String,
    /// Its site.
    pub url: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// Its responsible publisher.
    pub responsible_publisher: Option<String>,
    /// All revisions, oldest first.
    pub boilerplates: Vec<BoilerplateView>,
}

/// One revision of an "about us" text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoilerplateView {
    /// The revision number, from 1.
    pub revision: u32,
    /// The language of the text.
    pub language: Language,
    /// The text, in Markdown.
    pub text: String,
}

/// A contact book to import.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportBook {
    /// The file: TOML with `[[organisations]]`, `[[contacts]]`, `[[boilerplates]]`.
    pub toml: String,
}

/// What an import changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookImported {
    /// The number of new organisations, contacts and revisions.
    pub added: usize,
    /// The number of changed organisations and contacts.
    pub changed: usize,
    /// The number of unchanged entries.
    pub unchanged: usize,
}

/// A new "about us" text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddBoilerplate {
    /// Its language.
    pub language: Language,
    /// The text, in Markdown.
    pub text: String,
}

/// The routes of contacts and organisations.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/v1/contacts", get(contacts))
        .route("/v1/contacts/import", post(import))
        .route("/v1/contacts/{id}", get(contact))
        .route("/v1/organisations", get(organisations))
        .route("/v1/organisations/{id}", get(organisation))
        .route("/v1/organisations/{id}/boilerplates", post(add_boilerplate))
}

async fn contacts(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<ContactView>>, ApiError> {
    let book = control.store.contact_book().await?;
    Ok(Json(book.contacts.iter().map(|(id, contact)| contact_view(id, contact)).collect()))
}

async fn contact(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<String>,
) -> Result<Json<ContactView>, ApiError> {
    let book = control.store.contact_book().await?;
    let contact = book.contacts.get(&id).ok_or_else(|| missing("contact", &id, "depesch contact list"))?;
    Ok(Json(contact_view(&id, contact)))
}

async fn organisations(State(control): State<Arc<ApiState>>) -> Result<Json<Vec<OrganisationView>>, ApiError> {
    let book = control.store.contact_book().await?;
    Ok(Json(book.organisations.values().map(|organisation| organisation_view(organisation, &book)).collect()))
}

async fn organisation(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<String>,
) -> Result<Json<OrganisationView>, ApiError> {
    let book = control.store.contact_book().await?;
    let found = book.organisations.get(&id).ok_or_else(|| missing("organisation", &id, "depesch organisation list"))?;
    Ok(Json(organisation_view(found, &book)))
}

async fn import(
    State(control): State<Arc<ApiState>>,
    Body(ImportBook { toml }): Body<ImportBook>,
) -> Result<Json<BookImported>, ApiError> {
    let settings = control.content.get().source.clone();
    let file = parse_book(&toml, &settings).map_err(|findings| {
        let all: Vec<String> = findings.iter().map(Finding::to_string).collect();
        ApiError::new(422, "invalid-book", format!("the contact book has errors:\n{}", all.join("\n")))
            .hint("Fix them and import it again; nothing was changed.")
    })?;
    let BookFile { organisations, contacts, boilerplates } = file;
    let change = BookChange { organisations, contacts, boilerplates };
    let BookOutcome { added, changed, unchanged } = change_book(&control, &change).await?;
    Ok(Json(BookImported { added, changed, unchanged }))
}

async fn add_boilerplate(
    State(control): State<Arc<ApiState>>,
    Segment(id): Segment<String>,
    Body(AddBoilerplate { language, text }): Body<AddBoilerplate>,
) -> Result<Json<BoilerplateView>, ApiError> {
    let text = text.trim().to_owned();
    if text.is_empty() || text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return Err(ApiError::invalid("a boilerplate is a text without control characters"));
    }
    let boilerplate =
        Boilerplate { organisation: id.clone(), name: String::new(), revision: 0, language: language.clone(), text };
    change_book(&control, &BookChange { boilerplates: vec![boilerplate], ..BookChange::default() }).await?;
    let book = control.store.contact_book().await?;
    let newest = book.newest_boilerplate(&id, &language);
    newest
        .map(|text| Json(boilerplate_view(text)))
        .ok_or_else(|| ApiError::internal("the new text was removed meanwhile"))
}

async fn change_book(control: &ApiState, change: &BookChange) -> Result<BookOutcome, ApiError> {
    control.store.change_book(change).await.map_err(|error| match error {
        BookError::Store(error) => error.into(),
        BookError::NoOrganisation(_) => ApiError::new(404, "not-found", error.to_string())
            .hint("Import it first, with \u{201c}depesch contact import\u{201d}."),
    })
}

fn missing(what: &str, id: &str, command: &str) -> ApiError {
    let id: String = id.chars().filter(|c| !c.is_control()).take(60).collect();
    ApiError::not_found(format!("there is no {what} \u{201c}{id}\u{201d}"))
        .hint(format!("\u{201c}{command}\u{201d} shows them all."))
}

fn contact_view(id: &str, contact: &Contact) -> ContactView {
    let phones = contact.phones.iter().map(|p| PhoneView { printed: p.printed.clone(), e164: p.e164.clone() });
    ContactView {
        id: id.to_owned(),
        name: contact.name.clone(),
        title: contact.title.clone(),
        organisation: contact.organisation.clone(),
        phones: phones.collect(),
        email: contact.email.as_ref().map(ToString::to_string),
        hours: contact.hours.clone(),
    }
}

fn organisation_view(organisation: &Organisation, book: &ContactBook) -> OrganisationView {
    let texts = book.boilerplates.values().filter(|text| text.organisation == organisation.id);
    OrganisationView {
        id: organisation.id.clone(),
        name: organisation.name.clone(),
        url: organisation.url.clone(),
        email: organisation.email.as_ref().map(ToString::to_string),
        responsible_publisher: organisation.responsible_publisher.clone(),
        boilerplates: texts.map(boilerplate_view).collect(),
    }
}

fn boilerplate_view(text: &Boilerplate) -> BoilerplateView {
    BoilerplateView { revision: text.revision, language: text.language.clone(), text: text.text.clone() }
}
