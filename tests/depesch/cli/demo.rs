//! The demo: it needs nothing, succeeds, and removes only what it created.

use std::process::{Command, Stdio};

fn demo(directory: &std::path::Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_depesch"));
    command.arg("demo").args(arguments).env("TZ", "UTC").current_dir(directory).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn it_shows_each_kind_of_outcome_and_can_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = demo(directory.path(), &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
        for word in ["accepted", "deferred", "failed", "suppressed", "cancelled", "uncertain", "No such user"] {
            assert!(text.contains(word), "no {word} in\n{text}");
        }
    }
    let mail = std::fs::read_dir(directory.path().join("depesch-demo/mail/new")).unwrap();
    assert!(mail.count() > 90);
}

#[test]
fn it_leaves_alone_what_it_did_not_make() {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("thesis.txt"), "years of work").unwrap();
    let output = demo(directory.path(), &["--directory", "own"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is left alone"));
    assert_eq!(std::fs::read(own.join("thesis.txt")).unwrap(), b"years of work");
}
