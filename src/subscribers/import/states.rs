//! Columns that state whether a person may get mail, and the meaning of their cells, by the words in `states.toml`.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::heading_key::squashed;

/// A user's statements about words in such columns: the word, and `active` or `out`.
pub(crate) type Said = BTreeMap<String, Standing>;

/// Minimum digits of a date or a time: `2026-1-9`.
const DIGITS_OF_A_DATE: usize = 6;

/// How a column states who may get mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StateColumn {
    /// By a word for each state.
    State,
    /// A value means that they may not; a no means that they may.
    Out,
    /// A yes or a time means that they may; a no or an empty cell, that they may not.
    In,
    /// A yes or a time means that they may; an empty cell or a no states nothing.
    Since,
}

/// Whether a person may get mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// They may get mail.
    Active,
    /// They may not get mail: they left, never confirmed, are blocked or cannot be reached.
    Out,
}

/// The words, parsed once per import.
#[derive(Clone, Debug)]
pub(crate) struct States {
    columns: HashMap<String, StateColumn>,
    parts: Vec<(StateColumn, Vec<String>)>,
    not: Vec<String>,
    values: HashMap<String, Standing>,
    /// Words that mean the end of a subscription in a column with any heading.
    ends: Vec<String>,
    yes: Vec<String>,
    no: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    columns: Columns,
    words: Parts,
    values: Values,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    state: Vec<String>,
    out: Vec<String>,
    r#in: Vec<String>,
    since: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    out: Vec<String>,
    state: Vec<String>,
    r#in: Vec<String>,
    not: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Values {
    active: Vec<String>,
    out: Vec<String>,
    out_in_state: Vec<String>,
    yes: Vec<String>,
    no: Vec<String>,
}

impl States {
    /// The words shipped with Depesch.
    ///
    /// # Errors
    /// Never with the shipped file; a test checks that.
    pub(super) fn shipped() -> Result<Self, toml::de::Error> {
        let File { columns, words, values } = toml::from_str(include_str!("states.toml"))?;
        let lists = [
            (StateColumn::State, columns.state),
            (StateColumn::Out, columns.out),
            (StateColumn::In, columns.r#in),
            (StateColumn::Since, columns.since),
        ];
        let columns = lists.into_iter().flat_map(|(kind, words)| words.into_iter().map(move |word| (key(&word), kind)));
        let keys = |words: &[String]| words.iter().map(|word| key(word)).collect::<Vec<_>>();
        let out = keys(&values.out).into_iter().chain(keys(&values.out_in_state)).map(|word| (word, Standing::Out));
        let active = keys(&values.active).into_iter().map(|word| (word, Standing::Active));
        Ok(Self {
            columns: columns.collect(),
            parts: vec![
                (StateColumn::Out, keys(&words.out)),
                (StateColumn::State, keys(&words.state)),
                (StateColumn::In, keys(&words.r#in)),
            ],
            not: keys(&words.not),
            ends: keys(&values.out),
            values: out.chain(active).collect(),
            yes: keys(&values.yes),
            no: keys(&values.no),
        })
    }

    /// Gives a user's statements about words precedence over the shipped ones.
    pub(super) fn say(&mut self, said: &Said) {
        self.values.extend(said.iter().map(|(word, standing)| (key(word), *standing)));
        // A word that the user allows does not exclude people in other columns either.
        self.ends.retain(|word| self.values.get(word) == Some(&Standing::Out));
    }

    /// How a column with this heading states who may get mail; `None` if it is about something else.
    pub(super) fn column(&self, heading: &str) -> Option<StateColumn> {
        let heading = squashed(heading);
        self.columns.get(&heading).copied().or_else(|| {
            let has = |words: &[String]| words.iter().any(|word| heading.contains(word.as_str()));
            // "ip" and "count" match at an end of OPTIN_IP and bounce count, not inside other words.
            if self.not.iter().any(|word| {
                if word.len() < 6 {
                    heading.ends_with(word) || heading.starts_with(word)
                } else {
                    heading.contains(word.as_str())
                }
            }) {
                return None;
            }
            self.parts.iter().find(|(_, words)| has(words)).map(|(kind, _)| *kind)
        })
    }

    /// Evaluates a cell of such a column, which may be empty.
    ///
    /// # Errors
    /// The word is unknown; its meaning is not guessed.
    pub(super) fn read(&self, column: StateColumn, cell: &str) -> Result<Option<Standing>, ()> {
        let word = key(cell);
        let is_time = cell.chars().filter(char::is_ascii_digit).count() >= DIGITS_OF_A_DATE;
        let (yes, no) = (self.yes.contains(&word), self.no.contains(&word));
        let known = self.values.get(&word).copied();
        match column {
            _ if word.is_empty() => Ok((column == StateColumn::In).then_some(Standing::Out)),
            StateColumn::State => known.map(Some).ok_or(()),
            StateColumn::Out if no => Ok(Some(Standing::Active)),
            StateColumn::Out => Ok(Some(known.unwrap_or(Standing::Out))),
            StateColumn::In | StateColumn::Since if yes || (is_time && !no) => Ok(Some(Standing::Active)),
            StateColumn::In if no => Ok(Some(Standing::Out)),
            StateColumn::Since if no => Ok(None),
            StateColumn::In | StateColumn::Since => known.map(Some).ok_or(()),
        }
    }

    /// Whether a cell consists only of a word for an end, whatever its column's heading.
    pub(super) fn is_end(&self, cell: &str) -> bool {
        // A longer text is a note and is not compared.
        cell.len() <= 40 && self.ends.contains(&key(cell))
    }
}

/// The letters and digits of a cell; a single symbol such as a hyphen is kept.
fn key(text: &str) -> String {
    let squashed = squashed(text);
    if squashed.is_empty() { text.trim().to_owned() } else { squashed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(heading: &str, cell: &str) -> Result<Option<Standing>, ()> {
        let states = States::shipped().unwrap();
        states.read(states.column(heading).unwrap_or_else(|| panic!("{heading}")), cell)
    }

    #[test]
    fn who_may_not_get_mail_is_out() {
        for (heading, cell) in [
            ("status", "blocklisted"),
            ("Status", "Unsubscribed"),
            ("Email Status", "BOUNCED"),
            ("E-poststatus", "Avregistrerad"),
            ("Delivery status", "by_bounces"),
            ("unsubscribed", "yes"),
            ("Unsubscribed from all email", "TRUE"),
            ("UNSUB_TIME", "2025-11-03 10:22:41"),
            ("Email hard bounce reason", "UNKNOWN_USER"),
            ("Opt-out", "1"),
            ("Avregistrerad datum", "2025-03-01"),
            ("Blacklisted", "ja"),
            ("confirmed", "0"),
            ("Confirmed", ""),
            ("Bekräftad", "nej"),
            ("Samtycke till e-post", "Nej"),
            ("double_optin", "false"),
        ] {
            assert_eq!(check(heading, cell), Ok(Some(Standing::Out)), "{heading}: {cell}");
        }
    }

    #[test]
    fn who_may_get_mail_is_active() {
        for (heading, cell) in [
            ("status", "enabled"),
            ("Status", "Subscribed"),
            ("Medlemsstatus", "Aktiv"),
            ("unsubscribed", "no"),
            ("Opt-out", "0"),
            ("UNSUB_TIME", "0000-00-00 00:00:00"),
            ("blacklisted", "False"),
            ("confirmed", "1"),
            ("CONFIRM_TIME", "2024-01-15 09:00:00"),
            ("Samtycke till e-post", "2024-01-15"),
        ] {
            assert_eq!(check(heading, cell), Ok(Some(Standing::Active)), "{heading}: {cell}");
        }
        assert_eq!(check("UNSUB_TIME", ""), Ok(None));
        assert_eq!(check("OPTIN_TIME", ""), Ok(None));
        assert_eq!(check("status", ""), Ok(None));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for (heading, cell) in
            [("status", "hedersmedlem"), ("status", "1"), ("status", "A"), ("samtycke", "per telefon")]
        {
            assert_eq!(check(heading, cell), Err(()), "{heading}: {cell}");
        }
        let mut states = States::shipped().unwrap();
        states.say(&[("Hedersmedlem".to_owned(), Standing::Active), ("A".to_owned(), Standing::Out)].into());
        assert_eq!(states.read(StateColumn::State, "hedersmedlem"), Ok(Some(Standing::Active)));
        assert_eq!(states.read(StateColumn::State, "a"), Ok(Some(Standing::Out)));
    }

    #[test]
    fn other_columns_are_about_something_else() {
        let states = States::shipped().unwrap();
        for heading in [
            "State",
            "Civilstatus",
            "SMS_BLACKLISTED",
            "Telefon bekräftad",
            "Bounce count",
            "OPTIN_IP",
            "Ort",
            "Uppdrag",
            "notes",
        ] {
            assert_eq!(states.column(heading), None, "{heading}");
        }
        assert!(states.is_end("Unsubscribed") && states.is_end("Avregistrerad") && !states.is_end("inactive reporter"));
    }
}
