//! `depesch template`: kinds of releases of your own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;

use crate::composition::content::Content;
use crate::composition::kind_trial::try_kind;
use crate::config::Config;
use crate::model::release::Kind;
use crate::render::registry::Templates;
use crate::render::template_files::{TemplateError, TemplateFile, read_all};

use super::output::note;
use super::{CliError, Context, Done};

/// Kinds of releases: their templates.
#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// Create a kind of your own, as a copy of another
    #[command(
        after_help = "Writes DIRECTORY/NAME with template.toml, subject.hbs, text.hbs and html.hbs; nothing is replaced.\n\n\
        Examples:\n  depesch template new flyer --to /etc/depesch/templates\n  depesch template new summons --like invitation"
    )]
    New {
        /// The name of the kind: a-z, 0-9 and -, e.g. flyer
        name: Kind,
        /// The kind that is copied
        #[arg(long, value_name = "KIND", default_value = "press-release")]
        like: Kind,
        /// The directory for the folder; by default templates_directory of the configuration
        #[arg(long, value_name = "DIRECTORY")]
        to: Option<PathBuf>,
    },
    /// Show all kinds: built in, and your own
    #[command(after_help = "Examples:\n  depesch template list")]
    List {
        /// A directory of templates, instead of templates_directory of the configuration
        #[arg(value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
    /// Try every kind with sample releases, and show what is wrong with file and line
    #[command(
        after_help = "Each kind is tried with a release that has every field, and with one that has only what the kind requires.\n\
        Exit code 1 when there are faults.\n\n\
        Examples:\n  depesch template check\n  depesch template check /etc/depesch/templates"
    )]
    Check {
        /// A directory of templates, instead of templates_directory of the configuration
        #[arg(value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(command: TemplateCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        TemplateCommand::New { name, like, to } => new(&name, &like, to, context),
        TemplateCommand::List { directory } => list(directory, context),
        TemplateCommand::Check { directory } => check(directory, context),
    }
}

/// The directory named, or the configured one; `None` without a configuration file.
fn directory_of(named: Option<PathBuf>, context: &Context) -> Result<Option<PathBuf>, CliError> {
    if named.is_some() {
        return Ok(named);
    }
    let config: Config = super::load_config(context.config.as_deref())?.config;
    Ok(config.templates_directory)
}

fn usage(error: TemplateError) -> CliError {
    CliError::Usage(error.to_string())
}

fn new(name: &Kind, like: &Kind, to: Option<PathBuf>, context: &Context) -> Result<Done, CliError> {
    let Some(directory) = directory_of(to, context)? else {
        let said = "no directory for templates: name one with --to, or set templates_directory in depesch.toml";
        return Err(CliError::Usage(said.to_owned()));
    };
    let files =
        read_all(Some(&directory).filter(|directory| directory.is_dir()).map(PathBuf::as_path)).map_err(usage)?;
    let is_kind = |kind: &Kind| files.contains_key(&format!("{kind}/template.toml"));
    if !is_kind(like) {
        return Err(CliError::Usage(format!(
            "there is no kind \u{201c}{like}\u{201d}; see \u{201c}depesch template list\u{201d}"
        )));
    }
    let folder = directory.join(name.as_str());
    if is_kind(name) || folder.exists() {
        return Err(CliError::Usage(format!("the kind \u{201c}{name}\u{201d} exists already; choose another name")));
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CliError::File { action: "written", path, error }
    };
    std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let prefix = format!("{like}/");
    for (path, file) in &files {
        let Some(part) = path.strip_prefix(&prefix) else { continue };
        let text = if part == "template.toml" { manifest_for(name, &file.text) } else { file.text.clone() };
        let path = folder.join(part);
        std::fs::write(&path, text).map_err(failed(&path))?;
        context.output.line(&path.display().to_string())?;
    }
    note("Change its title in template.toml, then try it: \u{201c}depesch template check\u{201d}.");
    Ok(Done::Fully)
}

/// The manifest of the copied kind under a new name; names that are the other kind's alone are left out.
fn manifest_for(name: &Kind, text: &str) -> String {
    let line = |line: &str| match line.split_once('=').map(|(key, _)| key.trim()) {
        Some("name") => Some(format!("name = \"{name}\"")),
        Some("title") => Some(format!("title = {{ sv = \"{name}\", en = \"{name}\" }}")),
        Some("also") => None,
        _ => Some(line.to_owned()),
    };
    text.lines().filter_map(line).map(|line| line + "\n").collect()
}

fn list(directory: Option<PathBuf>, context: &Context) -> Result<Done, CliError> {
    let files = read_all(directory_of(directory, context)?.as_deref()).map_err(usage)?;
    let templates = Templates::from_files(&files).map_err(usage)?;
    let rows = templates.kinds().map(|(kind, manifest)| {
        let titles: BTreeSet<&str> = manifest.title.values().map(String::as_str).collect();
        let origin = files.get(&format!("{kind}/template.toml")).map(|file| file.origin.clone()).unwrap_or_default();
        [kind.to_string(), titles.into_iter().collect::<Vec<_>>().join(", "), manifest.required.join(", "), origin]
    });
    context.output.table(&["kind", "titles", "requires", "from"], rows)?;
    Ok(Done::Fully)
}

fn check(directory: Option<PathBuf>, context: &Context) -> Result<Done, CliError> {
    let faults = faults(directory_of(directory, context)?.as_deref()).map_err(usage)?;
    faults.iter().try_for_each(|fault| context.output.line(&fault.to_string()))?;
    context.output.line(&match faults.len() {
        0 => "all kinds are right".to_owned(),
        1 => "1 fault".to_owned(),
        count => format!("{count} faults"),
    })?;
    Ok(if faults.is_empty() { Done::Fully } else { Done::Partly })
}

/// The faults of all kinds, of each the first.
fn faults(directory: Option<&Path>) -> Result<Vec<TemplateError>, TemplateError> {
    let files = read_all(directory)?;
    let is_manifest = |path: &&String| path.ends_with("/template.toml") && !path.starts_with("mails/");
    let kinds: Vec<&str> = files.keys().filter(is_manifest).filter_map(|path| path.split('/').next()).collect();
    let shared = |path: &str| ["partials/", "labels/", "mails/"].iter().any(|folder| path.starts_with(folder));
    let of = |kind: Option<&str>| -> BTreeMap<String, TemplateFile> {
        let own = |path: &str| kind.is_some_and(|kind| path.split('/').next() == Some(kind));
        let some = files.iter().filter(|(path, _)| shared(path) || own(path));
        some.map(|(path, file)| (path.clone(), file.clone())).collect()
    };
    // What all share is tried first: its faults would be named once for each kind.
    Templates::from_files(&of(None))?;
    let mut faults = Vec::new();
    for kind in kinds {
        // Each kind is loaded alone, so that a fault in one does not hide those of the others.
        let tried = Templates::from_files(&of(Some(kind))).and_then(|templates| {
            let content = Content { templates: Arc::new(templates), ..Content::built_in()? };
            let name: Kind = kind.parse().map_err(|error| TemplateError::of(kind, format!("{error}")))?;
            try_kind(&content, &name)
        });
        faults.extend(tried.err());
    }
    Ok(faults)
}
