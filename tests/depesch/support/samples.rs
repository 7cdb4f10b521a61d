//! The samples in docs/samples, and a recipient.

use std::collections::BTreeMap;
use std::sync::Arc;

use depesch::base::language::Language;
use depesch::base::token::content_hash;
use depesch::composition::content::Content;
use depesch::model::release::attachment::Travel;
use depesch::model::release::{Blob, MailPicture, Release};
use depesch::render::picture::scale;
use depesch::render::prepare::{PreparedRelease, Recipient};
use depesch::render::registry::Templates;
use depesch::render::source::{book::parse_book, parse};

/// All samples.
pub const ALL: [&str; 8] = [
    "inbjudan-riksmote.md",
    "press-release-small-towns.md",
    "dokumentation-konferens.md",
    "serie-turne.md",
    "artikel-nattpatrullen.md",
    "medlemsinformation-avtal.md",
    "rattelse-medlemmar.md",
    "aterkallelse-avtal.md",
];

/// A release in docs/samples.
pub fn release(name: &str) -> Release {
    let mut release = release_of(&String::from_utf8(file(name)).unwrap());
    for image in &mut release.images {
        let Some(bytes) = image.file.as_deref().map(file) else { continue };
        let scaled = scale(&bytes).unwrap();
        let blob = Blob { sha256: content_hash(&bytes), size: bytes.len() as u64 };
        image.picture = Some(MailPicture::new(&blob, (scaled.width, scaled.height), scaled.bytes.len() as u64));
        image.blob = Some(blob);
    }
    release
}

/// The content of a file in docs/samples.
pub fn file(name: &str) -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/samples/").to_owned() + name).unwrap()
}

/// A release from its file's text, with the contact book of docs/samples.
pub fn release_of(text: &str) -> Release {
    // The names of kinds come from their manifests.
    let settings = Content::built_in().unwrap().source;
    let book = include_str!("../../../docs/samples/contacts.toml");
    let book = parse_book(book, &settings).unwrap().into_book();
    let parsed = parse(text, &settings);
    parsed.draft.unwrap_or_else(|| panic!("{:?}", parsed.findings)).resolve(&book).unwrap()
}

/// The built-in templates.
pub fn templates() -> Arc<Templates> {
    Arc::new(Templates::load(None).unwrap())
}

/// A release prepared for sending, with all attachments in the mail.
pub fn prepared(release: &Release) -> PreparedRelease {
    let travel = vec![Travel::InMail; release.attachments.len()];
    PreparedRelease::new(&templates(), release, &travel).unwrap()
}

/// A recipient.
pub struct Reader {
    pub name: Option<String>,
    pub organisation: Option<String>,
    pub language: Language,
    pub attributes: BTreeMap<String, String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            name: Some("Åsa Öberg".into()),
            organisation: Some("Exempelbladet".into()),
            language: Language::swedish(),
            attributes: BTreeMap::new(),
        }
    }
}

impl Reader {
    /// The recipient in the form used by templates.
    pub fn recipient(&self) -> Recipient<'_> {
        Recipient {
            name: self.name.as_deref(),
            organisation: self.organisation.as_deref(),
            address: "asa.oberg@example.com",
            language: &self.language,
            attributes: &self.attributes,
            list_title: Some("Medier"),
            unsubscribe: Some("https://press.example.org/u/abc"),
            unsubscribe_address: Some("media-unsubscribe+abc@lists.example.org"),
        }
    }
}
