//! The output of the built-in templates for the samples.

use depesch::base::language::Language;
use depesch::model::release::attachment::Travel;
use depesch::render::prepare::{HTML_LIMIT, PreparedRelease};

use crate::support::samples::{ALL, Reader, prepared, release, release_of, templates};

#[test]
fn the_html_of_every_sample_is_what_mail_programs_and_screen_readers_need() {
    for name in ALL {
        let release = release(name);
        let html = prepared(&release).for_recipient(&Reader::default().recipient()).unwrap().html();
        let language = release.language.as_str();
        assert!(html.contains(&format!("<html lang=\"{language}\" dir=\"ltr\">")), "{name}");
        assert!(html.contains(&format!("<div lang=\"{language}\" dir=\"ltr\"")), "{name}");
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        for table in html.split("<table").skip(1) {
            let has_header = table.split("</table>").next().unwrap().contains("<th scope=\"");
            assert!(table.starts_with(" role=\"presentation\"") || has_header, "{name}: {table}");
        }
        for never in ["<script", "<link", "<iframe", "<form", "url(", "onclick", "\u{fdd0}", "{{"] {
            assert!(!html.contains(never), "{name} has {never}");
        }
        assert!(html.len() < HTML_LIMIT);
    }
}

#[test]
fn the_text_of_every_sample_keeps_to_its_columns() {
    for name in ALL {
        let text = prepared(&release(name)).for_recipient(&Reader::default().recipient()).unwrap().text();
        for line in text.lines() {
            // One column for flowing's space, one for its stuffing; a link alone on its line may be longer.
            assert!(line.chars().count() <= 74 || !line.trim().contains(' '), "{name}: {line}");
        }
        assert!(!text.contains("\n\n\n") && !text.contains('<') || text.contains("<asa.oberg@example.com>"), "{name}");
        assert!(!text.contains("{{") && !text.contains('\u{fdd0}'), "{name}");
    }
}

#[test]
fn swedish_and_english_keep_their_own_typography() {
    let swedish = prepared(&release(ALL[0])).for_recipient(&Reader::default().recipient()).unwrap().text();
    for expected in ["kl.\u{a0}9.30–16.00", "– Vi har inte brist", "Om Fackförbundet", "Skickat till Åsa Öberg"]
    {
        assert!(swedish.contains(expected), "{expected} is not in {swedish}");
    }
    let reader = Reader { language: "en-GB".parse().unwrap(), ..Reader::default() };
    let english = prepared(&release(ALL[1])).for_recipient(&reader.recipient()).unwrap().text();
    for expected in ["Wednesday, 27 January 2027", "“We expected", "About The Northlight", "Sent to Åsa Öberg"] {
        assert!(english.contains(expected), "{expected} is not in {english}");
    }
}

#[test]
fn the_words_around_the_release_are_in_the_readers_language() {
    let prepared = prepared(&release(ALL[0]));
    let of = |language: &str| {
        let reader = Reader { language: language.parse::<Language>().unwrap(), ..Reader::default() };
        prepared.for_recipient(&reader.recipient()).unwrap().text()
    };
    assert!(of("en").contains("Sent to") && of("en").contains("Presskontakt"));
    assert!(of("fi").contains("Skickat till"), "a language without labels falls back to the release's");
}

#[test]
fn a_recipients_name_cannot_break_the_page_or_the_line() {
    let prepared = prepared(&release(ALL[0]));
    let reader = Reader {
        name: Some("<b>\"Åsa\"</b>\r\n& {{x}} \u{fdd0}0\u{fdd1}".into()),
        organisation: None,
        ..Reader::default()
    };
    let personal = prepared.for_recipient(&reader.recipient()).unwrap();
    assert!(
        personal.html().contains("Skickat till &lt;b&gt;&quot;Åsa&quot;&lt;/b&gt; &amp; {{x}}"),
        "{}",
        personal.html()
    );
    assert!(personal.text().contains("Skickat till <b>\"Åsa\"</b> & {{x}}"));
    let none = Reader { name: None, organisation: None, ..Reader::default() };
    assert!(prepared.for_recipient(&none.recipient()).unwrap().text().contains("Skickat till asa.oberg@example.com\n"));
}

const INVITATION: &str = r#"+++
kind = "invitation"
language = "sv"
headline = "Frukostmöte"
media_welcome = "Välkomna."
[[issuers]]
name = "Föreningen Exempel"
[event]
start = 2027-03-11T09:30:00
end = 2027-03-11T16:00:00
city = "Örebro"
+++
Välkommen.
"#;

#[test]
fn a_cancelled_event_says_so_first() {
    let release = release_of(&INVITATION.replace("city =", "status = \"cancelled\"\ncity ="));
    let personal = prepared(&release).for_recipient(&Reader::default().recipient()).unwrap();
    assert_eq!(personal.subject(), "INSTÄLLT: Frukostmöte");
    assert!(
        personal.text().contains("*** INSTÄLLT: torsdag 11 mars")
            && personal.html().contains(">INSTÄLLT: torsdag 11 mars")
    );
}

#[test]
fn without_facts_the_event_provides_time_and_place() {
    let release = release_of(INVITATION);
    let personal = prepared(&release).for_recipient(&Reader::default().recipient()).unwrap();
    assert!(
        personal.text().contains("Tid: torsdag 11 mars 2027, kl.\u{a0}9.30–16.00\nPlats: Örebro\n"),
        "{}",
        personal.text()
    );
}

#[test]
fn what_is_printed_wins_over_the_machine_value() {
    let facts =
        "[[facts]]\nlabel = \"Tid\"\nprinted = \"torsdagen den 11 mars, halv tio\"\nstart = 2027-03-11T09:30:00\n";
    let release = release_of(&INVITATION.replace("[event]", &format!("{facts}[event]")));
    let text = prepared(&release).for_recipient(&Reader::default().recipient()).unwrap().text();
    assert!(text.contains("Tid: torsdagen den 11 mars, halv tio") && !text.contains("kl.\u{a0}9.30"), "{text}");
}

#[test]
fn a_html_part_that_programs_would_cut_off_is_an_error() {
    let release = release_of(&INVITATION.replace("Välkommen.", &"Ett ord till. ".repeat(8000)));
    let error = prepared(&release).for_recipient(&Reader::default().recipient()).unwrap_err().to_string();
    assert!(error.contains("bytes") && error.contains("shorten the release"), "{error}");
}

#[test]
fn an_unknown_kind_is_reported_with_the_known_ones() {
    let mut release = release_of(INVITATION);
    release.kind = "leaflet".parse().unwrap();
    let none: [Travel; 0] = [];
    let error = PreparedRelease::new(&templates(), &release, &none).err().unwrap().to_string();
    assert!(error.contains("leaflet") && error.contains("press-release"), "{error}");
}
