//! Every relative link in the documents resolves in the repository and, because the Debian package has the same layout,
//! after installation.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

const INSTALLED: &str = "usr/share/doc/depesch/";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files in a directory of the repository, as paths below its root.
fn markdown_in(directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(directory)).unwrap();
    let paths = entries.map(|entry| Path::new(directory).join(entry.unwrap().file_name()));
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

fn documents() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for directory in ["", "docs", "docs/monitoring", "subscribers", "templates"] {
        all.extend(markdown_in(directory));
    }
    all
}

/// The text outside fenced blocks and code in backticks, where brackets are not links.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside = line.split('`').step_by(2);
            prose.extend(outside);
            prose.push('\n');
        }
    }
    prose
}

/// The targets of the links and pictures in a Markdown text.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.trim().to_owned()).collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |heading: &str| {
        let lower = heading.to_lowercase().replace(' ', "-");
        lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(kept).collect()
}

/// `docs/../README.md` is `README.md`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} leads out of the repository", path.display()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// Each relative link: the document, the path that it leads to, and the anchor.
fn relative_links() -> Vec<(PathBuf, PathBuf, Option<String>)> {
    let mut found = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = match link.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor.to_owned())),
                None => (link.as_str(), None),
            };
            let target = match path {
                "" => document.clone(),
                path => normal(&document.parent().unwrap().join(path)),
            };
            found.push((document.clone(), target, anchor));
        }
    }
    assert!(found.len() > 25, "the documents link to each other: {found:?}");
    found
}

/// Where the package puts the files of the repository: pairs of a source (perhaps with `*`) and a directory.
fn assets() -> Vec<(String, String)> {
    let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let text = |asset: &toml::Value, at: usize| asset[at].as_str().unwrap().to_owned();
    assets.iter().map(|asset| (text(asset, 0), text(asset, 1))).collect()
}

/// Whether the package has this file of the repository at the same place below its documents.
fn is_installed(path: &Path, assets: &[(String, String)]) -> bool {
    let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
    assets.iter().any(|(source, target)| {
        let source = Path::new(source);
        let pattern = source.file_name().unwrap().to_str().unwrap();
        let matches = pattern == name || pattern.strip_prefix('*').is_some_and(|ending| name.ends_with(ending));
        let at = target.strip_prefix(INSTALLED).map(|place| Path::new(place.trim_end_matches('/')));
        matches && source.parent() == Some(folder) && at == Some(folder)
    })
}

#[test]
fn every_relative_link_resolves_in_the_repository() {
    for (document, target, anchor) in relative_links() {
        let place = root().join(&target);
        assert!(place.exists(), "{} links to {}, which is not there", document.display(), target.display());
        if let Some(anchor) = anchor {
            let headings = anchors(&std::fs::read_to_string(place).unwrap());
            assert!(headings.contains(&anchor), "{} has no heading #{anchor}: {headings:?}", target.display());
        }
    }
}

#[test]
fn every_document_and_what_it_links_to_is_installed_at_the_same_place() {
    let assets = assets();
    for document in documents() {
        assert!(is_installed(&document, &assets), "the package lacks {}", document.display());
    }
    for (document, target, _) in relative_links() {
        let files = match root().join(&target) {
            place if place.is_dir() => {
                std::fs::read_dir(place).unwrap().map(|entry| target.join(entry.unwrap().file_name())).collect()
            }
            _ => vec![target.clone()],
        };
        for file in files {
            assert!(is_installed(&file, &assets), "{} links to {}", document.display(), file.display());
        }
    }
}

#[test]
fn links_are_found_outside_of_code_only() {
    assert_eq!(links("[a](x.md#y) `[b](no)`\n```\n[c](no)\n```\n![d](p.png)"), ["x.md#y", "p.png"]);
    assert!(anchors("## What to do when…\n# Take mail in").contains("take-mail-in"));
    assert!(!is_installed(Path::new("docs/none.pdf"), &assets()));
}
