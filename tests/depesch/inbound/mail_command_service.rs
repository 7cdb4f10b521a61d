//! A subscription through the real program: a mail is piped in, the question is captured as it would be sent, the reply
//! is piped in, and the subscription is shown with its evidence.

use std::io::Write;
use std::process::{Output, Stdio};

use depesch::mail::incoming::Incoming;
use serde_json::Value;

use crate::support::daemon::{Place, complaint};

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", complaint(output)))
}

fn inject(place: &Place, message: &str) {
    let mut command = place.command(&["inject"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", complaint(&output));
}

/// The notice of this template, once it was sent; polls the daemon until then.
fn notice(place: &Place, about: &str) -> Incoming {
    for _ in 0..500 {
        let listed = place.run(&["--json", "notice", "list", "--state", "accepted"]);
        let text = String::from_utf8(listed.stdout).unwrap();
        let sent = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        if sent.filter(|notice| notice["about"] == about).count() == 1 {
            let folder = place.directory.path().join("state/capture/new");
            let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
            let mut mails = files.map(|bytes| Incoming::parse(&bytes).unwrap());
            let words = if about == "confirm" { "Confirm your" } else { "You are now subscribed" };
            return mails.find(|mail| mail.subject().starts_with(words)).unwrap();
        }
    }
    panic!("no letter {about:?} went out");
}

#[test]
fn a_journalist_subscribes_by_mail() {
    let place = Place::new("");
    let _daemon = place.serve();
    let created = place.run(&[
        "list",
        "create",
        "media",
        "--address",
        "media@lists.example.org",
        "--owner",
        "anna@example.org",
        "--joining",
        "confirmed",
    ]);
    assert!(created.status.success(), "{}", complaint(&created));
    inject(
        &place,
        "Return-Path: <karin@press.example>\nFrom: Karin Ek <karin@press.example>\n\
         To: media-subscribe@lists.example.org\nSubject: subscribe\nMessage-ID: <1@press.example>\n\nbeats: schools\n",
    );
    let question = notice(&place, "confirm");
    assert_eq!(question.correspondents("To")[0].address, "karin@press.example");
    assert_eq!(question.header("Return-Path"), Some("<>"));
    let back = &question.reply_address().unwrap().address;
    inject(
        &place,
        &format!(
            "Return-Path: <karin@press.example>\nFrom: Karin Ek <karin@press.example>\nTo: {back}\nSubject: Re: {}\n\
             Message-ID: <2@press.example>\n\nYes, please!\n",
            question.subject()
        ),
    );
    let welcome = notice(&place, "welcome");
    let shown = json(&place.run(&["--json", "subscriber", "show", "karin@press.example"]));
    assert_eq!((shown["name"].as_str(), shown["language"].as_str()), (Some("Karin Ek"), Some("en")));
    assert_eq!(shown["beats"], serde_json::json!(["schools"]));
    let subscription = &shown["subscriptions"]["media"];
    assert_eq!(subscription["state"], "active");
    let event = &subscription["events"][0];
    assert_eq!((event["way"].as_str(), event["from"].as_str()), (Some("mail"), Some("2@press.example")));
    assert!(event["words"].as_str().unwrap().ends_with("[reply: \u{201c}Yes, please!\u{201d}]"), "{event}");
    let hash = event["evidence"].as_str().unwrap();
    let kept = std::fs::read(place.directory.path().join("state/blobs").join(&hash[..2]).join(hash)).unwrap();
    assert!(String::from_utf8_lossy(&kept).contains("Yes, please!"));
    // And unsubscribed through the address in the notice, from any sender.
    let out = welcome.header("List-Unsubscribe").unwrap().trim_matches(['<', '>']).trim_start_matches("mailto:");
    inject(&place, &format!("Return-Path: <x@provider.example>\nFrom: x@provider.example\nTo: {out}\nSubject: x\n\n"));
    let ended = || {
        json(&place.run(&["--json", "subscriber", "show", "karin@press.example"]))["subscriptions"]["media"]["state"]
            == "ended"
    };
    assert!((0..500).any(|_| ended()), "the unsubscribe never came");
}
