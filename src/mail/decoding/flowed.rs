//! Flowed text (RFC 3676): removes soft line breaks, so that a sentence is one line again.

/// The text of a `text/plain; format=flowed` part without its soft line breaks (RFC 3676 §4). A line that ends in a
/// space continues in the next of the same quotation depth; with `delete_space` (`delsp=yes`) that space was added by
/// the sender's program and is removed. Line ends become LF. The signature separator, `-- `, stays a separate line
/// (§4.3).
pub(crate) fn unflowed(text: &str, delete_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // Depth of the line to be continued, if there is one.
    let mut goes_on: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = &line[depth..];
        // §4.4: one space was added before content that begins with a space, `From ` or `>`.
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_separator = content == "-- ";
        if goes_on != Some(depth) || is_separator {
            if goes_on.is_some() {
                out.push('\n');
            }
            out.push_str(&line[..depth]);
            if depth > 0 && !content.is_empty() {
                out.push(' ');
            }
        }
        let flows = content.ends_with(' ') && !is_separator;
        out.push_str(if flows && delete_space { &content[..content.len() - 1] } else { content });
        goes_on = flows.then_some(depth);
        if !flows {
            out.push('\n');
        }
    }
    if goes_on.is_some() {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_line_breaks_are_undone_and_hard_ones_stay() {
        for (given, delete_space, expected) in [
            ("Jag kommer \r\ninte.\r\n\r\nMvh\r\nEva\r\n", false, "Jag kommer inte.\n\nMvh\nEva\n"),
            ("av \nanmälan\n", true, "avanmälan\n"),
            ("Jag  \nkommer\n", true, "Jag kommer\n"),
            ("Ja.\n> Kommer \n> du?\n>\n>> Hej \n> då\n", false, "Ja.\n> Kommer du?\n>\n>> Hej \n> då\n"),
            ("Ja \n> Kommer du?\n", false, "Ja \n> Kommer du?\n"),
            (" From Eva\n  indragen\n >inte citat\n", false, "From Eva\n indragen\n>inte citat\n"),
            ("Ja. \n-- \nEva\n", false, "Ja. \n-- \nEva\n"),
            ("slut ", false, "slut \n"),
            ("", false, ""),
            ("\n\n", true, "\n\n"),
        ] {
            assert_eq!(unflowed(given, delete_space), expected, "{given:?}");
        }
    }
}
