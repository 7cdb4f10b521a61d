//! The channels through which changes come in, and whether a channel speaks for the person.

/// The channel of a request for a change, by a person or on their behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A mail from the person, with a signed token of ours.
    Mail,
    /// A form on a public page, with a signed token of ours.
    Web,
    /// A program that the organisation has given access, with a signed token of ours that the person gave it.
    Api,
    /// An operator at the command line or the control socket.
    Operator,
    /// A row of an imported file.
    Import,
    /// A rule of the program.
    System,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Mail, Self::Web, Self::Api, Self::Operator, Self::Import, Self::System];

    /// The word used everywhere.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Web => "web",
            Self::Api => "api",
            Self::Operator => "operator",
            Self::Import => "import",
            Self::System => "system",
        }
    }

    /// Whether the person speaks through this channel: requests through it need a signed token that was sent to their
    /// address, and only they may restart what they ended (invariant 4).
    pub(crate) fn is_of_the_person(self) -> bool {
        matches!(self, Self::Mail | Self::Web | Self::Api)
    }
}
