//! `depesch doctor`.

use crate::api::client::Client;
use crate::app::system_clock;
use crate::config::doctor::Accepted;
use crate::config::{Config, ConfigError};
use crate::doctor::examine;
use crate::doctor::finding::{Finding, Severity, worst};

use super::{CliError, Context, Done};

/// Check everything that the installation depends on, and say what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It checks configuration, permissions, disk, clock, daemon, relay (up to the login, without a message), incoming mail, and
the sending domains' DNS: SPF, DKIM, DMARC, MX, PTR. It changes nothing. Each finding ends with its id: a known warning
can be accepted under that id, with a reason, in [doctor] accept. Run as root it sees most; the daemon may be stopped.

Exit codes:
  0  no problems in anything that could be checked
  1  there are warnings or errors
  2  the configuration is wrong

Examples:
  depesch doctor
  depesch doctor --all           also show passed checks
  depesch doctor --json")]
pub struct DoctorCommand {
    /// Also show passed checks
    #[arg(long)]
    all: bool,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: DoctorCommand, context: &Context) -> Result<Done, CliError> {
    let loaded = match Config::load(context.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error @ (ConfigError::Wrong { .. } | ConfigError::Unreadable { .. })) => {
            return Err(CliError::Usage(error.to_string()));
        }
    };
    let socket = context.socket.clone().unwrap_or_else(|| loaded.config.control.path.clone());
    let findings = examine(&loaded, &Client::new(socket), system_clock()).await;
    let (accepted, findings) = apart(findings, &loaded.config.doctor.accept);
    let well = worst(&findings) < Severity::Warning;
    let output = &context.output;
    if output.is_json() {
        output.json(&serde_json::json!({ "well": well, "findings": findings, "accepted": accepted }))?;
    } else {
        show(&findings, &accepted, command.all, context)?;
    }
    Ok(if well { Done::Fully } else { Done::Partly })
}

/// A warning that the operator accepted, with the reason.
#[derive(Debug, serde::Serialize)]
struct Known {
    #[serde(flatten)]
    finding: Finding,
    reason: String,
}

/// Separates warnings that are accepted; an error never is.
fn apart(findings: Vec<Finding>, accept: &[Accepted]) -> (Vec<Known>, Vec<Finding>) {
    let (mut known, mut others) = (Vec::new(), Vec::new());
    for finding in findings {
        let is_warning = finding.severity == Severity::Warning;
        match accept.iter().find(|accepted| is_warning && accepted.id == finding.code) {
            Some(accepted) => known.push(Known { finding, reason: accepted.reason.clone() }),
            None => others.push(finding),
        }
    }
    (known, others)
}

fn show(findings: &[Finding], accepted: &[Known], all: bool, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    for finding in findings.iter().filter(|finding| all || finding.severity != Severity::Good) {
        output.line(&format!("{:<9} {} [{}]", word(finding.severity), finding.what, finding.code))?;
        for text in [&finding.why, &finding.remedy].into_iter().filter(|text| !text.is_empty()) {
            output.line(&format!("          {text}"))?;
        }
    }
    for Known { finding, reason } in accepted {
        output.line(&format!("accepted  {} [{}]\n          {reason}", finding.what, finding.code))?;
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    output.line(&format!(
        "{} errors, {} warnings, {} notes, {} not checked, {} good{}",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note),
        count(Severity::NotSeen),
        count(Severity::Good),
        if accepted.is_empty() { String::new() } else { format!(", {} accepted", accepted.len()) },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Area;

    #[test]
    fn an_accepted_warning_is_apart_and_an_error_never() {
        let finding = |severity, code| Finding::new(severity, Area::Disk, code, "what", "why", "remedy");
        let accept = ["sync", "disk-space"].map(|id| Accepted { id: id.to_owned(), reason: "known".to_owned() });
        let found = vec![
            finding(Severity::Warning, "sync"),
            finding(Severity::Error, "disk-space"),
            finding(Severity::Warning, "files"),
        ];
        let (accepted, others) = apart(found, &accept);
        assert_eq!(accepted.iter().map(|known| known.finding.code).collect::<Vec<_>>(), ["sync"]);
        assert_eq!(others.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["disk-space", "files"]);
    }
}
