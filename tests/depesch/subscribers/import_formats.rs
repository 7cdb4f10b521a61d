//! Import reads what Excel, LibreOffice and people write, and reports clearly what it cannot read.

use depesch::subscribers::import::ImportError;
use depesch::subscribers::import::columns::ColumnsError;
use depesch::subscribers::import::records::FormatError;

use crate::support::people::{import_text, import_with, settings, store, subscriber};

const ROWS: [[&str; 4]; 3] = [
    ["E-post", "Namn", "Redaktion", "Bevakning"],
    ["karin.ek@example.org", "Karin Ek", "Skövde Dagblad; Nöje", "Kultur, Skola"],
    ["bo@example.com", "Bo \"Bosse\" Å", "", ""],
];

/// Imports one file as a program would write it, and checks its content.
async fn check(before: &str, delimiter: char, end: &str) {
    let quoted = |cell: &&str| format!("\"{}\"", cell.replace('"', "\"\""));
    let line = |row: &[&str; 4]| row.iter().map(quoted).collect::<Vec<_>>().join(&delimiter.to_string()) + end;
    let file = format!("{before}{}", ROWS.iter().map(line).collect::<String>());
    for piece in [1, 7, 1 << 20] {
        let store = store().await;
        let done = import_with(&store, settings(), file.as_bytes(), piece).await;
        assert_eq!(done.summary.unwrap().created, 2, "{file:?}");
        let karin = subscriber(&store, "karin.ek@example.org").await.unwrap();
        assert_eq!(karin.name.as_deref(), Some("Karin Ek"));
        assert_eq!(karin.organisation.as_deref(), Some("Skövde Dagblad; Nöje"));
        assert_eq!(karin.beats.iter().collect::<Vec<_>>(), ["kultur", "skola"]);
        let bo = subscriber(&store, "bo@example.com").await.unwrap();
        assert_eq!(bo.name.as_deref(), Some("Bo \"Bosse\" Å"));
    }
}

#[tokio::test]
async fn every_delimiter_line_end_and_byte_order_mark() {
    for delimiter in [';', ',', '\t'] {
        for end in ["\r\n", "\n"] {
            check("", delimiter, end).await;
            check("\u{feff}", delimiter, end).await;
        }
    }
}

#[tokio::test]
async fn excel_names_its_separator_in_the_first_line() {
    check("sep=;\r\n", ';', "\r\n").await;
    check("\u{feff}sep=,\r\n", ',', "\r\n").await;
}

#[tokio::test]
async fn empty_rows_and_columns_at_the_end_are_nothing() {
    let store = store().await;
    let file = "email;name;phone;;\r\nkarin@example.org;Karin Ek;070-174 06 05;;\r\n;;;;\r\n;;;;\r\n";
    let done = import_text(&store, file).await;
    assert!(done.rejects.is_empty());
    assert_eq!(done.summary.unwrap().rows, 1);
    let karin = subscriber(&store, "karin@example.org").await.unwrap();
    assert_eq!(karin.attributes.iter().collect::<Vec<_>>(), [(&"phone".to_owned(), &"070-174 06 05".to_owned())]);
}

#[tokio::test]
async fn new_lines_in_quotation_marks_are_part_of_the_cell() {
    let store = store().await;
    let file = "email,name,note\nkarin@example.org,\"Karin\nEk\",\"two\nlines\"\nwrong,x,y\n";
    let done = import_text(&store, file).await;
    assert_eq!(done.rejects[0].line, 5);
    let karin = subscriber(&store, "karin@example.org").await.unwrap();
    assert_eq!(karin.name.as_deref(), Some("Karin Ek"));
    assert_eq!(karin.attributes["note"], "two\nlines");
}

#[tokio::test]
async fn names_in_two_columns_and_languages_in_words() {
    let store = store().await;
    let file = "förnamn;efternamn;epost;språk\nKarin;Ek;karin@example.org;Svenska\nBo;;bo@example.org;en-GB\n";
    assert!(import_text(&store, file).await.summary.unwrap().is_clean());
    let karin = subscriber(&store, "karin@example.org").await.unwrap();
    assert_eq!((karin.name.as_deref(), karin.language.as_str()), (Some("Karin Ek"), "sv"));
    let bo = subscriber(&store, "bo@example.org").await.unwrap();
    assert_eq!((bo.name.as_deref(), bo.language.as_str()), (Some("Bo"), "en-gb"));
}

