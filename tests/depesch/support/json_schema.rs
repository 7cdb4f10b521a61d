//! Checks JSON against the schemas in `docs/schemas/`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::daemon::Place;

/// The directory of the schemas.
pub fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

/// The schema with this name.
pub fn schema(name: &str) -> Value {
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

/// Whether the value has a type that the schema allows; a schema without types allows all.
fn has_type(schema: &Value, value: &Value) -> bool {
    let actual = type_of(value);
    let fits = |name: &Value| name == actual || (name == "number" && actual == "integer");
    match &schema["type"] {
        Value::Null => true,
        Value::Array(names) => names.iter().any(fits),
        name => fits(name),
    }
}

/// Adds the errors of a value, for the part of JSON Schema used in `docs/schemas/`. Stricter in one point: if a schema
/// lists properties, no others are allowed.
pub fn check(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
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

/// Runs a command in the project's directory.
pub fn run(place: &Place, command: &str) -> String {
    let arguments: Vec<&str> = std::iter::once("--json").chain(command.split(' ')).collect();
    let output = place.command(&arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{command}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until the command prints output that contains `words`.
pub fn until(place: &Place, command: &str, words: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while !run(place, command).contains(words) {
        assert!(Instant::now() < end, "{command} never showed {words}");
        std::thread::yield_now();
    }
}

/// Runs a command and adds the differences of its output from the schema.
pub fn hold(place: &Place, name: &str, command: &str, wrong: &mut Vec<String>) {
    let printed = run(place, command);
    assert!(printed.len() > 2, "{command} printed nothing");
    hold_text(&printed, name, wrong);
}

/// Adds the differences of lines of JSON from the schema.
pub fn hold_text(printed: &str, name: &str, wrong: &mut Vec<String>) {
    for line in printed.lines() {
        check(&schema(name), &serde_json::from_str(line).unwrap(), name, wrong);
    }
}
