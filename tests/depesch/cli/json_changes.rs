//! The `--json` output of commands that change something, inject something or need the daemon stopped matches
//! `docs/schemas/`.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use depesch::mock_smtp::script::{Action, Event, Point};
use depesch::mock_smtp::{MockServer, MockSettings};

use crate::support::daemon::Place;
use crate::support::json_schema::{hold, hold_text, run, until};

/// A subscriber who writes to a list of others.
const AUTHOR: &str = "karin.ek@kvarnvik.example";
/// Stands in commands for the directory of the test.
const HERE: &str = "{here}";

/// A release that replaces another in a mailing.
const EDITED: &str = "+++\nkind = \"bulletin\"\nlanguage = \"sv\"\nheadline = \"Nytt för medlemmar\"\nissuers = [\"Northlight\"]\n+++\n\nEn rad.\n";

type Commands = &'static [(&'static str, &'static str)];

/// Commands that need neither daemon nor store.
const BEFORE: Commands = &[("store-create", "store create")];

/// From lists to a finished mailing.
const FIRST: Commands = &[
    ("list-import", "list import subscribers/lists.toml"),
    (
        "list-show",
        "list create samtal --address samtal@lists.example.org --owner refused@example.net --kind discussion",
    ),
    ("list-show", "list edit samtal --joining closed"),
    ("contact-import", "contact import docs/samples/contacts.toml"),
    ("contact-show", "contact show emma-clarke"),
    ("organisation-show", "organisation show northlight"),
    ("organisation-boilerplate", "organisation boilerplate northlight {here}/about.md --language sv"),
    ("subscriber-import", "subscriber import subscribers/media.csv --list media --consent asked"),
    ("subscriber-import", "subscriber import {here}/changed.csv --list media --consent asked --dry-run"),
    ("subscriber-show", "subscriber add refused@example.org --name Lo --list media --consent asked"),
    ("subscriber-show", "subscriber edit refused@example.org --language en"),
    ("subscriber-show", "subscriber subscribe refused@example.org samtal --consent asked"),
    ("subscriber-show", "subscriber pause refused@example.org samtal"),
    ("subscriber-show", "subscriber resume refused@example.org samtal"),
    ("subscriber-show", "subscriber unsubscribe refused@example.org samtal"),
    ("suppression-add", "suppression add kim@example.com --note asked"),
    ("suppression-show", "suppression remove kim@example.com"),
    ("release-add", "release add docs/samples/inbjudan-riksmote.md"),
    ("release-preview", "release preview docs/samples/inbjudan-riksmote.md"),
    ("release-preview-out", "release preview docs/samples/inbjudan-riksmote.md --out {here}/preview"),
    ("mailing-queue", "mailing queue --release r1 --list media --at now --dry-run"),
    ("mailing-queue", "mailing queue --release r1 --list media --at now"),
    ("mailing-report", "mailing watch m1"),
    ("list-show", "list edit samtal --test-mail required"),
];

/// Run when two posts are held and the notice about the first was refused.
const THEN: Commands = &[
    ("mailing-deliveries", "mailing report m1 --csv"),
    ("mailing-deliveries", "mailing report m1 --state failed"),
    ("mailing-report", "mailing report m1"),
    ("mailing-show-subscriber", "mailing show m1 --subscriber refused@example.org"),
    ("subscriber-record", "subscriber record refused@example.org"),
    ("subscriber-record", "subscriber record karin.ek@kvarnvik.example"),
    ("bounce-list", "bounce list"),
    ("bounce-show", "bounce show refused@example.org"),
    ("bounce-reset", "bounce reset refused@example.org"),
    ("bounce-reset-mailing", "bounce reset --mailing m1"),
    ("delivery-find", "delivery find --address karin.ek@kvarnvik.example"),
    ("mailing-queue", "mailing queue --release r1 --list media --again --at 2030-01-01T10:00:00Z"),
    ("release-add", "release add {here}/edited.md"),
    ("mailing-edit", "mailing edit m2 --release r2 --again"),
    ("mailing-diff", "mailing diff m2"),
    ("mailing-change", "mailing reschedule m2 --at 2031-01-01T10:00:00Z"),
    ("mailing-change", "mailing pause m2"),
    ("mailing-change", "mailing resume m2"),
    ("mailing-change", "mailing cancel m2"),
    ("mailing-reopen", "mailing resolve m1 --as accepted"),
    ("mailing-reopen", "mailing retry m1 --failed"),
    ("outbound-flush", "mailing retry m1 --deferred"),
    ("outbound-flush", "outbound flush"),
    ("post-list", "post list"),
    ("post-show", "post show p1"),
    ("post-show", "post approve p1"),
    ("post-show", "post refuse p2 --reason elsewhere"),
    ("notice-list", "notice show n1"),
    ("notice-list", "notice retry n1"),
    ("release-test", "release test r1 --to tester@example.net --list media --as karin.ek@kvarnvik.example"),
    ("rsvp-set", "rsvp set r1 karin.ek@kvarnvik.example yes"),
    ("rsvp-list", "rsvp list r1"),
    ("status", "status"),
    ("inbound-forget-listener", "inbound forget-listener lmtp"),
    ("reload", "reload"),
    ("retention-show", "retention run"),
    ("subscriber-erase", "subscriber erase refused@example.org --yes"),
    ("subscriber-erased", "subscriber erased"),
    ("audit-export", "audit export"),
    ("check", "check"),
    ("backup-create", "backup create"),
    ("backup-create", "backup create"),
];

