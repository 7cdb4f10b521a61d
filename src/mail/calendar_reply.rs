//! The answer of a calendar program to an invitation: `METHOD:REPLY` (RFC 5546 §3.2.3) in a `text/calendar` part (RFC
//! 6047). Parses only what this needs, and only a bounded part of a calendar.

use super::decoding::{calendar_text, words_decoded};
use super::incoming::{Incoming, Part};

/// Maximum bytes of a calendar that are read.
const MAX_CALENDAR: usize = 256 * 1024;
/// Maximum number of lines that are read, unfolded.
const MAX_LINES: usize = 5000;
/// Maximum bytes of one value that are kept.
const MAX_VALUE: usize = 2000;
/// Maximum number of attendees that are kept.
const MAX_ATTENDEES: usize = 200;

/// The answer given in a calendar program (RFC 5545 §3.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Participation {
    /// `ACCEPTED`.
    Accepted,
    /// `DECLINED`.
    Declined,
    /// `TENTATIVE`.
    Tentative,
}

/// An answer from a calendar program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CalendarReply {
    /// The event's UID (RFC 5545 §3.8.4.7).
    pub uid: String,
    /// The SEQUENCE of the invitation that was answered (RFC 5545 §3.8.7.4).
    pub sequence: u32,
    /// The answer.
    pub participation: Participation,
    /// The attendee's name (CN), if there is one that is not an address.
    pub name: Option<String>,
    /// The attendee's address, as given.
    pub address: String,
    /// The attendee's comment: COMMENT, or Google's X-RESPONSE-COMMENT.
    pub comment: Option<String>,
    /// Number of additional guests, from Google's X-NUM-GUESTS.
    pub guests: u32,
}

/// Why the answer in a calendar part cannot be recorded automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarDoubt {
    /// The methods of the part and of the calendar differ, or one is missing (RFC 6047 §2.4).
    Method,
    /// It proposes another time (`COUNTER`), or is otherwise not a reply.
    NoReply,
    /// It delegates or answers for another person (`DELEGATED`, `DELEGATED-FROM`, `SENT-BY`), or is undecided
    /// (`NEEDS-ACTION`).
    Undecided,
    /// Several events or attendees with different answers, or none at all.
    Several,
}

/// The calendar answer in a message: `None` when it has no calendar part. `from` is the sender's address: of several
/// attendees, that one counts.
///
/// # Errors
/// [`CalendarDoubt`]: there is a calendar part, and a person must check it.
pub(crate) fn calendar_reply(message: &Incoming, from: &str) -> Option<Result<CalendarReply, CalendarDoubt>> {
    let typed: Vec<&Part> = message.parts().iter().filter(|part| part.content_type == "text/calendar").collect();
    match typed.as_slice() {
        [] => message.parts().iter().find(|part| is_reply_file(part)).map(|part| Calendar::of(part).reply(from)),
        [first, rest @ ..] => {
            let answer = read_part(first, from);
            // RFC 6047 §2.5 allows the same calendar once more, as an attachment; not a different one.
            let same = rest.iter().all(|part| read_part(part, from) == answer);
            Some(if same { answer } else { Err(CalendarDoubt::Several) })
        }
    }
}

/// Whether a message contains a calendar that claims to be a reply.
pub(crate) fn has_calendar_reply(message: &Incoming) -> bool {
    let is_reply = |part: &Part| match part.content_type.as_str() {
        "text/calendar" => part.method().as_deref() == Some("REPLY"),
        _ => is_reply_file(part),
    };
    message.parts().iter().any(is_reply)
}

/// Whether a part is a calendar file that claims to be a reply: some programs send no other part. Such types have no
/// method parameter.
fn is_reply_file(part: &Part) -> bool {
    let named = part.file_name.as_deref().is_some_and(|name| name.to_ascii_lowercase().ends_with(".ics"));
    let is_calendar = match part.content_type.as_str() {
        "application/ics" => true,
        "application/octet-stream" => named,
        _ => false,
    };
    is_calendar && Calendar::of(part).method.as_deref() == Some("REPLY")
}

