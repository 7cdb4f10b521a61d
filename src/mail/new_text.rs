//! What a person wrote in a reply, without what they answered: quoted lines, the line that introduces them, the
//! original that Outlook puts below, signature and the mail program's own line. What is left is read by programs, so
//! nothing that we wrote ourselves may come back as their word.

use std::borrow::Cow;

/// Octets of a text that are looked at.
const MAX_TEXT: usize = 64 * 1024;
/// Octets of the line, or of the two lines, that introduce a quotation.
const MAX_INTRODUCTION: usize = 300;
/// Words with which such a line begins, and with which it ends.
const INTRODUCTION_BEGINS: [&str; 7] = ["den ", "on ", "am ", "le ", "vid ", "på ", "i en "];
const INTRODUCTION_ENDS: [&str; 9] =
    ["skrev:", "skrev följande:", "wrote:", "writes:", "schrieb:", "a écrit :", "skriver:", "følgende:", "skreiv:"];
/// Lines below which the original stands, as whole texts between dashes or as a program writes them.
const DIVIDERS: [&str; 9] = [
    "original message",
    "ursprungligt meddelande",
    "originalmeddelande",
    "ursprungligt mejl",
    "vidarebefordrat meddelande",
    "vidarebefordrat brev",
    "forwarded message",
    "opprinnelig melding",
    "oprindelig meddelelse",
];
/// The first field of an original quoted the Outlook way, and those of which one follows at once.
const FROM_LABELS: [&str; 3] = ["från:", "from:", "fra:"];
const NEXT_LABELS: [&str; 12] =
    ["skickat:", "datum:", "sent:", "date:", "till:", "to:", "ämne:", "subject:", "sendt:", "dato:", "kopia:", "cc:"];
/// What phones and free programs add.
const PROGRAM_LINES: [&str; 12] = [
    "skickat från min",
    "skickat från mitt",
    "skickat från outlook",
    "skickat från mail för",
    "sent from my",
    "sent from mail for",
    "sent from outlook",
    "hämta outlook för",
    "get outlook for",
    "skickades från",
    "skickat med",
    "sent with",
];

/// The new text of a reply: lines joined by LF, without empty ones at either end. It may be empty.
pub fn new_text(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if is_quoted(line) {
            at += 1;
            continue;
        }
        if ends_everything(&lines, at) {
            break;
        }
        if let Some(length) = introduction(&lines, at) {
            let after = lines[at + length..].iter().find(|line| !line.trim().is_empty());
            match after {
                // A quotation with marks: what stands between and below its lines is an answer to them.
                Some(next) if is_quoted(next) => at += length,
                _ => break,
            }
            continue;
        }
        kept.push(line);
        at += 1;
    }
    kept.join("\n").trim().to_owned()
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// Whether nothing from here on was written now: a signature (RFC 3676 §4.3), a divider, an original's own fields.
fn ends_everything(lines: &[&str], at: usize) -> bool {
    let line = lines[at].trim();
    if lines[at] == "--" || line == "-- " || (line == "--" && at > 0) {
        return true;
    }
    // Outlook's rule above the original; a short row of underscores is a blank of a form.
    if line.len() >= 20 && line.bytes().all(|octet| octet == b'_') {
        return true;
    }
    if line.len() > MAX_INTRODUCTION {
        return false;
    }
    let lower = plain(line);
    if PROGRAM_LINES.iter().any(|begin| lower.starts_with(begin)) && lower.split_whitespace().count() <= 9 {
        return true;
    }
    let inner = lower.trim_matches(|c: char| c == '-' || c == '_' || c == '=' || c.is_whitespace());
    if lower.starts_with("--") && DIVIDERS.contains(&inner) {
        return true;
    }
    let starts = |text: &str, all: &[&str]| all.iter().any(|begin| text.starts_with(begin));
    let mut next = lines[at + 1..].iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    starts(&lower, &FROM_LABELS) && next.next().is_some_and(|line| starts(&plain(near(line)), &NEXT_LABELS))
}

/// How many lines introduce a quotation here: "Den 3 mars 2027 kl. 9.12 skrev Press <press@…>:", in one line or two.
fn introduction(lines: &[&str], at: usize) -> Option<usize> {
    let first = lines[at].trim();
    (1..=3).find(|length| {
        let Some(these) = lines.get(at..at + length) else { return false };
        if these.iter().any(|line| line.len() > MAX_INTRODUCTION || line.trim().is_empty()) {
            return false;
        }
        let joined = these.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        joined.len() <= MAX_INTRODUCTION && is_introduction(first, &joined)
    })
}

