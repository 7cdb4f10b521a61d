//! A sensitive list: neither its name nor its title is in the log (at its finest level), in the header of any outgoing
//! mail, or in the name of any file, in all flows of the real program.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Output, Stdio};

use depesch::mail::incoming::Incoming;
use serde_json::Value;

use crate::support::bounces::{complaint as complaint_mail, notification};
use crate::support::daemon::{Daemon, Place, complaint};

const LIST: &str = "qvarnbyfacket";
/// What must not be found; in small letters.
const SECRETS: [&str; 3] = ["qvarnby", "hemlighuset", "nyvald"];
const OWNER: &str = "kansli@office.example";
const MEMBER: &str = "nyvald@press.example";

struct House {
    place: Place,
    daemon: Daemon,
    smtp: std::net::SocketAddr,
}

impl House {
    fn new() -> Self {
        let place = Place::new("[log]\nlevel = \"trace\"\n[inbound]\nsmtp = [\"127.0.0.1:0\"]\n");
        let daemon = place.serve();
        let line = daemon.seen.iter().find(|line| line.contains("listening for mail")).unwrap();
        let (_, address) = line.split_once("address=").unwrap();
        let smtp = address.split_whitespace().next().unwrap().parse().unwrap();
        Self { place, daemon, smtp }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.place.run(&[&["--json"], arguments].concat())
    }

    fn done(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {}", complaint(&output));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    fn refused(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(!matches!(output.status.code(), Some(0 | 1)), "{arguments:?} was done");
    }

    /// Injects a message and waits until it is handled and all notices are sent.
    fn mail(&self, sender: &str, to: &str, message: &str) {
        let mut command = self.place.command(&["inject", "--sender", sender, "--recipient", to]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{to}: {}", complaint(&output));
        self.settled();
    }

    /// A person writes.
    fn writes(&self, from: &str, to: &str, subject: &str, text: &str) {
        let mail =
            format!("From: {from}\nTo: {to}\nSubject: {subject}\nMessage-ID: <{}@x.example>\n\n{text}\n", text.len());
        self.mail(from, to, &mail);
    }

    fn settled(&self) {
        for _ in 0..1000 {
            let waiting = [["inbound", "waiting"], ["notice", "waiting"], ["notice", "in-doubt"]];
            let any =
                waiting.iter().any(|[noun, state]| !self.run(&[noun, "list", "--state", state]).stdout.is_empty());
            if !any {
                return;
            }
        }
        panic!("something still waits: {:#?}", self.daemon.seen.last());
    }

    fn finished(&self, mailing: &str) {
        for _ in 0..1000 {
            if self.done(&["mailing", "show", mailing])["stage"] == "finished" {
                return;
            }
        }
        panic!("{mailing} does not end");
    }

    /// All mail that has left.
    fn mails(&self) -> Vec<(String, Incoming)> {
        let folder = self.place.directory.path().join("state/capture/new");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        let read = |path: &std::path::PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            (text, Incoming::parse(&bytes).unwrap())
        };
        files.iter().map(read).collect()
    }

    /// The last mail to an address with this word in its subject.
    fn mail_to(&self, address: &str, subject: &str) -> Incoming {
        let mails = self.mails();
        let mut mails = mails.into_iter().map(|(_, mail)| mail);
        let is_it = |mail: &Incoming| mail.header("Delivered-To") == Some(address) && mail.subject().contains(subject);
        mails.rfind(is_it).unwrap_or_else(|| panic!("no mail to {address} about {subject}"))
    }
}

fn envelope_sender(mail: &Incoming) -> String {
    mail.header("Return-Path").unwrap().trim_matches(['<', '>']).to_owned()
}

fn unsubscribe_address(mail: &Incoming) -> String {
    let field = mail.header("List-Unsubscribe").unwrap();
    let (_, address) = field.split_once("mailto:").unwrap();
    address.split(['>', '?']).next().unwrap().to_owned()
}

