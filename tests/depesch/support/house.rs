//! The structure of the code: its rooms, files and imports, and the table of rooms in `docs/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A row of the table.
pub struct Room {
    pub floor: u8,
    pub name: String,
    /// The names of its files, in backticks in the table.
    pub files: BTreeSet<String>,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The table, row by row.
pub fn rooms() -> &'static [Room] {
    static ROOMS: LazyLock<Vec<Room>> = LazyLock::new(read_rooms);
    &ROOMS
}

fn read_rooms() -> Vec<Room> {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [floor, name, _, files] = cells[..] else { return None };
        let names = files.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
        Some(Room {
            floor: floor.parse().ok()?,
            name: name.trim_matches('`').to_owned(),
            files: names.map(|name| name.trim_end_matches('/').to_owned()).collect(),
        })
    });
    rows.collect()
}

pub fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The module of a file under `src`, e.g. `store::journal`.
pub fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap().with_extension("");
    let inside = if inside.ends_with("mod") { inside.parent().unwrap().to_owned() } else { inside };
    inside.to_string_lossy().replace('/', "::")
}

/// The code of a file, without comments and without its tests.
pub fn code_of(text: &str) -> String {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines.map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The paths in a `use` tree, e.g. `a::{b, c::{self, D}}`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        return vec![tree.split_whitespace().next().unwrap_or_default().to_owned()];
    };
    let (mut depth, mut part, mut parts) = (1, String::new(), Vec::new());
    for c in rest.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => parts.push(std::mem::take(&mut part)),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if c != ',' || depth > 1 {
            part.push(c);
        }
    }
    parts.push(part);
    let inner = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| leaves(part));
    inner
        .map(|leaf| if leaf == "self" { prefix.trim_end_matches(':').to_owned() } else { format!("{prefix}{leaf}") })
        .collect()
}

/// The paths in a module's code that begin with `crate` or `super`, from the crate's root.
fn paths(module: &str, code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for word in ["crate::", "super::"] {
        for (at, _) in code.match_indices(word) {
            let before = &code[..at];
            if before.ends_with(|c: char| c.is_alphanumeric() || c == ':' || c == '_') {
                continue;
            }
            let is_use = before.trim_end().ends_with("use");
            let end = |c: char| if is_use { c == ';' } else { !c.is_alphanumeric() && c != '_' && c != ':' };
            let length = code[at..].find(end).unwrap_or(code.len() - at);
            found.extend(leaves(&code[at..at + length]));
        }
    }
    let own: Vec<&str> = module.split("::").collect();
    let absolute = |path: &String| {
        let mut segments: Vec<&str> = path.split("::").collect();
        let up = segments.iter().take_while(|segment| **segment == "super").count();
        let base = if up > 0 { own[..own.len().saturating_sub(up)].to_vec() } else { Vec::new() };
        segments.drain(..up.max(1));
        base.into_iter().chain(segments).map(str::to_owned).collect()
    };
    found.iter().map(absolute).collect()
}

/// The imports between modules, except those between a module and its own submodules.
pub fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let files = rust_files(&root().join("src"));
    let modules: BTreeSet<String> = files.iter().map(|path| module_of(path)).collect();
    let mut imports = BTreeMap::new();
    for path in &files {
        let (module, text) = (module_of(path), std::fs::read_to_string(path).unwrap());
        let mut used = BTreeSet::new();
        for mut segments in paths(&module, &code_of(&text)) {
            while !segments.is_empty() && !modules.contains(&segments.join("::")) {
                segments.pop();
            }
            let other = segments.join("::");
            let inside = |inner: &str, outer: &str| inner == outer || inner.starts_with(&format!("{outer}::"));
            if !other.is_empty() && !inside(&other, &module) && !inside(&module, &other) {
                used.insert(other);
            }
        }
        imports.insert(module, used);
    }
    imports
}

/// The groups of modules that depend on each other in a cycle.
pub fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reached = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            for other in imports.get(module).into_iter().flatten() {
                if seen.insert(other.clone()) {
                    open.push(other);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = imports.keys().map(|module| (module, reached(module))).collect();
    let circle = |module: &&String| {
        let own = &reached[*module];
        own.iter()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(*module)))
            .cloned()
            .collect::<Vec<_>>()
    };
    imports.keys().filter(|module| reached[*module].contains(*module)).map(|module| circle(&module)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_and_finds_circles() {
        let code = "use crate::a::{b, c::{self, D}};\nuse super::e;\nfn f() { super::super::g::h(crate::i::J) }";
        let found: BTreeSet<String> = paths("x::y", code).iter().map(|path| path.join("::")).collect();
        assert_eq!(found, ["a::b", "a::c", "a::c::D", "x::e", "g::h", "i::J"].map(str::to_owned).into());
        let graph = |edges: &[(&str, &str)]| {
            let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (from, to) in edges {
                graph.entry((*to).to_owned()).or_default();
                graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            }
            graph
        };
        let found = circles(&graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a")]));
        assert_eq!(found, [vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]].into());
        assert!(circles(&graph(&[("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
    }
}
