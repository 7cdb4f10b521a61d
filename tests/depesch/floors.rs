//! The house keeps its floors: imports go downward only, rooms on one floor do not import each other, files and
//! functions stay short.

use std::path::{Path, PathBuf};

/// Each room's floor. A room may use what lies on lower floors, and itself.
const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("metrics", 0),
    ("model", 1),
    ("mail", 1),
    ("bounce", 2),
    ("authentication", 2),
    ("store", 2),
    ("render", 2),
    ("transport", 2),
    ("sink", 2),
    ("socket", 2),
    ("flow", 3),
    ("control", 4),
    ("smtp", 4),
    ("monitor", 4),
    ("config", 5),
    ("app", 6),
    ("bench", 7),
    ("doctor", 7),
    ("cli", 8),
    ("lib", 9),
    ("main", 9),
];
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 80;

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The room that a file under `src` belongs to: its folder, or its own name at the top.
fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// What is wrong with the imports of one file.
fn wrong_imports(room: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(room) else { return vec![format!("the room {room} has no floor; give it one in floors.rs")] };
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap();
        for after in code.split("crate::").skip(1) {
            if after.starts_with('{') {
                wrong.push(format!("line {}: one `use crate::` per room, please", number + 1));
                continue;
            }
            let other: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            match floor(&other) {
                _ if other == room => {}
                None => wrong.push(format!("line {}: the room {other} has no floor", number + 1)),
                Some(floor) if floor < own => {}
                Some(floor) if floor == own => wrong.push(format!("line {}: sideways to {other}", number + 1)),
                Some(_) => wrong.push(format!("line {}: upward to {other}", number + 1)),
            }
        }
    }
    wrong
}

/// Functions that are too long: rustfmt puts the closing brace under the first letter of the opening line.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let head = code.split(['(', '<']).next().unwrap();
        let opens = head.split_whitespace().rev().nth(1) == Some("fn") && !code.starts_with("//");
        if !opens || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[start..].iter().position(|l| *l == close).map_or(0, |end| end + 1);
        if length > FUNCTION_LINES {
            long.push(format!("line {}: a function of {length} lines", start + 1));
        }
    }
    long
}

fn check(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn imports_go_downward_only() {
    let mut found = Vec::new();
    for path in rust_files(&root().join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        found.extend(wrong_imports(&room_of(&path), &text).into_iter().map(|w| format!("{}: {w}", path.display())));
    }
    check("imports against the floors", found);
}

#[test]
fn files_and_functions_stay_short() {
    let mut found = Vec::new();
    for path in rust_files(&root().join("src")).into_iter().chain(rust_files(&root().join("tests"))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        if lines > FILE_LINES {
            found.push(format!("{}: {lines} lines, over {FILE_LINES}", path.display()));
        }
        found.extend(long_functions(&text).into_iter().map(|w| format!("{}: {w}", path.display())));
    }
    check("too long", found);
}

#[test]
fn lower_floors_do_no_io() {
    let mut found = Vec::new();
    for room in FLOORS.iter().filter(|(_, floor)| *floor <= 1).map(|(room, _)| room) {
        for path in rust_files(&root().join("src").join(room)) {
            let text = std::fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap();
                if ["tokio::", "std::fs", "net::Tcp", "net::Udp", "std::process"].iter().any(|word| code.contains(word))
                {
                    found.push(format!("{}: line {}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    check("I/O on floor 0 or 1", found);
}

#[test]
fn the_guard_sees_what_it_guards_against() {
    assert_eq!(wrong_imports("flow", "use crate::control::Control;"), ["line 1: upward to control"]);
    assert_eq!(wrong_imports("render", "\nuse crate::store::Store;"), ["line 2: sideways to store"]);
    assert_eq!(wrong_imports("flow", "    crate::{store, cli}").len(), 1);
    assert!(wrong_imports("flow", "use crate::store::Store; // crate::cli is above").is_empty());
    let body = "        step();\n".repeat(80);
    let text = format!("    pub async fn long<T>(\n        a: T,\n    ) {{\n{body}    }}\n");
    assert_eq!(long_functions(&text), ["line 1: a function of 84 lines"]);
    assert!(long_functions("fn short() {\n    step();\n}\n").is_empty());
}