async fn refusal(file: &[u8]) -> FormatError {
    match import_with(&store().await, settings(), file, 100).await.summary {
        Err(ImportError::Format(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_not_text_is_refused() {
    assert_eq!(refusal(b"PK\x03\x04\x14\x00").await, FormatError::NotText);
    assert_eq!(refusal(b"").await, FormatError::Empty);
    assert_eq!(refusal(b"\r\n\r\n").await, FormatError::Empty);
}

#[tokio::test]
async fn a_file_without_headings_is_refused_unless_it_has_addresses_alone() {
    let done = import_text(&store().await, "karin@example.org;Karin\n").await;
    assert!(matches!(done.summary, Err(ImportError::Columns(ColumnsError::NoHeadings { line: 1 }))));
    let store = store().await;
    let done = import_text(&store, "karin@example.org\nBo Berg <bo@example.org>\n").await;
    assert_eq!((done.summary.unwrap().created, done.notes.len()), (2, 1));
    assert_eq!(subscriber(&store, "bo@example.org").await.unwrap().name.as_deref(), Some("Bo Berg"));
}

#[tokio::test]
async fn quotation_marks_after_a_space_are_not_part_of_the_name() {
    let store = store().await;
    let done = import_text(&store, "email, name, city\neva@press.example, \"Ek, Eva\", Malmö\n").await;
    assert!(done.summary.unwrap().is_clean());
    let eva = subscriber(&store, "eva@press.example").await.unwrap();
    assert_eq!((eva.name.as_deref(), eva.attributes["city"].as_str()), (Some("Ek, Eva"), "Malmö"));
}

#[tokio::test]
async fn the_delimiter_is_the_one_that_makes_sense_of_the_file() {
    for (file, name) in [
        ("e-post;namn (efternamn, förnamn, titel)\neva@press.example;Ek, Eva, redaktör\n", "Ek, Eva, redaktör"),
        ("\"namn, titel\";\"ort, land\";\"e-post\"\nEva;Malmö;eva@press.example\n", ""),
        ("e-post|namn\neva@press.example|Ek; Eva, red\n", "Ek; Eva, red"),
        ("e-post;namn;skärm 5\" tum\neva@press.example;Eva Ek;ja\n", "Eva Ek"),
        ("e-post\neva@press.example;\n", ""),
        ("namn,e-post\n\"Ek; Eva\",eva@press.example\n", "Ek; Eva"),
    ] {
        let store = store().await;
        let done = import_text(&store, file).await;
        assert!(done.summary.as_ref().is_ok_and(|summary| summary.is_clean()), "{file:?}: {done:?}");
        let eva = subscriber(&store, "eva@press.example").await.unwrap();
        assert_eq!(eva.name.as_deref().unwrap_or_default(), name, "{file:?}");
    }
}

#[tokio::test]
async fn a_backslash_before_a_quotation_mark_is_read_as_it_is_meant() {
    let store = store().await;
    let file =
        "email,name,attributes\neva@press.example,Eva,\"{\\\"ort\\\": \\\"Malmö, S\\\"}\"\nbo@press.example,Bo,x\n";
    assert_eq!(import_text(&store, file).await.summary.unwrap().created, 2);
    let eva = subscriber(&store, "eva@press.example").await.unwrap();
    assert_eq!(eva.attributes["attributes"], "{\"ort\": \"Malmö, S\"}");
}

#[tokio::test]
async fn a_title_above_the_headings_is_skipped_and_reported() {
    let store = store().await;
    let file = "Medlemslista 2026-11-28;;\r\n;;\r\ne-post;namn;ort\r\neva@press.example;Eva Ek;Malmö\r\n";
    let done = import_text(&store, file).await;
    assert_eq!(done.summary.unwrap().created, 1);
    assert_eq!(done.notes, ["line 1 is above the headings and was skipped: Medlemslista 2026-11-28"]);
    // A word in the title is not a heading.
    let file = "Mejllista för media\r\nnamn;e-postadress\r\nEva Ek;eva@press.example\r\n";
    assert_eq!(import_text(&store, file).await.summary.unwrap().rows, 1);
}

#[tokio::test]
async fn repeated_headings_in_joined_files_lose_no_row() {
    let store = store().await;
    let file = "email,name\r\neva@press.example,Eva Ek\r\n\u{feff}email,name\r\nbo@press.example,Bo\r\n";
    let done = import_text(&store, file).await;
    assert_eq!(done.reasons(), [(3, "the headings are repeated")]);
    assert_eq!(done.summary.unwrap().created, 2);
}
