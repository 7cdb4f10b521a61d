//! `depesch mailing watch`.

use std::time::Duration;

use crate::api::mailing::report::ReportView;
use crate::api::mailing::view::MailingView;
use crate::base::id::MailingId;

use super::super::output::note;
use super::super::progress::Progress;
use super::super::{CliError, Context, Done};
use super::report::print;

/// Interval between checks.
const EVERY: Duration = Duration::from_millis(500);

/// Follows a mailing until it has ended, is paused, or (unless `to_the_end`) only deferred deliveries are left; then
/// prints its report.
pub(crate) async fn run(id: MailingId, to_the_end: bool, context: &Context) -> Result<Done, CliError> {
    let progress = Progress::new(&id.to_string(), None);
    let last = loop {
        let mailing: MailingView = context.client.get(super::path(id)).await?;
        if let Some(counts) = &mailing.counts {
            progress.set_total(counts.audience);
            progress.set(counts.audience - counts.waiting - counts.in_doubt - counts.deferred);
            progress
                .say(&format!("{} accepted, {} failed, {} deferred", counts.accepted, counts.failed, counts.deferred));
        } else {
            progress.say(&mailing.stage);
        }
        let only_deferred = mailing.counts.is_some_and(|c| c.waiting + c.in_doubt == 0 && c.deferred > 0);
        if mailing.ended.is_some() || mailing.pause.is_some() || (only_deferred && !to_the_end) {
            break mailing;
        }
        tokio::time::sleep(EVERY).await;
    };
    drop(progress);
    let report: ReportView = context.client.get(super::path(id).segment("report")).await?;
    print(&report, context)?;
    if let Some(pause) = &last.pause {
        note(&format!("paused: {}", pause.why));
    }
    let counts = last.counts.unwrap_or_default();
    if last.ended.is_none() && counts.deferred > 0 {
        note(&format!("{} deferred deliveries are tried again, for up to four days.", counts.deferred));
    }
    let good = last.stage == "finished" && counts.failed + counts.uncertain == 0;
    Ok(if good { Done::Fully } else { Done::Partly })
}
