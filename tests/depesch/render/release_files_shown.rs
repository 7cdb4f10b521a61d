//! Each file is shown once, with its link where it does not travel in the mail.

use std::sync::Arc;

use depesch::model::release::attachment::Travel;
use depesch::render::prepare::PreparedRelease;

use crate::support::samples::{Reader, release_of, templates};

const FILES: &str =
    "[[attachments]]\nfile = \"stor.pdf\"\ntitle = \"Stora rapporten\"\nurl = \"https://example.org/stor.pdf\"\n";

/// The text part of a press release with these fields and this text, when all files travel in this way.
fn text(more: &str, body: &str, travel: Travel) -> String {
    let source = format!(
        "+++\nkind = \"press-release\"\nlanguage = \"sv\"\nheadline = \"Provtext\"\nissuers = [\"F\"]\n{FILES}{more}+++\n{body}\n"
    );
    let release = release_of(&source);
    let travel = vec![travel; release.attachments.len()];
    let prepared = PreparedRelease::new(&Arc::clone(&templates()), &release, &travel).unwrap();
    prepared.for_recipient(&Reader::default().recipient()).unwrap().text().replace('\u{a0}', " ")
}

fn times(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_file_that_a_presentation_or_a_stop_names_is_shown_there() {
    let presentation = "[[presentations]]\ntitle = \"A\"\nattachment = \"stor.pdf\"\n";
    let stop = "[[series]]\ndate = \"våren 2027\"\nplace = \"Malmö\"\nattachment = \"stor.pdf\"\n";
    for more in [presentation, stop] {
        let mailed = text(more, "Text.", Travel::InMail);
        assert_eq!((times(&mailed, "stor.pdf"), times(&mailed, "Stora rapporten")), (1, 0), "{mailed}");
        let linked = text(more, "Text.", Travel::Link);
        assert_eq!(times(&linked, "https://example.org/stor.pdf"), 1, "{linked}");
        // A link of its own would hide that of the file, which is listed then.
        let both = text(&format!("{more}url = \"https://example.org/film\"\n"), "Text.", Travel::Link);
        assert!(both.contains("https://example.org/film"), "{both}");
        assert_eq!(times(&both, "Stora rapporten (stor.pdf): https://example.org/stor.pdf"), 1, "{both}");
    }
}

#[test]
fn a_presentation_that_is_named_like_its_file_does_not_name_it_twice() {
    let shown = text("[[presentations]]\ntitle = \"stor.pdf\"\nattachment = \"stor.pdf\"\n", "Text.", Travel::InMail);
    assert_eq!(times(&shown, "stor.pdf"), 1, "{shown}");
}

#[test]
fn the_authors_heading_stands_above_files_that_became_links() {
    assert!(text("", "Text.", Travel::Link).contains("Ladda ned\n"));
    let given = text("", "[[attachments \"Underlag\"]]", Travel::Link);
    assert!(given.contains("Underlag\n") && !given.contains("Ladda ned"), "{given}");
    for body in ["[[attachments \"\"]]", "## Underlag\n\n[[attachments]]"] {
        let none = text("", body, Travel::Link);
        assert!(!none.contains("Ladda ned") && none.contains("Stora rapporten"), "{none}");
    }
    let mailed = text("", "Text.", Travel::InMail);
    assert!(mailed.contains("Bifogade filer\n") && !mailed.contains("Ladda ned"), "{mailed}");
}

#[test]
fn an_image_with_nothing_but_a_link_is_shown() {
    let shown = text("[[images]]\nurl = \"https://example.org/bild.jpg\"\n", "Text.", Travel::InMail);
    assert!(shown.contains("https://example.org/bild.jpg"), "{shown}");
}
