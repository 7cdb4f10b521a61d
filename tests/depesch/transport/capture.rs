//! The capture folder: complete messages in a maildir that any mail client opens.

use depesch::base::clock::FakeClock;
use depesch::transport::capture::{Capture, CaptureSettings};
use depesch::transport::{ConnectError, Outcome, Transport};

use crate::support::relay::{envelope, message};

fn capture(directory: std::path::PathBuf) -> Capture {
    let clock = FakeClock::at("2026-11-23T08:00:00Z".parse().unwrap());
    Capture::new(CaptureSettings { directory }, std::sync::Arc::new(clock))
}

#[tokio::test]
async fn messages_are_kept_whole_with_their_envelope() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path().join("mail"));
    let mut connection = capture.connect().await.unwrap();
    for number in 0..3 {
        let outcome = connection.send(&envelope("a@example.org"), &message(&format!("{number}@x"))).await;
        let Outcome::Accepted(reply) = outcome else { panic!("{outcome:?}") };
        let name = reply.text.split(" new/").nth(1).unwrap();
        let text = std::fs::read_to_string(folder.path().join("mail/new").join(name)).unwrap();
        assert_eq!(
            text,
            format!(
                "Return-Path: <media-bounces@lists.example.org>\nDelivered-To: a@example.org\nMessage-ID: <{number}@x>\n\
                 From: press@example.org\nSubject: Invented\n\nGood morning.\n"
            )
        );
    }
    assert!(connection.is_usable());
    connection.close().await;
    let count = |name: &str| std::fs::read_dir(folder.path().join("mail").join(name)).unwrap().count();
    assert_eq!((count("tmp"), count("new"), count("cur")), (0, 3, 0));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mail"), "a file").unwrap();
    let error = capture(folder.path().join("mail")).connect().await.err();
    assert!(matches!(&error, Some(ConnectError::Unreachable(text)) if text.contains("mail")), "{error:?}");
}

#[tokio::test]
async fn a_missing_capture_folder_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = capture(folder.path().join("mail")).connect().await.unwrap();
    std::fs::remove_dir_all(folder.path().join("mail")).unwrap();
    let outcome = connection.send(&envelope("a@example.org"), &message("1@x")).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
}
