//! Sockets opened by systemd (systemd.socket(5)), so that the service needs no permission for ports
//! below 1024.

use crate::config::environment::InheritedSockets;
use crate::smtp::listener::Inherited;
use crate::smtp::session::Protocol;

/// An inherited socket that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InheritedError {
    /// Its name does not say which protocol to speak on it.
    #[error(
        "a socket was passed in under the name \u{201c}{0}\u{201d}; its unit needs FileDescriptorName=smtp or \
         FileDescriptorName=lmtp"
    )]
    Name(String),
    /// It is of a kind that cannot accept mail.
    #[error("the socket \u{201c}{name}\u{201d} was passed in and cannot be used: {error}")]
    Kind {
        /// Its name.
        name: String,
        /// What is wrong with it.
        error: std::io::Error,
    },
}

/// Sorts inherited sockets by their names.
///
/// # Errors
/// [`InheritedError`]: an open socket that is never served would look like a daemon that
/// hangs.
pub(crate) fn sort(sockets: InheritedSockets) -> Result<Vec<Inherited>, InheritedError> {
    let InheritedSockets { mut sockets, names } = sockets;
    let mut sorted = Vec::new();
    for place in 0..sockets.len() {
        let name = names.get(place).cloned().unwrap_or_default();
        let wrong = |error| InheritedError::Kind { name: name.clone(), error };
        let tcp = |protocol, sockets: &mut listenfd::ListenFd| {
            let taken = sockets.take_tcp_listener(place).map_err(wrong)?;
            Ok(taken.map(|listener| Inherited::Tcp(protocol, listener)))
        };
        let taken = match name.as_str() {
            "smtp" | "depesch-smtp.socket" => tcp(Protocol::Smtp, &mut sockets)?,
            "lmtp" | "depesch-lmtp.socket" => match sockets.take_unix_listener(place) {
                Ok(taken) => taken.map(Inherited::Unix),
                Err(_) => tcp(Protocol::Lmtp, &mut sockets)?,
            },
            _ => return Err(InheritedError::Name(name)),
        };
        sorted.extend(taken);
    }
    Ok(sorted)
}
