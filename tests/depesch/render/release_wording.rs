//! The rules about wording, names, numbers and the time of sending, in both languages; the samples break none of them.

use std::collections::BTreeMap;

use depesch::composition::content::{CheckAgainst, Content};
use depesch::model::contact::ContactBook;
use depesch::model::release::Blob;
use depesch::render::finding::Finding;
use depesch::render::lint::FileState;
use depesch::render::source::{book::parse_book, parse};

use crate::support::samples::ALL;
use crate::support::written::Written;

fn body(language: &str, text: &str, rules: &[&str]) -> Vec<Finding> {
    Written::of("press-release", language, "", text).check(rules)
}

#[test]
fn fillers_are_found_with_their_line() {
    assert_eq!(body("sv", "Ett.\n\nXX procent, säger [namn].", &["filler"])[0].line, Some(15));
    body("en", "So says [name], chair.", &["filler"]);
    body("sv", "Storlek XXL. Se [rapporten](https://example.org).", &[]);
}

#[test]
fn doubled_words_are_found() {
    body("sv", "Vi välkomnar att att beslutet har fattats.", &["doubled-word"]);
    body("en", "We welcome the the decision.", &["doubled-word"]);
    body("sv", "Var var han, och vad är det det handlar om?", &[]);
}

#[test]
fn a_promised_attachment_is_there() {
    body("sv", "Programmet bifogas.", &["attachment-missing"]);
    body("en", "The programme is attached.", &["attachment-missing"]);
    Written::of("press-release", "sv", "[[attachments]]\nfile = \"a.pdf\"", "Programmet bifogas.").check(&[]);
}

#[test]
fn clock_times_are_written_as_in_newsrooms() {
    assert!(body("sv", "Kl. 09:30-16:00.", &["clock-form"])[0].fix.contains("9.30–16.00"));
    assert!(body("en", "At 9:30-16:00.", &["clock-form"])[0].fix.contains("9:30–16:00"));
    body("sv", "Kl. 9.30–16.00. Matchen slutade 2:1.", &[]);
    body("en", "At 9:30–16:00.", &[]);
}

#[test]
fn links_are_encrypted() {
    body("sv", "Se [rapporten](http://example.org/rapport).", &["link-not-https"]);
    Written::of("press-release", "sv", "[[links]]\ntitle = \"x\"\nurl = \"http://example.org\"", "Text.")
        .check(&["link-not-https"]);
    body("en", "See https://example.org.", &[]);
}

#[test]
fn a_name_is_spelt_in_one_way() {
    let said = body("sv", "Det säger Carin Ek, ordförande.", &["name-spelling"]);
    assert!(said[0].message.contains("Carin Ek") && said[0].message.contains("Karin Ek"), "{said:?}");
    body("sv", "Det säger Karin Ek. Karin Eks förslag bifalls. Även Maria Ek är nöjd.", &[]);
}

#[test]
fn swedish_phone_numbers_have_all_their_digits() {
    let phone = |number: &str, rules: &[&str]| {
        let more = format!("[[contacts]]\nname = \"Nils Holm\"\nphone = \"{number}\"");
        Written::of("press-release", "sv", &more, "Text.").check(rules);
    };
    phone("070-174 06 0", &["phone-digits"]);
    phone("+46 70 174 06 055", &["phone-digits"]);
    phone("08-465", &["phone"]);
    phone("08-465 0", &["phone-digits"]);
    for right in ["070-174 06 05", "08-465 004 00", "08-46 50 04", "0771-12 34 56", "+47 22 12 34 56"] {
        phone(right, &[]);
    }
}

fn sent(language: &str, zone: &str, front: &str, at: &str) -> Vec<&'static str> {
    let text = format!(
        "+++\nkind = \"invitation\"\nlanguage = \"{language}\"\nzone = \"{zone}\"\nheadline = \"Prov\"\nissuers = \"F\"\n\
         media_welcome = \"Ja.\"\n{front}\n[event]\nstart = 2027-12-20T09:30:00\ncity = \"Örebro\"\n[[contacts]]\n\
         name = \"Karin Ek\"\nphone = \"070-174 06 12\"\n+++\nText.\n"
    );
    let (book, files) = (ContactBook::default(), BTreeMap::new());
    let (now, send_at) = ("2027-01-20T08:00:00Z".parse().unwrap(), Some(at.parse().unwrap()));
    let checked = Content::built_in()
        .unwrap()
        .check(&text, &CheckAgainst { book: &book, files: &files, pictures: &Default::default(), now, send_at });
    checked.findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn the_time_of_sending_fits() {
    let stockholm = |front: &str, at: &str| sent("sv", "Europe/Stockholm", front, at);
    assert_eq!(stockholm("", "2027-06-07T07:00:00Z"), [""; 0]);
    assert_eq!(stockholm("", "2027-06-06T07:00:00Z"), ["holiday"]); // the national day
    assert_eq!(stockholm("", "2027-06-13T07:00:00Z"), ["holiday"]); // a Sunday
    assert_eq!(stockholm("", "2027-06-24T23:00:00Z"), ["holiday"]); // Midsummer Eve, in Swedish time
    assert_eq!(sent("en", "Europe/London", "", "2027-06-13T07:00:00Z"), [""; 0]);
    assert_eq!(stockholm("", "2027-12-20T09:00:00Z"), ["sent-late"]);
    assert_eq!(stockholm("expires = 2027-06-06", "2027-06-07T07:00:00Z"), ["expired"]);
    assert_eq!(stockholm("expires = 2027-06-07", "2027-06-07T07:00:00Z"), [""; 0]);
}

#[test]
fn no_sample_breaks_these_rules() {
    let path = |name: &str| concat!(env!("CARGO_MANIFEST_DIR"), "/docs/samples/").to_owned() + name;
    let content = Content::built_in().unwrap();
    let book = std::fs::read_to_string(path("contacts.toml")).unwrap();
    let book = parse_book(&book, &content.source).unwrap().into_book();
    for name in ALL {
        let text = std::fs::read_to_string(path(name)).unwrap();
        let draft = parse(&text, &content.source).draft.unwrap();
        let found = || FileState::Found(Blob { sha256: [0; 32], size: 1000 });
        let files: BTreeMap<String, FileState> =
            draft.files().into_iter().map(|name| (name.to_owned(), found())).collect();
        let now = "2026-11-17T08:00:00Z".parse().unwrap();
        let found = content
            .check(
                &text,
                &CheckAgainst { book: &book, files: &files, pictures: &Default::default(), now, send_at: None },
            )
            .findings;
        assert_eq!(found, [], "{name}");
    }
}
