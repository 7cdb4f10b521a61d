//! A field that the release's kind does not show is reported with its line; metadata that no kind shows is not.

use crate::support::samples::{Reader, prepared, release};
use crate::support::written::Written;

const EVENT: &str =
    "[event]\nstart = 2027-03-11T09:30:00\ncity = \"Örebro\"\n[event.rsvp]\nto = \"press@example.org\"\n";
const PRESENTATION: &str = "[[presentations]]\ntitle = \"A\"\nurl = \"https://example.org/a\"\n";

#[test]
fn a_field_that_is_not_shown_is_reported_with_its_line() {
    let found = Written::of("press-release", "sv", PRESENTATION, "Text.").check(&["unshown"]);
    assert_eq!((found[0].key.as_deref(), found[0].line), (Some("presentations"), Some(8)), "{found:?}");
    assert!(found[0].message.contains("press-release"), "{found:?}");
    Written::of("invitation", "sv", &format!("bylines = [\"Karin Ek\"]\n{EVENT}"), "").check(&["unshown"]);
    let documentation = format!("media_welcome = \"Välkomna.\"\n{PRESENTATION}{EVENT}");
    Written::of("documentation", "sv", &documentation, "Text.").check(&["unshown", "unshown"]);
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
