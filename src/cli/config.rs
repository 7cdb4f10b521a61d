//! `depesch config`: `check` works without a daemon; `show` asks the daemon, and reads the file when none answers.

use std::path::PathBuf;

use clap::Subcommand;

use crate::api::client::Client;
use crate::api::configuration::{InForce, KeyView};
use crate::app::check::{Checked, check as check_parts};
use crate::app::system_clock;
use crate::app::unit::Unit;
use crate::config::{Config, ConfigError, Loaded, RELOADABLE};

use super::{CliError, Context, Done};

/// Check and show the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Find all errors in a configuration file, in the files that it refers to and in the unit
    #[command(
        after_help = "It builds everything that \u{201c}serve\u{201d} builds, and connects to nothing. Run it as root, \
                            so that it may read the secrets.\n\n\
                            Exit codes: 0 no errors, 1 errors.\n\n\
                            Examples:\n  depesch config check && systemctl restart depesch\n  \
                            depesch config check --offline my.toml     on another machine: the file alone"
    )]
    Check {
        /// The file, instead of that of --config or /etc/depesch/depesch.toml
        file: Option<PathBuf>,
        /// Examine no other file, group or unit of this machine
        #[arg(long)]
        offline: bool,
        /// The systemd unit of the service, instead of the installed one
        #[arg(long, value_name = "UNIT", conflicts_with = "offline")]
        unit: Option<PathBuf>,
    },
    /// Print every key with the value in force (never a secret)
    #[command(
        after_help = "It asks the daemon, and marks values that differ in the file: they wait for a reload or a \
                            restart. Without a daemon it shows the file.\n\n\
                            Examples:\n  depesch config show\n  depesch config show --file --config my.toml --json"
    )]
    Show {
        /// Show the file's values, without asking the daemon
        #[arg(long)]
        file: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: ConfigCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        ConfigCommand::Check { file, offline, unit } => check(file, offline, unit, context),
        ConfigCommand::Show { file: true } => show_file(context, None),
        ConfigCommand::Show { file: false } => show(context).await,
    }
}

fn load(file: Option<PathBuf>, context: &Context) -> Result<Loaded, ConfigError> {
    Config::load(file.as_deref().or(context.config.as_deref()))
}

fn check(file: Option<PathBuf>, offline: bool, unit: Option<PathBuf>, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    match load(file, context) {
        Ok(loaded) => {
            let checked = examine(&loaded, offline, unit)?;
            show_checked(&loaded, &checked, context)?;
            Ok(if checked.wrong.is_empty() { Done::Fully } else { Done::Partly })
        }
        Err(ConfigError::Wrong { path, problems }) => {
            if output.is_json() {
                let problems: Vec<_> = problems
                    .iter()
                    .map(|p| serde_json::json!({ "line": p.line, "key": p.key, "message": p.message }))
                    .collect();
                output.json(&serde_json::json!({ "right": false, "file": path, "problems": problems }))?;
            } else {
                output.line(&ConfigError::Wrong { path, problems }.to_string())?;
            }
            Ok(Done::Partly)
        }
        Err(error) => Err(CliError::Usage(error.to_string())),
    }
}

/// Builds the parts as the daemon does.
fn examine(loaded: &Loaded, offline: bool, unit: Option<PathBuf>) -> Result<Checked, CliError> {
    if offline {
        return Ok(check_parts(&loaded.config.without_files(), None, system_clock()));
    }
    let unit = match unit {
        Some(path) => {
            let unreadable = |error| CliError::File { action: "read", path: path.clone(), error };
            Some(Unit::parse(&[std::fs::read_to_string(&path).map_err(unreadable)?]))
        }
        None => Unit::installed(),
    };
    Ok(check_parts(&loaded.config, unit.as_ref(), system_clock()))
}

