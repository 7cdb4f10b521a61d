//! The row of headings: the meaning of each column.

use std::sync::Arc;

use super::heading_key::attribute_key;
use super::headings::{HeadingFinder, Headings, position};
use super::record::Record;

pub(crate) use super::column::Column;

/// The longest name of an attribute, in characters.
const LONGEST_HEADING: usize = 60;
/// Maximum headings shown in an error message.
const SHOWN: usize = 30;

/// The columns of a file.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// The meaning of each column, from the left.
    pub columns: Vec<Column>,
    /// The headings as in the file.
    pub headings: Vec<String>,
    /// Whether a user stated the meaning of the column.
    pub named: Vec<bool>,
    /// Notes about how the columns were interpreted; sentences without a full stop.
    pub notes: Vec<String>,
    /// The words used to interpret them.
    pub words: Arc<Headings>,
}

/// Why a row does not name the columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// No column holds addresses.
    #[error(
        "no heading is known as the e-mail address; the headings are: {}. Name it, e.g. --column \
         address=\"{}\"", .seen.join(" | "), .likely.as_deref().unwrap_or("E-mail 1 - Value")
    )]
    NoAddress {
        /// The headings, or the row in their place.
        seen: Vec<String>,
        /// The heading of a column that contains addresses.
        likely: Option<String>,
    },
    /// The first row is already a person.
    #[error(
        "line {line} holds an address, but no line above it names the columns; write one above it, e.g. e-post;namn;redaktion"
    )]
    NoHeadings {
        /// Its line.
        line: u64,
    },
    /// Several columns hold addresses.
    #[error(
        "more than one column holds addresses: {}. Name one, e.g. --column address=\"{}\"; the others are then \
         kept as attributes", .0.join(" | "), .0.first().map_or("", String::as_str)
    )]
    Addresses(Vec<String>),
    /// A heading that a user stated is missing.
    #[error("no column has the heading \u{201c}{heading}\u{201d} (--column {field}=…); the headings are: {}", .seen.join(" | "))]
    NotThere {
        /// The meaning stated for the column.
        field: String,
        /// The stated heading.
        heading: String,
        /// The headings of the file.
        seen: Vec<String>,
    },
    /// A user stated two columns for one field.
    #[error("--column names two columns for {0}; name one")]
    NamedTwice(String),
    /// An attribute cannot have the name of a field.
    #[error("\u{201c}{name}\u{201d} means {field} in files; set that, or give the attribute another name")]
    Reserved {
        /// The name that is reserved.
        name: String,
        /// The field that it means.
        field: String,
    },
    /// A heading that cannot be the name of an attribute.
    #[error(
        "the heading \u{201c}{0}…\u{201d} is longer than 60 characters or has a character that cannot be shown; shorten \
         it, name it (--column NAME=HEADING) or leave it out (--column ignore=HEADING)"
    )]
    Heading(String),
}

/// The name of an attribute as it is stored: composed, lower case, single spaces.
///
/// # Errors
/// [`ColumnsError::Heading`], or [`ColumnsError::Reserved`] for a name that means a field.
pub(crate) fn attribute_name(text: &str, words: &Headings) -> Result<String, ColumnsError> {
    let name = attribute_key(text);
    check_name(&name)?;
    match words.column(&name).0 {
        Column::Attribute(name) => Ok(name),
        field => Err(ColumnsError::Reserved { name, field: field.word().to_owned() }),
    }
}

fn check_name(name: &str) -> Result<(), ColumnsError> {
    match name.chars().count() > LONGEST_HEADING || name.chars().any(char::is_control) {
        true => Err(ColumnsError::Heading(name.chars().filter(|c| !c.is_control()).take(LONGEST_HEADING).collect())),
        false => Ok(()),
    }
}