fn read_part(part: &Part, from: &str) -> Result<CalendarReply, CalendarDoubt> {
    let calendar = Calendar::of(part);
    let (Some(method), Some(outer)) = (&calendar.method, part.method()) else { return Err(CalendarDoubt::Method) };
    if *method != outer {
        return Err(CalendarDoubt::Method);
    }
    match method.as_str() {
        "REPLY" => calendar.reply(from),
        _ => Err(CalendarDoubt::NoReply),
    }
}

/// The relevant properties of a calendar.
#[derive(Default)]
struct Calendar {
    method: Option<String>,
    events: Vec<Event>,
}

#[derive(Default)]
struct Event {
    uid: String,
    sequence: u32,
    comment: Option<String>,
    attendees: Vec<Attendee>,
}

#[derive(Default)]
struct Attendee {
    address: String,
    name: Option<String>,
    participation: String,
    comment: Option<String>,
    guests: u32,
    /// Whether it answers for another person, or was sent by one.
    is_deputy: bool,
}

impl Calendar {
    fn of(part: &Part) -> Self {
        match &part.text {
            Some(text) => Self::read(&text[..text.floor_char_boundary(MAX_CALENDAR)]),
            None => Self::read(&calendar_text(&part.bytes[..part.bytes.len().min(MAX_CALENDAR)], None)),
        }
    }

    fn read(text: &str) -> Self {
        let mut calendar = Self::default();
        // Open components; RFC 5545 nests three deep at most.
        let mut open: Vec<String> = Vec::new();
        for line in unfolded(text) {
            let Some(property) = Property::read(&line) else { continue };
            match property.name.as_str() {
                "BEGIN" => {
                    let component = property.value.trim().to_ascii_uppercase();
                    if component == "VEVENT" && open.len() == 1 && calendar.events.len() < MAX_ATTENDEES {
                        calendar.events.push(Event::default());
                    }
                    if open.len() < 10 {
                        open.push(component);
                    }
                }
                "END" => drop(open.pop()),
                "METHOD" if open.len() == 1 => calendar.method = Some(property.value.trim().to_ascii_uppercase()),
                _ if open.len() == 2 && open[1] == "VEVENT" => {
                    if let Some(event) = calendar.events.last_mut() {
                        event.take(&property);
                    }
                }
                _ => {}
            }
        }
        calendar
    }

    fn reply(&self, from: &str) -> Result<CalendarReply, CalendarDoubt> {
        let mut answers = self.events.iter().map(|event| event.reply(from));
        let first = answers.next().ok_or(CalendarDoubt::Several)??;
        // Instances of a recurring event (RECURRENCE-ID) share one UID: the same answer for all, or a person must
        // look.
        let same = |other: &CalendarReply| (&other.uid, other.participation) == (&first.uid, first.participation);
        match answers.all(|answer| answer.is_ok_and(|answer| same(&answer))) {
            true => Ok(first),
            false => Err(CalendarDoubt::Several),
        }
    }
}

