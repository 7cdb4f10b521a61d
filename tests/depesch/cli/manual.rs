//! The contents of packages: a manual page for every command, shell completions, and the files they name.

use std::path::Path;

use clap::{Command, CommandFactory};

use depesch::cli::Arguments;

use crate::support::daemon::Place;

/// The name of the manual page of each command, e.g. `depesch-mailing-queue.1`.
fn pages(command: &Command, name: &str, pages: &mut Vec<String>) {
    pages.push(format!("{name}.1"));
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        pages_of_child(child, name, pages);
    }
}

fn pages_of_child(child: &Command, parent: &str, found: &mut Vec<String>) {
    pages(child, &format!("{parent}-{}", child.get_name()), found);
}

#[test]
fn every_command_has_a_manual_page_with_its_options() {
    let place = Place::new("");
    let directory = place.directory.path().join("man");
    let written = place.run(&["manual", "--date", "2026-11-29", directory.to_str().unwrap()]);
    assert_eq!(written.status.code(), Some(0));
    let mut expected = Vec::new();
    pages(&Arguments::command(), "depesch", &mut expected);
    assert!(expected.len() > 60, "{expected:?}");
    for page in &expected {
        assert!(directory.join(page).is_file(), "there is no {page}");
    }
    let queue = std::fs::read_to_string(directory.join("depesch-mailing-queue.1")).unwrap();
    assert!(
        queue.contains(".TH DEPESCH-MAILING-QUEUE 1 2026-11-29 \"Depesch ") && queue.contains("reached\\-by"),
        "{queue}"
    );
}

/// The checks of `mandoc -T lint`, without mandoc; `.ci/run` runs the real one.
#[test]
fn the_pages_are_clean_roff() {
    let place = Place::new("");
    let directory = place.directory.path().join("man");
    assert_eq!(place.run(&["manual", directory.to_str().unwrap()]).status.code(), Some(0));
    let today = depesch::app::system_clock().now().date_naive();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        let dated = (0..2).any(|ago| page.contains(&format!(" {} ", today - chrono::Days::new(ago))));
        assert!(dated, "{} has no date", path.display());
        // What follows is shown verbatim, with its empty lines.
        let filled = page.split("\n.nf\n").next().unwrap();
        for (line, next) in filled.lines().zip(filled.lines().skip(1)) {
            assert!(line == line.trim_end() && !line.is_empty(), "{}: {line:?}", path.display());
            assert!(line != ".br" || !next.starts_with(".sp"), "{}: a break before a space", path.display());
        }
    }
}

#[test]
fn completions_know_the_nouns() {
    let place = Place::new("");
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(place.run(&["completions", shell]).stdout).unwrap();
        assert!(script.contains("suppression") && script.contains("socket"), "{shell}");
    }
}

#[test]
fn the_files_of_the_debian_package_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(root.join("Cargo.toml")).unwrap()).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let sources = assets.iter().map(|asset| asset[0].as_str().unwrap()).filter(|source| !source.starts_with("target/"));
    let mut looked_at = 0;
    for source in sources {
        let path = root.join(source);
        let (folder, pattern) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
        let ending = pattern.strip_prefix('*').unwrap_or(pattern);
        let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(files.any(|name| name.to_str().unwrap().ends_with(ending)), "{source} is not there");
        looked_at += 1;
    }
    assert!(looked_at > 5);
}
