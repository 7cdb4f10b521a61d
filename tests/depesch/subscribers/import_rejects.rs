//! An error in a row is reported with its line, and the other rows are imported.

use depesch::subscribers::import::{ImportError, ImportSettings};

use crate::support::people::{import_text, import_with, settings, state, store};

#[tokio::test]
async fn each_reject_has_its_line_its_reason_and_its_cells() {
    let store = store().await;
    let file = "email;name;language;lists\n\
                karin@example.org;Karin Ek;sv;\n\
                karin at example.org;Karin;sv;\n\
                ;Nobody;sv;\n\
                bo@example.org;Bo;klingonska!;\n\
                ana@example.org;Ana;en;nowhere\n\
                KARIN@example.org;Again;sv;\n\
                eva@example.org;Eva;sv;members;surplus\n\
                ulf@example.org;Ulf;sv;members\n";
    let done = import_text(&store, file).await;
    let summary = done.summary.as_ref().unwrap();
    assert_eq!((summary.rows, summary.created, summary.invalid, summary.duplicates), (8, 2, 5, 1));
    assert!(!summary.is_clean());
    let lines: Vec<u64> = done.rejects.iter().map(|reject| reject.line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8]);
    for (reject, part) in
        done.rejects.iter().zip(["no @", "empty", "klingonska!", "nowhere", "is on line 2", "4 headings"])
    {
        assert!(reject.reason.contains(part), "{reject:?}");
    }
    assert_eq!(done.rejects[0].cells, ["karin at example.org", "Karin", "sv", ""]);
    assert_eq!(done.headings, ["email", "name", "language", "lists"]);
    assert!(state(&store, "ulf@example.org", "members").await.is_some());
    assert!(state(&store, "ulf@example.org", "media").await.is_some());
}

#[tokio::test]
async fn the_parts_add_up_over_many_batches() {
    let mut file = "email,name\n".to_owned();
    for number in 0..2600 {
        match number % 13 {
            0 => file.push_str("wrong,Wrong\n"),
            1 => file.push_str("twice@example.org,Twice\n"),
            _ => file.push_str(&format!("reader{number}@example.org,Reader {number}\n")),
        }
    }
    let done = import_text(&store().await, &file).await;
    let summary = done.summary.unwrap();
    assert_eq!((summary.rows, summary.invalid, summary.duplicates, summary.created), (2600, 200, 199, 2201));
    assert!(done.rejects.is_sorted_by_key(|reject| reject.line));
    assert_eq!(done.rejects.len(), 399);
}

#[tokio::test]
async fn a_person_is_added_to_a_list_only_with_consent() {
    let store = store().await;
    let no_words = ImportSettings { consent: None, ..settings() };
    let done = import_with(&store, no_words.clone(), b"email\nkarin@example.org\n", 100).await;
    assert!(matches!(done.summary, Err(ImportError::NoConsent)));
    // A column of the file can name the lists, too.
    let no_lists = ImportSettings { lists: Vec::new(), ..no_words };
    let done = import_with(&store, no_lists.clone(), b"email,lists\nkarin@example.org,media\n", 100).await;
    assert!(matches!(done.summary, Err(ImportError::NoConsent)));
    let done = import_with(&store, no_lists, b"email\nkarin@example.org\n", 100).await;
    assert_eq!(done.summary.unwrap().created, 1);
    assert_eq!(state(&store, "karin@example.org", "media").await, None);
}

#[tokio::test]
async fn a_missing_list_stops_the_import_before_it_begins() {
    let nowhere = ImportSettings { lists: vec!["nowhere".parse().unwrap()], ..settings() };
    let done = import_with(&store().await, nowhere, b"email\nkarin@example.org\n", 100).await;
    assert!(matches!(done.summary, Err(ImportError::NoList(_))));
}

/// A person on more lists than one record can hold is reported with the limit, and rows too large for a single commit
/// are committed in several.
#[tokio::test]
async fn many_lists_for_each_of_many_people() {
    let store = store().await;
    let mut batch = depesch::store::engine::Batch::new();
    let names: Vec<String> = (0..3000).map(|number| format!("many{number}")).collect();
    for name in &names {
        depesch::store::lists::put_new(&mut batch, &crate::support::mailings::list(name));
    }
    store.commit(batch).await.unwrap();
    let row = |number: usize, lists: usize| format!("p{number}@example.org,\"{}\"\n", names[..lists].join(";"));
    let many: String = (0..200).map(|number| row(number, 1000)).collect();
    let text = format!("email,lists\n{many}{}", row(999, 3000));
    let imported = import_text(&store, &text).await;
    let summary = imported.summary.as_ref().unwrap();
    assert_eq!((summary.created, summary.invalid), (200, 1), "{:?}", imported.reasons());
    let reasons = imported.reasons();
    let why = reasons[0].1;
    assert!(why.contains("3001 lists"), "{why}");
    let last = store.subscriber_by_address(&"p199@example.org".parse().unwrap()).await.unwrap().unwrap().value;
    assert_eq!(last.subscriptions.len(), 1001);
}
