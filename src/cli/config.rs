//! `depesch config`: needs no daemon.

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::{Config, Loaded};

use super::{CliError, Context, Done};

/// Check and show the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Find all that is wrong with a configuration file
    #[command(after_help = "Exit codes: 0 nothing is wrong, 1 something is.\n\n\
                            Examples:\n  depesch config check\n  depesch config check my.toml && systemctl reload depesch")]
    Check {
        /// The file, instead of the one of --config or /etc/depesch/depesch.toml
        file: Option<PathBuf>,
    },
    /// Print every key with the value in force (never a secret)
    #[command(after_help = "Examples:\n  depesch config show\n  depesch config show --config my.toml --json")]
    Show,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub fn run(command: ConfigCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        ConfigCommand::Check { file } => check(file, context),
        ConfigCommand::Show => show(context),
    }
}

fn load(file: Option<PathBuf>, context: &Context) -> Result<Loaded, crate::config::ConfigError> {
    Config::load(file.as_deref().or(context.config.as_deref()))
}

fn check(file: Option<PathBuf>, context: &Context) -> Result<Done, CliError> {
    let output = &context.output;
    match load(file, context) {
        Ok(loaded) => {
            if output.is_json() {
                output.json(&serde_json::json!({ "right": true, "problems": [] }))?;
                return Ok(Done::Fully);
            }
            match &loaded.file {
                Some(path) => output.line(&format!("{}: nothing is wrong", path.display()))?,
                None => output.line("there is no configuration file; the defaults are in force")?,
            }
            Ok(Done::Fully)
        }
        Err(crate::config::ConfigError::Wrong { path, problems }) => {
            if output.is_json() {
                let problems: Vec<_> = problems
                    .iter()
                    .map(|p| serde_json::json!({ "line": p.line, "key": p.key, "message": p.message }))
                    .collect();
                output.json(&serde_json::json!({ "right": false, "file": path, "problems": problems }))?;
            } else {
                output.line(&crate::config::ConfigError::Wrong { path, problems }.to_string())?;
            }
            Ok(Done::Partly)
        }
        Err(error) => Err(CliError::Usage(error.to_string())),
    }
}

fn show(context: &Context) -> Result<Done, CliError> {
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
    let mut section = "";
    for entry in &loaded.entries {
        let (of, key) = entry.key.split_once('.').unwrap_or(("", &entry.key));
        if of != section {
            text.push_str(&format!("\n\n[{of}]"));
            section = of;
        }
        let mark = if entry.set || loaded.file.is_none() { "" } else { "  # default" };
        text.push_str(&format!("\n{key} = {}{mark}", entry.value));
    }
    output.line(&text)?;
    Ok(Done::Fully)
}

/// A TOML value as JSON.
fn json_value(value: &str) -> serde_json::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"));
    parsed.ok().and_then(|table| serde_json::to_value(&table["value"]).ok()).unwrap_or_default()
}
