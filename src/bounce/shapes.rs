//! The shapes in which servers put a diagnosis next to an address. Only one shape is used in a message, the most
//! reliable it has: a program formats all its recipients alike.

use super::address::{self, Found};
use super::diagnosis::{code_at, reply_code};
use super::lines::{Line, Text};
use super::wording::Wording;

/// Maximum number of recipients read from one message.
const MAX_CANDIDATES: usize = 500;
/// Maximum number of lines of a diagnosis.
const MAX_REASON: usize = 30;

/// The shapes, the most reliable first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// `<address>: reason`, at the beginning of a line: Postfix, qmail, and many others.
    Headed,
    /// The address alone on its line, with any reason below it: Exim, sendmail, Gmail, Exchange.
    Alone,
    /// RCPT TO with the address, then a refusal: session transcripts.
    Session,
    /// Words before a recipient's address: "Unknown user: address".
    Led,
    /// An SMTP refusal that contains the address.
    Quoted,
}

/// An address that may be a recipient's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its address.
    pub address: String,
    /// The shape in which it was found.
    pub shape: Shape,
    /// Other addresses in the same failure: from before an expansion or forwarding.
    pub also: Vec<String>,
    /// The text next to it.
    pub reason: String,
}

impl Candidate {
    /// Creates a candidate of this shape, without address and reason.
    pub(super) fn new(shape: Shape) -> Self {
        Self { address: String::new(), shape, also: Vec::new(), reason: String::new() }
    }

    /// Whether the address is in a form or a transcript, and not in a sentence.
    pub(super) fn is_labelled(&self) -> bool {
        let before = self.reason.split(self.address.as_str()).next().unwrap_or_default();
        let has_label = before.trim_end_matches([' ', '\t', '<', '"', '\'', '[']).ends_with(':');
        self.shape == Shape::Session || self.shape == Shape::Led && has_label
    }
}

/// The candidates of the most reliable shape in the text.
pub(super) fn find(text: &Text, wording: &Wording) -> Vec<Candidate> {
    let lines = text.lines();
    let addresses: Vec<Vec<Found>> =
        lines.iter().map(|line| if line.text.contains('@') { address::find(&line.text) } else { Vec::new() }).collect();
    if addresses.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    let headed = at_line_starts(lines, &addresses, wording);
    let sure = |shape: Shape| headed.iter().filter(move |one| one.shape == shape).cloned().collect::<Vec<_>>();
    let ways: [&dyn Fn() -> Vec<Candidate>; 4] = [
        &|| sure(Shape::Headed),
        &|| sure(Shape::Alone),
        &|| {
            let (sessions, replies) = (in_sessions(lines, &addresses), in_replies(lines, &addresses, wording));
            // A transcript with more addresses than sessions contains more information.
            if replies.len() > sessions.len() && !sessions.is_empty() { replies } else { sessions }
        },
        &|| {
            // A refusal may contain an address that the words above it do not, e.g. one after a forwarding.
            let mut led = after_words(lines, &addresses, wording);
            led.extend(in_replies(lines, &addresses, wording));
            led
        },
    ];
    let mut offices = Vec::new();
    for way in ways {
        let mut found = way();
        found.truncate(MAX_CANDIDATES);
        if found.iter().any(|one| !address::is_office(&one.address)) {
            found.retain(|one| !address::is_office(&one.address));
            return found;
        }
        if offices.is_empty() {
            offices = found;
        }
    }
    // An office can also be the recipient, but only if there is no other address.
    offices
}

