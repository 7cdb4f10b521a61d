//! Exports of common programs are imported unchanged; if a heading is ambiguous, the message says what to do.

use depesch::subscribers::import::columns::ColumnsError;
use depesch::subscribers::import::{ImportError, ImportSettings};

use crate::support::people::{import_text, import_with, settings, store, subscriber};

/// Imports a file with one person, Eva, and checks her name and organisation.
async fn check(file: &str, name: &str, organisation: &str) {
    let store = store().await;
    let done = import_text(&store, file).await;
    assert!(done.summary.as_ref().is_ok_and(|summary| summary.is_clean() && summary.created == 1), "{file}: {done:?}");
    let eva = subscriber(&store, "eva@press.example").await.unwrap();
    assert_eq!(eva.name.as_deref().unwrap_or_default(), name, "{file}");
    assert_eq!(eva.organisation.as_deref().unwrap_or_default(), organisation, "{file}");
}

#[tokio::test]
async fn exports_of_usual_programs_are_read_as_they_are() {
    for (file, name, organisation) in [
        (
            "Name,Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value,E-mail 2 - Value,Organization 1 - Name\n\
             Eva Ek,Eva,Ek,* Work,eva@press.example,,Tidningen\n",
            "Eva Ek",
            "Tidningen",
        ),
        (
            "\"Email Address\",\"First Name\",\"Last Name\",MEMBER_RATING,TAGS\n\
             eva@press.example,Eva,Ek,2,\"\"\"media\"\",\"\"lokal\"\"\"\n",
            "Eva Ek",
            "",
        ),
        (
            "First Name,Last Name,Company,E-mail Address,E-mail 2 Address,E-mail Type\n\
             Eva,Ek,Tidningen,eva@press.example,,SMTP\n",
            "Eva Ek",
            "Tidningen",
        ),
        (
            "Förnamn,Efternamn,Företag,E-postadress,E-posttyp,E-postvisningsnamn\nEva,Ek,Tidningen,eva@press.example,SMTP,Eva\n",
            "Eva Ek",
            "Tidningen",
        ),
        (
            "First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Organization\n\
             Eva,Ek,Eva Ek,,eva@press.example,,Tidningen\n",
            "Eva Ek",
            "Tidningen",
        ),
        ("email;gecos\neva@press.example;Eva Ek\n", "Eva Ek", ""),
        ("E-post *;Fo\u{308}rnamn;Efternamn:\neva@press.example;Eva;Ek\n", "Eva Ek", ""),
        ("e\u{2011}post;\u{200b}namn\neva@press.example;\u{200b}Eva\u{200b} Ek\n", "Eva Ek", ""),
        ("Namn;E-post till redaktionen\nEva;eva@press.example\n", "Eva", ""),
        ("e-post\n\"Ek, Eva\" <eva@press.example>\n", "Ek, Eva", ""),
        ("e-post;namn\nmailto:eva@press.example;Eva\n", "Eva", ""),
    ] {
        check(file, name, organisation).await;
    }
}

#[tokio::test]
async fn a_column_without_a_known_heading_is_named_by_a_user() {
    let store = store().await;
    let file = "Vem;Kontaktväg\nEva Ek;eva@press.example\n";
    match import_text(&store, file).await.summary {
        Err(ImportError::Columns(error @ ColumnsError::NoAddress { .. })) => {
            assert!(error.to_string().contains("Vem | Kontaktväg"), "{error}");
            assert!(error.to_string().contains("--column address=\"Kontaktväg\""), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let columns = [("kontaktväg", "address"), ("Vem", "name")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let settings = ImportSettings { columns: columns.into(), ..settings() };
    assert!(import_with(&store, settings, file.as_bytes(), 100).await.summary.unwrap().is_clean());
    assert_eq!(subscriber(&store, "eva@press.example").await.unwrap().name.as_deref(), Some("Eva Ek"));
}

#[tokio::test]
async fn a_user_chooses_between_two_columns_of_addresses() {
    let store = store().await;
    let file = "namn;e-post;e-mail\nEva;eva@press.example;eva@hemma.example\n";
    let refused = import_text(&store, file).await.summary.unwrap_err().to_string();
    assert!(refused.contains("e-post | e-mail") && refused.contains("--column address=\"e-post\""), "{refused}");
    let settings = ImportSettings { columns: [("e-mail".to_owned(), "address".to_owned())].into(), ..settings() };
    let done = import_with(&store, settings, file.as_bytes(), 100).await;
    assert!(done.summary.unwrap().is_clean());
    let eva = subscriber(&store, "eva@hemma.example").await.unwrap();
    assert_eq!(eva.attributes["e-post 2"], "eva@press.example");
}

#[tokio::test]
async fn several_addresses_in_a_cell_are_refused_with_the_reason() {
    let store = store().await;
    let file = "Name,E-mail 1 - Value\nEva Ek,eva@press.example ::: eva.ek@hemma.example\nBo,bo@press.example\n";
    let done = import_text(&store, file).await;
    assert_eq!(done.reasons(), [(2, "the cell holds 2 addresses; keep one in a row")]);
    assert_eq!(done.summary.unwrap().created, 1);
}

#[tokio::test]
async fn a_country_is_not_a_language() {
    let store = store().await;
    let file = "e-post;språk\neva@press.example;se\nbo@press.example;sv\nkim@press.example;Svenska\n";
    let done = import_text(&store, file).await;
    assert_eq!(done.summary.as_ref().unwrap().created, 2);
    assert!(done.rejects[0].reason.contains("did you mean \u{201c}sv\u{201d}"), "{:?}", done.rejects);
}

#[tokio::test]
async fn text_that_a_program_wrote_as_a_formula_is_text() {
    let store = store().await;
    let file = "e-post;telefon;kod\n=\"eva@press.example\";=\"0701740605\";'=\"x\"\n";
    assert!(import_text(&store, file).await.summary.unwrap().is_clean());
    let eva = subscriber(&store, "eva@press.example").await.unwrap();
    // The columns of our own export are imported unchanged.
    assert_eq!((eva.attributes["telefon"].as_str(), eva.attributes["kod"].as_str()), ("0701740605", "=\"x\""));
}
