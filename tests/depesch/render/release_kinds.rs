//! Every kind shows every field that it may have, and asks for what it needs.

use crate::support::written::Written;

/// Fields of all kinds, each with a text that must be seen.
const ALL: &str = "kicker = \"Vinjett\"\npublished = 2027-01-18\nupdated = 2027-01-19\nexpires = 2027-12-31\n\
    bylines = [\"Ida Text\"]\ncategory = \"Vård\"\ntags = [\"avtal\"]\nchange = \"Ny siffra.\"\nmedia_welcome = \"Medier välkomna.\"\n\
    usage_terms = \"Fri användning.\"\neditor_note = \"Till er.\"\nresponsible_publisher = \"Ann Ansvarig\"\n\
    [archive]\nnotes = [\"Arkiverad.\"]\n\
    [[relations]]\nkind = \"correction-of\"\nto = \"r1\"\ntitle = \"Förra texten\"\n\
    [[relations]]\nkind = \"withdraws\"\nto = \"r2\"\ntitle = \"Tidigare text\"\n\
    [[corrected]]\nold = \"Fyrtio\"\nnew = \"Fyra\"\n\
    [event]\nstart = 2027-03-11T09:30:00\ncity = \"Örebro\"\n[event.rsvp]\nto = \"press@example.org\"\n\
    [[programme]]\ntime = \"9.30\"\ntitle = \"Inledning\"\n\
    [[presentations]]\ntitle = \"Föredraget\"\nurl = \"https://example.org/a\"\n\
    [[series]]\ndate = \"våren 2027\"\nplace = \"Malmö\"\n[[series]]\ndate = \"hösten 2027\"\nplace = \"Luleå\"\n\
    [[quotes]]\ntext = \"Citatet.\"\nspeaker = \"Eva Ek\"\n[pull_quote]\ntext = \"Stora citatet.\"\nspeaker = \"Bo Ek\"\n\
    [[images]]\nurl = \"https://example.org/b.jpg\"\nalt = \"En bro\"\ncaption = \"Bron.\"\n\
    [[videos]]\ntitle = \"Filmen\"\nurl = \"https://example.org/f\"\n\
    [[links]]\ntitle = \"Länken\"\nurl = \"https://example.org/l\"\n";

const SHIPPED: [&str; 8] =
    ["press-release", "invitation", "documentation", "series", "article", "bulletin", "correction", "withdrawal"];

#[test]
fn no_kind_leaves_a_field_out() {
    for kind in SHIPPED {
        let written = Written::of(kind, "sv", ALL, "Brödtext.");
        written.check(&[]);
        let shown = [
            "Vinjett",
            "18 januari 2027",
            "19 januari 2027",
            "31 december 2027",
            "Ida Text",
            "Vård, avtal",
            "Ny siffra.",
            "Medier välkomna.",
            "Fri användning.",
            "Till er.",
            "Ann Ansvarig",
            "Arkiverad.",
            "Förra texten",
            "Tidigare text",
            "Fyrtio",
            "Fyra",
            "Örebro",
            "press@example.org",
            "Inledning",
            "Föredraget",
            "våren 2027, Malmö",
            "hösten 2027, Luleå",
            "Citatet.",
            "Stora citatet.",
            "Bron.",
            "Filmen",
            "Länken",
            "Brödtext.",
            "Karin Ek",
            "Om F",
        ];
        let text = written.read().text.replace('\u{a0}', " ");
        let html = written.read().html.replace('\u{a0}', " ");
        for part in shown {
            assert!(text.contains(part) && html.contains(part), "{kind} lacks {part}:\n{text}");
        }
    }
}

#[test]
fn each_kind_asks_for_what_it_needs() {
    let needs = |kind: &str, front: &str, body: &str, rules: &[&str]| {
        Written::of(kind, "sv", front, body).check(rules);
    };
    needs("series", "", "Text.", &["required"]);
    let one = "[[series]]\ndate = \"våren 2027\"\nplace = \"Malmö\"\n";
    needs("series", one, "Text.", &["required"]);
    needs("series", &one.repeat(2), "Text.", &[]);
    needs("article", "", "Text.", &["required"]);
    needs("article", "published = 2027-01-18\n", "Text.", &[]);
    needs("bulletin", "", "", &["required"]);
    needs("bulletin", "", "Text.", &[]);
    let about = |kind: &str| format!("[[relations]]\nkind = \"{kind}\"\nto = \"r12\"\n");
    let corrected = "[[corrected]]\nold = \"40\"\nnew = \"4\"\n".to_owned();
    needs("correction", "change = \"Ny siffra.\"\n", "Text.", &["required"]);
    needs("correction", &about("correction-of"), "Text.", &["required"]);
    needs("correction", &(corrected.clone() + &about("withdraws")), "Text.", &["required"]);
    needs("correction", &(corrected + &about("correction-of")), "Text.", &[]);
    needs("withdrawal", &about("correction-of"), "Text.", &["required"]);
    needs("withdrawal", &about("withdraws"), "Text.", &[]);
}

#[test]
fn a_kind_that_looks_back_may_have_an_event_that_is_over() {
    let event = "[event]\nstart = 2026-03-11T09:30:00\ncity = \"Örebro\"\n";
    for (kind, rules) in [("bulletin", &[][..]), ("press-release", &["past-event"][..])] {
        Written::of(kind, "sv", event, "Text.").check(rules);
    }
}
