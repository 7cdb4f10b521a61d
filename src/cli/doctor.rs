//! `depesch doctor`.

use crate::app::system_clock;
use crate::config::{Config, ConfigError};
use crate::control::client::Client;
use crate::doctor::examine;
use crate::doctor::finding::{Finding, Severity, worst};

use super::{CliError, Context, Done};

/// Look at everything that the installation depends on, and say what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It looks at configuration, permissions, disk, clock, daemon, relay (to the login, without a message), mail in, and the
sending domains' DNS: SPF, DKIM, DMARC, MX, PTR. It changes nothing. As root it sees most; the daemon may be stopped.

Exit codes:
  0  nothing is wrong, in all that could be looked at
  1  there are warnings or errors
  2  the configuration is wrong

Examples:
  depesch doctor
  depesch doctor --all           what is good, too
  depesch doctor --json")]
pub struct DoctorCommand {
    /// Show what is good, too
    #[arg(long)]
    all: bool,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: DoctorCommand, context: &Context) -> Result<Done, CliError> {
    let loaded = match Config::load(context.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error @ (ConfigError::Wrong { .. } | ConfigError::Unreadable { .. })) => {
            return Err(CliError::Usage(error.to_string()));
        }
    };
    let socket = context.socket.clone().unwrap_or_else(|| loaded.config.control.path.clone());
    let findings = examine(&loaded, &Client::new(socket), system_clock()).await;
    let well = worst(&findings) < Severity::Warning;
    let output = &context.output;
    if output.is_json() {
        output.json(&serde_json::json!({ "well": well, "findings": findings }))?;
    } else {
        show(&findings, command.all, context)?;
    }
    Ok(if well { Done::Fully } else { Done::Partly })
}

fn show(findings: &[Finding], all: bool, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    for finding in findings.iter().filter(|finding| all || finding.severity != Severity::Good) {
        output.line(&format!("{:<9} {}", word(finding.severity), finding.what))?;
        for text in [&finding.why, &finding.remedy].into_iter().filter(|text| !text.is_empty()) {
            output.line(&format!("          {text}"))?;
        }
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    output.line(&format!(
        "{} errors, {} warnings, {} notes, {} not looked at, {} good",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note),
        count(Severity::NotSeen),
        count(Severity::Good),
    ))
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Good => "good",
        Severity::Note => "note",
        Severity::NotSeen => "not seen",
        Severity::Warning => "warning",
        Severity::Error => "ERROR",
    }
}
