//! People and organisations as they appear in a release.

/// A person in a programme, byline or caption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// Titles, in order.
    pub titles: Vec<String>,
    /// The party, printed in parentheses.
    pub party: Option<String>,
    /// Their organisation.
    pub affiliation: Option<String>,
}

impl Person {
    /// On one line: `Karin Ek (X), ordförande, Exempelförbundet`.
    pub(crate) fn line(&self) -> String {
        let mut line = self.name.clone();
        if let Some(party) = &self.party {
            line.push_str(&format!(" ({party})"));
        }
        for more in self.titles.iter().chain(&self.affiliation) {
            line.push_str(", ");
            line.push_str(more);
        }
        line
    }
}

/// An organisation that issues a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its id in the contact book, if it has one.
    pub organisation: Option<String>,
    /// Its name, as printed.
    pub name: String,
    /// Its role in the release, e.g. "i samarbete med".
    pub role: Option<String>,
}