impl Columns {
    /// Reads the row of headings.
    ///
    /// # Errors
    /// [`ColumnsError`]: nothing of the file can be imported.
    pub fn read(record: &Record, finder: &HeadingFinder) -> Result<Self, ColumnsError> {
        let headings: Vec<String> =
            record.cells().map(|cell| crate::base::unicode::tidy_trimmed(cell).into_owned()).collect();
        let known: Vec<(Column, usize)> = headings.iter().map(|heading| finder.headings.column(heading)).collect();
        let mut taken: Vec<Option<Column>> = vec![None; headings.len()];
        for (heading, field) in &finder.named {
            let Some(column) = position(headings.iter().map(String::as_str), heading) else {
                let (field, heading, seen) = (field.clone(), heading.clone(), shown(&headings));
                return Err(ColumnsError::NotThere { field, heading, seen });
            };
            let named = Column::of_word(field);
            if named != Column::Ignored && taken.contains(&Some(named.clone())) {
                return Err(ColumnsError::NamedTwice(field.clone()));
            }
            taken[column] = Some(named);
        }
        let named = taken.clone();
        if !taken.contains(&Some(Column::Address)) {
            match finder.address_columns(&headings).as_slice() {
                [] => return Err(ColumnsError::NoAddress { seen: shown(&headings), likely: None }),
                [column] => taken[*column] = Some(Column::Address),
                several => {
                    let several: Vec<String> = several.iter().map(|column| headings[*column].clone()).collect();
                    return Err(ColumnsError::Addresses(several));
                }
            }
        }
        let named = named.into_iter().map(|field| field.is_some()).collect();
        let words = finder.headings.clone();
        let mut columns = Self { columns: Vec::new(), headings, named, notes: Vec::new(), words };
        columns.settle(&known, &mut taken);
        columns.columns = taken.into_iter().map(|column| column.unwrap_or(Column::Nameless)).collect();
        columns.columns.iter().try_for_each(|column| match column {
            Column::Attribute(name) => check_name(name),
            _ => Ok(()),
        })?;
        Ok(columns)
    }

    /// The columns of a file that contains only addresses, without headings.
    pub(crate) fn of_addresses(finder: &HeadingFinder) -> Self {
        let note = "the file names no columns; each line was read as an address".to_owned();
        let headings = vec!["e-post".to_owned()];
        let words = finder.headings.clone();
        Self { columns: vec![Column::Address], headings, named: vec![false], notes: vec![note], words }
    }

    /// Assigns each remaining column the meaning of its heading. If several mean the same field, the one with the more
    /// common word gets it; the others become attributes with their own names.
    fn settle(&mut self, known: &[(Column, usize)], taken: &mut [Option<Column>]) {
        let mut order: Vec<usize> = (0..known.len()).filter(|column| taken[*column].is_none()).collect();
        order.sort_by_key(|column| known[*column].1);
        let (mut demoted, mut states) = (Vec::new(), Vec::new());
        for column in order {
            match &known[column].0 {
                Column::Attribute(_) => demoted.push((column, None)),
                field @ (Column::Ignored | Column::Nameless) => taken[column] = Some(field.clone()),
                // Several columns may state who may get mail.
                field @ Column::State(_) => {
                    taken[column] = Some(field.clone());
                    states.push(self.headings[column].clone());
                }
                field if taken.iter().flatten().any(|other| other == field) => demoted.push((column, Some(field))),
                field => taken[column] = Some(field.clone()),
            }
        }
        if !states.is_empty() {
            self.notes.push(format!(
                "\u{201c}{}\u{201d} says who may get mail: rows that may not are left out (keep it as an attribute instead \
                 with --column NAME=HEADING)",
                states.join("\u{201d}, \u{201c}")
            ));
        }
        demoted.sort_by_key(|(column, _)| *column);
        for (column, field) in demoted {
            let heading = &self.headings[column];
            let wanted = attribute_key(heading);
            let is_free = |name: &String| !taken.contains(&Some(Column::Attribute(name.clone())));
            // An export has the same headings, and a second address column would make its import fail.
            let first = if field == Some(&Column::Address) { 2 } else { 1 };
            let names = (first..).map(|number: usize| match number {
                1 => wanted.clone(),
                number => format!("{wanted} {number}"),
            });
            let name = names.into_iter().find(is_free).unwrap_or_default();
            let shown = |column: &Column| {
                let other = taken.iter().position(|other| other.as_ref() == Some(column));
                other.map_or_else(String::new, |other| {
                    format!(", since \u{201c}{}\u{201d} has the {}", self.headings[other], column.word())
                })
            };
            if field.is_some() || name != wanted {
                let why = field.map_or_else(|| ", since another column has the same heading".to_owned(), shown);
                self.notes.push(format!(
                    "the column \u{201c}{heading}\u{201d} is kept as the attribute \u{201c}{name}\u{201d}{why}"
                ));
            }
            taken[column] = Some(Column::Attribute(name));
        }
    }

    /// Whether the file itself states who is added to which list.
    pub(crate) fn name_lists(&self) -> bool {
        self.columns.contains(&Column::Lists)
    }

    /// Whether a record repeats the headings, as in concatenated files.
    pub(crate) fn is_repeated_in(&self, record: &Record) -> bool {
        record.cells().count() == self.headings.len()
            && record.cells().zip(&self.headings).all(|(cell, heading)| attribute_key(cell) == attribute_key(heading))
    }
}

