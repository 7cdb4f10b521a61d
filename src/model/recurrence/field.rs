//! Parses the five fields of a cron expression into the values that they match.

use std::collections::BTreeSet;

/// Which of the five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12, or jan to dec.
    Month,
    /// 0 to 7, or sun to sat; both 0 and 7 are Sunday.
    DayOfWeek,
}

/// The fields in the order in which they are written.
pub(crate) const FIELDS: [Field; 5] = [Field::Minute, Field::Hour, Field::DayOfMonth, Field::Month, Field::DayOfWeek];

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Field {
    /// Its name in messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        }
    }

    /// The accepted values, for messages.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Minute => "0 to 59",
            Self::Hour => "0 to 23",
            Self::DayOfMonth => "1 to 31",
            Self::Month => "1 to 12 or jan to dec",
            Self::DayOfWeek => "0 to 7 (0 and 7 are Sunday) or sun to sat",
        }
    }

    fn bounds(self) -> (u32, u32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    fn value(self, text: &str) -> Result<u32, String> {
        let (low, high) = self.bounds();
        let lower = text.to_ascii_lowercase();
        let named = match self {
            Self::Month => MONTHS.iter().position(|name| *name == lower).map(|at| at as u32 + 1),
            Self::DayOfWeek => DAYS.iter().position(|name| *name == lower).map(|at| at as u32),
            Self::Minute | Self::Hour | Self::DayOfMonth => None,
        };
        let number = || text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        named
            .or_else(number)
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| format!("\u{201c}{text}\u{201d} is not {}", self.expected()))
    }
}

/// The values of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    /// The matching values; days of week as 0 (Sunday) to 6.
    pub values: BTreeSet<u32>,
    /// Whether it is written with a leading `*`: then it does not count as restricting days.
    pub star: bool,
}

/// Parses one field: a comma-separated list of `*`, `a`, `a-b`, each optionally with `/step`; `a/step` runs from `a`
/// to the end, as in most cron programs.
///
/// # Errors
/// A text that says what is wrong in this field.
pub fn read(field: Field, text: &str) -> Result<Values, String> {
    let mut values = BTreeSet::new();
    for part in text.split(',') {
        read_part(field, part, &mut values)?;
    }
    Ok(Values { values, star: text.starts_with('*') })
}

fn read_part(field: Field, part: &str, values: &mut BTreeSet<u32>) -> Result<(), String> {
    let (low, high) = field.bounds();
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(read_step(step)?)),
        None => (part, None),
    };
    let (from, to) = match (range, range.split_once('-')) {
        ("*", _) => (low, if field == Field::DayOfWeek { 6 } else { high }),
        (_, Some((from, to))) => range_ends(field, from, to)?,
        (_, None) if range.is_empty() => return Err("a part of it is empty".to_owned()),
        (_, None) => {
            let from = field.value(range)?;
            let last = if field == Field::DayOfWeek { 6.max(from) } else { high };
            (from, if step.is_some() { last } else { from })
        }
    };
    // Sunday is 0 from here on.
    let fold = |value: u32| if field == Field::DayOfWeek { value % 7 } else { value };
    values.extend((from..=to).step_by(step.unwrap_or(1)).map(fold));
    Ok(())
}

fn read_step(text: &str) -> Result<usize, String> {
    let step = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    step.filter(|step| (1..=59).contains(step))
        .ok_or_else(|| format!("the step \u{201c}{text}\u{201d} is not a number from 1 to 59"))
}

fn range_ends(field: Field, from: &str, to: &str) -> Result<(u32, u32), String> {
    let (first, last) = (field.value(from)?, field.value(to)?);
    // "fri-sun" is a weekend: as an end, Sunday is 7.
    let last = if field == Field::DayOfWeek && last == 0 && first > 0 { 7 } else { last };
    if first > last {
        return Err(format!("the range {from}-{to} runs backwards; write it as two parts, e.g. {from},{to}"));
    }
    Ok((first, last))
}
