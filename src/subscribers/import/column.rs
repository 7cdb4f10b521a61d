//! What a column of an import file holds.

use super::heading_key::attribute_key;
use super::states::StateColumn;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The e-mail address. Every file has one.
    Address,
    /// The whole name.
    Name,
    /// The first name, put before the last one.
    FirstName,
    /// The last name.
    LastName,
    /// The language of mails to them.
    Language,
    /// The newsroom or organisation.
    Organisation,
    /// Subjects, divided by `,`, `;`, `|` or a new line.
    Beats,
    /// Regions, divided likewise.
    Regions,
    /// Lists to be on, divided likewise or by spaces.
    Lists,
    /// Whether they may get mail at all.
    State(StateColumn),
    /// Anything else, by its own name.
    Attribute(String),
    /// Not to be imported, as what a rejects file adds.
    Ignored,
    /// A column without a heading; must be empty.
    Nameless,
}

impl Column {
    /// What people call it where they name a column; an attribute by its name.
    pub fn word(&self) -> &str {
        match self {
            Self::Address => "address",
            Self::Name => "name",
            Self::FirstName => "first name",
            Self::LastName => "last name",
            Self::Language => "language",
            Self::Organisation => "organisation",
            Self::Beats => "beats",
            Self::Regions => "regions",
            Self::Lists => "lists",
            Self::State(_) => "subscription state",
            Self::Attribute(name) => name,
            Self::Ignored | Self::Nameless => "ignore",
        }
    }

    /// What a person means by a word: [`Column::word`] turned around; any other word names an attribute.
    pub fn of_word(word: &str) -> Self {
        let key = attribute_key(word).replace(['-', '_'], " ");
        let fields = [
            Self::Address,
            Self::Name,
            Self::FirstName,
            Self::LastName,
            Self::Language,
            Self::Organisation,
            Self::Beats,
            Self::Regions,
            Self::Lists,
            Self::State(StateColumn::State),
            Self::Ignored,
        ];
        fields.into_iter().find(|field| field.word() == key).unwrap_or_else(|| Self::Attribute(attribute_key(word)))
    }
}
