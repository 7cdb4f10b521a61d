//! Import reads what Excel, LibreOffice and people write, and says clearly what it cannot read.

use depesch::flow::import::ImportError;
use depesch::flow::import::columns::ColumnsError;
use depesch::flow::import::records::FormatError;

use crate::support::people::{import_text, import_with, settings, store, subscriber};

const ROWS: [[&str; 4]; 3] = [
    ["E-post", "Namn", "Redaktion", "Bevakning"],
    ["karin.ek@example.org", "Karin Ek", "Skövde Dagblad; Nöje", "Kultur, Skola"],
    ["bo@example.com", "Bo \"Bosse\" Å", "", ""],
];

/// One file as a program would write it, and what it must say.
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
async fn other_encodings_are_named_and_nothing_is_imported() {
    let text = "e-post;namn\r\nake@example.org;Åke Ö\r\n";
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(refusal(&utf16).await, FormatError::Utf16);
    assert_eq!(refusal(&utf16[2..]).await, FormatError::Utf16);
    let latin1: Vec<u8> = text.chars().map(|c| u32::from(c) as u8).collect();
    assert_eq!(refusal(&latin1).await, FormatError::NotUtf8 { line: 2 });
    assert_eq!(refusal(b"PK\x03\x04\x14\x00").await, FormatError::NotText);
    assert_eq!(refusal(b"").await, FormatError::Empty);
    assert_eq!(refusal(b"\r\n\r\n").await, FormatError::Empty);
}

#[tokio::test]
async fn a_file_without_headings_is_refused() {
    let done = import_text(&store().await, "karin@example.org;Karin\n").await;
    assert!(matches!(done.summary, Err(ImportError::Columns(ColumnsError::NoAddress(_)))));
}
