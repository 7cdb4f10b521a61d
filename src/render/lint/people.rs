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
        let fix = "write [[contacts]] with role = \"press\", or contacts = [\"id-of-the-contact-book\"]";
        let finding = Finding::warning("no-press-contact", "no press contact is named", fix);
        findings.push(finding.of("contacts").at(subject.positions.line("contacts")));
    }
    for (index, named) in subject.release.contacts.iter().enumerate() {
        let contact = &named.contact;
        if named.role == ContactRole::Press && contact.phones.is_empty() && contact.email.is_none() {
            let said = format!("{} has neither phone nor address", contact.name);
            let finding = Finding::warning("unreachable-contact", said, "write phone or email");
            findings.push(subject.place(finding, format!("contacts[{index}]")));
        }
    }
}

fn phones(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (index, named) in subject.release.contacts.iter().enumerate() {
        for phone in &named.contact.phones {
            let key = format!("contacts[{index}].phones");
            if phone.e164.is_none() {
                let said = format!("\u{201c}{}\u{201d} is not a phone number that can be dialled", phone.printed);
                let fix = "write it as 070-174 06 05, or as { printed = \"…\", e164 = \"+46…\" }";
                findings.push(subject.place(Finding::warning("phone", said, fix), key.clone()));
            }
            let number = phone.e164.as_ref().unwrap_or(&phone.printed).clone();
            match owners.insert(number, &named.contact.name) {
                Some(other) if other != named.contact.name => {
                    let said = format!("{other} and {} have the same phone, {}", named.contact.name, phone.printed);
                    let finding = Finding::warning("same-phone", said, "check whose it is");
                    findings.push(subject.place(finding, key));
                }
                _ => {}
            }
        }
    }
}

fn boilerplate(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (index, text) in subject.release.boilerplates.iter().enumerate() {
        let newest = subject.context.book.newest_boilerplate(&text.organisation, &text.language);
        let Some(newest) = newest.filter(|newest| newest.revision > text.revision && text.revision > 0) else {
            continue;
        };
        let said = format!("revision {} is old; the newest is {}", text.revision, newest.revision);
        let finding = Finding::warning("old-boilerplate", said, "leave revision out to use the newest");
        findings.push(subject.place(finding, format!("boilerplate[{index}]")));
    }
}