impl Event {
    fn take(&mut self, property: &Property) {
        match property.name.as_str() {
            "UID" => self.uid = unescaped(&property.value),
            "SEQUENCE" => self.sequence = property.value.trim().parse().unwrap_or(0),
            "COMMENT" => self.comment = Some(unescaped(&property.value)).filter(|text| !text.trim().is_empty()),
            "ATTENDEE" if self.attendees.len() < MAX_ATTENDEES => {
                let value = property.value.trim();
                let mailto = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
                let address = if mailto { &value[7..] } else { value };
                let given = |name: &str| property.parameter(name).map(|text| one_line(&words_decoded(&text)));
                let name = given("CN").filter(|name| !name.is_empty());
                let comment = property.parameter("X-RESPONSE-COMMENT").map(|text| text.trim().to_owned());
                let deputy = ["DELEGATED-FROM", "DELEGATED-TO", "SENT-BY"];
                self.attendees.push(Attendee {
                    name: name.filter(|name| !name.contains('@')),
                    address: one_line(address),
                    participation: given("PARTSTAT").unwrap_or_default().to_ascii_uppercase(),
                    comment: comment.filter(|comment| !comment.is_empty()),
                    guests: given("X-NUM-GUESTS").and_then(|number| number.parse().ok()).unwrap_or(0),
                    is_deputy: deputy.iter().any(|name| property.parameter(name).is_some()),
                });
            }
            _ => {}
        }
    }

    fn reply(&self, from: &str) -> Result<CalendarReply, CalendarDoubt> {
        // RFC 5546 §3.2.3: only the attendee who answers. Some programs list all of them.
        let own = self.attendees.iter().find(|attendee| attendee.address.eq_ignore_ascii_case(from));
        let attendee = match (own, self.attendees.as_slice()) {
            (Some(own), _) => own,
            (None, [only]) => only,
            (None, _) => return Err(CalendarDoubt::Several),
        };
        if attendee.is_deputy {
            return Err(CalendarDoubt::Undecided);
        }
        let participation = match attendee.participation.as_str() {
            "ACCEPTED" => Participation::Accepted,
            "DECLINED" => Participation::Declined,
            "TENTATIVE" => Participation::Tentative,
            _ => return Err(CalendarDoubt::Undecided),
        };
        Ok(CalendarReply {
            uid: self.uid.clone(),
            sequence: self.sequence,
            participation,
            name: attendee.name.clone(),
            address: attendee.address.clone(),
            comment: self.comment.clone().or_else(|| attendee.comment.clone()),
            guests: attendee.guests,
        })
    }
}

/// One content line (RFC 5545 §3.1).
struct Property {
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

impl Property {
    fn read(line: &str) -> Option<Self> {
        let end = line.find([';', ':'])?;
        let name = line[..end].trim().to_ascii_uppercase();
        let mut rest = &line[end..];
        let mut parameters = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            let equals = after.find(['=', ':', ';'])?;
            let key = after[..equals].trim().to_ascii_uppercase();
            if !after[equals..].starts_with('=') {
                rest = &after[equals..];
                continue;
            }
            let value = &after[equals + 1..];
            let length = value_length(value);
            if parameters.len() < 50 {
                parameters.push((key, value[..length].trim().trim_matches('"').to_owned()));
            }
            rest = &value[length..];
        }
        let value = rest.strip_prefix(':')?;
        Some(Self { name, parameters, value: value[..value.floor_char_boundary(MAX_VALUE)].to_owned() })
    }

    /// A parameter's value, with its own escapes removed.
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| uncareted(value))
    }
}

/// Length of a parameter's value in bytes: up to the first `;` or `:` outside quotation marks.
fn value_length(value: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' | b':' if !quoted => return at,
            _ => {}
        }
    }
    value.len()
}

/// Unfolds content lines: a line that begins with a space or tab continues the one before.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n').map(|line| line.trim_end_matches('\r')) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.push_str(rest),
            _ => lines.push(line.to_owned()),
        }
        if lines.len() > MAX_LINES {
            break;
        }
    }
    lines
}

/// Removes the escapes of RFC 5545 §3.3.11.
fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut characters = value.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

/// Removes the escapes of RFC 6868 §3.
fn uncareted(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let meant = match (character, characters.peek()) {
            ('^', Some('n')) => '\n',
            ('^', Some('^')) => '^',
            ('^', Some('\'')) => '"',
            (plain, _) => {
                out.push(plain);
                continue;
            }
        };
        out.push(meant);
        characters.next();
    }
    out
}

fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "calendar_reply_tests.rs"]
mod tests;
