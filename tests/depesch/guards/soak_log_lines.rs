//! The log lines that a soak run expects are lines that the program writes: a reworded message must be reworded there.

use std::path::{Path, PathBuf};

const EXPECTING: &str = "src/bench/soak/log_lines.rs";

fn sources(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, all),
            false => all.push(path),
        }
    }
}

/// A source with the lines of each text joined.
fn joined(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let mut pieces = text.split("\\\n");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + piece.trim_start())
}

#[test]
fn every_expected_line_is_one_that_the_program_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let written: Vec<String> =
        files.iter().filter(|path| !path.to_string_lossy().contains("bench/soak")).map(|path| joined(path)).collect();
    let is_written = |text: &str| written.iter().any(|source| source.contains(&format!("\"{text}")));
    let expecting = joined(&root.join(EXPECTING));
    let expected: Vec<&str> =
        expecting.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    assert!(expected.len() > 20, "{expected:?}");
    for text in expected {
        // A failed request is logged with the text of its error.
        let part = text.strip_prefix("request failed: ").unwrap_or(text);
        assert!(is_written(part), "{EXPECTING} expects \u{201c}{text}\u{201d}, which the program does not write");
    }
}