/// Headings for an error message.
pub(super) fn shown(headings: &[String]) -> Vec<String> {
    headings.iter().filter(|heading| !heading.is_empty()).take(SHOWN).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscribers::import::records::{Found, RecordReader};

    fn read(line: &str, named: &[(&str, &str)]) -> Result<Columns, ColumnsError> {
        let mut finder = HeadingFinder::shipped().unwrap();
        finder.named = named.iter().map(|(field, heading)| ((*heading).to_owned(), (*field).to_owned())).collect();
        let (mut reader, mut found) = (RecordReader::new(finder.clone(), None), Vec::new());
        reader.push(line.as_bytes(), &mut found).unwrap();
        reader.finish(&mut found).unwrap();
        match &found[0] {
            Found::Record(first) => Columns::read(first, &finder),
            broken => panic!("{broken:?}"),
        }
    }

    fn check(line: &str) -> Result<Vec<Column>, ColumnsError> {
        read(line, &[]).map(|columns| columns.columns)
    }

    fn attribute(name: &str) -> Column {
        Column::Attribute(name.to_owned())
    }

    #[test]
    fn both_languages_and_any_case_are_known() {
        use Column::*;
        let swedish = check("E-POST;Förnamn;Efternamn;Redaktion;Språk;Bevakning;Regioner;Listor;Telefon;;").unwrap();
        let expected = [Address, FirstName, LastName, Organisation, Language, Beats, Regions, Lists];
        assert_eq!(swedish[..8], expected);
        assert_eq!(swedish[8..], [attribute("telefon"), Nameless, Nameless]);
        let english = check("Address,Name,Newsroom,Language,Beats,Region,Lists").unwrap();
        assert_eq!(english, [Address, Name, Organisation, Language, Beats, Regions, Lists]);
        // Decomposed, as macOS writes it.
        assert_eq!(check("epost;fo\u{308}rnamn").unwrap()[1], FirstName);
    }

    #[test]
    fn a_postal_address_is_no_email_address_where_there_is_another() {
        assert_eq!(check("adress;e-post").unwrap(), [attribute("adress"), Column::Address]);
        assert_eq!(check("adress;E-post till redaktionen").unwrap(), [attribute("adress"), Column::Address]);
    }

    #[test]
    fn programs_headings_are_known_and_nothing_is_lost() {
        use Column::*;
        let google = check("Name,Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value,E-mail 2 - Value").unwrap();
        let (kind, second) = (attribute("e-mail 1 - type"), attribute("e-mail 2 - value"));
        assert_eq!(google, [Name, FirstName, LastName, kind, Address, second]);
        let thunderbird = check("First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email").unwrap();
        let (nickname, second) = (attribute("nickname"), attribute("secondary email"));
        assert_eq!(thunderbird, [FirstName, LastName, Name, nickname, Address, second]);
    }

    #[test]
    fn two_columns_that_mean_the_same_are_both_kept_and_told() {
        use Column::*;
        let columns = read("email;Company;organisation;notes;Notes", &[]).unwrap();
        assert_eq!(
            columns.columns,
            [Address, attribute("company"), Organisation, attribute("notes"), attribute("notes 2")]
        );
        assert_eq!(columns.notes.len(), 2, "{:?}", columns.notes);
        assert!(
            columns.notes[0].contains("since \u{201c}organisation\u{201d} has the organisation"),
            "{:?}",
            columns.notes
        );
    }

    #[test]
    fn a_person_may_name_a_column() {
        use Column::*;
        let columns = read("Namn;Kontakt;E-post", &[("address", "kontakt"), ("phone", "namn")]).unwrap();
        assert_eq!(columns.columns, [attribute("phone"), Address, attribute("e-post 2")]);
        let columns = read("e-post;e-mail;secret", &[("address", "E-mail"), ("ignore", "Secret")]).unwrap();
        assert_eq!(columns.columns, [attribute("e-post 2"), Address, Ignored]);
        assert!(matches!(read("e-post;namn", &[("address", "Kontakt")]), Err(ColumnsError::NotThere { .. })));
    }

    #[test]
    fn a_first_line_that_names_nothing_is_refused() {
        let error = check("Kontakt;Namn").unwrap_err();
        assert!(matches!(error, ColumnsError::NoAddress { .. }));
        assert!(error.to_string().contains("Kontakt | Namn") && error.to_string().contains("--column address="));
        let error = check("email;e-post").unwrap_err();
        assert_eq!(error, ColumnsError::Addresses(vec!["email".to_owned(), "e-post".to_owned()]));
        assert!(error.to_string().contains("--column address=\"email\""));
    }
}
