//! Collects a relay's replies line by line until they are complete (RFC 5321 §4.2.1), and normalises them so that
//! lettre's parser accepts them without losing any text:
//!
//! - text that is not UTF-8 becomes readable, a bare LF ends a line, a lone `250` gets its space;
//! - a line without a code inside a reply is text of that reply;
//! - a code such as 571, which lettre's parser does not know, becomes 550 with ` (571)` after its text;
//! - what is not a valid reply (no code, a code such as 600, codes that differ from line to line) becomes a 451 with
//!   the relay's text in it: the command is retried later, and the connection is not used any more.

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::response::Response;

use crate::model::reply::Reply;

/// Maximum bytes of a reply line; the rest is cut: RFC 5321 §4.5.3.1.5 allows 512 bytes, lettre accepts 1,000.
const MAX_LINE: usize = 900;
/// Maximum number of lines kept of a reply.
const MOST_LINES: usize = 40;
/// The beginning of the 451 that replaces an invalid reply.
pub(super) const GARBLED: &str = "the relay gave no proper SMTP reply";

/// An incomplete reply.
#[derive(Debug, Default)]
pub(super) struct Collector {
    lines: Vec<String>,
    codes: Vec<[u8; 3]>,
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// In a form that lettre accepts.
    Proper(String),
    /// Not a valid SMTP reply.
    Garbled {
        /// Its text.
        words: String,
        /// Whether it has codes, all of them refusals: then nothing was accepted.
        is_refusal: bool,
    },
}

impl Collector {
    /// Adds a line without its LF; returns the reply after its last line.
    pub(super) fn push(&mut self, line: &[u8]) -> Option<Whole> {
        let code = code_of(line);
        let goes_on = match code {
            Some(code) => {
                if !self.codes.contains(&code) {
                    self.codes.push(code);
                }
                line.get(3) == Some(&b'-')
            }
            None => !self.codes.is_empty(),
        };
        if self.lines.len() < MOST_LINES || !goes_on {
            let line = String::from_utf8_lossy(line.trim_ascii_end());
            self.lines.push(cut(&line).to_owned());
        }
        (!goes_on).then(|| std::mem::take(self).whole())
    }

    fn whole(self) -> Whole {
        match self.codes.as_slice() {
            [code] if (b'2'..=b'5').contains(&code[0]) => {
                let code = String::from_utf8_lossy(code).into_owned();
                let last = self.lines.len() - 1;
                let line = |(number, line): (usize, &String)| normalised(&code, line, number < last);
                Whole::Proper(self.lines.iter().enumerate().map(line).collect())
            }
            codes => {
                let is_refusal = !codes.is_empty() && codes.iter().all(|code| matches!(code[0], b'4' | b'5'));
                Whole::Garbled { words: self.lines.join(" / "), is_refusal }
            }
        }
    }
}

/// The code at the beginning of a line: exactly three digits.
fn code_of(line: &[u8]) -> Option<[u8; 3]> {
    let code: &[u8; 3] = line.first_chunk()?;
    let is_code = code.iter().all(u8::is_ascii_digit) && !line.get(3).is_some_and(u8::is_ascii_digit);
    is_code.then_some(*code)
}

/// A line of a reply with this code, with CRLF.
fn normalised(code: &str, line: &str, goes_on: bool) -> String {
    let rest = line.strip_prefix(code).unwrap_or(line);
    let text = rest.strip_prefix([' ', '-', '\t']).unwrap_or(rest);
    let separator = if goes_on { '-' } else { ' ' };
    match code.as_bytes().get(1) {
        Some(b'0'..=b'5') => format!("{code}{separator}{text}\r\n"),
        _ => format!("{}50{separator}{text} ({code})\r\n", &code[..1]),
    }
}

/// A line as readable text.
pub(super) fn readable(line: &[u8]) -> String {
    cut(&String::from_utf8_lossy(line.trim_ascii_end())).to_owned()
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_LINE)]
}

/// The reply in an error from lettre, if there is one.
pub(super) fn refusal(error: &SmtpError) -> Option<Reply> {
    let code = error.status()?;
    Some(Reply::new(code.into(), &cause(error)))
}

/// The cause in an error from lettre, without lettre's prefix.
pub(super) fn cause(error: &SmtpError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Converts a positive reply.
pub(super) fn reply(response: &Response) -> Reply {
    Reply::new(response.code().into(), &response.message().collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&[u8]]) -> Whole {
        let mut collector = Collector::default();
        let mut whole = None;
        for line in lines {
            assert_eq!(whole, None, "it ended before {line:?}");
            whole = collector.push(line);
        }
        whole.unwrap()
    }

    #[test]
    fn makes_reply_lines_well_formed() {
        let check = |line: &[u8], expected: &str| assert_eq!(read(&[line]), Whole::Proper(format!("{expected}\r\n")));
        check(b"250 OK\r", "250 OK");
        check(b"250", "250 ");
        check(b"571 5.7.1 no\r", "550 5.7.1 no (571)");
        check(b"550 f\xfcr", "550 f\u{fffd}r");
        check(b"550No such user", "550 No such user");
        check(b"550\t5.1.1 no", "550 5.1.1 no");
        check(&[b"250 ".as_slice(), &[b'x'; 5000]].concat(), &format!("250 {}", "x".repeat(896)));
        let two = read(&[b"250-SIZE 10\r", b"250-   \r", b"250 DSN"]);
        assert_eq!(two, Whole::Proper("250-SIZE 10\r\n250-\r\n250 DSN\r\n".to_owned()));
        let other = read(&[b"471-4.7.1 no\r", b"471 yes"]);
        assert_eq!(other, Whole::Proper("450-4.7.1 no (471)\r\n450 yes (471)\r\n".to_owned()));
    }

    #[test]
    fn a_line_without_code_belongs_to_its_reply() {
        let reply = read(&[b"550-5.1.1 user unknown", b"see https://help.example/", b"550 5.1.1 bye"]);
        let expected = "550-5.1.1 user unknown\r\n550-see https://help.example/\r\n550 5.1.1 bye\r\n";
        assert_eq!(reply, Whole::Proper(expected.to_owned()));
    }

    #[test]
    fn what_is_no_reply_keeps_its_words() {
        let cases: [(&[&[u8]], &str, bool); 5] = [
            (&[b"550-5.1.1 unknown", b"554 5.7.1 blocked"], "550-5.1.1 unknown / 554 5.7.1 blocked", true),
            (&[b"250-ok", b"550 no"], "250-ok / 550 no", false),
            (&[b"5.1.1 user unknown"], "5.1.1 user unknown", false),
            (&[b"600 strange"], "600 strange", false),
            (&[b""], "", false),
        ];
        for (lines, words, is_refusal) in cases {
            assert_eq!(read(lines), Whole::Garbled { words: words.to_owned(), is_refusal });
        }
    }

    #[test]
    fn a_reply_without_end_does_not_fill_the_memory() {
        let mut collector = Collector::default();
        for _ in 0..10_000 {
            assert_eq!(collector.push(b"550-and more"), None);
        }
        let Some(Whole::Proper(text)) = collector.push(b"550 end") else { panic!() };
        assert_eq!(text.lines().count(), MOST_LINES + 1);
    }
}
