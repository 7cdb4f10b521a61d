//! The fields of machine-readable reports (RFC 3464 §2.1, RFC 5965 §3.1): groups of `Name: value` separated by empty
//! lines, parsed tolerantly, because many are written by hand.

use super::address;

/// Maximum number of fields read in one report.
const MAX_FIELDS: usize = 5000;
/// Maximum bytes of one value.
const MAX_VALUE: usize = 4000;

/// One group of fields, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group(Vec<(String, String)>);

impl Group {
    /// The first field of this name, in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All fields of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    fn has_recipient(&self) -> bool {
        ["final-recipient", "original-recipient", "x-actual-recipient"].iter().any(|name| self.get(name).is_some())
    }
}

/// The groups of a report. A group ends at an empty line, and where a field is repeated that occurs once per group.
pub(super) fn groups(text: &str) -> Vec<Group> {
    let (mut groups, mut group, mut count) = (Vec::new(), Group::default(), 0);
    for line in text.lines() {
        if count >= MAX_FIELDS {
            break;
        }
        if line.trim().is_empty() {
            close(&mut groups, &mut group);
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.0.last_mut().filter(|(_, value)| value.len() < MAX_VALUE) {
                value.push('\n');
                value.push_str(line.trim());
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            // A value that was wrapped without a space continues.
            if let Some((_, last)) = group.0.last_mut().filter(|(_, last)| last.len() < MAX_VALUE) {
                last.push('\n');
                last.push_str(line.trim());
            }
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        let again = ["final-recipient", "action", "status"].contains(&name.as_str()) && group.get(&name).is_some();
        if again {
            close(&mut groups, &mut group);
        }
        count += 1;
        let value = &value[..value.floor_char_boundary(MAX_VALUE)];
        group.0.push((name, value.trim().to_owned()));
    }
    close(&mut groups, &mut group);
    groups
}

fn close(groups: &mut Vec<Group>, group: &mut Group) {
    if group.0.is_empty() {
        return;
    }
    let closed = std::mem::take(group);
    // A superfluous empty line splits a recipient's group in two.
    let is_rest = !closed.has_recipient() && (closed.get("action").is_some() || closed.get("status").is_some());
    match groups.last_mut().filter(|last: &&mut Group| is_rest && last.has_recipient() && last.get("action").is_none())
    {
        Some(last) => last.0.extend(closed.0),
        None => groups.push(closed),
    }
}

/// The address in a recipient field (RFC 3464 §2.3.1, §2.3.2): without its type, and decoded by RFC 6533 §3.
pub(super) fn address_of(field: &str) -> Option<String> {
    let (kind, value) = field.split_once(';').unwrap_or(("rfc822", field));
    let kind = kind.trim().to_ascii_lowercase();
    if kind == "x400" || kind == "x-unix" {
        return None;
    }
    match kind == "utf-8" && value.contains("\\x{") {
        true => address::first(&decoded(value)),
        false => address::first(value),
    }
}

/// Decodes `utf-8-addr-xtext` and `utf-8-addr-unitext` (RFC 6533 §3): `\x{E5}` is å.
fn decoded(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find("\\x{") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 3..];
        let Some(end) = after.find('}').filter(|end| *end <= 6) else {
            out.push_str(&rest[at..at + 3]);
            rest = after;
            continue;
        };
        let character = u32::from_str_radix(&after[..end], 16).ok().and_then(char::from_u32);
        out.extend(character.filter(|c| !c.is_control()));
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    out
}
