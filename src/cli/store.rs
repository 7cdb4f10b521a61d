//! `depesch store`: works directly on the store's files, with the daemon stopped.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::api::extract::user_name;
use crate::app::system_clock;
use crate::audit::leave_note;
use crate::config::Config;
use crate::model::audit::{LOST, RECOVERED};
use crate::store::check::{self, CheckError};
use crate::store::embedded::check::Finding;
use crate::store::embedded::recover::{Plan, Recovery, Source, plans, recover};
use crate::store::embedded::survey::{IndexState, Survey, survey};
use crate::store::embedded::{OpenError, Settings};
use crate::store::journal::Damage;
use crate::store::opening;

use super::output::note;
use super::{CliError, Context, Done};

/// Check and repair the store on disk, with the daemon stopped.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Create an empty store, once; the daemon does not start without a store
    ///
    /// Run it as the daemon's user; with the unit, start depesch-create.service.
    #[command(after_help = "Examples:\n  systemctl start depesch-create\n  depesch store create --config my.toml")]
    Create {
        /// The store's directory, instead of the configured one
        #[arg(long, value_name = "PATH")]
        directory: Option<PathBuf>,
    },
    /// Read everything and report what is intact and what is damaged
    #[command(after_help = "Exit codes: 0 no damage, 1 damage.\n\nExamples:\n  depesch store check")]
    Check {
        /// The store's directory, instead of the configured one
        #[arg(long, value_name = "PATH")]
        directory: Option<PathBuf>,
        /// Rewrite rows of index tables that disagree with their records
        #[arg(long)]
        repair: bool,
    },
    /// Continue without damaged parts, after showing which they are
    ///
    /// Without --yes it only shows what it would do. The old journal and checkpoints are kept next to the store.
    #[command(after_help = "Exit codes: 0 nothing is lost or nothing needs to be done, 1 something is lost.\n\n\
                            Examples:\n  depesch store recover\n  depesch store recover --yes")]
    Recover {
        /// The store's directory, instead of the configured one
        #[arg(long, value_name = "PATH")]
        directory: Option<PathBuf>,
        /// Really do it
        #[arg(long)]
        yes: bool,
    },
    /// Write a checkpoint: a compressed copy of all records, e.g. before a backup
    #[command(after_help = "Examples:\n  depesch store checkpoint")]
    Checkpoint {
        /// The store's directory, instead of the configured one
        #[arg(long, value_name = "PATH")]
        directory: Option<PathBuf>,
    },
}

/// Runs the command. Needs no daemon, and is refused while one runs.
///
/// # Errors
/// [`CliError`].
pub(crate) async fn run(command: StoreCommand, context: &Context) -> Result<Done, CliError> {
    match command {
        StoreCommand::Create { directory } => create(&place(directory, context)?, context).await,
        StoreCommand::Check { directory, repair } => check(&place(directory, context)?, repair, context).await,
        StoreCommand::Recover { directory, yes } => fix(&place(directory, context)?, yes, context),
        StoreCommand::Checkpoint { directory } => write_checkpoint(&place(directory, context)?, context).await,
    }
}

fn place(directory: Option<PathBuf>, context: &Context) -> Result<PathBuf, CliError> {
    match directory {
        Some(directory) => Ok(directory),
        None => {
            let loaded = Config::load(context.config.as_deref()).map_err(|e| CliError::Usage(e.to_string()))?;
            Ok(loaded.config.store_directory())
        }
    }
}

fn failed(error: OpenError) -> CliError {
    match error {
        OpenError::Locked { .. } | OpenError::Absent(_) => CliError::Usage(error.to_string()),
        _ => CliError::Internal(error.to_string()),
    }
}

async fn create(directory: &Path, context: &Context) -> Result<Done, CliError> {
    crate::app::parts::make_directory(directory).map_err(|error| CliError::Usage(error.to_string()))?;
    let settings = Settings { create: true, ..Settings::default() };
    let (store, report) = opening::open(directory, settings).map_err(failed)?;
    let (created, records) = (report.created, report.records);
    store.maintenance().close().await.map_err(|error| CliError::Internal(error.to_string()))?;
    match context.output.is_json() {
        true => context.output.json(&json!({ "created": created, "records": records }))?,
        false => context.output.line(&match created {
            true => format!("created an empty store in {}", directory.display()),
            false => {
                format!("{} already contains a store with {records} records, which is unchanged", directory.display())
            }
        })?,
    }
    Ok(Done::Fully)
}

