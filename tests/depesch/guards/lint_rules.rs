//! Every rule that the code uses is explained in rules.toml, and every explained rule and text is used.

use std::collections::BTreeSet;

use depesch::render::rules;

use crate::support::house::{code_of, root, rust_files};

/// The code that finds something in releases.
fn code() -> String {
    let mut files = rust_files(&root().join("src/render"));
    files.push(root().join("src/composition/content.rs"));
    files.iter().map(|path| code_of(&std::fs::read_to_string(path).unwrap())).collect()
}

/// The rules and texts named next to a call that reports a finding: `subject.warning(("alt-text", "image"), …)`.
fn named(code: &str) -> BTreeSet<(String, Option<String>)> {
    let mut found = BTreeSet::new();
    for call in ["error((\"", "warning((\"", "Severity::Error, (\"", "Severity::Warning, (\"", "text = (\"", "at, (\""]
    {
        for after in code.split(call).skip(1) {
            let (rule, rest) = after.split_once('"').unwrap();
            let text = rest.strip_prefix(", \"").and_then(|rest| rest.split_once('"')).map(|(text, _)| text.to_owned());
            found.insert((rule.to_owned(), text));
        }
    }
    found
}

#[test]
fn every_rule_used_is_explained() {
    let named = named(&code());
    assert!(named.len() > 60, "{named:?}");
    for (rule, text) in named {
        let explained = rules::all().get(&rule).unwrap_or_else(|| panic!("{rule} is not in rules.toml"));
        if let Some(text) = text {
            assert!(explained.texts.contains_key(&text), "rules.toml has no text {rule}.{text}");
        }
    }
}

#[test]
fn every_explained_rule_and_text_is_used() {
    let code = code();
    for (id, rule) in rules::all() {
        assert!(code.contains(&format!("\"{id}\"")), "no code uses the rule {id}");
        for text in rule.texts.keys() {
            assert!(code.contains(&format!("\"{text}\"")), "no code uses the text {id}.{text}");
        }
    }
}
