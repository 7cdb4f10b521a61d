//! `--json` output matches `docs/schemas/`: each command's real output is checked against its schema, and a field not
//! described in the schema is a failure.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use clap::CommandFactory;
use depesch::cli::Arguments;
use serde_json::Value;

use super::json_changes;
use crate::support::daemon::Place;
use crate::support::json_schema::{check, hold, run, schema, schemas, until};

/// Commands that fill the store before the others run.
const PREPARED: &[&str] = &[
    "list import subscribers/lists.toml",
    "contact import docs/samples/contacts.toml",
    "subscriber import subscribers/media.csv --list media --consent asked",
    "suppression add kim@example.com --note asked",
    "release add docs/samples/inbjudan-riksmote.md",
    "mailing queue --release r1 --list media --at now",
];

/// Each schema, and a command whose output it describes.
const COMMANDS: &[(&str, &str)] = &[
    ("audit-list", "audit list"),
    ("audit-verify", "audit verify"),
    ("backup-list", "backup list"),
    ("backup-verify", "backup verify"),
    ("bounce-show", "bounce show s1"),
    ("config-check", "config check"),
    ("config-show", "config show"),
    ("contact-list", "contact list"),
    ("doctor", "doctor"),
    ("inbound-list", "inbound list"),
    ("inbound-show", "inbound show i1"),
    ("notice-list", "notice list"),
    ("list-consent", "list consent media"),
    ("list-list", "list list"),
    ("list-show", "list show media"),
    ("mailing-audience", "mailing audience m1"),
    ("mailing-list", "mailing list"),
    ("release-preview", "mailing preview m1"),
    ("mailing-report", "mailing report m1"),
    ("mailing-show", "mailing show m1"),
    ("mailing-show-subscriber", "mailing show m1 --subscriber s1"),
    ("organisation-list", "organisation list"),
    ("release-check", "release check docs/samples/inbjudan-riksmote.md"),
    ("release-list", "release list"),
    ("release-show", "release show r1"),
    ("retention-show", "retention show"),
    ("rsvp-list", "rsvp list m1"),
    ("status", "status"),
    ("subscriber-consent", "subscriber consent s1"),
    ("subscriber-record", "subscriber record s1"),
    ("subscriber-search", "subscriber list --list media --limit 3"),
    ("subscriber-search", "subscriber search k"),
    ("subscriber-show", "subscriber show s1"),
    ("suppression-list", "suppression list"),
    ("suppression-show", "suppression show kim@example.com"),
];

