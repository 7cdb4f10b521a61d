//! Custom templates: strict, without endless loops, and limited to the data of the release.

use std::collections::BTreeMap;
use std::sync::Arc;

use depesch::render::prepare::PreparedRelease;
use depesch::render::registry::Templates;
use depesch::render::template_files::{TemplateFile, read_all};

use crate::support::samples::{Reader, release_of};

const RELEASE: &str = r#"+++
kind = "notice"
language = "sv"
headline = "Rubrik <1>"
facts = [FACTS]
[[issuers]]
name = "Föreningen Exempel"
+++
Text.
"#;

/// The built-in files, and a kind `notice` with these templates.
fn files(own: &[(&str, &str)]) -> BTreeMap<String, TemplateFile> {
    let mut files = read_all(None).unwrap();
    let basic = [
        ("notice/template.toml", "name = \"notice\"\ntitle = { sv = \"Notis\" }\n"),
        ("notice/subject.hbs", "{{release.headline}}"),
        ("notice/text.hbs", "{{release.headline}}"),
        ("notice/html.hbs", "<p>{{release.headline}}</p>"),
    ];
    for (path, text) in basic.iter().chain(own) {
        files.insert(
            (*path).to_owned(),
            TemplateFile { text: (*text).to_owned(), origin: (*path).to_owned(), built_in: false },
        );
    }
    files
}

/// The text and the HTML, or what is wrong.
fn render(own: &[(&str, &str)], reader: &Reader) -> Result<(String, String), String> {
    let templates = Arc::new(Templates::from_files(&files(own)).map_err(|e| e.to_string())?);
    let facts: Vec<String> = (0..40).map(|n| format!("{{ label = \"{n}\", printed = \"värde\" }}")).collect();
    let release = release_of(&RELEASE.replace("FACTS", &facts.join(", ")));
    let prepared = PreparedRelease::new(&templates, &release, &[]).map_err(|e| e.to_string())?;
    let personal = prepared.for_recipient(&reader.recipient()).map_err(|e| e.to_string())?;
    Ok((personal.text(), personal.html()))
}

fn refused(own: &[(&str, &str)], what: &str) {
    let error = render(own, &Reader::default()).unwrap_err();
    assert!(error.contains(what), "{error}");
}

#[test]
fn a_new_kind_costs_a_folder() {
    let (text, html) = render(&[], &Reader::default()).unwrap();
    assert_eq!((text.as_str(), html.as_str()), ("Rubrik <1>\n", "<p>Rubrik &lt;1&gt;</p>\n"));
}

#[test]
fn a_missing_value_is_an_error_with_file_and_line() {
    refused(&[("notice/text.hbs", "a\n{{release.lede}}")], "template notice/text.hbs, line 2: release.lede is missing");
    refused(
        &[("notice/html.hbs", "{{labels.nothing}}")],
        "labels.nothing is missing; add the word to the labels files",
    );
    refused(&[("notice/text.hbs", "{{nothing}}")], "nothing is missing");
    refused(&[("notice/text.hbs", "{{recipient.attributes.title}}")], "give it to every subscriber");
    refused(&[("notice/text.hbs", "{{#each release.nothing}}x{{/each}}")], "release.nothing is missing");
    refused(&[("notice/text.hbs", "{{readfile \"/etc/passwd\"}}")], "readfile");
    refused(&[("notice/text.hbs", "{{recipient.nmae}}")], "recipients have no recipient.nmae");
}

#[test]
fn a_syntax_error_is_named_with_file_and_line() {
    refused(&[("notice/html.hbs", "a\n{{#if x}}\n")], "template notice/html.hbs, line");
    refused(&[("partials/unused.hbs", "{{#if}")], "partials/unused.hbs");
    refused(&[("notice/template.toml", "name = \"other\"\ntitle = {}\n")], "the folder is");
    refused(&[("labels/de.toml", "locale = 1")], "labels/de.toml");
}

#[test]
fn partials_that_call_each_other_are_refused_before_they_run() {
    refused(&[("partials/a.hbs", "{{> a}}")], "in a circle: a → a");
    refused(&[("partials/a.hbs", "{{> b}}"), ("partials/b.hbs", "{{#if x}}{{> a}}{{/if}}")], "in a circle");
    refused(&[("notice/text.hbs", "{{> (lookup release \"headline\")}}")], "written out, not computed");
    refused(&[("notice/text.hbs", "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}")], "decorators");
    refused(&[("notice/text.hbs", "{{> nowhere}}")], "there is no partial \u{201c}nowhere\u{201d}");
}

