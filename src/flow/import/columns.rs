//! The first line of a file: which column is what, in the words that people use.

use unicode_normalization::UnicodeNormalization;

use super::super::formula;
use super::records::Record;

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
    /// Anything else, by its own name.
    Attribute(String),
    /// What a rejects file adds: of no meaning when the mended file is imported.
    Ignored,
    /// A column without a heading; must be empty.
    Nameless,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub struct Columns {
    /// What each is, from the left.
    pub columns: Vec<Column>,
    /// The headings as they stand.
    pub headings: Vec<String>,
}

/// Why a first line names no columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// No column holds addresses.
    #[error(
        "no column is called e-post, email or address; the first line must name the columns, and reads: {}",
        .0.join(" | ")
    )]
    NoAddress(Vec<String>),
    /// Two columns say the same.
    #[error("two columns are both taken for {0}; rename or remove one")]
    Twice(String),
    /// A heading that cannot name an attribute.
    #[error("the heading \u{201c}{0}\u{201d} is longer than 60 characters or has a character that cannot be shown")]
    Heading(String),
}

/// Reads a heading as people write them, in Swedish and English.
fn column(heading: &str) -> Column {
    match heading {
        "" => Column::Nameless,
        "e-post" | "epost" | "e-postadress" | "epostadress" | "email" | "e-mail" | "email address"
        | "e-mail address" | "mail" | "mejl" => Column::Address,
        "namn" | "name" | "full name" => Column::Name,
        "förnamn" | "first name" | "firstname" | "given name" => Column::FirstName,
        "efternamn" | "last name" | "lastname" | "surname" | "family name" => Column::LastName,
        "språk" | "language" => Column::Language,
        "organisation" | "organization" | "redaktion" | "newsroom" => Column::Organisation,
        "bevakning" | "bevakningsområden" | "beat" | "beats" => Column::Beats,
        "region" | "regioner" | "regions" => Column::Regions,
        "lista" | "listor" | "list" | "lists" => Column::Lists,
        "rejected line" | "rejected because" => Column::Ignored,
        other => Column::Attribute(other.to_owned()),
    }
}

/// The name of an attribute as it is kept: composed, lower case, without space around it.
///
/// # Errors
/// [`ColumnsError::Heading`], or [`ColumnsError::Twice`] for a name that is a field of its own in a file.
pub fn attribute_name(text: &str) -> Result<String, ColumnsError> {
    let name = normalised(text);
    if name.chars().count() > 60 || name.chars().any(char::is_control) {
        return Err(ColumnsError::Heading(name.chars().take(60).collect()));
    }
    match column(&name) {
        Column::Attribute(name) => Ok(name),
        _ => Err(ColumnsError::Twice(format!("\u{201c}{name}\u{201d}"))),
    }
}

/// Headings that mean the e-mail address where no other column does, and a postal address otherwise.
const POSTAL_OR_NOT: [&str; 2] = ["address", "adress"];

fn normalised(heading: &str) -> String {
    formula::restore(heading).trim().nfc().collect::<String>().to_lowercase()
}

impl Columns {
    /// Reads the first record of a file.
    ///
    /// # Errors
    /// [`ColumnsError`]: nothing of the file can be imported.
    pub fn read(first: &Record) -> Result<Self, ColumnsError> {
        let headings: Vec<String> = first.cells().map(|cell| cell.trim().to_owned()).collect();
        let mut columns: Vec<Column> = headings.iter().map(|heading| column(&normalised(heading))).collect();
        if !columns.contains(&Column::Address) {
            let postal_or_not =
                |c: &&mut Column| matches!(c, Column::Attribute(n) if POSTAL_OR_NOT.contains(&n.as_str()));
            match columns.iter_mut().find(postal_or_not) {
                Some(column) => *column = Column::Address,
                None => return Err(ColumnsError::NoAddress(headings.iter().take(12).cloned().collect())),
            }
        }
        for (index, column) in columns.iter().enumerate() {
            if let Column::Attribute(name) = column
                && (name.chars().count() > 60 || name.chars().any(char::is_control))
            {
                return Err(ColumnsError::Heading(name.chars().take(60).collect()));
            }
            if !matches!(column, Column::Nameless | Column::Ignored) && columns[..index].contains(column) {
                return Err(ColumnsError::Twice(format!("\u{201c}{}\u{201d}", headings[index])));
            }
        }
        Ok(Self { columns, headings })
    }

    /// Whether the file itself says who is to be on which list.
    pub fn name_lists(&self) -> bool {
        self.columns.contains(&Column::Lists)
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::{Found, RecordReader};
    use super::*;

    fn check(line: &str) -> Result<Vec<Column>, ColumnsError> {
        let (mut reader, mut found) = (RecordReader::new(), Vec::new());
        reader.push(line.as_bytes(), &mut found).unwrap();
        reader.finish(&mut found).unwrap();
        match &found[0] {
            Found::Record(first) => Columns::read(first).map(|c| c.columns),
            broken => panic!("{broken:?}"),
        }
    }

    #[test]
    fn both_languages_and_any_case_are_known() {
        use Column::*;
        let swedish = check("E-POST;Förnamn;Efternamn;Redaktion;Språk;Bevakning;Regioner;Listor;Telefon;;").unwrap();
        let expected = [Address, FirstName, LastName, Organisation, Language, Beats, Regions, Lists];
        assert_eq!(swedish[..8], expected);
        assert_eq!(swedish[8..], [Attribute("telefon".to_owned()), Nameless, Nameless]);
        let english = check("Address,Name,Newsroom,Language,Beats,Region,Lists").unwrap();
        assert_eq!(english, [Address, Name, Organisation, Language, Beats, Regions, Lists]);
        // Composed as a Mac writes it.
        assert_eq!(check("epost;fo\u{308}rnamn").unwrap()[1], FirstName);
    }

    #[test]
    fn a_postal_address_is_no_email_address_where_there_is_another() {
        let columns = check("adress;e-post").unwrap();
        assert_eq!(columns, [Column::Attribute("adress".to_owned()), Column::Address]);
    }

    #[test]
    fn a_first_line_that_names_nothing_is_refused() {
        assert!(matches!(check("karin@example.org;Karin"), Err(ColumnsError::NoAddress(_))));
        assert!(matches!(check("email;e-post"), Err(ColumnsError::Twice(_))));
        assert!(matches!(check("email;fax;Fax"), Err(ColumnsError::Twice(_))));
    }
}
