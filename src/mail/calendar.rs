//! Writes an event as a calendar (RFC 5545) for programs that read invitations from mail (RFC 5546, RFC 6047).
//!
//! The event is published: the press is informed, and there are no attendees. An update has the same UID and a higher
//! SEQUENCE; a cancelled event has the method CANCEL and the same UID.

use chrono::NaiveDate;

use crate::base::clock::Timestamp;

use super::frame::CalendarPart;
use super::headers::{Mailbox, one_line};

/// Maximum bytes of a line before it is folded, without CRLF (RFC 5545 §3.1).
const LINE: usize = 75;

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// An instant; written in UTC, which needs no zone table and is shown in the reader's own zone.
    Instant(Timestamp),
    /// A whole day, in any zone.
    Day(NaiveDate),
}

/// The content of a calendar event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CalendarEvent {
    /// The identifier shared by all updates.
    pub uid: String,
    /// Number of the update, from 0.
    pub sequence: u32,
    /// When this version was made.
    pub stamp: Timestamp,
    /// The start.
    pub start: When,
    /// The end; for a whole day the first day after it.
    pub end: Option<When>,
    /// Its title.
    pub summary: String,
    /// A description of one or more lines.
    pub description: Option<String>,
    /// Where it is.
    pub location: Option<String>,
    /// The publisher (required by RFC 5546 §3.2.1).
    pub organiser: Mailbox,
    /// A URL with more information.
    pub url: Option<String>,
    /// Whether it is cancelled.
    pub cancelled: bool,
}

impl CalendarEvent {
    /// `PUBLISH` or `CANCEL` (RFC 5546 §3.2).
    pub(crate) fn method(&self) -> &'static str {
        if self.cancelled { "CANCEL" } else { "PUBLISH" }
    }

    /// The whole calendar, with CRLF line ends.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::with_capacity(1024);
        push(&mut out, "BEGIN:VCALENDAR");
        push(&mut out, "VERSION:2.0");
        push(&mut out, "PRODID:-//Depesch//Depesch//EN");
        push(&mut out, "CALSCALE:GREGORIAN");
        push(&mut out, &format!("METHOD:{}", self.method()));
        push(&mut out, "BEGIN:VEVENT");
        push(&mut out, &format!("UID:{}", text(&one_line(&self.uid))));
        push(&mut out, &format!("SEQUENCE:{}", self.sequence));
        push(&mut out, &format!("DTSTAMP:{}", utc(self.stamp)));
        push(&mut out, &format!("DTSTART{}", when(self.start)));
        if let Some(end) = self.end {
            push(&mut out, &format!("DTEND{}", when(end)));
        }
        push(&mut out, &format!("SUMMARY:{}", text(&one_line(&self.summary))));
        for (name, value) in [("DESCRIPTION", &self.description), ("LOCATION", &self.location)] {
            if let Some(value) = value {
                push(&mut out, &format!("{name}:{}", text(value)));
            }
        }
        push(&mut out, &organiser(&self.organiser));
        if let Some(url) = &self.url {
            // A URI is not escaped, so it must contain only characters of a URI.
            let uri: String = url.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
            push(&mut out, &format!("URL:{uri}"));
        }
        push(&mut out, if self.cancelled { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
        push(&mut out, "TRANSP:OPAQUE");
        push(&mut out, "END:VEVENT");
        push(&mut out, "END:VCALENDAR");
        out
    }

    /// The part of a message with the calendar.
    pub(crate) fn to_part(&self, file_name: &str) -> CalendarPart {
        CalendarPart { method: self.method(), text: self.to_text(), file_name: file_name.to_owned() }
    }
}

fn organiser(mailbox: &Mailbox) -> String {
    let name = mailbox.name.as_deref().map(one_line).filter(|name| !name.is_empty());
    // RFC 5545 §3.2: a quoted parameter value cannot contain a quotation mark.
    let name = name.map(|name| format!(";CN=\"{}\"", name.replace('"', "\u{2019}"))).unwrap_or_default();
    format!("ORGANIZER{name}:mailto:{}", mailbox.address)
}