/// Lines that begin with an address.
fn at_line_starts(lines: &[Line], addresses: &[Vec<Found>], wording: &Wording) -> Vec<Candidate> {
    let mut found: Vec<(usize, Candidate)> = Vec::new();
    // Whether a recipient's lines continue, of which only the first is not indented.
    let mut goes_on = false;
    for (number, line) in lines.iter().enumerate() {
        goes_on &= line.is_indented && !line.text.is_empty();
        if goes_on {
            continue;
        }
        if let Some(address) = undisclosed(&lines[number..], wording) {
            found.push((number, Candidate { address, ..Candidate::new(Shape::Alone) }));
            continue;
        }
        let Some(first) = addresses[number].first().filter(|first| begins(&line.text, first)) else { continue };
        if is_elsewhere(lines, number, wording) {
            continue;
        }
        let after = line.text[first.end..].trim_start_matches(['>', ']', ')', '\'', '"', '*']).trim();
        let shape = match after.chars().next() {
            Some(':') => Shape::Headed,
            Some('-' | '\u{2013}' | '=') if after.len() > 3 && after[1..].starts_with([' ', '-']) => Shape::Headed,
            None | Some('(' | '<' | ',' | ';' | '.' | '[' | '-' | '|') => Shape::Alone,
            Some(_) if wording.begins_remark(&after.to_lowercase()) => Shape::Alone,
            _ => continue,
        };
        let reason = after.trim_start_matches([':', '-', '.', ',', ';']).trim().to_owned();
        found.push((number, Candidate { address: first.address.clone(), reason, ..Candidate::new(shape) }));
        goes_on = !line.is_indented;
        // Some write several on a line, with commas.
        for more in addresses[number].iter().skip(1).filter(|_| shape == Shape::Alone && is_list(&line.text)) {
            found.push((number, Candidate { address: more.address.clone(), ..Candidate::new(shape) }));
        }
    }
    let starts: Vec<usize> = found.iter().map(|(number, _)| *number).collect();
    let mut candidates = Vec::new();
    for (index, (number, mut candidate)) in found.into_iter().enumerate() {
        let until = starts[index + 1..].iter().find(|next| **next > number).copied().unwrap_or(lines.len());
        append_block(&mut candidate.reason, &lines[number + 1..until]);
        // Either of the two may be the one that we sent to.
        let alias = alias_in(&candidate.reason, &candidate.address, wording);
        candidate.also.extend(alias.clone());
        let (also, shape, reason) = (vec![candidate.address.clone()], candidate.shape, candidate.reason.clone());
        candidates.push(candidate);
        candidates.extend(alias.map(|address| Candidate { address, shape, also, reason }));
    }
    candidates
}

/// The address from which an undisclosed one was generated (Exim), if the first of these lines mentions one.
fn undisclosed(lines: &[Line], wording: &Wording) -> Option<String> {
    let first = lines.first()?;
    if !wording.undisclosed.iter().any(|words| first.lower.contains(words.as_str())) {
        return None;
    }
    let near = lines.iter().take(3).map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
    alias_in(&near, "", wording)
}

/// The address before an expansion, which servers put in brackets next to or below the other: `(expanded from: <a>)`.
fn alias_in(reason: &str, other: &str, wording: &Wording) -> Option<String> {
    let lower = reason.to_ascii_lowercase();
    let after = wording.alias.iter().filter_map(|words| Some(lower.find(words.as_str())? + words.len())).min()?;
    let rest = reason.get(after..)?;
    let rest = &rest[..rest.find(')').unwrap_or(rest.len())];
    rest.lines().take(2).find_map(address::first).filter(|alias| !address::same(alias, other))
}

/// Whether only brackets, bullets and numbers precede the address.
fn begins(line: &str, first: &Found) -> bool {
    let before = &line[..first.start];
    // A number is a bullet, three digits are a reply code.
    let digits = before.chars().filter(char::is_ascii_digit).count();
    before.len() < 8
        && digits < 3
        && before.chars().all(|c| "<[('\"*-\u{2022}\u{b7}>.): \t".contains(c) || c.is_ascii_digit())
        || before.contains("dda:") && before.contains('=')
        || ["rfc822;", "rfc822:", "smtp:", "smtp"].iter().any(|kind| before.trim().eq_ignore_ascii_case(kind))
}

/// Whether the end of the line before shows that the address at the line's beginning is not a recipient.
fn is_elsewhere(lines: &[Line], number: usize, wording: &Wording) -> bool {
    let Some(before) = number.checked_sub(1).map(|before| lines[before].lower.as_str()) else { return false };
    let ends_sentence = before.is_empty() || before.ends_with([':', '.', '!', '-', '=', ')', ';']);
    let tail = &before[before.ceil_char_boundary(before.len().saturating_sub(60))..];
    !ends_sentence && wording.leads_elsewhere(tail)
}

fn is_list(line: &str) -> bool {
    line.split([',', ';']).filter(|item| !item.trim().is_empty()).all(|item| item.contains('@'))
}

/// Adds the lines of a reason: up to the first empty line after some text.
fn append_block(reason: &mut String, lines: &[Line]) {
    let (mut said, mut empty) = (!reason.is_empty(), 0);
    for line in lines.iter().take(MAX_REASON) {
        let is_rule = line.text.chars().all(|c| !c.is_alphanumeric());
        if is_rule {
            empty += 1;
            if said || empty > 1 {
                break;
            }
            continue;
        }
        // After a heading by the server, another topic begins.
        if line.text.starts_with("----") || said && line.text.starts_with("--- ") {
            break;
        }
        said = true;
        reason.push('\n');
        reason.push_str(&line.text);
    }
}

