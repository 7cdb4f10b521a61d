//! A file is imported in its own encoding, which is reported.

use depesch::subscribers::import::ImportSettings;
use depesch::subscribers::import::encoding::{Encoding, Known};

use crate::support::people::{import_with, settings, store, subscriber};

const TEXT: &str = "e-post;namn;ämnen\r\nake@press.example;Åke Öberg;Vård\r\nbjorn@press.example;Björn Näs;Miljö\r\n";

/// Imports the text in an encoding, and checks the result.
async fn check(written: &str, before: &str, said: Option<&str>, known: Known) {
    let encoding = Encoding::named(written).unwrap();
    let file = encoding.encode(&format!("{before}{TEXT}")).into_owned();
    for piece in [3, 1 << 20] {
        let store = store().await;
        let settings = ImportSettings { encoding: said.and_then(Encoding::named), ..settings() };
        let done = import_with(&store, settings, &file, piece).await;
        assert!(done.summary.as_ref().is_ok_and(|summary| summary.is_clean()), "{written}: {done:?}");
        let ake = subscriber(&store, "ake@press.example").await.unwrap();
        assert_eq!((ake.name.as_deref(), ake.beats.contains("vård")), (Some("Åke Öberg"), true), "{written}");
        let format = done.format.unwrap();
        assert_eq!((format.encoding, format.known, format.delimiter), (encoding, known, b';'), "{written}");
        assert_eq!(format.mark, !before.is_empty());
    }
}

#[tokio::test]
async fn what_spreadsheets_write_is_read_without_being_told() {
    for encoding in ["windows-1252", "macintosh", "IBM850", "UTF-16LE", "UTF-16BE"] {
        check(encoding, "", None, Known::Guessed).await;
    }
    check("UTF-8", "", None, Known::Valid).await;
    for encoding in ["UTF-8", "UTF-16LE", "UTF-16BE"] {
        check(encoding, "\u{feff}", None, Known::Mark).await;
    }
}

#[tokio::test]
async fn a_user_may_name_the_encoding() {
    check("windows-1252", "", Some("latin1"), Known::Said).await;
    check("UTF-16LE", "", Some("utf-16le"), Known::Said).await;
}

#[tokio::test]
async fn a_lost_letter_is_not_accepted() {
    let store = store().await;
    let file = "email;name\nake@press.example;\u{fffd}ke\neva@press.example;Eva\n";
    let done = import_with(&store, settings(), file.as_bytes(), 100).await;
    assert_eq!(done.summary.unwrap().created, 1);
    assert!(done.rejects[0].reason.contains("U+FFFD"), "{:?}", done.rejects);
}

#[tokio::test]
async fn one_broken_line_is_refused_and_the_others_are_read() {
    let store = store().await;
    let mut file = TEXT.as_bytes().to_vec();
    (0..20).for_each(|n| file.extend(format!("r{n}@press.example;Räv {n};\r\n").into_bytes()));
    file.extend_from_slice(b"eva@press.example;Eva \xd6rn;\r\n");
    let done = import_with(&store, settings(), &file, 100).await;
    assert_eq!(done.summary.as_ref().unwrap().created, 22);
    assert_eq!(done.reasons(), [(24, "it is not UTF-8, unlike the rest")]);
}