async fn check(directory: &Path, repair: bool, context: &Context) -> Result<Done, CliError> {
    let settings = Settings::default();
    let checking = |error| match error {
        CheckError::Open(error) => failed(error),
        other => CliError::Internal(other.to_string()),
    };
    let mut checked = check::check(directory, &settings).await.map_err(checking)?;
    if repair && checked.has_wrong_rows() {
        let repaired = repair_tables(directory).await?;
        note(&format!("{repaired} rows of index tables were rewritten"));
        checked = check::check(directory, &settings).await.map_err(checking)?;
    }
    let (survey, sound) = (&checked.survey, checked.is_sound());
    if context.output.is_json() {
        let mut value = survey_json(survey);
        let findings: Vec<Value> = checked.findings.iter().map(finding_json).collect();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("sound".to_owned(), json!(sound));
            fields.insert("attachments".to_owned(), json!(checked.blobs));
            fields.insert("spool_segments".to_owned(), json!(checked.spool));
            fields.insert("findings".to_owned(), Value::Array(findings));
        }
        context.output.json(&value)?;
    } else {
        show_survey(survey, context)?;
        context
            .output
            .line(&format!("attachments: {}; segments of incoming mail: {}", checked.blobs, checked.spool))?;
        checked.findings.iter().try_for_each(|finding| show_finding(finding, context))?;
        context.output.line(match (sound, survey.is_sound()) {
            (true, _) => "Nothing is wrong.",
            (false, false) => "Something is damaged; \u{201c}depesch store recover\u{201d} shows what can be done.",
            (false, true) if checked.has_wrong_rows() => {
                "An index table is wrong; \u{201c}depesch store check --repair\u{201d} rewrites it from the records."
            }
            (false, true) if survey.repair.is_some() || survey.is_doubtful => {
                "The last group is damaged or may be; the lines above say what the next start does."
            }
            (false, true) => {
                "Something is damaged; an index is rebuilt at the next start, other files must come from a backup."
            }
        })?;
    }
    Ok(if sound { Done::Fully } else { Done::Partly })
}

/// Rewrites the rows of index tables that disagree with their records; returns how many.
async fn repair_tables(directory: &Path) -> Result<u64, CliError> {
    let (store, _) = opening::open(directory, Settings::default()).map_err(failed)?;
    let repaired = store.repair_rows().await;
    let closed = store.maintenance().close().await;
    let repaired = repaired.map_err(|error| CliError::Internal(error.to_string()))?;
    closed.map_err(|error| CliError::Internal(error.to_string()))?;
    Ok(repaired)
}

/// Names shown of what one damage hits.
const SHOWN: usize = 20;

fn show_finding(finding: &Finding, context: &Context) -> Result<(), CliError> {
    let Finding { path, part, what, hits, harmless, .. } = finding;
    let part = part.map(|(from, to)| format!(", bytes {from} to {to}")).unwrap_or_default();
    let word = if *harmless { "harmless" } else { "damaged" };
    context.output.line(&format!("{word}: {}{part}: {what}", path.display()))?;
    if !hits.is_empty() {
        let more = hits.len().saturating_sub(SHOWN);
        let shown = hits.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        context.output.line(&format!("    affects {shown}{more}"))?;
    }
    Ok(())
}

fn finding_json(finding: &Finding) -> Value {
    let Finding { path, part, what, hits, harmless, .. } = finding;
    json!({ "file": path, "from": part.map(|p| p.0), "to": part.map(|p| p.1), "what": what, "hits": hits, "harmless": harmless })
}

/// Leaves a note on what was done to the files for the audit log; the next start writes it into the log.
pub(crate) fn leave_audit_note(state_directory: &Path, what: &str, detail: &str) {
    let (uid, now) = (rustix::process::getuid().as_raw(), system_clock().now());
    let left = leave_note(state_directory, now, (&user_name(uid), Some(uid)), what, detail);
    if let Err(error) = left {
        note(&format!("warning: the audit log will not record this, because no note can be left for it: {error}"));
    }
}