fn is_introduction(first: &str, joined: &str) -> bool {
    let lower = plain(joined);
    if !lower.ends_with(':') {
        return false;
    }
    let ends = INTRODUCTION_ENDS.iter().any(|end| lower.ends_with(end));
    let dated = joined.chars().any(|c| c.is_ascii_digit());
    // "Den tors 4 mars 2027 kl 09:12 skrev Press <press@example.org>:": the verb stands in the middle.
    let inside = [" skrev ", " wrote ", " schrieb ", " skrev: "].iter().any(|verb| lower.contains(verb));
    let begins = INTRODUCTION_BEGINS.iter().any(|begin| plain(first).starts_with(begin))
        || first.chars().next().is_some_and(|c| c.is_ascii_digit());
    (ends && (dated || joined.contains('@'))) || (inside && dated && (begins || joined.contains('@')))
}

/// Lower case, without the marks of bold text and with plain spaces.
fn plain(line: &str) -> String {
    line.to_lowercase().replace('\u{a0}', " ").replace('*', "").trim().to_owned()
}

fn near(line: &str) -> &str {
    &line[..line.floor_char_boundary(MAX_INTRODUCTION)]
}

/// Lines of `text` joined where a mail program only broke them: a line goes on in the next one when that begins with
/// a small letter.
pub fn unwrapped(text: &str) -> Vec<Cow<'_, str>> {
    let mut out: Vec<Cow<'_, str>> = Vec::new();
    for line in text.lines().map(str::trim) {
        let goes_on = line.chars().next().is_some_and(char::is_lowercase);
        match out.last_mut() {
            Some(last) if goes_on && !last.is_empty() && !last.ends_with(['.', '!', '?', ':']) => {
                let joined = last.to_mut();
                joined.push(' ');
                joined.push_str(line);
            }
            _ => out.push(Cow::Borrowed(line)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_now_is_left() {
        let quoted = "Jag kan tyvärr inte.\n\nKarin\n";
        let below = [
            "Den tors 4 mars 2027 kl 09:12 skrev Exempelförbundet <media@lists.example.org>:\n> Välkommen! Jag kommer.",
            "Den tors 4 mars 2027 kl 09:12 skrev Exempelförbundet <\nmedia@lists.example.org>:\n\n> Jag kommer.",
            "On Thu, 4 Mar 2027 at 09:12, Example Union <media@lists.example.org> wrote:\nI will attend.",
            "4 mars 2027 kl. 09:12 skrev Press <press@example.org>:\n\nJag kommer.",
            "-----Ursprungligt meddelande-----\nFrån: Press\nJag kommer.",
            "Från: Exempelförbundet <media@lists.example.org>\nSkickat: den 4 mars 2027 09:12\nJag kommer.",
            "*From:* Example Union <media@lists.example.org>\n*Sent:* Thursday\nI will attend.",
            "________________________________\nFrån: Press\nJag kommer.",
            "-- \nKarin Ek, jag kommer alltid",
            "Skickat från min iPhone\n\nJag kommer.",
            "Get Outlook for iOS\nI will attend.",
        ];
        for rest in below {
            assert_eq!(new_text(&format!("{quoted}\n{rest}\n")), quoted.trim(), "{rest}");
        }
    }

    #[test]
    fn answers_below_and_between_quoted_lines_stay() {
        let text = "On 4 March 2027, Press <press@example.org> wrote:\r\n> Please tell us.\r\n\r\nYes, I will attend.\r\n\
            > Deadline\r\nThanks";
        assert_eq!(new_text(text), "\nYes, I will attend.\nThanks".trim());
    }

    #[test]
    fn ordinary_lines_are_no_introductions() {
        for text in
            ["Den som skrev inbjudan ska ha tack:\njag kommer", "On Thursday I will attend:\n10 o'clock", "a: b"]
        {
            assert_eq!(new_text(text), text);
        }
    }

    #[test]
    fn hard_broken_lines_are_joined() {
        assert_eq!(unwrapped("Jag kan tyvärr\ninte komma\nKarin"), ["Jag kan tyvärr inte komma", "Karin"]);
    }
}
