//! A field that the release's kind does not show is reported with its line; metadata that no kind shows is not.

use std::sync::Arc;

use depesch::composition::content::Content;
use depesch::render::registry::Templates;
use depesch::render::template_files::{TemplateFile, read_all};

use crate::support::samples::{Reader, prepared, release};
use crate::support::written::Written;

const EVENT: &str =
    "[event]\nstart = 2027-03-11T09:30:00\ncity = \"Örebro\"\n[event.rsvp]\nto = \"press@example.org\"\n";
const PRESENTATION: &str = "[[presentations]]\ntitle = \"A\"\nurl = \"https://example.org/a\"\n";

/// The built-in templates and a kind that shows headline, lead and contacts only.
fn with_a_short_kind() -> Content {
    let mut files = read_all(None).unwrap();
    let shown = "{{release.headline}} {{{release.lead_text}}} {{#each release.blocks}}{{> text-contacts}}{{/each}}";
    for (path, text) in [
        ("flyer/template.toml", "name = \"flyer\"\ntitle = { sv = \"Notis\" }\n"),
        ("flyer/subject.hbs", "{{release.headline}}"),
        ("flyer/text.hbs", shown),
        ("flyer/html.hbs", "<p>{{release.headline}}</p>"),
    ] {
        files.insert(path.to_owned(), TemplateFile { text: text.to_owned(), origin: path.to_owned(), built_in: false });
    }
    Content { templates: Arc::new(Templates::from_files(&files).unwrap()), ..Content::built_in().unwrap() }
}

#[test]
fn a_field_that_is_not_shown_is_reported_with_its_line() {
    let found = Written::of("flyer", "sv", PRESENTATION, "Text.").findings_with(&with_a_short_kind());
    let unshown: Vec<_> = found.iter().filter(|f| f.rule == "unshown").collect();
    let keys: Vec<_> = unshown.iter().filter_map(|f| f.key.as_deref()).collect();
    assert_eq!(keys, ["boilerplate", "presentations", "body"], "{found:?}");
    assert_eq!(unshown[1].line, Some(8), "{found:?}");
    assert!(unshown[1].message.contains("flyer"), "{found:?}");
}

#[test]
fn what_is_shown_or_only_kept_is_not_reported() {
    let front = "category = \"Vård\"\ntags = [\"avtal\"]\nbeats = [\"vård\"]\nregions = [\"Örebro län\"]\n\
                 [archive]\nuntil = 2030-01-01\nnotes = [\"Ersatt av nyare siffror.\"]\n";
    let written = Written::of("invitation", "sv", &format!("{front}{EVENT}"), "Text.");
    written.check(&[]);
    let shown = ["Ämnen: Vård, avtal", "Arkiv: Ersatt av nyare siffror."];
    written.read().holds(&shown, &shown);
    Written::of("documentation", "sv", PRESENTATION, "").check(&["required"]);
}

#[test]
fn a_place_that_the_facts_do_not_repeat_is_reported() {
    let fact = |printed: &str| format!("[[facts]]\nlabel = \"Plats\"\nprinted = \"{printed}\"\n");
    let found = Written::of("invitation", "sv", &(fact("Konserthuset") + EVENT), "").check(&["unshown"]);
    assert_eq!(found[0].key.as_deref(), Some("event.city"));
    Written::of("invitation", "sv", &(fact("Konserthuset, Örebro") + EVENT), "").check(&[]);
}

#[test]
fn the_part_of_an_issuer_is_shown() {
    let personal = prepared(&release("inbjudan-riksmote.md")).for_recipient(&Reader::default().recipient()).unwrap();
    let line = "Fackförbundet Vardagskraft i samarbete med Omsorgens arbetsgivare";
    assert!(personal.text().contains(line) && personal.html().contains(line), "{}", personal.text());
}
