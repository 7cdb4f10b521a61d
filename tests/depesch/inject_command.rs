//! `depesch inject` as the end of another mail system's pipe: the real program, its exit codes, and what is then there.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::daemon::{Place, complaint};

fn inject(place: &Place, arguments: &[&str], message: &[u8]) -> Output {
    let mut command = place.command(&[&["inject"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that ends early reads no further; its exit code tells.
    let _ = child.stdin.take().unwrap().write_all(message);
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", complaint(output)))
}

const BOUNCE: &[u8] = b"From MAILER-DAEMON  Mon Nov  2 09:00:00 2026\nReturn-Path: <>\n\
    X-Original-To: media-bounces@lists.example.org\nFrom: MAILER-DAEMON@example.net\n\
    To: media-bounces@lists.example.org\nSubject: Undelivered\n\nSorry.\n";

#[test]
fn a_message_is_taken_in_and_outlives_the_daemon() {
    let place = Place::new("");
    let mut daemon = place.serve();
    let new = ["list", "create", "media", "--address", "media@lists.example.org", "--owner", "anna@example.org"];
    let created = place.run(&new);
    assert_eq!(code(&created), Some(0), "{}", complaint(&created));
    let taken = inject(&place, &["--json"], BOUNCE);
    assert_eq!(code(&taken), Some(0), "{}", complaint(&taken));
    let id = json(&taken)["ids"][0].as_str().unwrap().to_owned();
    assert_eq!(json(&taken)["recipients"], serde_json::json!(["media-bounces@lists.example.org"]));
    let text = inject(&place, &["--recipient", "media@lists.example.org", "--sender", ""], BOUNCE);
    assert!(String::from_utf8_lossy(&text.stdout).ends_with(" for media@lists.example.org\n"), "{}", complaint(&text));

    daemon.child.kill().unwrap();
    daemon.wait();
    let _daemon = place.serve();
    let raw = place.run(&["inbound", "raw", &id]);
    assert_eq!(code(&raw), Some(0), "{}", complaint(&raw));
    let (text, sent) = (String::from_utf8(raw.stdout).unwrap(), String::from_utf8_lossy(BOUNCE));
    assert_eq!(text.replace("\r\n", "\n"), sent.split_once('\n').unwrap().1);
    let shown = json(&place.run(&["--json", "inbound", "show", &id, "--addresses"]));
    assert_eq!(
        (shown["recipient"].as_str(), shown["sender"].as_str()),
        (Some("media-bounces@lists.example.org"), Some(""))
    );
    let listed = place.run(&["inbound", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&id) && listed.contains("m***@lists.example.org"), "{listed}");
    let shown = place.run(&["inbound", "show", &id]);
    assert!(String::from_utf8(shown.stdout).unwrap().contains("<>"));
    assert_eq!(code(&place.run(&["inbound", "show", "i999999"])), Some(4));
}

#[test]
fn exit_codes_are_those_that_mail_systems_know() {
    let place = Place::new("");
    assert_eq!(code(&inject(&place, &[], BOUNCE)), Some(75), "no daemon runs");
    let _daemon = place.serve();
    let unknown = inject(&place, &["--recipient", "nobody@lists.example.org"], BOUNCE);
    assert_eq!(code(&unknown), Some(67));
    assert!(complaint(&unknown).contains("nobody@lists.example.org"), "{}", complaint(&unknown));
    assert_eq!(code(&inject(&place, &[], BOUNCE)), Some(67));
    assert_eq!(code(&inject(&place, &[], b"")), Some(65));
    std::fs::write(place.configuration(), "transport = 1").unwrap();
    assert_eq!(code(&inject(&place, &[], BOUNCE)), Some(75), "a typing error in the configuration returns no mail");
}