fn show_checked(loaded: &Loaded, checked: &Checked, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    if output.is_json() {
        let problems: Vec<_> = checked
            .wrong
            .iter()
            .map(|message| serde_json::json!({ "line": null, "key": "", "message": message }))
            .collect();
        let right = checked.wrong.is_empty();
        return output.json(&serde_json::json!({
            "right": right, "file": loaded.file, "problems": problems, "not_seen": checked.not_seen
        }));
    }
    let name = loaded.file.as_ref().map_or("the defaults".to_owned(), |path| path.display().to_string());
    for wrong in &checked.wrong {
        output.line(&format!("{name}: {wrong}"))?;
    }
    for not_seen in &checked.not_seen {
        output.line(&format!("not checked: {not_seen}"))?;
    }
    match (&loaded.file, checked.wrong.is_empty()) {
        (_, false) => Ok(()),
        (Some(path), true) => output.line(&format!("{}: no errors", path.display())),
        (None, true) => output.line("there is no configuration file; the defaults are in force"),
    }
}

/// Shows the values in force in the daemon, and where the file differs.
async fn show(context: &Context) -> Result<Done, CliError> {
    let socket = match &context.socket {
        Some(socket) => socket.clone(),
        None => Config::control_socket(context.config.as_deref()),
    };
    let Ok(in_force) = Client::new(&socket).get::<InForce>("/v1/configuration").await else {
        return show_file(
            context,
            Some(format!("no daemon answers at {}: these are the file's values", socket.display())),
        );
    };
    let file = in_force.file.as_ref().map(PathBuf::from);
    let said = file.as_deref().map(|file| Config::load(Some(file)));
    let (said, broken) = match said {
        Some(Ok(loaded)) => (Some(loaded), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    let waits = |key: &KeyView| {
        let entry = said.as_ref()?.entries.iter().find(|entry| entry.key == key.key)?;
        let when = if RELOADABLE.contains(&key.key.as_str()) { "reload" } else { "restart" };
        (entry.value != key.value).then(|| (entry.value.clone(), when))
    };
    let output = &context.output;
    if output.is_json() {
        let keys: serde_json::Map<_, _> =
            in_force.keys.iter().map(|key| (key.key.clone(), json_value(&key.value))).collect();
        output.json(&keys)?;
        return Ok(Done::Fully);
    }
    let mut text = match &in_force.file {
        Some(file) => format!("# in force in the daemon, from {file}"),
        None => "# in force in the daemon; no configuration file, these are the defaults".to_owned(),
    };
    for line in broken.iter().flat_map(|broken| broken.lines()) {
        text.push_str(&format!("\n# the file cannot be used now: {line}"));
    }
    let mark = |key: &KeyView| match waits(key) {
        Some((value, when)) => format!("  # the file says {value}: waits for a {when}"),
        None if key.set || in_force.file.is_none() => String::new(),
        None => "  # default".to_owned(),
    };
    listed(&mut text, in_force.keys.iter().map(|key| (key.key.as_str(), key.value.as_str(), mark(key))));
    output.line(&text)?;
    Ok(Done::Fully)
}

/// Shows the file's values.
fn show_file(context: &Context, why: Option<String>) -> Result<Done, CliError> {
    let loaded = load(None, context).map_err(|error| CliError::Usage(error.to_string()))?;
    let output = &context.output;
    if output.is_json() {
        let keys: serde_json::Map<_, _> =
            loaded.entries.iter().map(|e| (e.key.clone(), json_value(&e.value))).collect();
        output.json(&keys)?;
        return Ok(Done::Fully);
    }
    let mut text = match &loaded.file {
        Some(path) => format!("# from {}", path.display()),
        None => "# no configuration file; these are the defaults".to_owned(),
    };
    if let Some(why) = why {
        text.push_str(&format!("\n# {why}"));
    }
    let mark = |set: bool| if set || loaded.file.is_none() { String::new() } else { "  # default".to_owned() };
    listed(&mut text, loaded.entries.iter().map(|e| (e.key.as_str(), e.value.as_str(), mark(e.set))));
    output.line(&text)?;
    Ok(Done::Fully)
}

/// Writes keys under their sections.
fn listed<'a>(text: &mut String, keys: impl Iterator<Item = (&'a str, &'a str, String)>) {
    let mut section = "";
    for (key, value, mark) in keys {
        let (of, name) = key.split_once('.').unwrap_or(("", key));
        if of != section {
            text.push_str(&format!("\n\n[{of}]"));
            section = of;
        }
        text.push_str(&format!("\n{name} = {value}{mark}"));
    }
}

/// A TOML value as JSON.
fn json_value(value: &str) -> serde_json::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"));
    parsed.ok().and_then(|table| serde_json::to_value(&table["value"]).ok()).unwrap_or_default()
}