/// RCPT TO, followed by a refusal within a few lines.
fn in_sessions(lines: &[Line], addresses: &[Vec<Found>]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(at) = line.lower.find("rcpt to") else { continue };
        let Some(one) = addresses[number].iter().find(|one| one.start >= at && is_same_length(line)) else { continue };
        let replies = lines[number + 1..].iter().take(4).take_while(|line| !line.lower.contains("rcpt to"));
        let mut reply: Vec<&str> =
            replies.filter(|line| reply_code(&line.text).is_some()).map(|l| l.text.as_str()).collect();
        if reply.is_empty() {
            // A summary has the reply first.
            let before = lines[number.saturating_sub(12)..number].iter().rev();
            reply.extend(before.map(|line| line.text.as_str()).find(|line| reply_code(line).is_some()));
        }
        if !reply.is_empty() {
            let reason = format!("RCPT TO: {}", reply.join("\n"));
            found.push(Candidate { address: one.address.clone(), reason, ..Candidate::new(Shape::Session) });
        }
    }
    found
}

/// Whether positions in the line and in its lower case correspond.
fn is_same_length(line: &Line) -> bool {
    line.text.len() == line.lower.len()
}

/// Words for a recipient, directly before the address.
fn after_words(lines: &[Line], addresses: &[Vec<Found>], wording: &Wording) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        for one in &addresses[number] {
            let before = line.text[..one.start].trim_end_matches(['<', '\'', '"', '[', '(', ' ']).to_lowercase();
            let context = match before.is_empty() {
                true if number > 0 => lines[number - 1].lower.clone(),
                _ => before,
            };
            let near = &context[context.ceil_char_boundary(context.len().saturating_sub(50))..];
            // A label identifies the address, whatever the sentence before it was about.
            let near = if near.trim_end().ends_with(':') { label(near) } else { near };
            let is_alias = wording.alias.iter().any(|words| near.trim_end().ends_with(words.as_str()));
            if !wording.leads_to_recipient(&context) || wording.leads_elsewhere(near) && !is_alias {
                continue;
            }
            if found.iter().any(|other| address::same(&other.address, &one.address)) {
                continue;
            }
            let mut reason = line.text.clone();
            append_block(&mut reason, &lines[number + 1..]);
            found.push(Candidate { address: one.address.clone(), reason, ..Candidate::new(Shape::Led) });
            break;
        }
    }
    found
}

/// The last two words of a text that ends with a colon.
fn label(text: &str) -> &str {
    let words = text.trim_end();
    let start = words.rmatch_indices(' ').nth(1).map_or(0, |(at, _)| at + 1);
    &words[start..]
}

/// A refusal that contains the address.
fn in_replies(lines: &[Line], addresses: &[Vec<Found>], wording: &Wording) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut before = String::new();
    for (number, line) in lines.iter().enumerate() {
        let bytes = line.text.as_bytes();
        let code = memchr::memchr2_iter(b'4', b'5', bytes).find(|at| code_at(bytes, *at).is_some());
        let Some(code) = code else { continue };
        let quoted = addresses[number].iter().find(|one| {
            let words = line.text.get(code..one.start).unwrap_or_default().to_lowercase();
            one.start > code && !wording.leads_elsewhere(&words)
        });
        match quoted {
            Some(one) => {
                let is_new = !found.iter().any(|other| address::same(&other.address, &one.address));
                let reason = format!("{}\n{before}", line.text);
                if is_new {
                    found.push(Candidate { address: one.address.clone(), reason, ..Candidate::new(Shape::Quoted) });
                }
                before.clear();
            }
            None if before.len() < 1000 => {
                before.push_str(&line.text);
                before.push('\n');
            }
            None => {}
        }
    }
    found
}

/// The only address in the text that cannot belong to another party, in whatever form.
pub(super) fn only(text: &Text, wording: &Wording, is_other: impl Fn(&str) -> bool) -> Option<Candidate> {
    let mut only: Option<Candidate> = None;
    for (number, line) in text.lines().iter().enumerate().filter(|(_, line)| line.text.contains('@')) {
        for one in address::find(&line.text) {
            let before = line.text[..one.start].to_lowercase();
            let near = &before[before.ceil_char_boundary(before.len().saturating_sub(50))..];
            if address::is_office(&one.address) || is_other(&one.address) || wording.leads_elsewhere(near) {
                continue;
            }
            match &only {
                Some(other) if !address::same(&other.address, &one.address) => return None,
                Some(_) => {}
                None => {
                    let mut reason = line.text.clone();
                    append_block(&mut reason, &text.lines()[number + 1..]);
                    only = Some(Candidate { address: one.address, reason, ..Candidate::new(Shape::Quoted) });
                }
            }
        }
    }
    only
}
