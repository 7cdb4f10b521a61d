//! The final layout of a text part: lines of at most 72 columns, flowed within paragraphs (RFC 3676).
//!
//! A line that begins at the margin is a paragraph: each of its lines ends with a space, so that a mail program may
//! reflow it to its own width. A line that is indented, quoted or begins with a list marker is wrapped with a hanging
//! indent, without flowing.

/// Maximum columns of a line, without what flowing adds (RFC 3676 §4.2 recommends 78 or fewer).
pub(crate) const COLUMNS: usize = 72;

/// The width of a line in characters; wide East Asian ones count as one.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Wraps and flows a whole text. Line ends become LF; runs of empty lines become one; it ends with one line end.
pub(crate) fn flow(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 60);
    let mut empty = true;
    for line in text.lines() {
        let line = line.trim_end_matches([' ', '\t', '\r']);
        if line.is_empty() {
            if !empty {
                out.push('\n');
            }
            empty = true;
            continue;
        }
        empty = false;
        push_line(&mut out, line);
    }
    let end = out.trim_end_matches('\n').len();
    out.truncate(end);
    out.push('\n');
    out
}

fn push_line(out: &mut String, line: &str) {
    let lead = hanging(line);
    let (mut rest, mut indent) = (line, String::new());
    loop {
        let room = COLUMNS - width(&indent);
        let from = if indent.is_empty() { lead } else { 0 };
        let at = if width(rest) <= room { rest.len() } else { break_at(rest, room, from) };
        let (now, later) = rest.split_at(at);
        let now = format!("{indent}{}", now.trim_end_matches(' '));
        // RFC 3676 §4.4: the reader removes this space.
        if now.starts_with([' ', '>']) || now.starts_with("From ") {
            out.push(' ');
        }
        out.push_str(&now);
        rest = later.trim_start_matches(' ');
        if rest.is_empty() {
            return out.push('\n');
        }
        out.push_str(if lead == 0 { " \n" } else { "\n" });
        indent = " ".repeat(lead);
    }
}

/// Indentation of continuation lines, in columns: 0 for a paragraph.
fn hanging(line: &str) -> usize {
    let blanks = width(line) - width(line.trim_start_matches(' '));
    let rest = &line.trim_start_matches(' ');
    let marker = ["* ", "- ", "> "].iter().find(|m| rest.starts_with(*m)).map_or_else(|| number(rest), |m| m.len());
    (blanks + marker).min(COLUMNS / 2)
}

/// The width of `12. ` or `[12] `.
fn number(text: &str) -> usize {
    let (text, bracket) = text.strip_prefix('[').map_or((text, 0), |t| (t, 1));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let close = if bracket == 1 { "] " } else { ". " };
    if (1..=3).contains(&digits) && text[digits..].starts_with(close) { bracket + digits + 2 } else { 0 }
}

/// Where to break: after the last space within `room` columns, or after the first one behind them. Never before
/// column `from`, and never at U+00A0.
fn break_at(text: &str, room: usize, from: usize) -> usize {
    let mut best = None;
    for (column, (at, c)) in text.char_indices().enumerate() {
        if column > room && best.is_some() {
            break;
        }
        if c == ' ' && column >= from.max(1) {
            best = Some(at);
            if column > room {
                break;
            }
        }
    }
    best.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3676 §4: the text as a reader restores it.
    fn unflow(text: &str) -> String {
        let mut out = String::new();
        for line in text.lines() {
            let line = line.strip_prefix(' ').unwrap_or(line);
            out.push_str(line);
            if !line.ends_with(' ') || line == "-- " {
                out.push('\n');
            }
        }
        out
    }

    #[test]
    fn a_paragraph_flows_and_comes_back_whole() {
        let text = format!("{}slut\n\nFrom början\n>nej\n", "räksmörgås ".repeat(30));
        let flowed = flow(&text);
        assert!(flowed.lines().all(|l| width(l.trim_end()) <= COLUMNS + 1), "{flowed}");
        assert!(flowed.contains("\n From början\n >nej\n"), "{flowed}");
        assert_eq!(unflow(&flowed), text);
    }

    #[test]
    fn what_is_indented_hangs() {
        let flowed = flow(&format!("* {}\n12. {}\n   {}\n", "ord ".repeat(30), "ord ".repeat(30), "ord ".repeat(30)));
        let lines: Vec<&str> = flowed.lines().collect();
        assert!(lines[0].starts_with("* ord") && lines[1].starts_with("   ord"), "{flowed}");
        assert!(lines.iter().all(|l| !l.ends_with(' ') && width(l) <= COLUMNS + 1), "{flowed}");
        assert!(lines.contains(&"    ord ord ord ord ord ord ord ord ord ord ord ord ord"), "{flowed}");
    }

    #[test]
    fn long_words_and_fixed_spaces_are_not_broken() {
        let link = format!("https://example.org/{}", "a".repeat(100));
        assert_eq!(flow(&format!("Se {link} nu\n")), format!("Se \n{link} \nnu\n"));
        let fixed = format!("{} 070-174\u{a0}06\u{a0}05\n", "x".repeat(60));
        assert_eq!(flow(&fixed), format!("{} \n070-174\u{a0}06\u{a0}05\n", "x".repeat(60)));
    }

    #[test]
    fn empty_lines_are_never_two() {
        assert_eq!(flow("\n\na\n\n \n\nb\n\n\n"), "a\n\nb\n");
    }
}
