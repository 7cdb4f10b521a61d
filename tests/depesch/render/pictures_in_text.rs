//! Pictures stand where the author puts them: in the text by `![alt](file "caption")` or `[[images 2]]`, otherwise where
//! the kind shows them.

use depesch::model::release::{Blob, MailPicture, Release};
use depesch::render::finding::Severity;

use crate::support::samples::{Reader, prepared, release_of};
use crate::support::written::Written;

fn written(front: &str, body: &str) -> Written {
    Written::of("press-release", "sv", front, body)
}

/// The text and the HTML of a release whose files were all scaled.
fn read(written: &Written) -> (String, String) {
    let mut release: Release = release_of(&written.0);
    for image in &mut release.images {
        let blob = Blob { sha256: [image.file.as_ref().unwrap().len() as u8; 32], size: 1 };
        image.picture = Some(MailPicture::new(&blob, (1280, 800), 1));
    }
    let personal = prepared(&release).for_recipient(&Reader::default().recipient()).unwrap();
    (personal.text().replace('\u{a0}', " "), personal.html())
}

/// Checks that these stand in the text in this order, each once.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let places: Vec<Option<usize>> = parts.iter().map(|part| text.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{text}");
    for part in parts {
        assert_eq!(text.matches(part).count(), 1, "{part} is there more than once:\n{text}");
    }
}

#[test]
fn a_picture_in_the_text_is_shown_there_with_its_words() {
    let written = written("", "Ett.\n\n![Ett torg](torg.jpg \"Torget. Foto: Ida Falk\")\n\nTvå.");
    assert_eq!(written.check(&[]), []);
    let (text, html) = read(&written);
    in_order(&text, &["Ett.", "[Bild: Ett torg] Torget. Foto: Ida Falk", "Två."]);
    in_order(
        &html,
        &["Ett.", "src=\"cid:", "alt=\"Ett torg\" width=\"592\" height=\"370\"", "Torget. Foto: Ida Falk", "Två."],
    );
    assert!(!html.contains("<h2 style=\"margin:28px 0 8px;font-size:20px;line-height:1.3\">Bilder"), "{html}");
}

#[test]
fn the_text_places_an_image_of_the_fields_and_may_say_more_of_it() {
    let front = "[[images]]\nfile = \"a.jpg\"\nalt = \"Ett torg\"\ncaption = \"Torget\"\nphotographer = \"Ida Falk\"\n\
                 [[images]]\nfile = \"bb.jpg\"\nalt = \"En bro\"\n";
    let (text, html) = read(&written(front, "Ett.\n\n![](a.jpg \"Torget i Umeå\")\n\nTvå."));
    // The other one stands where the kind puts it.
    in_order(&text, &["Ett.", "[Bild: Ett torg] Torget i Umeå. Foto: Ida Falk.", "Två.", "Bilder", "[Bild: En bro]"]);
    assert_eq!(html.matches("<img ").count(), 2, "{html}");
    let (text, _) = read(&written(front, "Ett.\n\n[[images 2]]\n\nTvå.\n\n![](a.jpg)"));
    in_order(&text, &["Ett.", "[Bild: En bro]", "Två.", "[Bild: Ett torg]"]);
}

#[test]
fn pictures_on_lines_of_one_paragraph_follow_each_other() {
    let (text, html) = read(&written("", "Ett.\n\n![Ett](a.jpg)\n![Två](min bild.jpg \"Med mellanslag\")\n\nSlut."));
    in_order(&text, &["Ett.", "[Bild: Ett]", "[Bild: Två] Med mellanslag", "Slut."]);
    assert_eq!(html.matches("<img ").count(), 2, "{html}");
}

#[test]
fn a_picture_that_cannot_stand_there_is_an_error_on_its_line() {
    for (body, words) in [
        ("Ett.\n\nVi ses ![torget](torg.jpg) där.", "not a paragraph of its own"),
        ("Ett.\n\n- ![torget](torg.jpg)", "not a paragraph of its own"),
        ("![torget](torg.jpg)\n\n![torget](torg.jpg)", "placed twice"),
        ("[[images 1]]\n\n![torget](torg.jpg)", "placed twice"),
        ("Ett.\n\n![torget](../torg.jpg)", "not a valid file name"),
    ] {
        let found = written("", body).findings();
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert_eq!((found[0].severity, found[0].line), (Severity::Error, Some(15)), "{body}: {}", found[0]);
        assert!(found[0].message.contains(words), "{body}: {}", found[0]);
    }
}

#[test]
fn an_image_elsewhere_stays_a_link_so_that_the_mail_fetches_nothing() {
    let (text, html) = read(&written("", "Se ![torget](https://example.org/torg.jpg)."));
    assert!(html.contains("href=\"https://example.org/torg.jpg\">[torget]</a>") && !html.contains("<img"), "{html}");
    assert!(text.contains("[torget] [1]"), "{text}");
}
