//! `depesch inject` at the end of another mail system's pipe: the real program, its exit codes, and what it stored.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use depesch::api::client::Client;
use depesch::api::inject::Injected;
use hyper::Method;
use serde_json::Value;

use crate::support::daemon::{Place, complaint};

fn inject(place: &Place, arguments: &[&str], message: &[u8]) -> Output {
    let mut command = place.command(&[&["inject"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that exits early stops reading; its exit code is checked below.
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
fn an_injected_message_outlives_the_daemon() {
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

/// Injects messages until the daemon is gone; returns what was acknowledged: id and message.
async fn hand_over(client: Client, worker: usize, count: Arc<AtomicUsize>) -> Vec<(String, String)> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let message = format!("Subject: {worker}-{number}\r\n\r\n{}\r\n", "x".repeat(number * 37 % 5000));
        let path = "/v1/inbound?sender=&recipients=media@lists.example.org";
        let source = std::io::Cursor::new(message.clone().into_bytes());
        let Ok(answer) = client.upload(Method::POST, path, "message/rfc822", source).await else { break };
        let Ok(injected) = answer.json::<Injected>().await else { break };
        acknowledged.push((injected.ids[0].clone(), message));
        count.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_daemon_is_killed() {
    let place = Place::new("");
    let mut daemon = place.serve();
    let new = ["list", "create", "media", "--address", "media@lists.example.org", "--owner", "anna@example.org"];
    assert_eq!(code(&place.run(&new)), Some(0));
    let client = Client::new(place.directory.path().join("control.sock"));
    let mut all = Vec::new();
    for round in 1..=5 {
        let count = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..8).map(|n| tokio::spawn(hand_over(client.clone(), n, count.clone()))).collect();
        while count.load(Ordering::SeqCst) < 40 * round {
            tokio::task::yield_now().await;
        }
        daemon.child.kill().unwrap();
        daemon.wait();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        daemon = place.serve();
    }
    assert!(all.len() >= 600);
    for (id, message) in &all {
        let raw = client.download(format!("/v1/inbound/{id}/raw").as_str()).await.unwrap().bytes().await.unwrap();
        assert_eq!(String::from_utf8(raw).unwrap(), *message, "{id}");
    }
    let ids: BTreeSet<&String> = all.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), all.len(), "no id is given twice, not even after a crash");
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
