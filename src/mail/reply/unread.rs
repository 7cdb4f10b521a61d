//! Parts of a mail that could not be read.

/// An unread part or text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// A part that is not text, or not shown as the mail's text: encrypted, a document, a mail, an attached text.
    Part {
        /// Its type.
        content_type: String,
        /// Whether it adds nothing to text that was read.
        is_beside_words: bool,
    },
    /// A text in an unknown charset or transfer encoding, or damaged.
    Undecoded,
    /// An encrypted or encoded text within the text.
    Armour,
    /// A picture in place of text.
    Picture,
    /// More text, parts or fields than the limits allow.
    TooLong,
}

impl Unread {
    /// Whether it is separate from the text, and not a fault in it.
    pub(super) fn is_beside_text(&self) -> bool {
        matches!(self, Self::Picture | Self::Part { .. })
    }

    /// Whether it adds nothing to text that was read.
    pub(super) fn is_beside_words(&self) -> bool {
        matches!(self, Self::Picture | Self::Part { is_beside_words: true, .. })
    }
}