fn utc(at: Timestamp) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

fn when(when: When) -> String {
    match when {
        When::Instant(at) => format!(":{}", utc(at)),
        When::Day(day) => format!(";VALUE=DATE:{}", day.format("%Y%m%d")),
    }
}

/// Escapes a text (RFC 5545 §3.3.11).
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' | '\r' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Appends a line, folded so that no line has more than 75 bytes and no character is split (RFC 5545 §3.1).
fn push(out: &mut String, line: &str) {
    let (mut rest, mut room) = (line, LINE);
    while rest.len() > room {
        let at = rest.floor_char_boundary(room);
        out.push_str(&rest[..at]);
        out.push_str("\r\n ");
        (rest, room) = (&rest[at..], LINE - 1);
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};

    fn event() -> CalendarEvent {
        CalendarEvent {
            uid: "event-r7@lists.example.org".into(),
            sequence: 2,
            stamp: Utc.with_ymd_and_hms(2017, 3, 1, 8, 0, 0).unwrap(),
            start: When::Instant(Utc.with_ymd_and_hms(2017, 3, 16, 8, 30, 0).unwrap()),
            end: Some(When::Instant(Utc.with_ymd_and_hms(2017, 3, 16, 15, 0, 0).unwrap())),
            summary: "Välfärdsträff; Örebro, rad\r\nX-EVIL:1".into(),
            description: Some("Rad ett\nrad två\\ slut".into()),
            location: Some("Konserthuset, Örebro".into()),
            organiser: Mailbox { name: Some("Press \"X\"".into()), address: "press@example.org".parse().unwrap() },
            url: Some("https://example.org/\r\nX:1".into()),
            cancelled: false,
        }
    }

    #[test]
    fn an_event_is_published_and_nothing_in_it_begins_a_line() {
        let expected = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Depesch//Depesch//EN\r\nCALSCALE:GREGORIAN\r\n\
            METHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:event-r7@lists.example.org\r\nSEQUENCE:2\r\n\
            DTSTAMP:20170301T080000Z\r\nDTSTART:20170316T083000Z\r\nDTEND:20170316T150000Z\r\n\
            SUMMARY:Välfärdsträff\\; Örebro\\, rad X-EVIL:1\r\nDESCRIPTION:Rad ett\\nrad två\\\\ slut\r\n\
            LOCATION:Konserthuset\\, Örebro\r\nORGANIZER;CN=\"Press \u{2019}X\u{2019}\":mailto:press@example.org\r\n\
            URL:https://example.org/X:1\r\nSTATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(event().to_text(), expected);
    }

    #[test]
    fn a_cancelled_event_keeps_its_uid_under_the_method_cancel() {
        let part = CalendarEvent { cancelled: true, ..event() }.to_part("x.ics");
        assert_eq!(part.method, "CANCEL");
        for line in ["METHOD:CANCEL", "STATUS:CANCELLED", "UID:event-r7@lists.example.org", "SEQUENCE:2"] {
            assert!(part.text.contains(&format!("\r\n{line}\r\n")), "{line}");
        }
    }

    #[test]
    fn lines_are_folded_without_splitting_a_character() {
        for length in 60..80 {
            let summary = format!("{}{}", "a".repeat(length), "åäö🎉".repeat(30));
            let text = CalendarEvent { summary: summary.clone(), ..event() }.to_text();
            assert!(text.split("\r\n").all(|line| line.len() <= 75));
            assert!(text.replace("\r\n ", "").contains(&format!("SUMMARY:{summary}\r\n")));
        }
    }

    #[test]
    fn a_whole_day_has_no_time() {
        let day = |d| When::Day(NaiveDate::from_ymd_opt(2017, 3, d).unwrap());
        let text = CalendarEvent { start: day(16), end: Some(day(17)), ..event() }.to_text();
        assert!(text.contains("DTSTART;VALUE=DATE:20170316\r\nDTEND;VALUE=DATE:20170317\r\n"));
    }
}
