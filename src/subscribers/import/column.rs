//! The meaning of a column in an import file.

use super::heading_key::attribute_key;
use super::states::StateColumn;

/// The meaning of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// The e-mail address. Every file has this column.
    Address,
    /// The full name.
    Name,
    /// The first name, put before the last name.
    FirstName,
    /// The last name.
    LastName,
    /// The language of the subscriber's mails.
    Language,
    /// The newsroom or organisation.
    Organisation,
    /// Beats, separated by `,`, `;`, `|` or a new line.
    Beats,
    /// Regions, separated in the same way.
    Regions,
    /// Lists to add the person to, separated in the same way or by spaces.
    Lists,
    /// Whether the person may get mail.
    State(StateColumn),
    /// Any other column, an attribute with this name.
    Attribute(String),
    /// Not imported, e.g. the columns that a rejects file adds.
    Ignored,
    /// A column without a heading; must be empty.
    Nameless,
}

impl Column {
    /// The word for the column in settings and messages; for an attribute, its name.
    pub(crate) fn word(&self) -> &str {
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

    /// The column that a word means: the inverse of [`Column::word`]. Any other word is the name of an attribute.
    pub(crate) fn of_word(word: &str) -> Self {
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
