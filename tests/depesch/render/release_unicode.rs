//! Release files and the names of the files they use are treated as equal in any Unicode form.

use std::process::Command;

use crate::support::written::Written;

#[test]
fn a_file_is_found_in_the_form_that_the_disk_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let decomposed = "A\u{30a}rsmo\u{308}te.pdf";
    std::fs::create_dir(folder.path().join("Bila\u{30a}")).unwrap();
    for name in [decomposed.to_owned(), format!("Bila\u{30a}/{decomposed}")] {
        std::fs::write(folder.path().join(name), "%PDF-1.4").unwrap();
    }
    let release = "+++\nkind = \"press-release\"\nlanguage = \"sv\"\nheadline = \"Nytt\"\nlead = \"L.\"\nissuers = [\"F\"]\n\
        boilerplate = { name = \"F\", text = \"x\" }\n[[contacts]]\nname = \"A\"\nphone = \"070-174 06 05\"\n\
        [[attachments]]\nfile = \"Årsmöte.pdf\"\n[[attachments]]\nfile = \"Bilå/Årsmöte.pdf\"\ntitle = \"Två\"\n+++\nText.\n";
    std::fs::write(folder.path().join("Pa\u{30a}.md"), release).unwrap();
    let preview = |name: &str| {
        let file = folder.path().join(name);
        Command::new(env!("CARGO_BIN_EXE_depesch"))
            .args(["release", "preview", file.to_str().unwrap()])
            .output()
            .unwrap()
    };
    let done = preview("På.md");
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("Årsmöte.pdf") && said.contains("8 B"), "{said}");
}

#[test]
fn text_is_read_composed_and_without_invisible_characters() {
    let read = Written::body("O\u{308}rebro, noll\u{200b}bredd, mjukt\u{ad}streck, 10\u{a0}000.").read();
    let expected = "Örebro, nollbredd, mjuktstreck, 10\u{a0}000.";
    read.holds(&[expected], &[expected]);
}
