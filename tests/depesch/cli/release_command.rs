//! `depesch release check` and `preview` on files, without a daemon.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/samples");

fn depesch(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_depesch")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A changed copy of the sample invitation, in its own folder.
fn changed(change: impl Fn(String) -> String) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["contacts.toml", "riksmote-program.pdf"] {
        std::fs::copy(Path::new(SAMPLES).join(name), folder.path().join(name)).unwrap();
    }
    let source = std::fs::read_to_string(Path::new(SAMPLES).join("inbjudan-riksmote.md")).unwrap();
    let path = folder.path().join("a.md");
    std::fs::write(&path, change(source)).unwrap();
    (folder, path)
}

#[test]
fn the_samples_are_right() {
    for sample in crate::support::samples::ALL {
        // Once the samples' dates have passed, the only finding is that the event is in the past.
        let done = depesch(&["release", "check", "--json", &format!("{SAMPLES}/{sample}")]);
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stdout));
        let found: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let rules = found["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap().to_owned());
        let rules: Vec<String> = rules.filter(|r| !["past-event", "rsvp-deadline"].contains(&r.as_str())).collect();
        assert_eq!(rules, Vec::<String>::new());
    }
}

#[test]
fn everything_wrong_is_said_with_file_and_line_and_the_exit_code_is_1() {
    let (_folder, path) =
        changed(|s| s.replace("torsdag 11 mars", "onsdag 11 mars").replace("category =", "categry ="));
    let done = depesch(&["release", "check", path.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1));
    let said = text(&done.stdout);
    assert!(said.contains("a.md:11: error: categry:") && said.contains("\u{201c}category\u{201d}"), "{said}");
    assert!(
        said.contains("warning: facts[0].printed: 2027-03-11 is a Thursday, but \u{201c}onsdag\u{201d} is printed"),
        "{said}"
    );
    assert!(said.contains("1 error, 1 warning"), "{said}");
}

#[test]
fn a_link_instead_of_a_file_is_not_followed() {
    let (folder, path) = changed(|s| s);
    let file = folder.path().join("riksmote-program.pdf");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    let done = depesch(&["release", "check", path.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stdout).contains("it is a symbolic link"), "{}", text(&done.stdout));
    std::fs::remove_file(&file).unwrap();
    let done = depesch(&["release", "check", path.to_str().unwrap()]);
    assert!(text(&done.stdout).contains("missing-file"), "{}", text(&done.stdout));
}

#[test]
fn a_missing_file_and_one_that_is_not_text_are_reported() {
    let done = depesch(&["release", "check", "/nonexistent/a.md"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("/nonexistent/a.md cannot be read"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.md");
    std::fs::write(&path, b"+++\n\nheadline = \"\xe5\"\n+++\n").unwrap();
    let done = depesch(&["release", "check", path.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("a.md:3: not UTF-8 text"), "{}", text(&done.stderr));
}

#[test]
fn a_preview_holds_both_parts_and_the_whole_message() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("preview");
    let file = format!("{SAMPLES}/inbjudan-riksmote.md");
    let done = depesch(&["release", "preview", &file, "--out", out.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(read("subject.txt"), "Pressinbjudan: Vem vårdar vårdarna? Riksmöte i Örebro");
    assert!(read("text.txt").contains("Tid: torsdag 11 mars 2027, kl.\u{a0}9.30\u{2013}16.00"));
    assert!(read("html.html").contains("lang=\"sv\""));
    let message = read("message.eml");
    assert!(message.contains("text/calendar") && message.contains("riksmote-program.pdf"));
    let done = depesch(&["release", "preview", &file]);
    assert!(text(&done.stdout).starts_with("Subject: Pressinbjudan: "));
}

#[test]
fn a_preview_has_its_pictures_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("preview");
    let file = format!("{SAMPLES}/artikel-nattpatrullen.md");
    let done = depesch(&["release", "preview", &file, "--out", out.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let html = std::fs::read_to_string(out.join("html.html")).unwrap();
    assert!(html.contains("<img src=\"picture-1.png\" alt=\"Ett torg") && !html.contains("cid:"), "{html}");
    let original = std::fs::read(Path::new(SAMPLES).join("station-square.png")).unwrap();
    assert_eq!(std::fs::read(out.join("picture-1.png")).unwrap(), original);
    let message = std::fs::read_to_string(out.join("message.eml")).unwrap();
    assert!(message.contains("Content-Type: multipart/related; type=\"multipart/alternative\""));
}

#[test]
fn a_damaged_picture_and_a_missing_alt_text_are_reported_with_file_and_line() {
    let (folder, path) = changed(|s| s.replace("\n+++\n", "\n+++\n![](torget.png)\n\n"));
    let original = std::fs::read(Path::new(SAMPLES).join("station-square.png")).unwrap();
    std::fs::write(folder.path().join("torget.png"), &original[..original.len() / 2]).unwrap();
    let done = depesch(&["release", "check", path.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1));
    let said = text(&done.stdout);
    assert!(said.contains("the picture torget.png cannot be shown: it is damaged"), "{said}");
    assert!(said.contains("warning: body: an image in the text has no alt text"), "{said}");
    // A public body's configuration makes it an error, without a daemon, too.
    std::fs::write(folder.path().join("torget.png"), &original).unwrap();
    let config = folder.path().join("depesch.toml");
    std::fs::write(&config, "[content]\nrequire_alt_text = true\n").unwrap();
    let done = depesch(&["--config", config.to_str().unwrap(), "release", "check", path.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stdout).contains("error: body: an image in the text has no alt text"), "{}", text(&done.stdout));
}
