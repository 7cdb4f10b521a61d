//! The answer of a calendar program to an invitation: `METHOD:REPLY` (RFC 5546 §3.2.3) in a `text/calendar` part
//! (RFC 6047). Reads no more of a calendar than that takes, and never more than a bounded part of it.

use super::incoming::{Incoming, Part};

/// Octets of a calendar that are read.
const MAX_CALENDAR: usize = 256 * 1024;
/// Lines that are read, unfolded.
const MAX_LINES: usize = 5000;
/// Octets of one value that are kept.
const MAX_VALUE: usize = 2000;
/// Attendees that are kept.
const MAX_ATTENDEES: usize = 200;

/// What a calendar program answered (RFC 5545 §3.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Participation {
    /// `ACCEPTED`.
    Accepted,
    /// `DECLINED`.
    Declined,
    /// `TENTATIVE`.
    Tentative,
}

/// An answer made by a calendar program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarReply {
    /// The event's UID (RFC 5545 §3.8.4.7).
    pub uid: String,
    /// The SEQUENCE of the invitation that was answered (RFC 5545 §3.8.7.4).
    pub sequence: u32,
    /// The answer.
    pub participation: Participation,
    /// The attendee's name (CN), where one is given that is no address.
    pub name: Option<String>,
    /// The attendee's address, as given.
    pub address: String,
    /// What the attendee wrote beside it (COMMENT).
    pub comment: Option<String>,
}

/// Why a calendar part is no answer that a program may take down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarDoubt {
    /// The method of the part and that of the calendar differ, or one is not there (RFC 6047 §2.4).
    Method,
    /// Another time is proposed (`COUNTER`), or anything else that is no reply.
    NoReply,
    /// Somebody else is sent (`DELEGATED`), or it is not decided (`NEEDS-ACTION`).
    Undecided,
    /// Several events or attendees with different answers, or none at all.
    Several,
}

/// The calendar answer in a message: `None` when it has no calendar part. `from` is the sender's address: of several
/// attendees that one counts.
///
/// # Errors
/// [`CalendarDoubt`]: there is a calendar part, and a person must look at it.
pub fn calendar_reply(message: &Incoming, from: &str) -> Option<Result<CalendarReply, CalendarDoubt>> {
    let parts: Vec<&Part> = message.parts().iter().filter(|part| part.content_type == "text/calendar").collect();
    match parts.as_slice() {
        [] => None,
        [first, rest @ ..] => {
            let answer = read_part(first, from);
            // RFC 6047 §2.5 allows the same calendar once more, as an attachment; not another one.
            let same = rest.iter().all(|part| read_part(part, from) == answer);
            Some(if same { answer } else { Err(CalendarDoubt::Several) })
        }
    }
}

/// Whether a message carries a calendar part that calls itself a reply.
pub fn has_calendar_reply(message: &Incoming) -> bool {
    let mut parts = message.parts().iter();
    parts.any(|part| part.content_type == "text/calendar" && part.method().as_deref() == Some("REPLY"))
}

fn read_part(part: &Part, from: &str) -> Result<CalendarReply, CalendarDoubt> {
    let text = match &part.text {
        Some(text) => text[..text.floor_char_boundary(MAX_CALENDAR)].to_owned(),
        None => String::from_utf8_lossy(&part.octets[..part.octets.len().min(MAX_CALENDAR)]).into_owned(),
    };
    let calendar = Calendar::read(&text);
    let (Some(method), Some(outer)) = (&calendar.method, part.method()) else { return Err(CalendarDoubt::Method) };
    if *method != outer {
        return Err(CalendarDoubt::Method);
    }
    match method.as_str() {
        "REPLY" => calendar.reply(from),
        _ => Err(CalendarDoubt::NoReply),
    }
}

/// The properties of a calendar that matter here.
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
}

impl Calendar {
    fn read(text: &str) -> Self {
        let mut calendar = Self::default();
        // Components that stand open; RFC 5545 nests three deep at most.
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
        // Instances of a recurring event (RECURRENCE-ID) are events of one UID: one answer for all, or a person looks.
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
                let name = property.parameter("CN").map(one_line).filter(|name| !name.is_empty());
                self.attendees.push(Attendee {
                    name: name.filter(|name| !name.contains('@')),
                    address: one_line(address),
                    participation: property.parameter("PARTSTAT").unwrap_or("NEEDS-ACTION").to_ascii_uppercase(),
                });
            }
            _ => {}
        }
    }

    fn reply(&self, from: &str) -> Result<CalendarReply, CalendarDoubt> {
        // RFC 5546 §3.2.3: one attendee, the one who answers. Some programs list all of them.
        let own = self.attendees.iter().find(|attendee| attendee.address.eq_ignore_ascii_case(from));
        let attendee = match (own, self.attendees.as_slice()) {
            (Some(own), _) => own,
            (None, [only]) => only,
            (None, _) => return Err(CalendarDoubt::Several),
        };
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
            comment: self.comment.clone(),
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

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Octets of a parameter's value: to the first `;` or `:` outside quotation marks.
fn value_length(value: &str) -> usize {
    let mut quoted = false;
    for (at, octet) in value.bytes().enumerate() {
        match octet {
            b'"' => quoted = !quoted,
            b';' | b':' if !quoted => return at,
            _ => {}
        }
    }
    value.len()
}

/// Content lines with their folds undone: a line that begins with a space or tab goes on in the one before.
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

/// RFC 5545 §3.3.11, the other way.
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

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

#[cfg(test)]
#[path = "calendar_reply_tests.rs"]
mod tests;