/// One message comes in, and is forwarded to the owner of the list.
fn hand_in_a_message(place: &Place) {
    let arguments = ["inject", "--recipient", "media-owner@lists.example.org", "--sender", "kim@example.net"];
    let mut child = place.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let message =
        b"From: kim@example.net\r\nTo: media-owner@lists.example.org\r\nMessage-ID: <q@example.net>\r\n\r\nHi\r\n";
    child.stdin.take().unwrap().write_all(message).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_command_prints_what_its_schema_says() {
    let place = Place::new("");
    let _daemon = place.serve();
    for command in PREPARED {
        run(&place, command);
    }
    hand_in_a_message(&place);
    until(&place, "mailing show m1", "\"finished\"");
    until(&place, "notice list", "\"accepted\"");
    run(&place, "backup create");
    let mut wrong = Vec::new();
    for (name, command) in COMMANDS {
        hold(&place, name, command, &mut wrong);
    }
    assert!(wrong.is_empty(), "docs/schemas differs from what is printed:\n{}", wrong.join("\n"));
}

/// Every schema with a command that was checked against it.
fn tried() -> Vec<(&'static str, &'static str)> {
    COMMANDS.iter().copied().chain(json_changes::tried()).collect()
}

#[test]
fn every_schema_is_tried_and_named_in_the_document() {
    let tried: BTreeSet<String> = tried().iter().map(|(name, _)| format!("{name}.json")).collect();
    let files = std::fs::read_dir(schemas()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.collect::<BTreeSet<_>>(), tried);
    let document = std::fs::read_to_string(schemas().join("../JSON.md")).unwrap();
    for file in tried {
        assert!(document.contains(&format!("(schemas/{file})")), "docs/JSON.md does not name {file}");
    }
}

/// The subcommands below `command`, as typed.
fn leaves(command: &clap::Command, path: &str, found: &mut Vec<String>) {
    let children: Vec<&clap::Command> = command.get_subcommands().filter(|child| !child.is_hide_set()).collect();
    if children.is_empty() {
        found.push(path.trim_start().to_owned());
    }
    for child in children.into_iter().filter(|child| child.get_name() != "help") {
        leaves(child, &format!("{path} {}", child.get_name()), found);
    }
}

#[test]
fn every_command_has_a_schema_or_a_reason_for_none() {
    let mut commands = Vec::new();
    leaves(&Arguments::command(), "", &mut commands);
    assert!(commands.len() > 90, "{commands:?}");
    let document = std::fs::read_to_string(schemas().join("../JSON.md")).unwrap();
    let tried = tried();
    let begins = |tried: &str, command: &str| format!("{tried} ").starts_with(&format!("{command} "));
    for command in &commands {
        let is_tried = tried.iter().any(|(_, tried)| begins(tried, command));
        let untried = json_changes::UNTRIED.iter().find(|(_, untried, _)| untried == command);
        let is_without = json_changes::WITHOUT.iter().any(|(without, _)| without == command);
        let reasons = [is_tried, untried.is_some(), is_without].iter().filter(|reason| **reason).count();
        assert_eq!(reasons, 1, "{command}: give it a schema in docs/schemas/ and try it, or say why it has none");
        if let Some((name, ..)) = untried {
            assert!(schemas().join(format!("{name}.json")).is_file(), "{command} has no schema {name}");
        }
        assert!(document.contains(&format!("`depesch {command}")), "docs/JSON.md does not name {command}");
    }
    let untried = json_changes::UNTRIED.iter().map(|(_, command, _)| *command);
    for command in untried.chain(json_changes::WITHOUT.iter().map(|(command, _)| *command)) {
        assert!(commands.iter().any(|known| known == command), "there is no command {command}");
    }
}

/// Adds the fields of a schema that have no type, and the arrays that do not say of what.
fn untyped(schema: &Value, at: &str, found: &mut Vec<String>) {
    let has = |name: &str| {
        schema["type"] == name || schema["type"].as_array().is_some_and(|names| names.contains(&name.into()))
    };
    if schema["type"].is_null() || (has("array") && schema["items"].is_null()) {
        found.push(at.to_owned());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        untyped(field, &format!("{at}.{name}"), found);
    }
    for below in ["items", "additionalProperties"].into_iter().filter(|below| schema[below].is_object()) {
        untyped(&schema[below], &format!("{at}.{below}"), found);
    }
}

#[test]
fn every_field_has_a_type() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(schemas()).unwrap() {
        let name = entry.unwrap().path().file_stem().and_then(|name| name.to_str()).unwrap().to_owned();
        untyped(&schema(&name), &name, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_differs_from_a_schema_is_found() {
    let schema: Value = serde_json::from_str(
        r#"{"type": "object", "properties": {"id": {"type": "string"}, "at": {"type": ["string", "null"]}, "parts": {"type": "array",
        "items": {"type": "integer"}}}, "required": ["id"]}"#,
    )
    .unwrap();
    let found = |text: &str| {
        let mut wrong = Vec::new();
        check(&schema, &serde_json::from_str(text).unwrap(), "x", &mut wrong);
        wrong
    };
    assert!(found(r#"{"id": "m1", "at": null, "parts": [1]}"#).is_empty());
    assert_eq!(found("{}"), ["x.id is required and absent"]);
    assert_eq!(found(r#"{"id": 1}"#), ["x.id is integer, not \"string\""]);
    assert_eq!(found(r#"{"id": "m1", "new": 1}"#), ["x.new is not described"]);
    assert_eq!(found(r#"{"id": "m1", "parts": ["a"]}"#), ["x.parts[0] is string, not \"integer\""]);
}