fn fix(directory: &Path, yes: bool, context: &Context) -> Result<Done, CliError> {
    let survey = survey(directory, &Settings::default()).map_err(failed)?;
    let plan = plans(&survey).into_iter().next();
    if yes {
        if let Some(plan) = plan.as_ref().filter(|_| !context.output.is_json()) {
            show_plan(plan, context)?;
        }
        let recovery = recover(directory, &Settings::default()).map_err(failed)?;
        let state = directory.parent().unwrap_or(directory);
        leave_audit_note(state, RECOVERED, &recovery_note(&recovery));
        return show_recovery(&recovery, context);
    }
    let loses_nothing = plan.as_ref().is_some_and(Plan::loses_nothing);
    if context.output.is_json() {
        context.output.json(&json!({ "survey": survey_json(&survey), "plan": plan.as_ref().map(plan_json) }))?;
    } else {
        show_survey(&survey, context)?;
        if let Some(plan) = plan.as_ref().filter(|_| !survey.is_sound()) {
            show_plan(plan, context)?;
        }
        context.output.line(match (survey.is_sound(), &survey.index_damage) {
            (true, None) => "Nothing is damaged: no recovery is needed.",
            (true, Some(_)) => "No recovery is needed: the next start repairs the index from the journal.",
            (false, _) => "Nothing was changed. To do this, run it again with --yes.",
        })?;
    }
    Ok(if survey.is_sound() || loses_nothing { Done::Fully } else { Done::Partly })
}

/// The text of a recovery in the audit log.
fn recovery_note(recovery: &Recovery) -> String {
    let Recovery { plan, records, exact, .. } = recovery;
    let mut text = format!("{records} records, exact: {exact}");
    for damage in &plan.lost {
        let last = damage.before.map_or("the end".to_owned(), |before| before.saturating_sub(1).to_string());
        text.push_str(&format!("; {LOST}groups {} to {last}", damage.after.saturating_add(1)));
    }
    if plan.next_is_doubtful {
        text.push_str(&format!("; {LOST}perhaps group {}", plan.reaches + 1));
    }
    if !plan.shortfall.is_nothing() {
        text.push_str(&format!("; {LOST}{}", plan.shortfall));
    }
    text
}

async fn write_checkpoint(directory: &Path, context: &Context) -> Result<Done, CliError> {
    let (store, _) = opening::open(directory, Settings::default()).map_err(failed)?;
    let written = store.maintenance().checkpoint().await;
    let closed = store.maintenance().close().await;
    let report = written.and_then(|report| closed.map(|()| report));
    let report = report.map_err(|error| CliError::Internal(error.to_string()))?.unwrap_or_default();
    if context.output.is_json() {
        context.output.json(&json!({ "records": report.records, "bytes": report.bytes }))?;
    } else {
        let (records, bytes) = (report.records, report.bytes);
        context.output.line(&format!("A checkpoint of {records} records was written, {bytes} bytes."))?;
    }
    Ok(Done::Fully)
}

fn show_survey(survey: &Survey, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    for (path, state) in &survey.checkpoints {
        output.line(&match state {
            Ok(summary) => {
                format!(
                    "checkpoint {}: {} records, after group {}",
                    path.display(),
                    summary.records,
                    summary.since.sequence
                )
            }
            Err(reason) => format!("checkpoint {reason}"),
        })?;
    }
    output.line(&format!("journal: {} segments, the last group is {}", survey.segments, survey.last_group))?;
    if survey.torn > 0 && !survey.is_doubtful && !survey.is_short() {
        output.line(&format!("journal: {} bytes of a write cut short at its end, which is harmless", survey.torn))?;
    }
    match survey.is_short() {
        true => output.line(&format!("journal: {}", survey.shortfall(survey.last_group)))?,
        false => output.line(&format!("journal: {}", survey.bounds.completeness(survey.last_group)))?,
    }
    for damage in &survey.damages {
        output.line(&format!("journal: damaged: {damage}"))?;
    }
    output.line(&match &survey.index {
        IndexState::Absent => "index: missing; it will be built".to_owned(),
        IndexState::Unusable(reason) => format!("index: it will be rebuilt: {reason}"),
        IndexState::Readable { mark, adds_up: true } => {
            format!("index: {} records, as of group {}", mark.fingerprint.records, mark.sequence)
        }
        IndexState::Readable { mark, .. } => {
            format!(
                "index: between group {} and a later one, as after a crash; the next start repairs it",
                mark.sequence
            )
        }
    })?;
    match (&survey.index, &survey.index_damage) {
        (IndexState::Readable { .. }, Some(why)) => {
            output.line(&format!("index: damaged, the next start repairs it: {why}"))
        }
        _ => Ok(()),
    }
}

