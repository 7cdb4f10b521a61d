//! Importing a real file on the command line: rejected rows are returned in the delimiter and the encoding of the file,
//! and a dry run shows old and new values.

use std::path::Path;

use depesch::subscribers::import::encoding::Encoding;

use crate::support::daemon::Place;

const LISTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/subscribers/lists.toml");

fn import(place: &Place, file: &Path, more: &[&str]) -> (String, Option<i32>) {
    let consent = ["--list", "media", "--consent", "Bad om det"];
    let file = file.to_str().unwrap();
    let done = place.run(&[&["subscriber", "import", file], &consent[..], more].concat());
    let text = [done.stdout, done.stderr].concat();
    (String::from_utf8(text).unwrap(), done.status.code())
}

/// Imports a file with one bad row, written in an encoding, and returns the file of rejects as it is on disk.
fn rejects(place: &Place, encoding: &str, text: &str) -> Vec<u8> {
    let (file, rejected) = (place.directory.path().join("media.csv"), place.directory.path().join("rejected.csv"));
    std::fs::write(&file, Encoding::named(encoding).unwrap().encode(text)).unwrap();
    let (said, code) = import(place, &file, &["--rejects", rejected.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(encoding), "{said}");
    std::fs::read(rejected).unwrap()
}

#[test]
fn a_file_of_rejects_is_written_as_the_file_is() {
    let place = Place::new("");
    let _daemon = place.serve();
    assert!(place.run(&["list", "import", LISTS]).status.success());
    let text = "e-post;namn;ämnen\r\nåke;Åke; Öberg\r\nbjorn@press.example;Björn;Miljö\r\n";
    let reason = "\"an address has the form name@domain; this one has no @\"";
    let expected = format!("e-post;namn;ämnen;rejected line;rejected because\r\nåke;Åke; Öberg;2;{reason}\r\n");
    for encoding in ["windows-1252", "macintosh", "IBM850", "UTF-16LE", "UTF-8"] {
        let mark = if encoding.starts_with("UTF") { "\u{feff}" } else { "" };
        let written = rejects(&place, encoding, &format!("{mark}{text}"));
        let expected = Encoding::named(encoding).unwrap().encode(&format!("{mark}{expected}")).into_owned();
        assert_eq!(written, expected, "{encoding}: {}", String::from_utf8_lossy(&written));
    }
    // The corrected file can be imported.
    let rejected = place.directory.path().join("rejected.csv");
    let corrected = std::fs::read_to_string(&rejected).unwrap().replace("åke;", "ake@press.example;");
    std::fs::write(&rejected, corrected).unwrap();
    let (said, code) = import(&place, &rejected, &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_column_can_be_named_and_a_dry_run_shows_the_changes() {
    let place = Place::new("");
    let _daemon = place.serve();
    assert!(place.run(&["list", "import", LISTS]).status.success());
    let file = place.directory.path().join("media.csv");
    std::fs::write(&file, "Vem;Väg\nEva;eva@press.example\n").unwrap();
    let (said, code) = import(&place, &file, &[]);
    assert!(code != Some(0) && said.contains("--column address=\"Väg\""), "{said}");
    let columns = ["--column", "address=Väg", "--column", "name=vem"];
    let (said, code) = import(&place, &file, &columns);
    assert_eq!(code, Some(0), "{said}");
    std::fs::write(&file, "Vem;Väg\nEva Ek;Eva <mailto:eva@press.example>\n").unwrap();
    let (said, code) = import(&place, &file, &[&columns[..], &["--dry-run"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let row: Vec<&str> = said.lines().find(|line| line.contains("eva@")).unwrap().split("  ").map(str::trim).collect();
    let row: Vec<&str> = row.into_iter().filter(|cell| !cell.is_empty()).collect();
    assert_eq!(row, ["2", "eva@press.example", "name", "Eva", "Eva Ek"], "{said}");
    let (said, code) = import(&place, &file, &["--column", "address=Vag"]);
    assert!(code != Some(0) && said.contains("no column has the heading \u{201c}Vag\u{201d}"), "{said}");
    let (said, code) = import(&place, &file, &["--encoding", "klingon"]);
    assert!(code != Some(0) && said.contains("use one such as UTF-8"), "{said}");
    assert!(place.run(&["subscriber", "edit", "eva@press.example", "--language", "se"]).status.code() != Some(0));
}