fn begin(house: &House) {
    let sample = |name: &str| format!("{}/docs/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    let address = format!("{LIST}@lists.example.org");
    let title = "Hemlighuset";
    house.done(&[
        "list",
        "create",
        LIST,
        "--address",
        &address,
        "--owner",
        OWNER,
        "--title",
        title,
        "--privacy",
        "sensitive",
        "--joining",
        "confirmed",
        "--kind",
        "discussion",
        "--moderation",
        "all",
        "--language",
        "en",
    ]);
    let file = house.place.directory.path().join("members.csv");
    let people: String = (1..=6).map(|n| format!("nyvald{n}@press.example;Nyvald {n}\n")).collect();
    std::fs::write(&file, format!("email;name\n{people}")).unwrap();
    let file = file.to_str().unwrap();
    house.done(&["subscriber", "import", file, "--list", LIST, "--consent", "They signed at Hemlighuset"]);
    house.refused(&["subscriber", "import", file, "--list", "qvarnbyfel", "--consent", "x"]);
    house.refused(&["mailing", "queue", "--release", "r1", "--list", "qvarnbyfel", "--at", "now"]);
    house.refused(&["list", "create", LIST, "--address", &address, "--owner", OWNER]);
    house.refused(&["list", "edit", LIST, "--address", "qvarnby@lists.example.org"]);
    house.done(&["contact", "import", &sample("contacts.toml")]);
    house.done(&["release", "add", &sample("press-release-small-towns.md")]);
    house.done(&["mailing", "queue", "--release", "r1", "--list", LIST, "--at", "now"]);
    house.finished("m1");
}

/// Bounces, complaints and unsubscribes, to the signed addresses of the mails received.
fn mail_comes_back(house: &House) {
    let got = |n: u32| house.mail_to(&format!("nyvald{n}@press.example"), "");
    let (to, who) = (envelope_sender(&got(1)), "nyvald1@press.example");
    house.mail("", &to, &notification(&to, "failed", who, "5.1.1", &format!("550 5.1.1 <{who}>: no such user")));
    let header = format!("List-Unsubscribe: <mailto:{}>\r\nSubject: x\r\n", unsubscribe_address(&got(2)));
    let to = envelope_sender(&got(2));
    house.mail("", &to, &complaint_mail(&to, "abuse", &header));
    let leave = unsubscribe_address(&got(3));
    house.writes("nyvald3@press.example", &leave, "unsubscribe", "");
    // A report without a delivery, and a mail that is not a report.
    let plain = format!("{LIST}-bounces@lists.example.org");
    house.mail("", &plain, &notification(&plain, "failed", who, "5.1.1", "550 5.1.1 no"));
    house.writes("nyvald4@press.example", &plain, "Hemlighuset", "What is this?");
}

/// Mail from people to the list's own addresses.
fn people_write(house: &House) {
    let to = |what: &str| format!("{LIST}-{what}@lists.example.org");
    house.writes(MEMBER, &to("subscribe"), "subscribe", "");
    let question = house.mail_to(MEMBER, "Confirm");
    let back = question.reply_address().unwrap().address.clone();
    house.writes(MEMBER, &back, &format!("Re: {}", question.subject()), "Yes");
    for (what, subject) in [("help", "help"), ("which", "which"), ("request", "pause"), ("unsubscribe", "unsubscribe")]
    {
        house.writes("nyvald5@press.example", &to(what), subject, "");
    }
    house.writes(MEMBER, &to("owner"), "About Hemlighuset", "Dear owner, a question.");
    house.writes(
        "stranger@else.example",
        &to("request"),
        "x",
        &"A long letter that cannot be read as a request. ".repeat(20),
    );
    house.writes(MEMBER, &format!("{LIST}@lists.example.org"), "Our next meeting", "On Friday.");
    house.writes("nyvald6@press.example", &format!("{LIST}@lists.example.org"), "And another one", "Not this.");
    let asked = house.mail_to(OWNER, "And another one");
    let decide = asked.reply_address().unwrap().address.clone();
    house.writes(OWNER, &decide, "Re: x", "no: not now");
    house.writes(OWNER, &decide, "Re: x", "yes");
    house.done(&["post", "approve", "p1"]);
    house.finished("m2");
}

/// An SMTP session with every command that may be refused.
fn dialogue(house: &House) {
    let mut stream = TcpStream::connect(house.smtp).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let mut answer = move || answers.find(|line| line.as_bytes().get(3) != Some(&b'-')).unwrap_or_default();
    answer();
    for line in [
        "EHLO mx.qvarnby.example".to_owned(),
        format!("MAIL FROM:<{MEMBER}>"),
        format!("RCPT TO:<{LIST}-owner@lists.example.org>"),
        format!("RCPT TO:<{LIST}-nothing@lists.example.org>"),
        format!("RCPT TO:<{LIST}-bounces+aaaaaaaaaaaaaaaaaaaaaaaa@lists.example.org>"),
        format!("RCPT TO:<{LIST}2@lists.example.org>"),
        format!("VRFY {LIST}"),
        LIST.to_owned(),
        "DATA".to_owned(),
        format!("From: {MEMBER}\r\nTo: {LIST}-owner@lists.example.org\r\nSubject: Qvarnby\r\n\r\nHi.\r\n."),
        "QUIT".to_owned(),
    ] {
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        answer();
    }
    house.settled();
}

/// All that an operator may look at and do.
fn an_operator_works(house: &House) {
    for looks in [
        vec!["list", "show", LIST],
        vec!["list", "consent", LIST],
        vec!["subscriber", "export", "--list", LIST],
        vec!["subscriber", "record", MEMBER],
        vec!["mailing", "report", "m1", "--addresses"],
        vec!["bounce", "list"],
        vec!["inbound", "list", "--addresses"],
        vec!["notice", "list", "--addresses"],
        vec!["audit", "list", "--about", LIST],
        vec!["status"],
    ] {
        house.done(&looks);
    }
    house.done(&["subscriber", "unsubscribe", "nyvald5@press.example", LIST, "--reason", "left Hemlighuset"]);
    house.refused(&["subscriber", "resume", "nyvald5@press.example", LIST]);
    house.refused(&["subscriber", "unsubscribe", "nyvald6@press.example", "qvarnbyfel", "--reason", "x"]);
    house.done(&["bounce", "reset", "nyvald1@press.example"]);
    house.done(&["subscriber", "erase", "nyvald4@press.example", "--yes"]);
    house.done(&["suppression", "add", "nyvald9@press.example", "--note", "Hemlighuset"]);
    house.refused(&["subscriber", "show", "nyvald99@press.example"]);
}

fn file_names(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.display().to_string());
        if path.is_dir() {
            file_names(&path, names);
        }
    }
}

