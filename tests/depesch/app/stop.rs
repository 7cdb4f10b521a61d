//! SIGTERM at awkward moments, through the real binary: while starting, during an import, while receiving mail. Nothing
//! acknowledged is lost, and the next start is an ordinary one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::support::daemon::{Daemon, Place, complaint};

#[test]
fn while_starting_it_stops_at_once() {
    let place = Place::new("");
    let mut daemon = place.serve();
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    // Makes the start hang: reading this FIFO waits for a writer.
    let clean = place.directory.path().join("state/store/clean");
    std::fs::remove_file(&clean).unwrap();
    assert!(Command::new("mkfifo").arg(&clean).status().unwrap().success());
    let child = place.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut starting = Daemon::starting(child);
    starting.wait_for_line("starting");
    starting.signal("TERM");
    assert!(starting.wait().success());
    assert!(starting.seen.iter().any(|line| line.contains("while starting")), "{:#?}", starting.seen);
    std::fs::remove_file(&clean).unwrap();
    let _again = place.serve();
    assert_eq!(place.run(&["status"]).status.code(), Some(0));
}

#[test]
fn during_an_import_what_was_committed_stays_and_the_import_can_be_run_again() {
    let place = Place::new("stop_timeout = \"1s\"");
    let mut daemon = place.serve();
    let lists = format!("{}/subscribers/lists.toml", env!("CARGO_MANIFEST_DIR"));
    assert!(place.run(&["list", "import", &lists]).status.success());
    let import = ["subscriber", "import", "-", "--list", "media", "--consent", "asked"];
    let mut running =
        place.command(&import).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut rows = String::from("email;name\n");
    (0..3000).for_each(|number| rows += &format!("p{number}@press.example;Person {number}\n"));
    let mut input = running.stdin.take().unwrap();
    input.write_all(rows.as_bytes()).unwrap();
    let there = |number: u32| place.run(&["subscriber", "show", &format!("p{number}@press.example")]).status.success();
    while !there(600) {}
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    drop(input);
    assert!(!running.wait().unwrap().success(), "an import that was cut off says so");
    let again = place.serve();
    assert!(!again.seen.iter().any(|line| line.contains("unclean stop")), "{:#?}", again.seen);
    assert!((0..=600).step_by(100).all(there), "what was committed is there");
    let file = place.directory.path().join("people.csv");
    std::fs::write(&file, rows).unwrap();
    let done = place.run(&["subscriber", "import", file.to_str().unwrap(), "--list", "media", "--consent", "asked"]);
    assert!(done.status.success(), "{}", complaint(&done));
    assert!(there(0) && there(2999));
}

#[test]
fn a_stop_completes_incoming_messages_and_closes_idle_connections() {
    let place = Place::new("");
    let text = std::fs::read_to_string(place.configuration()).unwrap();
    std::fs::write(place.configuration(), text + "[inbound]\nsmtp = [\"127.0.0.1:0\"]\n").unwrap();
    let mut daemon = place.serve();
    let listening = daemon.seen.iter().find(|line| line.contains("listening for mail")).unwrap();
    let address = listening.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let connect = || BufReader::new(TcpStream::connect(&address).unwrap());
    let say = |client: &mut BufReader<TcpStream>, text: &str| {
        client.get_ref().write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        line
    };
    let (mut sending, mut idle) = (connect(), connect());
    assert!(say(&mut sending, "").starts_with("220"));
    assert!(say(&mut idle, "").starts_with("220"));
    assert!(say(&mut sending, "HELO peer.example\r\n").starts_with("250"));
    assert!(say(&mut sending, "MAIL FROM:<kim@peer.example>\r\n").starts_with("250"));
    assert!(say(&mut sending, "RCPT TO:<postmaster>\r\n").starts_with("250"));
    assert!(say(&mut sending, "DATA\r\n").starts_with("354"));
    daemon.signal("TERM");
    assert!(say(&mut idle, "").starts_with("421"));
    assert!(say(&mut sending, "Subject: hello\r\n\r\nhello\r\n.\r\n").starts_with("250 2.6.0"));
    assert!(daemon.wait().success());
    let _again = place.serve();
    let listed = place.run(&["inbound", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("i1"), "{}", complaint(&listed));
}
