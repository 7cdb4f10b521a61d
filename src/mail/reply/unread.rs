//! What of a mail could not be read.

/// A part or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// A part that is no text, or not shown as the mail's text: encrypted, a document, a mail, a text that is attached.
    Part {
        /// Its type.
        content_type: String,
        /// Whether it says nothing more than words that were read.
        is_beside_words: bool,
    },
    /// A text in an unknown charset or transfer encoding, or damaged.
    Undecoded,
    /// An encrypted or encoded text within the text.
    Armour,
    /// A picture in place of words.
    Picture,
    /// More text than is looked at, or more parts or fields than are read.
    TooLong,
}

impl Unread {
    /// Whether it is something beside the text, and no fault in it.
    pub(super) fn is_beside_text(&self) -> bool {
        matches!(self, Self::Picture | Self::Part { .. })
    }

    /// Whether it says nothing more than words that were read beside it.
    pub(super) fn is_beside_words(&self) -> bool {
        matches!(self, Self::Picture | Self::Part { is_beside_words: true, .. })
    }
}
