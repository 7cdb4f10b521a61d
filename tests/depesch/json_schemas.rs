//! What `--json` prints is what `docs/schemas/` says: each command's real output is held against its schema, and a field that
//! a schema does not describe is a failure.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::daemon::Place;

/// What is in the store when the commands are asked.
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
    ("letter-list", "letter list"),
    ("list-consent", "list consent media"),
    ("list-list", "list list"),
    ("list-show", "list show media"),
    ("mailing-list", "mailing list"),
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
    ("subscriber-show", "subscriber show s1"),
    ("suppression-list", "suppression list"),
    ("suppression-show", "suppression show kim@example.com"),
];

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

fn schema(name: &str) -> Value {
    let path = schemas().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether the value has a type that the schema names; a schema without types allows each.
fn has_type(schema: &Value, value: &Value) -> bool {
    let actual = type_of(value);
    let fits = |name: &Value| name == actual || (name == "number" && actual == "integer");
    match &schema["type"] {
        Value::Null => true,
        Value::Array(names) => names.iter().any(fits),
        name => fits(name),
    }
}

/// Adds what is wrong with a value by the part of JSON Schema that `docs/schemas/` uses. Stricter in one thing: where a
/// schema lists properties, another one is wrong.
fn check(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if !has_type(schema, value) {
        wrong.push(format!("{at} is {}, not {}", type_of(value), schema["type"]));
    }
    if let Value::Object(fields) = value {
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        for name in required.iter().filter_map(Value::as_str).filter(|name| !fields.contains_key(*name)) {
            wrong.push(format!("{at}.{name} is required and absent"));
        }
        for (name, field) in fields {
            let place = format!("{at}.{name}");
            match (schema["properties"].get(name), schema.get("additionalProperties"), schema.get("properties")) {
                (Some(described), _, _) | (None, Some(described), _) => check(described, field, &place, wrong),
                (None, None, Some(_)) => wrong.push(format!("{place} is not described")),
                (None, None, None) => {}
            }
        }
    }
    for (at_index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, &format!("{at}[{at_index}]"), wrong);
    }
}

/// Runs a command from the directory of the project.
fn run(place: &Place, command: &str) -> String {
    let arguments: Vec<&str> = std::iter::once("--json").chain(command.split(' ')).collect();
    let output = place.command(&arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{command}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// One message comes in, and is forwarded to the owner of the list.
fn hand_in_a_message(place: &Place) {
    let arguments = ["inject", "--recipient", "media-owner@lists.example.org", "--sender", "kim@example.net"];
    let mut child = place.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let message =
        b"From: kim@example.net\r\nTo: media-owner@lists.example.org\r\nMessage-ID: <q@example.net>\r\n\r\nHi\r\n";
    child.stdin.take().unwrap().write_all(message).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Waits until the command prints something that holds `words`.
fn until(place: &Place, command: &str, words: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while !run(place, command).contains(words) {
        assert!(Instant::now() < end, "{command} never showed {words}");
        std::thread::yield_now();
    }
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
    until(&place, "letter list", "\"accepted\"");
    run(&place, "backup create");
    let mut wrong = Vec::new();
    for (name, command) in COMMANDS {
        let printed = run(&place, command);
        assert!(printed.len() > 2, "{command} printed nothing");
        for line in printed.lines() {
            check(&schema(name), &serde_json::from_str(line).unwrap(), name, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "docs/schemas differs from what is printed:\n{}", wrong.join("\n"));
}

#[test]
fn every_schema_is_tried_and_named_in_the_document() {
    let tried: BTreeSet<String> = COMMANDS.iter().map(|(name, _)| format!("{name}.json")).collect();
    let files = std::fs::read_dir(schemas()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.collect::<BTreeSet<_>>(), tried);
    let document = std::fs::read_to_string(schemas().join("../JSON.md")).unwrap();
    for file in tried {
        assert!(document.contains(&format!("(schemas/{file})")), "docs/JSON.md does not name {file}");
    }
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
