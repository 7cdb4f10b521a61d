//! Everything that depends on the configuration alone, built by one function: `serve` begins with it, before it
//! touches the store, and `config check` does nothing else. So a configuration that passes the check is one that
//! `serve` starts with.
//!
//! It opens no socket, connects to nothing and writes nothing.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::composition::content::Content;
use crate::config::Config;
use crate::smtp::listener::{ListenError, Listener};
use crate::smtp::settings::ListenerSettings;
use crate::socket;
use crate::transport::Transport;
use crate::transport::relay::machine_name;

use super::{StartError, parts};

/// The parts of a daemon that depend only on the configuration and the files it names.
pub(crate) struct Prepared {
    /// Templates, and what releases are checked with.
    pub content: Content,
    /// The configured transport.
    pub transport: Arc<dyn Transport>,
    /// The settings of the mail listener.
    pub listener: ListenerSettings,
}

/// Builds the parts.
///
/// # Errors
/// All errors, in the order of the configuration file; never empty.
pub(crate) fn prepare(config: &Config, clock: Arc<dyn Clock>) -> Result<Prepared, Vec<StartError>> {
    parts::install_cryptography();
    let mut wrong = Vec::new();
    let content = kept(parts::content(config), &mut wrong);
    let control = socket::examine(&config.control.path, config.control.group.as_deref());
    kept(control.map_err(StartError::from), &mut wrong);
    let transport = kept(parts::transport(config, clock), &mut wrong);
    let listener = kept(listener(config), &mut wrong);
    match (content, transport, listener) {
        (Some(content), Some(transport), Some(listener)) if wrong.is_empty() => {
            Ok(Prepared { content, transport, listener })
        }
        _ => Err(wrong),
    }
}

fn kept<T>(built: Result<T, StartError>, wrong: &mut Vec<StartError>) -> Option<T> {
    built.map_err(|error| wrong.push(error)).ok()
}

fn listener(config: &Config) -> Result<ListenerSettings, StartError> {
    let settings = config.inbound.listener(&machine_name()).map_err(StartError::Certificate)?;
    Listener::examine(&settings).map_err(|error: ListenError| StartError::from(error))?;
    Ok(settings)
}
