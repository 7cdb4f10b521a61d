//! Blocks stand where the author places them in the body, with the author's heading; the others where the kind puts
//! them.

use crate::support::written::{Read, Written};

const FRONT: &str = "[[quotes]]\ntext = \"Först.\"\nspeaker = \"Eva Ek, ordförande\"\n\
    [[quotes]]\ntext = \"Sedan.\"\nspeaker = \"Bo Ek, sekreterare\"\n\
    [[programme]]\ntime = \"9.30\"\ntitle = \"Inledning\"\n\
    [[videos]]\ntitle = \"Filmen\"\nurl = \"https://example.org/film\"\n";

fn read(front: &str, body: &str) -> Read {
    let written = Written::of("press-release", "sv", &format!("{FRONT}{front}"), body);
    written.check(&[]);
    written.read()
}

/// Checks that the text part and the HTML have these in this order.
#[track_caller]
fn in_order(read: &Read, parts: &[&str]) {
    for (name, text) in [("text", &read.text), ("HTML", &read.html)] {
        let places: Vec<Option<usize>> = parts.iter().map(|part| text.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{name}: {places:?}\n{text}");
        for part in parts {
            assert_eq!(text.matches(part).count(), 1, "{name} has {part} more than once:\n{text}");
        }
    }
}

#[test]
fn without_places_the_kind_orders_the_blocks() {
    in_order(&read("", "Ett.\n\nTvå."), &["Ett.", "Två.", "Först.", "Sedan.", "Inledning", "Filmen", "Karin Ek"]);
}

#[test]
fn a_placed_block_stands_between_the_paragraphs() {
    let body = "Ett.\n\n[[programme]]\n\nTvå.\n\n[[videos]]\n\nTre.";
    in_order(&read("", body), &["Ett.", "Inledning", "Två.", "Filmen", "Tre.", "Först.", "Sedan."]);
}

#[test]
fn one_part_can_be_placed_and_the_rest_follows() {
    let body = "Ett.\n\n[[quotes 2]]\n\nTvå.\n\n[[contacts]]\n\nTre.";
    in_order(&read("", body), &["Ett.", "Sedan.", "Två.", "Karin Ek", "Tre.", "Först.", "Inledning"]);
}

#[test]
fn a_heading_is_the_authors_or_left_out() {
    let given = read("[headings]\nprogramme = \"Ur programmet:\"\nvideos = \"\"\n", "Ett.");
    given.holds(&["Ur programmet:\n\n9.30"], &["<h2>Ur programmet:</h2>"]);
    assert!(!given.text.contains("Filmer"), "{}", given.text);
    let placed =
        read("", "Ett.\n\n[[programme \"Hålltider\"]]\n\n[[contacts \"För ytterligare information, kontakta\"]]");
    placed.holds(&["Hålltider\n", "För ytterligare information, kontakta\n\nKarin Ek"], &["<h2>Hålltider</h2>"]);
    assert!(!placed.text.contains("Presskontakt"), "{}", placed.text);
}

#[test]
fn a_heading_in_the_text_just_above_is_the_blocks() {
    let read = read("", "Ett.\n\n## Så blir dagen\n\n[[programme]]");
    assert!(!read.text.contains("Program\n") && !read.html.contains("<h2>Program</h2>"), "{}", read.text);
    in_order(&read, &["Ett.", "Så blir dagen", "Inledning"]);
}

#[test]
fn a_first_boilerplate_may_stand_unnamed_above_the_contacts() {
    let front = FRONT.replace("[[quotes]]\ntext = \"Först", "[headings]\n[[quotes]]\ntext = \"Först");
    let written = Written::of("press-release", "sv", &front, "Ett.\n\n[[boilerplate \"\"]]");
    in_order(&written.read(), &["Ett.", "Text.", "Karin Ek"]);
    assert!(!written.read().text.contains("Om F"), "{}", written.read().text);
}

#[test]
fn a_place_that_cannot_be_is_said_with_its_line() {
    let wrong = |body: &str| {
        let found = Written::of("press-release", "sv", FRONT, body).findings();
        let places: Vec<_> = found.iter().filter(|found| found.rule == "place").collect();
        assert_eq!(places.len(), 1, "{found:?}");
        (places[0].line.unwrap(), format!("{} ({})", places[0].message, places[0].fix))
    };
    let (first, said) = wrong("[[programm]]");
    assert!(said.contains("did you mean [[programme]]?"), "{said}");
    for (body, line, part) in [
        ("Ett.\n\n[[talks]]", 2, "there is no block"),
        ("Ett.\n[[videos]]\nTvå.", 1, "empty line above and below"),
        ("[[videos]]\n\n[[videos]]", 2, "placed twice"),
        ("- punkt\n\n  [[videos]]", 2, "outside lists and quotes"),
        ("> Ett citat.\n>\n> [[videos]]", 2, "outside lists and quotes"),
        ("Ett.\n\n[[videos\n\"Filmer\"]]", 2, "write it on one line"),
        ("[[quotes 3]]", 0, "there is no number 3 of quotes; there are 2"),
        ("[[images]]", 0, "nothing to show"),
        ("[[body]]", 0, "within itself"),
        ("[[quotes Eva]]", 0, "neither the number"),
    ] {
        let (at, said) = wrong(body);
        assert!(at == first + line && said.contains(part), "{body}: line {at}, {said}");
    }
    let unknown = Written::of("press-release", "sv", "[headings]\nprogrammes = \"X\"\n", "Ett.").findings();
    assert!(unknown[0].fix.contains("programme"), "{unknown:?}");
}

#[test]
fn double_brackets_in_code_and_sentences_are_text() {
    let body = "Se `[[programme]]` och [[inte här]].\n\n    [[programme]]\n\n~~~\n[[talks]]\n~~~";
    let written = Written::of("press-release", "sv", FRONT, body);
    written.check(&["code"]);
    written.read().holds(&["[[programme]]", "[[inte här]]"], &[]);
}

#[test]
fn a_place_for_a_file_that_is_shown_elsewhere_is_reported() {
    let front = "[[presentations]]\ntitle = \"A\"\nattachment = \"a.pdf\"\n[[attachments]]\nfile = \"a.pdf\"\n\
        [[attachments]]\nfile = \"b.pdf\"\n";
    let places = |body: &str| {
        let found = Written::of("press-release", "sv", front, body).findings();
        found.iter().filter(|found| found.rule == "place").count()
    };
    assert_eq!([places("[[attachments]]"), places("[[attachments 1]]"), places("[[attachments 2]]")], [0, 1, 0]);
}