/// The header of a mail, with encoded words decoded.
fn header(text: &str) -> String {
    let header = text.split("\n\n").next().unwrap_or_default();
    let read = Incoming::parse(format!("{header}\n\n").replace('\n', "\r\n").as_bytes()).unwrap();
    format!("{header}\nSubject: {}\nFrom: {:?}", read.subject(), read.from())
}

#[test]
fn its_name_is_in_no_log_no_header_and_no_file_name() {
    let mut house = House::new();
    begin(&house);
    mail_comes_back(&house);
    people_write(&house);
    dialogue(&house);
    an_operator_works(&house);
    let mails = house.mails();
    // Six got the release; the rest are notices, posts and forwarded mail.
    assert!(mails.len() > 18, "{} mails", mails.len());
    for (text, _) in &mails {
        let header = header(text);
        let to = header.lines().find(|line| line.starts_with("Delivered-To: ")).unwrap();
        // Recipient and author may be named, the list may not.
        let header = header.to_lowercase();
        for secret in &SECRETS[..2] {
            let told = header.lines().filter(|line| !line.starts_with("subject: ")).any(|line| line.contains(secret));
            assert!(!told, "{secret} stands in the header of a mail ({to}):\n{header}");
        }
    }
    // Subjects written by us do not reveal it either.
    let subjects: Vec<String> = mails.iter().map(|(_, mail)| mail.subject().to_lowercase()).collect();
    assert!(
        !subjects.iter().any(|subject| subject.contains("qvarnby") || subject.contains("hemlighuset")),
        "{subjects:#?}"
    );
    house.daemon.signal("HUP");
    house.daemon.wait_for_line("SIGHUP");
    house.daemon.signal("TERM");
    house.daemon.wait();
    assert!(house.daemon.seen.len() > 100, "the log is not at its finest: {:#?}", house.daemon.seen);
    for line in &house.daemon.seen {
        let small = line.to_lowercase();
        let told = SECRETS.iter().find(|secret| small.contains(*secret));
        assert_eq!(told, None, "in the log: {line}");
    }
    let mut names = Vec::new();
    file_names(&house.place.directory.path().join("state"), &mut names);
    assert!(names.len() > 20, "{names:#?}");
    for name in names {
        let small = name.to_lowercase();
        assert!(!SECRETS.iter().any(|secret| small.contains(secret)), "a file is called {name}");
    }
}
