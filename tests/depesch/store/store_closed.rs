//! The store is encapsulated: no code above it builds keys, uses the engine below it, or reads without a limit.

use crate::support::house::{code_of, module_of, root, rust_files};

/// The faults in the code of one file: names that only the store itself, or only a test, may use.
fn wrong(module: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let in_store = module == "store" || module.starts_with("store::");
    let mut wrong = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut found = |what: &str| wrong.push(format!("{module}, line {}: {what}: {}", number + 1, line.trim()));
        if line.contains("for_tests") && module != "store" {
            found("what is for tests only");
        }
        if line.contains("usize::MAX).await") || (line.contains("usize::MAX)") && line.contains("scan(")) {
            found("a read without a limit");
        }
        if in_store {
            continue;
        }
        let is_key = |word: &str| line.contains(word) && !line.contains("config::keys");
        if is_key("store::keys") || line.contains("KeyRange") || line.contains("engine::Key") {
            found("a key of the store");
        }
        if line.contains("store.engine") || line.contains("store.scan(") {
            found("the engine below the store");
        }
    }
    wrong
}

#[test]
fn nothing_above_the_store_builds_keys_or_reads_without_a_limit() {
    let mut found = Vec::new();
    for path in rust_files(&root().join("src")) {
        if path.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        found.extend(wrong(&module_of(&path), &std::fs::read_to_string(&path).unwrap()));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_guard_sees_what_it_guards_against() {
    for line in [
        "use crate::store::keys;",
        "let all = store.letters_later(now, usize::MAX).await?;",
        "store.engine().get(&key)",
        "use crate::store::engine::KeyRange;",
        "use crate::store::for_tests::engine;",
    ] {
        assert_eq!(wrong("mailings::queue", line).len(), 1, "{line}");
    }
    assert_eq!(wrong("store::lists", "let found = self.engine.scan(range, usize::MAX).await?;").len(), 1);
    assert!(wrong("store::lists", "let range = keys::table(b'l'); use super::engine::KeyRange;").is_empty());
    assert!(wrong("mailings::queue", "let n = usize::try_from(n).unwrap_or(usize::MAX); // store.engine").is_empty());
}
