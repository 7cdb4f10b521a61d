//! Assembles posts: their handling, the checks of their authors, and the job that expires held posts.

use std::sync::Arc;

use crate::authentication::lookups::{LookupSettings, Lookups};
use crate::authentication::{Authenticator, NoLookups};
use crate::base::clock::Clock;
use crate::base::token::Key;
use crate::composition::notices::Notices;
use crate::config::Config;
use crate::inbound::digest::Digests;
use crate::inbound::post::PostService;
use crate::mail::post_decision::DecisionWords;
use crate::model::recurrence::Recurrence;
use crate::operations::jobs::Job;
use crate::store::Store;
use crate::store::blobs::Blobs;
use crate::store::spool::Spool;
use crate::transport::relay::machine_name;

use super::StartError;

/// When held posts are checked for expiry: a cron expression.
const LOOK: &str = "*/15 * * * *";
/// When postponed mail is handled again: shortly after each hour has begun.
const BRING_UP: &str = "2,17,32,47 * * * *";
/// When digests are written.
const DIGEST: &str = "0 7,11,15,19 * * *";

/// The service that handles posts. Without a resolver authors are not verified, and their domains' policies are
/// unknown.
pub(crate) fn service(
    config: &Config,
    store: &Store,
    key: &Key,
    clock: &Arc<dyn Clock>,
    notices: &Notices,
) -> Result<PostService, StartError> {
    let inbound = &config.inbound;
    let settings = LookupSettings {
        servers: inbound.resolvers.clone(),
        host: inbound.host_name.clone().unwrap_or_else(machine_name),
        trusted: inbound.authserv_id.clone(),
        ..LookupSettings::default()
    };
    let authenticator: Arc<dyn Authenticator> = match Lookups::new(settings) {
        Ok(lookups) => Arc::new(lookups),
        Err(error) => {
            tracing::warn!(%error, "name servers cannot be queried: the authors of posts are not verified");
            Arc::new(NoLookups::default())
        }
    };
    Ok(PostService {
        store: store.clone(),
        blobs: Blobs::in_state_directory(&config.state_directory),
        clock: clock.clone(),
        key: key.clone(),
        notices: notices.clone(),
        authenticator,
        words: Arc::new(DecisionWords::shipped()?),
        zone: config.schedule.zone.parse().unwrap_or(chrono_tz::Europe::Stockholm),
    })
}

/// The jobs that handle postponed mail again, and write digests.
pub(crate) fn later_jobs(config: &Config, posts: &PostService, spool: &Spool) -> Result<[Job; 2], StartError> {
    let digests = Digests { posts: posts.clone(), spool: spool.clone(), postmaster: config.inbound.postmaster.clone() };
    let times =
        |key, times| Recurrence::new(times, &config.schedule.zone).map_err(|error| StartError::Times { key, error });
    let (again, digest) = ("mail that was put off", "digests");
    let service = digests.clone();
    let bring_up = Job::new(again, times(again, BRING_UP)?, move || {
        let service = service.clone();
        Box::pin(async move {
            let brought = service.bring_up().await.map_err(|error| error.to_string())?;
            Ok(format!("{brought} postponed mails are handled again"))
        })
    });
    let write = Job::new(digest, times(digest, DIGEST)?, move || {
        let digests = digests.clone();
        Box::pin(async move {
            let written = digests.write().await.map_err(|error| error.to_string())?;
            digests.posts.notices.notify();
            Ok(format!("{written} digests were written"))
        })
    });
    Ok([bring_up, write])
}

/// The job that expires held posts not decided in time.
pub(crate) fn job(config: &Config, posts: &PostService) -> Result<Job, StartError> {
    let key = "held posts";
    let times = Recurrence::new(LOOK, &config.schedule.zone).map_err(|error| StartError::Times { key, error })?;
    let posts = posts.clone();
    Ok(Job::new(key, times, move || {
        let posts = posts.clone();
        Box::pin(async move {
            let expired = posts.expire().await.map_err(|error| error.to_string())?;
            posts.notices.notify();
            Ok(format!("{expired} held posts expired"))
        })
    }))
}