/// What needs the daemon stopped, or none.
const STOPPED: Commands = &[
    ("store-check", "store check"),
    ("store-checkpoint", "store checkpoint"),
    ("backup-restore", "backup restore --into {here}/restored --dry-run"),
    ("backup-restore", "backup restore --into {here}/restored"),
    ("bounce-classify", "bounce classify {here}/post.eml tests/data/bounces/sender_blamed.eml"),
    ("store-recover", "store recover"),
    ("store-recover-yes", "store recover --yes"),
];

/// What is tried in its own way.
const APART: Commands =
    &[("inject", "inject --recipient samtal@lists.example.org"), ("backup-forget", "backup forget")];

/// Commands with a schema that is not tried, and why.
pub const UNTRIED: &[(&str, &str, &str)] = &[
    ("mailing-change", "mailing approve", "takes a second person, with a user of their own"),
    ("inbound-show", "inbound retry", "takes a message at which the daemon fails"),
];

/// Commands whose JSON has no schema, and why.
pub const WITHOUT: &[(&str, &str)] = &[
    ("bench dispatch", "measures; its numbers are for who develops Depesch"),
    ("bench inbound", "measures"),
    ("bench slow-clients", "measures"),
    ("bench soak", "measures"),
    ("demo", "is for people to look at"),
    ("serve", "is the daemon"),
    ("completions", "writes for a shell"),
    ("manual", "writes manual pages"),
    ("lint explain", "is for people to read"),
    ("lint list", "is for people to read"),
    ("template new", "writes files"),
    ("template list", "is for people to read"),
    ("template check", "is for people to read"),
    ("subscriber export", "writes a CSV file"),
    ("rsvp export", "writes a CSV file"),
    ("post raw", "writes a message as it came"),
    ("inbound raw", "writes a message as it came"),
    ("bounce original", "writes a message as it came"),
];

/// Each schema with a command that is checked against it here.
pub fn tried() -> impl Iterator<Item = (&'static str, &'static str)> {
    [BEFORE, FIRST, THEN, STOPPED, APART].into_iter().flatten().copied()
}

/// A relay that refuses addresses that contain `refused`.
fn relay() -> MockServer {
    let mock = MockServer::start(MockSettings::default()).unwrap();
    mock.follow(|event: &Event<'_>| match event.point {
        Point::Recipient if event.address.contains("refused") => Action::Reply("550 5.1.1 no such user".to_owned()),
        _ => Action::Proceed,
    });
    mock
}

/// A place that sends through the relay, with the files that the commands name.
fn place(mock: &MockServer) -> Place {
    let place = Place::new("");
    let text = format!(
        "state_directory = \"state\"\n[control]\nsocket = \"control.sock\"\n[schedule]\nundo = \"0s\"\n[monitor]\naddress = \"\"\n[relay]\n\
         host = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n[inbound]\nresolvers = [\"127.0.0.1:1\"]\n",
        mock.address().port()
    );
    std::fs::write(place.configuration(), text).unwrap();
    let here = place.directory.path();
    let files = [
        ("about.md", "Om oss.\n".to_owned()),
        ("changed.csv", "email;name\nkarin.ek@kvarnvik.example;Karin Alm\n".to_owned()),
        ("edited.md", EDITED.to_owned()),
        ("post.eml", String::from_utf8(post(1)).unwrap()),
    ];
    for (name, text) in files {
        std::fs::write(here.join(name), text).unwrap();
    }
    place
}

fn post(number: u32) -> Vec<u8> {
    let header = format!("From: {AUTHOR}\r\nTo: samtal@lists.example.org\r\nSubject: Hej\r\n");
    format!("{header}Message-ID: <{number}@example.net>\r\n\r\nHi\r\n").into_bytes()
}

fn inject(place: &Place, number: u32, wrong: &mut Vec<String>) {
    let arguments = ["--json", "inject", "--recipient", "samtal@lists.example.org", "--sender", AUTHOR];
    let mut command = place.command(&arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&post(number)).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    hold_text(&String::from_utf8(output.stdout).unwrap(), "inject", wrong);
}

/// One backup is missing, and forgotten.
fn forget_a_backup(place: &Place, wrong: &mut Vec<String>) {
    let backups = place.directory.path().join("state/backup/backups");
    let mut manifests: Vec<_> = std::fs::read_dir(backups).unwrap().map(|entry| entry.unwrap().path()).collect();
    manifests.sort();
    let name = manifests[0].file_stem().and_then(|name| name.to_str()).unwrap().to_owned();
    std::fs::remove_file(&manifests[0]).unwrap();
    hold(place, "backup-list", "backup list", wrong);
    hold(place, "backup-forget", &format!("backup forget {name}"), wrong);
}

fn hold_all(place: &Place, here: &Path, commands: Commands, wrong: &mut Vec<String>) {
    for (name, command) in commands {
        hold(place, name, &command.replace(HERE, here.to_str().unwrap()), wrong);
    }
}

#[test]
fn commands_that_change_something_print_what_their_schemas_say() {
    let (mock, mut wrong) = (relay(), Vec::new());
    let place = place(&mock);
    let here = place.directory.path().to_owned();
    hold_all(&place, &here, BEFORE, &mut wrong);
    // As if systemd had passed a socket at an earlier start.
    std::fs::write(here.join("state/listeners"), "lmtp\n").unwrap();
    let mut daemon = place.serve();
    hold_all(&place, &here, FIRST, &mut wrong);
    inject(&place, 1, &mut wrong);
    until(&place, "notice list", "\"failed\"");
    inject(&place, 2, &mut wrong);
    until(&place, "post list", "\"p2\"");
    hold_all(&place, &here, THEN, &mut wrong);
    forget_a_backup(&place, &mut wrong);
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    hold_all(&place, &here, STOPPED, &mut wrong);
    assert!(run(&place, "backup list").contains("\"whole\":true"));
    assert!(wrong.is_empty(), "docs/schemas differs from what is printed:\n{}", wrong.join("\n"));
}
