//! `depesch template` and `depesch lint`: kinds of one's own, and explanations, without a daemon.

use std::path::Path;

use crate::support::daemon::{Place, complaint};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The files of the example in templates/README.md: each block of code that begins with its path.
fn example() -> Vec<(String, String)> {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/README.md")).unwrap();
    let blocks = document.split("```").skip(1).step_by(2);
    let file = |block: &str| {
        let block = block.trim_start_matches(|c: char| c.is_alphabetic()).trim_start_matches('\n');
        let (first, rest) = block.split_once('\n')?;
        let path = first.strip_prefix("# ").or_else(|| first.strip_prefix("{{! ")?.strip_suffix(" }}"))?;
        path.starts_with("summons/").then(|| (path.to_owned(), rest.to_owned()))
    };
    blocks.filter_map(file).collect()
}

#[test]
fn the_documented_kind_is_one_that_works() {
    let place = Place::new("");
    let directory = place.directory.path().join("templates");
    let files = example();
    assert_eq!(files.len(), 4, "{files:?}");
    for (path, content) in &files {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let checked = place.run(&["template", "check", directory.to_str().unwrap()]);
    assert_eq!(
        (checked.status.code(), text(&checked.stdout).as_str()),
        (Some(0), "all kinds are right\n"),
        "{}",
        complaint(&checked)
    );
    let listed = text(&place.run(&["template", "list", directory.to_str().unwrap()]).stdout);
    assert!(listed.contains("summons") && listed.contains("Kallelse"), "{listed}");
}

#[test]
fn a_new_kind_is_a_copy_under_its_own_name() {
    let place = Place::new("");
    let directory = place.directory.path().join("own");
    let to = directory.to_str().unwrap();
    let made = place.run(&["template", "new", "summons", "--like", "invitation", "--to", to]);
    assert_eq!(made.status.code(), Some(0), "{}", complaint(&made));
    assert_eq!(text(&made.stdout).lines().count(), 4);
    let manifest = std::fs::read_to_string(directory.join("summons/template.toml")).unwrap();
    assert!(
        manifest.starts_with("name = \"summons\"\n")
            && manifest.contains("calendar = true")
            && !manifest.contains("also")
    );
    assert_eq!(place.run(&["template", "check", to]).status.code(), Some(0));
    let again = place.run(&["template", "new", "summons", "--to", to]);
    assert!(again.status.code() == Some(2) && complaint(&again).contains("exists already"), "{}", complaint(&again));
    let unknown = place.run(&["template", "new", "x", "--like", "invitaton", "--to", to]);
    assert!(complaint(&unknown).contains("there is no kind"), "{}", complaint(&unknown));
}

fn with_text(place: &Place, kind: &str, part: &str, text: &str) {
    let path = place.directory.path().join("own").join(kind).join(part);
    let all = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, all + text).unwrap();
}

#[test]
fn the_faults_of_all_kinds_are_named_with_file_and_line() {
    let place = Place::new("");
    let directory = place.directory.path().join("own");
    let to = directory.to_str().unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(place.run(&["template", "new", name, "--to", to]).status.code(), Some(0));
    }
    with_text(&place, "a", "text.hbs", "\n{{#if release.kicker}}\n");
    // Printed without a test: only a release without it fails.
    with_text(&place, "b", "html.hbs", "\n{{release.kicker}}\n");
    let checked = place.run(&["template", "check", to]);
    let said = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&Path::new("a").join("text.hbs").display().to_string()) && said.contains("b/html.hbs, line"),
        "{said}"
    );
    assert!(
        said.contains("release.kicker is missing") && said.ends_with("2 faults\n") && !said.contains("c/"),
        "{said}"
    );
}

#[test]
fn rules_are_explained_in_both_languages() {
    let place = Place::new("");
    let explained = |arguments: &[&str]| text(&place.run(arguments).stdout);
    assert!(explained(&["lint", "explain", "weekday"]).contains("Why: Half the readers"));
    assert!(explained(&["lint", "explain", "[weekday]", "--language", "sv"]).contains("Varför: Hälften av läsarna"));
    assert!(explained(&["lint", "list", "--language", "sv"]).contains("doubled-word"));
    let unknown = place.run(&["lint", "explain", "weekdy"]);
    assert!(
        unknown.status.code() == Some(2) && complaint(&unknown).contains("did you mean “weekday”?"),
        "{}",
        complaint(&unknown)
    );
}
