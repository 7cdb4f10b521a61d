//! The guest list as a file: safe in a spreadsheet, with given data distinguished from data known otherwise.

use depesch::events::export::csv;

use crate::support::rsvps::{Hosts, RSVP, plain};

#[tokio::test]
async fn no_stranger_s_words_are_run_as_a_formula() {
    let hosts = Hosts::with_one().await;
    let text = "=HYPERLINK(\"https://evil.example\") jag kommer\n\nNamn: =cmd|' /C calc'!A0\nRedaktion: +46 8 465 004 00\n\
        Funktion: @SUM(A1), \"x\"\nPresskort: -1\n";
    hosts.writes("karin", text).await;
    let mail = plain("nils", "Jag kommer inte.").replace("From: nils", "From: \"=1+1\"");
    hosts.comes(Some("nils@example.com"), RSVP, &mail).await;
    let file = String::from_utf8(csv(&hosts.overview(1).await, false)).unwrap();
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell}");
    }
    assert_eq!((&rows[0][0], &rows[0][4], &rows[0][7]), ("'=cmd|' /C calc'!A0", "yes", "karin@example.com"));
    assert_eq!((&rows[1][0], &rows[1][4], &rows[1][12]), ("'=1+1", "no", "name"));
}

#[tokio::test]
async fn a_file_for_excel_begins_with_its_mark() {
    let hosts = Hosts::with_one().await;
    hosts.writes("karin", "Jag kommer.").await;
    let file = csv(&hosts.overview(1).await, true);
    assert!(file.starts_with("\u{feff}name;newsroom;function;press card;answer;".as_bytes()));
}
