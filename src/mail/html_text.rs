//! HTML mail as text, for reading by programs: commands, answers and diagnoses stand on lines of their own. One pass,
//! nothing is nested, so that no input makes it slow.

/// Elements before and after which a line ends.
const BLOCKS: [&str; 22] = [
    "address",
    "article",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "p",
    "pre",
    "table",
    "title",
    "tr",
];
/// Elements whose content is no text.
const SILENT: [&str; 4] = ["script", "style", "template", "head"];
/// Named characters that mail really uses; any other stays as it is written.
const NAMED: [(&str, &str); 15] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("aring", "å"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("Aring", "Å"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("eacute", "é"),
    ("shy", ""),
    ("zwnj", ""),
];
/// The longest reference to a character that is looked for.
const REFERENCE: usize = 12;
/// The longest tag.
const TAG: usize = 64 * 1024;

/// The text of an HTML part: tags gone, a line for each block, spaces as one. What stands in angle brackets like an
/// address and not like a tag stays, because many servers forget to escape it.
pub fn html_to_text(html: &str) -> String {
    if !has_elements(html) {
        return html.to_owned();
    }
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        push_text(&mut out, &rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') { tag(&mut out, rest) } else { reference(&mut out, rest) };
    }
    push_text(&mut out, rest);
    out
}

/// Whether it is HTML at all: some programs only say so, and their line ends mean something.
fn has_elements(html: &str) -> bool {
    let octets = html.as_bytes();
    memchr::memchr_iter(b'<', octets).any(|at| {
        let rest = &octets[at + 1..];
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        let length = rest.iter().take(12).take_while(|o| o.is_ascii_alphanumeric()).count();
        let name = &rest[..length];
        let known = ["html", "body", "a", "b", "i", "span", "font", "td", "head", "center", "strong", "em", "ul", "ol"];
        let ends = rest.get(length).is_none_or(|o| matches!(o, b'>' | b'/') || o.is_ascii_whitespace());
        ends && known.iter().chain(&BLOCKS).any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
    })
}

/// Takes one tag off the beginning.
fn tag<'a>(out: &mut String, html: &'a str) -> &'a str {
    if let Some(comment) = html.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let near = &html[..html.floor_char_boundary(TAG)];
    let end = match near[1..].find(['<', '>']).map(|end| end + 1) {
        Some(end) if near[end..].starts_with('>') => end,
        _ => {
            out.push('<');
            return &html[1..];
        }
    };
    let (inside, rest) = (&html[1..end], &html[end + 1..]);
    let is_address = inside.contains('@') && !inside.contains(['=', ' ', '"']);
    if is_address {
        out.push('<');
        out.push_str(inside);
        out.push('>');
        return rest;
    }
    let name = inside.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let same = |one: &&str| one.eq_ignore_ascii_case(name);
    if BLOCKS.iter().any(same) {
        end_line(out);
    } else if ["td", "th"].iter().any(same) && !out.ends_with([' ', '\n']) {
        out.push(' ');
    } else if SILENT.iter().any(same) && !inside.starts_with('/') && !inside.ends_with('/') {
        return after_close(rest, name);
    }
    rest
}

/// What follows the closing tag of a silent element.
fn after_close<'a>(html: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = html[from..].find("</").map(|at| from + at + 2) {
        let closes = html.as_bytes().get(at..at + name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()));
        if closes {
            return html[at..].find('>').map_or("", |end| &html[at + end + 1..]);
        }
        from = at;
    }
    // An element that nothing closes silences nothing: one stray tag shall not hide the rest of a message.
    html
}

fn reference<'a>(out: &mut String, html: &'a str) -> &'a str {
    let near = &html[1..html.floor_char_boundary(REFERENCE)];
    let Some(end) = near.find(';') else {
        out.push('&');
        return &html[1..];
    };
    let name = &near[..end];
    let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok(),
        None => number.parse().ok(),
    });
    let named = NAMED.iter().find(|(one, _)| *one == name).map(|(_, text)| *text);
    match (number.and_then(char::from_u32), named) {
        (Some(character), _) => out.push(if character.is_control() { ' ' } else { character }),
        (None, Some(text)) => out.push_str(text),
        (None, None) => out.push_str(&html[..end + 2]),
    }
    &html[end + 2..]
}

fn push_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            c if c.is_whitespace() && out.ends_with([' ', '\n']) => {}
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
}

fn end_line(out: &mut String) {
    while out.ends_with(' ') {
        out.pop();
    }
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
}
