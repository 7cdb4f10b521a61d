//! Every notice as its reader sees it, in each language, with sample values. `cargo insta review`, or the `.snap.new`
//! file, shows the effect of a change of wording on the whole mail.

use depesch::base::language::Language;
use serde_json::json;

use crate::support::notices::{GREETING, templates};

#[test]
fn every_mail_reads_as_it_was_last_approved() {
    let templates = templates(&GREETING).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    for (name, languages) in templates.mails().languages() {
        let (always, optional) = templates.mails().sample(&name).unwrap();
        let mut values = always.clone();
        values.extend(optional.clone());
        values.entry("list").or_insert(json!({ "title": "Exempellistan", "address": "exempel@lists.example.org",
            "owner": "exempel-owner@lists.example.org", "request": "exempel-request@lists.example.org" }));
        let whole = |tag: &String| {
            let language: Language = tag.parse().unwrap();
            let mail = templates.write_mail(&name, &[&language], values.clone()).unwrap();
            format!("[{tag}]\nSubject: {}\n\n{}\n", mail.subject, mail.text.trim_end())
        };
        let mails = languages.iter().map(whole).collect::<Vec<_>>().join("\n");
        settings.bind(|| insta::assert_snapshot!(format!("mail {name}").replace(' ', "_"), mails));
    }
}