fn show_plan(plan: &Plan, context: &Context) -> Result<(), CliError> {
    let output = &context.output;
    output.line(&match &plan.source {
        Source::Index(mark) => format!("Recovery starts from the index, as of group {}.", mark.sequence),
        Source::Checkpoint(path, _) => format!("Recovery starts from {}.", path.display()),
        Source::Nothing => "Recovery starts from the journal alone.".to_owned(),
    })?;
    show_losses(plan, context)
}

fn show_losses(plan: &Plan, context: &Context) -> Result<(), CliError> {
    if plan.loses_nothing() {
        return context.output.line(match plan.end_is_proven {
            true => "Nothing is lost.",
            false => "No loss is known. That nothing is missing at the journal's end cannot be proven.",
        });
    }
    for damage in &plan.lost {
        context.output.line(&format!("Lost: {damage}"))?;
    }
    if plan.next_is_doubtful {
        context.output.line(&format!("Perhaps lost: group {}, if it was acknowledged", plan.reaches + 1))?;
    }
    match plan.shortfall.is_nothing() {
        true => Ok(()),
        false => context.output.line(&format!("Lost: {}", plan.shortfall)),
    }
}

fn show_recovery(recovery: &Recovery, context: &Context) -> Result<Done, CliError> {
    if context.output.is_json() {
        let Recovery { plan, records, exact, aside } = recovery;
        let value = json!({ "plan": plan_json(plan), "records": records, "exact": exact, "aside": aside });
        context.output.json(&value)?;
    } else {
        context.output.line(&format!("The store was recovered; it holds {} records.", recovery.records))?;
        show_losses(&recovery.plan, context)?;
        context.output.line(&format!("The old files are in {}.", recovery.aside.display()))?;
    }
    Ok(if recovery.exact { Done::Fully } else { Done::Partly })
}

fn damage_json(damage: &Damage) -> Value {
    let Damage { path, from, to, after, before, what } = damage;
    json!({ "file": path, "from": from, "to": to, "after_group": after, "before_group": before, "what": what })
}

fn plan_json(plan: &Plan) -> Value {
    let source = match &plan.source {
        Source::Index(mark) => json!({ "kind": "index", "group": mark.sequence }),
        Source::Checkpoint(path, summary) => {
            json!({ "kind": "checkpoint", "file": path, "group": summary.since.sequence })
        }
        Source::Nothing => json!({ "kind": "nothing" }),
    };
    let lost: Vec<Value> = plan.lost.iter().map(damage_json).collect();
    json!({
        "source": source, "lost": lost, "missing_groups": plan.shortfall.missing,
        "unknown_after_group": plan.shortfall.unknown_after, "loses_nothing": plan.loses_nothing(),
        "doubtful_group": plan.next_is_doubtful.then_some(plan.reaches + 1), "end_is_proven": plan.end_is_proven,
    })
}

fn survey_json(survey: &Survey) -> Value {
    let checkpoints: Vec<Value> = survey
        .checkpoints
        .iter()
        .map(|(path, state)| match state {
            Ok(summary) => json!({ "file": path, "records": summary.records, "group": summary.since.sequence }),
            Err(reason) => json!({ "file": path, "damaged": reason }),
        })
        .collect();
    let index = match &survey.index {
        IndexState::Absent => json!({ "state": "absent" }),
        IndexState::Unusable(reason) => json!({ "state": "unusable", "reason": reason }),
        IndexState::Readable { mark, adds_up } => {
            json!({ "state": "readable", "group": mark.sequence, "records": mark.fingerprint.records, "adds_up": adds_up })
        }
    };
    let damages: Vec<Value> = survey.damages.iter().map(damage_json).collect();
    let shortfall = survey.shortfall(survey.last_group);
    json!({
        "sound": survey.is_sound(), "checkpoints": checkpoints, "segments": survey.segments,
        "last_group": survey.last_group, "seen_group": survey.seen, "torn_bytes": survey.torn,
        "missing_groups": shortfall.missing, "unknown_after_group": shortfall.unknown_after,
        "end_is_proven": !survey.is_short() && survey.bounds.proves_end(survey.last_group),
        "damages": damages, "index": index, "index_damage": survey.index_damage,
    })
}