#[test]
fn a_template_that_explodes_is_stopped() {
    let loops = |depth: usize, inner: &str| {
        let begin = "{{#each @root.release.facts}}".repeat(depth);
        format!("{begin}{inner}{}", "{{/each}}".repeat(depth))
    };
    refused(&[("notice/text.hbs", &loops(5, "x"))], "nested deeper than 4");
    let partial = loops(3, "x");
    let own = [("partials/deep.hbs", partial.as_str()), ("notice/text.hbs", &loops(2, "{{> deep}}"))];
    refused(&own, "nested deeper than 4, through partials");
    refused(&[("notice/html.hbs", &loops(4, "0123456789"))], "writes more than 1000000 bytes");
}

#[test]
fn only_what_is_safe_goes_in_unescaped() {
    refused(&[("notice/html.hbs", "{{{release.headline}}}")], "three braces are only for values");
    refused(&[("notice/html.hbs", "{{{recipient.attributes.x_html}}}")], "three braces");
    let (_, html) = render(
        &[("notice/html.hbs", "{{#each release.blocks}}{{#if body_html}}{{{body_html}}}{{/if}}{{/each}}")],
        &Reader::default(),
    )
    .unwrap();
    assert_eq!(html, "<p style=\"margin:0 0 16px\">Text.</p>\n");
}

#[test]
fn a_value_in_a_text_never_begins_a_line() {
    let mut reader = Reader::default();
    reader.attributes.insert("title".into(), "a\r\nBcc: x\0".into());
    let (text, _) = render(&[("notice/text.hbs", "T: {{recipient.attributes.title}}.")], &reader).unwrap();
    assert_eq!(text, "T: a Bcc: x.\n");
}

#[test]
fn templates_that_compute_with_the_recipient_are_rendered_for_each() {
    let own = [(
        "notice/text.hbs",
        "{{#if (eq recipient.attributes.paid \"ja\")}}Tack!{{else}}Betala, {{recipient.name}}.{{/if}}",
    )];
    let of = |paid: &str, name: &str| {
        let mut reader = Reader { name: Some(name.into()), ..Reader::default() };
        reader.attributes.insert("paid".into(), paid.into());
        render(&own, &reader).unwrap().0
    };
    assert_eq!(of("ja", "Ek"), "Tack!\n");
    assert_eq!(of("nej", "Ek"), "Betala, Ek.\n");
    let all = [(
        "notice/text.hbs",
        "{{#each recipient.attributes}}{{@key}}={{this}} {{/each}}{{#with recipient}}{{name}}{{/with}}",
    )];
    let mut reader = Reader::default();
    reader.attributes.insert("b".into(), "2".into());
    reader.attributes.insert("a".into(), "1".into());
    assert_eq!(render(&all, &reader).unwrap().0, "a=1 b=2 Åsa Öberg\n");
}

#[test]
fn one_rendering_never_leaks_from_one_reader_to_another() {
    let templates = Arc::new(Templates::from_files(&files(&[(
        "notice/text.hbs",
        "{{#if recipient.name}}N {{recipient.name}}{{/if}}{{#if recipient.organisation}} O {{recipient.organisation}}{{/if}} A {{recipient.address}}",
    )])).unwrap());
    let release = release_of(&RELEASE.replace("FACTS", ""));
    let prepared = PreparedRelease::new(&templates, &release, &[]).unwrap();
    for (name, organisation) in
        [(Some("A"), None), (None, Some("B")), (Some("C"), Some("D")), (Some("E"), None), (None, None)]
    {
        let reader =
            Reader { name: name.map(Into::into), organisation: organisation.map(Into::into), ..Reader::default() };
        let expected = format!(
            "{}{} A asa.oberg@example.com\n",
            name.map(|n| format!("N {n}")).unwrap_or_default(),
            organisation.map(|o| format!(" O {o}")).unwrap_or_default()
        );
        let text = prepared.for_recipient(&reader.recipient()).unwrap().text();
        assert_eq!(text.trim(), expected.trim());
    }
}

#[test]
fn a_folder_overlays_file_by_file_and_links_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("invitation")).unwrap();
    std::fs::write(folder.path().join("invitation/subject.hbs"), "Vår egen: {{release.subject}}").unwrap();
    assert!(Templates::load(Some(folder.path())).is_ok());
    assert_eq!(read_all(Some(folder.path())).unwrap()["invitation/subject.hbs"].text, "Vår egen: {{release.subject}}");
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("invitation/text.hbs")).unwrap();
    let error = Templates::load(Some(folder.path())).unwrap_err().to_string();
    assert!(error.contains("symbolic link"), "{error}");
    let error = Templates::load(Some(&folder.path().join("borta"))).unwrap_err().to_string();
    assert!(error.contains("borta") && error.contains("cannot be read"), "{error}");
}
