//! The layering of the code: imports go downward only, rooms on one floor do not import each other, files do not depend
//! on each other in cycles, files and functions stay short, and docs/ARCHITECTURE.md is accurate.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::house::{circles, imports, module_of, rooms, root, rust_files};

/// The floor of `lib.rs` and `main.rs`, above all rooms.
const TOP: u8 = 99;
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 80;

fn floor(room: &str) -> Option<u8> {
    if matches!(room, "lib" | "main") {
        return Some(TOP);
    }
    rooms().iter().find(|found| found.name == room).map(|found| found.floor)
}

/// The room that a file under `src` belongs to: its folder, or its own name at the top.
fn room_of(path: &Path) -> String {
    module_of(path).split("::").next().unwrap().to_owned()
}

/// What is wrong with the imports of one file.
fn wrong_imports(room: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(room) else { return vec![format!("the room {room} is not in docs/ARCHITECTURE.md")] };
    let mut wrong = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if !line.contains("crate::") {
            continue;
        }
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
fn no_files_import_each_other_in_a_cycle() {
    let found = circles(&imports()).iter().map(|circle| circle.join(" ")).collect();
    check("files that need each other", found);
}

/// The file names under `src/<room>`, without `mod` and test files: those directly in its folder, and all.
fn names_in(room: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let folder = root().join("src").join(room);
    let (mut own, mut all, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![folder.clone()]);
    while let Some(place) = open.pop() {
        for entry in std::fs::read_dir(&place).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
            if name == "mod" || name.ends_with("tests") {
                continue;
            }
            if place == folder {
                own.insert(name.clone());
            }
            all.insert(name);
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    (own, all)
}

#[test]
fn the_table_names_exactly_the_existing_rooms_and_files() {
    let mut found = Vec::new();
    let there: BTreeSet<String> = rust_files(&root().join("src")).iter().map(|path| room_of(path)).collect();
    let named: BTreeSet<String> = rooms().iter().map(|room| room.name.clone()).collect();
    let there: BTreeSet<String> = there.into_iter().filter(|room| room != "lib" && room != "main").collect();
    found.extend(there.symmetric_difference(&named).map(|room| format!("the room {room}")));
    for room in rooms() {
        let (own, all) = names_in(&room.name);
        found.extend(own.difference(&room.files).map(|name| format!("{}: {name} is missing", room.name)));
        found.extend(room.files.difference(&all).map(|name| format!("{}: {name} is not there", room.name)));
    }
    check("docs/ARCHITECTURE.md and src differ", found);
}

/// Paths in the table "Where does a change go?", each in backticks, relative to `src` or the root.
fn paths_of_changes() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let section = text.split("## Where does a change go?").nth(1).unwrap().split("\n## ").next().unwrap();
    let quoted = section.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| word.contains('/') && !word.contains(['<', '*', ' ']);
    quoted.filter(is_path).map(str::to_owned).collect()
}

#[test]
fn each_place_of_a_change_exists() {
    let paths = paths_of_changes();
    assert!(paths.len() > 40, "{paths:?}");
    let is_there = |path: &String| root().join("src").join(path).exists() || root().join(path).exists();
    check("places that do not exist", paths.into_iter().filter(|path| !is_there(path)).collect());
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
    for room in rooms().iter().filter(|room| room.floor <= 1).map(|room| &room.name) {
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
    assert_eq!(wrong_imports("mailings", "use crate::api::ApiState;"), ["line 1: upward to api"]);
    assert_eq!(wrong_imports("render", "\nuse crate::store::Store;"), ["line 2: sideways to store"]);
    assert_eq!(wrong_imports("mailings", "    crate::{store, cli}").len(), 1);
    assert!(wrong_imports("mailings", "use crate::store::Store; // crate::cli is above").is_empty());
    let body = "        step();\n".repeat(80);
    let text = format!("    pub async fn long<T>(\n        a: T,\n    ) {{\n{body}    }}\n");
    assert_eq!(long_functions(&text), ["line 1: a function of 84 lines"]);
    assert!(long_functions("fn short() {\n    step();\n}\n").is_empty());
}
