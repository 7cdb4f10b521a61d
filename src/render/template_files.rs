//! Template files: those built into the program, overlaid by those of a configured folder.
//!
//! A file in the folder replaces the built-in one with the same path; a new folder is a new kind.

use std::collections::BTreeMap;
use std::path::Path;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "templates/"]
#[include = "*.hbs"]
#[include = "*.toml"]
struct BuiltIn;

/// Maximum bytes of a template file.
const FILE_LIMIT: u64 = 256 * 1024;
/// Maximum number of files in the configured folder.
const FILES_LIMIT: usize = 1000;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFile {
    /// Its text.
    pub text: String,
    /// Its origin, for messages: its path in the built-in templates, or its file in the configured folder.
    pub origin: String,
    /// Whether it is built into the program.
    pub built_in: bool,
}

/// Templates that cannot be used: file, line, what is wrong, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template {file}{}: {what}", line.map(|l| format!(", line {l}")).unwrap_or_default())]
pub struct TemplateError {
    /// The file.
    pub file: String,
    /// The line in it, from 1, if known.
    pub line: Option<usize>,
    /// What is wrong or missing.
    pub what: String,
}

impl TemplateError {
    /// Creates an error about a file as a whole.
    pub(crate) fn of(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, what: what.into() }
    }
}

/// Reads all files, by path with `/`, e.g. `invitation/text.hbs`.
///
/// # Errors
/// [`TemplateError`]: the configured folder cannot be read, or contains a file that cannot be a template.
pub fn read_all(overlay: Option<&Path>) -> Result<BTreeMap<String, TemplateFile>, TemplateError> {
    let mut files = BTreeMap::new();
    for path in BuiltIn::iter() {
        let Some(file) = BuiltIn::get(&path) else { continue };
        let text = String::from_utf8(file.data.into_owned())
            .map_err(|_| TemplateError::of(path.as_ref(), "it is not UTF-8"))?;
        files.insert(path.to_string(), TemplateFile { text, origin: format!("{path} (built in)"), built_in: true });
    }
    if let Some(folder) = overlay {
        read_folder(folder, "", 0, &mut files)?;
    }
    Ok(files)
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, TemplateFile>,
) -> Result<(), TemplateError> {
    let origin = folder.display().to_string();
    let failed = |e: std::io::Error| TemplateError::of(origin.clone(), format!("the folder cannot be read: {e}"));
    let mut entries: Vec<_> = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let origin = entry.path().display().to_string();
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let kind = entry.file_type().map_err(|e| TemplateError::of(origin.clone(), e.to_string()))?;
        let path = format!("{prefix}{name}");
        // A link could point outside the folder.
        if kind.is_symlink() {
            return Err(TemplateError::of(origin, "it is a symbolic link; replace it with the file itself"));
        }
        if kind.is_dir() && (depth == 0 || (depth == 1 && prefix == "mails/")) {
            read_folder(&entry.path(), &format!("{path}/"), depth + 1, files)?;
        } else if kind.is_file() && [".hbs", ".toml"].iter().any(|end| name.ends_with(end)) {
            let text = read_file(&entry.path()).map_err(|what| TemplateError::of(origin.clone(), what))?;
            files.insert(path, TemplateFile { text, origin, built_in: false });
        }
        if files.len() > FILES_LIMIT {
            return Err(TemplateError::of(folder.display().to_string(), format!("more than {FILES_LIMIT} files")));
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > FILE_LIMIT {
        return Err(format!("it has {size} bytes; a template has at most {FILE_LIMIT}"));
    }
    std::fs::read_to_string(path).map_err(|e| e.to_string())
}
