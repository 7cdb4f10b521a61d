//! Rules about contacts and boilerplate.

use std::collections::BTreeMap;

use super::{Finding, Subject};
use crate::model::contact::ContactRole;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    contacts(subject, findings);
    phones(subject, findings);
    boilerplate(subject, findings);
}

fn contacts(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if subject.release.press_contacts().next().is_none() {
        findings.push(subject.warning(("no-press-contact", "none"), "contacts", &[]));
    }
    for (index, named) in subject.release.contacts.iter().enumerate() {
        let contact = &named.contact;
        if named.role == ContactRole::Press && contact.phones.is_empty() && contact.email.is_none() {
            let (text, values) = (("unreachable-contact", "contact"), [("name", contact.name.as_str())]);
            findings.push(subject.warning(text, format!("contacts[{index}]"), &values));
        }
    }
}

fn phones(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (index, named) in subject.release.contacts.iter().enumerate() {
        for phone in &named.contact.phones {
            let key = format!("contacts[{index}].phones");
            if phone.e164.is_none() {
                let values = [("phone", phone.printed.as_str())];
                findings.push(subject.warning(("phone", "not-dialled"), key.clone(), &values));
            }
            if let Some((text, count)) = phone.e164.as_deref().and_then(wrong_digits) {
                let count = count.to_string();
                let values = [("phone", phone.printed.as_str()), ("count", &count)];
                findings.push(subject.warning(("phone-digits", text), key.clone(), &values));
            }
            let number = phone.e164.as_ref().unwrap_or(&phone.printed).clone();
            match owners.insert(number, &named.contact.name) {
                Some(other) if other != named.contact.name => {
                    let values = [("other", other), ("name", &named.contact.name), ("phone", &phone.printed)];
                    findings.push(subject.warning(("same-phone", "two"), key, &values));
                }
                _ => {}
            }
        }
    }
}

/// The fault of a Swedish number with too few or too many digits, and how many it has, counted with its leading zero
/// (PTS, telefoninummerplanen). Numbers of other countries are not known.
fn wrong_digits(e164: &str) -> Option<(&'static str, usize)> {
    let national = e164.strip_prefix("+46")?;
    let count = national.len() + 1;
    if national.starts_with(['1', '2', '3', '4', '5', '6', '8', '9']) || national.starts_with("77") {
        return (!(8..=10).contains(&count)).then_some(("landline", count));
    }
    let is_mobile = ["70", "72", "73", "76", "79"].iter().any(|prefix| national.starts_with(prefix));
    (is_mobile && count != 10).then_some(("mobile", count))
}

fn boilerplate(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (index, text) in subject.release.boilerplates.iter().enumerate() {
        let newest = subject.context.book.newest_boilerplate(&text.organisation, &text.language);
        let Some(newest) = newest.filter(|newest| newest.revision > text.revision && text.revision > 0) else {
            continue;
        };
        let (given, newest) = (text.revision.to_string(), newest.revision.to_string());
        let values = [("given", given.as_str()), ("newest", &newest)];
        findings.push(subject.warning(("old-boilerplate", "old"), format!("boilerplate[{index}]"), &values));
    }
}
