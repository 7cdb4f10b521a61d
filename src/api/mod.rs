//! Floor 11: the JSON API on a Unix socket.
//!
//! HTTP/1.1 with JSON bodies under `/v1`. One file per resource ("noun"), with its `routes()`, its request and response
//! types (never the model's own types) and its handlers. All errors have the same form, see [`error`]. Long-running
//! work answers with lines of JSON, see [`stream`]. The caller is the user at the other end of the socket, see
//! [`extract::Caller`].

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use crate::audit::AuditLog;
use crate::base::clock::{Clock, Timestamp};
use crate::base::token::Key;
use crate::composition::content::ContentHandle;
use crate::composition::message::{MessageSource, NoMessages};
use crate::inbound::post::PostService;
use crate::operations::backups::Backups;
use crate::operations::health::Observer;
use crate::outbound::dispatch::Dispatcher;
use crate::privacy::personal_data::Files;
use crate::privacy::retention::rules::Rules;
use crate::runtime::notifier::Notifier;
use crate::store::Store;
use crate::subscribers::profile::SubscriberService;

pub mod audit;
pub mod audit_trail;
pub(crate) mod backup;
pub mod blob;
pub mod bounce;
pub mod client;
pub(crate) mod configuration;
pub mod consent;
pub mod contact;
pub mod delivery;
pub(crate) mod error;
pub mod extract;
pub(crate) mod finding_view;
pub mod import;
pub mod inbound;
pub mod inject;
pub mod list;
pub mod mailing;
pub mod notice;
pub mod outbound;
mod page;
pub mod path;
pub mod person_view;
pub mod post;
pub mod release;
pub(crate) mod retention;
pub mod rsvp;
pub mod server;
pub mod status;
pub(crate) mod stream;
pub mod subscriber;
pub mod suppression;

use error::ApiError;

/// Largest JSON body, in bytes. A resource with larger bodies sets its own [`DefaultBodyLimit`] on its routes, or takes
/// the raw body and streams it.
pub(crate) const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// The state shared by all handlers.
pub struct ApiState {
    /// The store.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Templates, and the data that releases are checked against.
    pub content: Arc<ContentHandle>,
    /// Makes messages; used for a trial when a mailing is queued.
    pub messages: Arc<dyn MessageSource>,
    /// Defaults for options that a request to queue a mailing leaves out.
    pub queue_defaults: mailing::queue::QueueDefaults,
    /// Notified after each commit that the scheduler or the dispatcher must see.
    pub notifier: Notifier,
    /// The installation's key: signs tokens and hashes suppressed addresses.
    pub key: Key,
    /// The state directory; attachments are in its `blobs/` directory.
    pub state_directory: PathBuf,
    /// When the daemon started.
    pub started: Timestamp,
    /// Description of where outgoing mail is sent.
    pub transport: String,
    /// Determines the daemon's health.
    pub observer: Arc<Observer>,
    /// The services that answer requests.
    pub services: Services,
    /// The configuration in force, and how to request a reload.
    pub configuration: configuration::Configuration,
}

/// The services that answer requests.
pub struct Services {
    /// Decides about posts.
    pub posts: PostService,
    /// Sends mail.
    pub dispatcher: Arc<Dispatcher>,
    /// Incoming mail.
    pub mail_in: inbound::MailIn,
    /// The files that contain mail, for export and erasure.
    pub files: Files,
    /// The retention rules.
    pub rules: Rules,
    /// Writes and sends notices.
    pub notices: notice::NoticesOut,
    /// Makes backups.
    pub backups: Arc<Backups>,
}

impl ApiState {
    /// The service for subscriber records, acting for this caller at the current time.
    fn service(&self, caller: &extract::Caller) -> SubscriberService {
        let (store, key) = (self.store.clone(), self.key.clone());
        SubscriberService { store, key, at: self.clock.now(), who: caller.name.clone() }
    }

    /// Creates the state with the current time as start time, and without messages.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        key: Key,
        state_directory: PathBuf,
        content: Arc<ContentHandle>,
        services: Services,
    ) -> Self {
        let started = clock.now();
        let observer = Arc::new(Observer::new(store.clone(), clock.clone()));
        Self {
            store,
            clock,
            content,
            messages: Arc::new(NoMessages),
            queue_defaults: Default::default(),
            notifier: Notifier::new(),
            key,
            state_directory,
            started,
            observer,
            transport: "none".to_owned(),
            services,
            configuration: configuration::Configuration::default(),
        }
    }

    /// The audit log, for writing.
    pub fn audit(&self) -> AuditLog {
        AuditLog::new(self.store.clone(), self.clock.clone(), self.key.clone())
    }
}

/// The whole API. The routes of each resource are merged here, in alphabetical order.
pub(crate) fn router(control: Arc<ApiState>) -> Router {
    Router::new()
        .merge(audit::routes())
        .merge(backup::routes())
        .merge(blob::routes())
        .merge(bounce::routes())
        .merge(configuration::routes())
        .merge(consent::routes())
        .merge(delivery::routes())
        .merge(contact::routes())
        .merge(import::routes())
        .merge(inbound::routes())
        .merge(inject::routes())
        .merge(notice::routes())
        .merge(list::routes())
        .merge(mailing::routes())
        .merge(outbound::routes())
        .merge(post::routes())
        .merge(release::routes())
        .merge(retention::routes())
        .merge(rsvp::routes())
        .merge(status::routes())
        .merge(subscriber::routes())
        .merge(suppression::routes())
        .route_layer(axum::middleware::from_fn_with_state(control.clone(), audit_trail::record))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(control)
}

async fn unknown_path(uri: axum::http::Uri) -> ApiError {
    ApiError::not_found(format!("there is nothing at {}", uri.path()))
}

async fn unknown_method(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    ApiError::new(405, "method-not-allowed", format!("{method} is not known at {}", uri.path()))
}
