//! No content of a file makes the import panic, run out of memory or import data that is not in it.

use depesch::subscribers::import::headings::HeadingFinder;
use depesch::subscribers::import::records::{Found, RecordReader};
use proptest::prelude::*;

use crate::support::people::{import_text, import_with, settings, state, store, subscriber};

#[tokio::test]
async fn control_characters_and_huge_cells_are_rejected_and_the_rest_goes_on() {
    let store = store().await;
    let huge = "x".repeat(1024 * 1024);
    let long = "y".repeat(5000);
    let file = format!(
        "email;name;note\na@example.org;A\0B;\nb@example.org;{huge};\nc@example.org;;{long}\n\
         d@example.org;\u{1b}[2J;\ne@example.org;E;fine\n"
    );
    let done = import_with(&store, settings(), file.as_bytes(), 1000).await;
    assert_eq!(done.rejects.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 3, 4, 5], "{:?}", done.reasons());
    assert!(done.rejects[1].reason.contains("64 KiB"));
    assert!(subscriber(&store, "e@example.org").await.is_some());
}

#[tokio::test]
async fn a_quotation_mark_that_is_never_closed_swallows_nothing_unseen() {
    let store = store().await;
    let mut file = "email;name\na@example.org;A\nb@example.org;\"B\n".to_owned();
    (0..20_000).for_each(|n| file.push_str(&format!("reader{n}@example.org;R\n")));
    let done = import_text(&store, &file).await;
    assert_eq!(done.rejects.len(), 1);
    assert_eq!(done.rejects[0].line, 3);
    assert!(done.rejects[0].reason.contains("never closed"));
    assert!(state(&store, "a@example.org", "media").await.is_some());
}

#[tokio::test]
async fn a_header_cannot_be_injected_through_an_address() {
    let store = store().await;
    let done = import_text(&store, "email\n\"a@example.org\r\nBcc: b@example.org\"\n").await;
    assert_eq!(done.summary.unwrap().invalid, 1);
    assert!(store.has_no_subscribers().await.unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// A file is read the same in any pieces.
    #[test]
    fn reading_does_not_depend_on_the_pieces(
        text in "(email|e-post)[;,\t](\"|name)?\n([a-c@.;,\"\r\n\t ]|å|\\x00){0,200}",
        piece in 1usize..40,
    ) {
        let finder = HeadingFinder::shipped().unwrap();
        let read = |piece: usize| {
            let (mut reader, mut found) = (RecordReader::new(finder.clone(), None), Vec::<Found>::new());
            let pushed = text.as_bytes().chunks(piece).try_for_each(|piece| reader.push(piece, &mut found));
            (pushed.and_then(|()| reader.finish(&mut found)), found)
        };
        prop_assert_eq!(read(piece), read(usize::MAX >> 1));
    }

    /// Any bytes get a result without a panic, and the rows add up.
    #[test]
    fn any_bytes_get_an_answer(
        head in prop_oneof![Just(&b"email;name;lists\n"[..]), Just(&b"sep=,\nepost,namn\n"[..]), Just(&b""[..])],
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        piece in 1usize..700,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let file = [head, &bytes].concat();
        let done = runtime.block_on(async { import_with(&store().await, settings(), &file, piece).await });
        if let Ok(summary) = done.summary {
            let parts = [summary.created, summary.updated, summary.unchanged, summary.invalid, summary.duplicates];
            prop_assert_eq!(parts.iter().sum::<u64>() + summary.suppressed, summary.rows);
        }
    }
}
