//! The templates of notices: the same content in every language, errors found on loading, and output that suits mail
//! programs and screen readers.

use std::collections::BTreeSet;

use depesch::base::language::Language;
use depesch::render::registry::Templates;
use depesch::render::template_files::read_all;
use serde_json::{Map, Value, json};

use crate::support::notices::{GREETING, templates};

fn language(tag: &str) -> Language {
    tag.parse().unwrap()
}

fn data(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The values that a template uses, by the first and last parts of their paths.
fn fields(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for expression in text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
        let words = expression.trim_matches(['{', '~', '#', '/', ' ']).split([' ', '(', ')']);
        let words = words.filter(|word| !["if", "else", "each", "unless", "with", "", "as"].contains(word));
        found.extend(words.map(str::to_owned));
    }
    found
}

#[test]
fn every_mail_is_there_in_swedish_and_english_with_the_same_values() {
    let files = read_all(None).unwrap();
    let built_in = Templates::load(None).unwrap();
    for (name, languages) in built_in.mails().languages() {
        assert!(["en", "sv"].iter().all(|wanted| languages.iter().any(|l| l == wanted)), "{name}: {languages:?}");
        let of = |language: &str| fields(&files[&format!("mails/{name}/{language}.hbs")].text);
        let swedish = of("sv");
        for language in &languages {
            assert_eq!(of(language), swedish, "mails/{name}/{language}.hbs does not say the same as sv.hbs");
        }
    }
}

#[test]
fn every_mail_suits_mail_programs_and_screen_readers() {
    let templates = templates(&GREETING).unwrap();
    for (name, languages) in templates.mails().languages() {
        let (always, optional) = templates.mails().sample(&name).unwrap();
        let mut all = always.clone();
        all.extend(optional.clone());
        all.entry("list").or_insert(json!({ "title": "Exempellistan", "address": "exempel@lists.example.org",
            "owner": "exempel-owner@lists.example.org", "request": "exempel-request@lists.example.org" }));
        for tag in languages {
            let written = templates.write_mail(&name, &[&language(&tag)], all.clone()).unwrap();
            assert_eq!(written.language, tag);
            let (html, text) = (&written.html, &written.text);
            assert!(html.contains(&format!("<html lang=\"{tag}\" dir=\"ltr\">")), "{name}");
            assert!(html.contains(&format!("<div lang=\"{tag}\" dir=\"ltr\"")), "{name}");
            assert_eq!(html.matches("<h1").count(), 1, "{name}");
            assert!(html.matches("<table").count() == html.matches("<table role=\"presentation\"").count(), "{name}");
            for never in ["<script", "<link", "<iframe", "<form", "<img", "url(", "onclick", "{{"] {
                assert!(!html.contains(never), "{name} has {never}");
            }
            assert!(html.contains("color-scheme"), "{name}");
            for line in text.lines() {
                assert!(line.chars().count() <= 74 || !line.trim().contains(' '), "{name}: {line}");
            }
            assert!(!written.subject.is_empty() && !written.subject.contains(char::is_control), "{name}");
            assert!(!text.contains("{{") && !text.contains('\\'), "{name}: {text}");
        }
    }
}

#[test]
fn the_language_is_the_readers_then_the_lists_then_swedish() {
    let templates = templates(&GREETING).unwrap();
    let written = |wanted: &[&Language]| {
        templates.write_mail("greeting", wanted, data(json!({ "name": "Kim" }))).unwrap().subject
    };
    assert_eq!(written(&[&language("en-GB"), &language("sv")]), "Hello Kim");
    assert_eq!(written(&[&language("fi"), &language("en")]), "Hello Kim");
    assert_eq!(written(&[&language("fi"), &language("de")]), "Hej Kim");
}

#[test]
fn a_further_language_costs_a_file() {
    let sv = read_all(None).unwrap()["labels/sv.toml"].text.replace("locale = \"sv\"", "locale = \"nb\"");
    let files =
        [&GREETING[..], &[("labels/nb.toml", sv.as_str()), ("mails/greeting/nb.hbs", "Subject: Hei {{name}}\nHei!\n")]];
    let templates = templates(&files.concat()).unwrap();
    let written = templates.write_mail("greeting", &[&language("nb")], data(json!({ "name": "Kim" }))).unwrap();
    assert_eq!((written.subject.as_str(), written.language.as_str()), ("Hei Kim", "nb"));
}

