//! Every sample, one of each kind, as its reader sees it: the text part, and the HTML part without its styles.
//! `cargo insta review`, or the `.snap.new` file, shows the effect of a change on whole mails.

use crate::support::samples::{ALL, Reader, prepared, release};

#[test]
fn every_sample_reads_as_it_was_last_approved() {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    for name in ALL {
        let personal = prepared(&release(name)).for_recipient(&Reader::default().recipient()).unwrap();
        let html = personal.html();
        let body = &html[html.find("<body").unwrap()..];
        let mut pieces = body.split(" style=\"");
        let mut shown = pieces.next().unwrap().to_owned();
        for piece in pieces {
            shown.push_str(piece.split_once('"').unwrap().1);
        }
        // Spaces that hold words together must be seen.
        let mail = format!("Subject: {}\n\n{}\n--\n\n{shown}", personal.subject(), personal.text().trim_end());
        let mail = mail.replace('\u{a0}', "\u{2423}");
        let lines = mail.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        settings.bind(|| insta::assert_snapshot!(name.trim_end_matches(".md"), lines));
    }
}