#[test]
fn what_is_broken_is_named_with_file_and_line_when_it_is_loaded() {
    let sample = ("mails/test/sample.toml", "name = \"Kim\"\n[optional]\nnote = \"x\"\n");
    for (text, line, what) in [
        ("Hej\n", 1, "the first line is the subject"),
        ("Subject: x\n\n{{#if note}}\n", 4, "syntax"),
        ("Subject: {{nmae}}\nHej\n", 1, "nmae is missing"),
        ("Subject: x\n\nHej {{nmae}}\n", 3, "nmae is missing"),
        ("Subject: x\n\nHej {{note}}\n", 3, "note is missing"),
        ("Subject: x\n\nOm {{list.title}}\n", 3, "list.title is missing"),
        ("Subject: x\nhej\n{{{name}}}\n", 3, "three braces"),
        ("Subject: x\nhej\n{{{name_text}}}\n", 3, "two braces"),
        ("Subject: x\nhej\n{{&name}}\n", 3, "braces"),
        ("Subject: x\nhej\n{{> text-end}}\n", 0, "partials"),
    ] {
        let error = templates(&[sample, ("mails/test/sv.hbs", text)]).unwrap_err();
        assert_eq!(error.file, "mails/test/sv.hbs", "{error}");
        assert!(line == 0 || error.line == Some(line), "{text:?}: {error}");
        assert!(error.what.contains(what), "{text:?}: {error}");
    }
    let error = templates(&[("mails/test/sv.hbs", "Subject: x\nx\n")]).unwrap_err().to_string();
    assert!(error.contains("sample.toml"), "{error}");
    let error = templates(&[sample, ("mails/test/en.hbs", "Subject: x\nx\n")]).unwrap_err().to_string();
    assert!(error.contains("sv.hbs"), "{error}");
}

#[test]
fn a_configured_folder_overrides_the_built_in_mails() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("mails").join("greeting");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("sample.toml"), "name = \"Kim\"\n").unwrap();
    std::fs::write(place.join("sv.hbs"), "Subject: Hejsan {{name}}\nHejsan.\n").unwrap();
    let own = Templates::load(Some(folder.path())).unwrap();
    let written = own.write_mail("greeting", &[], data(json!({ "name": "Kim" }))).unwrap();
    assert_eq!(written.subject, "Hejsan Kim");
    std::fs::write(place.join("sv.hbs"), "Subject: x\n{{#each\n").unwrap();
    let error = Templates::load(Some(folder.path())).unwrap_err();
    assert!(error.file.ends_with("greeting/sv.hbs") && error.line.is_some(), "{error}");
}

#[test]
fn an_approval_does_not_depend_on_the_notices() {
    let (plain, more) = (templates(&[]).unwrap(), templates(&GREETING).unwrap());
    assert_eq!(plain.fingerprint(), more.fingerprint());
}

#[test]
fn links_are_links_in_html_and_readable_in_text() {
    let files = [
        (
            "mails/test/sample.toml",
            "url = \"https://press.example/c/abc\"\naddress = \"a-confirm+x_y@lists.example.org\"\n",
        ),
        (
            "mails/test/sv.hbs",
            "Subject: x\n\n[Bekräfta]({{url}}) eller skriv till [{{address}}](mailto:{{address}}).\n\n{{url}}\n",
        ),
    ];
    let templates = templates(&files).unwrap();
    let values =
        json!({ "url": "https://press.example/c/a_b*c?x=1&y=2", "address": "a-confirm+x_y@lists.example.org" });
    let written = templates.write_mail("test", &[], data(values)).unwrap();
    let html = &written.html;
    assert!(html.contains("href=\"https://press.example/c/a_b*c?x=1&amp;y=2\""), "{html}");
    assert!(html.contains("href=\"mailto:a-confirm+x_y@lists.example.org\""), "{html}");
    let text = written.text.replace(" \n", " ");
    assert!(text.contains("Bekräfta [1] eller skriv till a-confirm+x_y@lists.example.org."), "{text}");
    assert!(text.contains("[1] https://press.example/c/a_b*c?x=1&y=2\n"), "{text}");
}
