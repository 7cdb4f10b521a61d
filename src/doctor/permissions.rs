//! Permissions: files are observed, then evaluated by their mode alone.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::config::secret::SecretSource;

use super::finding::{Area, Finding, Severity};

/// The purpose of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The state directory with all data.
    State,
    /// The configuration.
    Configuration,
    /// A secret in a file.
    Secret,
    /// The directory of custom templates.
    Templates,
    /// The control socket.
    ControlSocket,
}

/// The observed state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its permissions, and whether it is a socket or a directory as expected.
    File {
        /// The last nine bits of its mode.
        mode: u32,
        /// Whether it is of the expected kind.
        fits: bool,
    },
    /// It does not exist.
    Missing,
    /// It cannot be examined; the system's error.
    Hidden(String),
}

/// An observed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its purpose.
    pub role: Role,
    /// Its path.
    pub path: PathBuf,
    /// The observed state.
    pub seen: Seen,
}

/// Examines the files in the configuration.
pub fn observe(config: &Config, file: Option<&Path>, socket: &Path) -> Vec<File> {
    let mut paths = vec![(Role::State, config.state_directory.clone()), (Role::ControlSocket, socket.to_owned())];
    paths.extend(file.map(|path| (Role::Configuration, path.to_owned())));
    paths.extend(config.templates_directory.clone().map(|path| (Role::Templates, path)));
    for source in [&config.relay.password, &config.inbound.key].into_iter().flatten() {
        paths.extend(match source {
            SecretSource::File(path) => Some((Role::Secret, path.clone())),
            // Where the shipped unit finds it.
            SecretSource::Credential(name) => shipped(name).map(|path| (Role::Secret, path)),
        });
    }
    paths.into_iter().map(|(role, path)| File { role, seen: see(role, &path), path }).collect()
}

fn shipped(credential: &str) -> Option<PathBuf> {
    let name = match credential {
        "relay-password" => "relay-password",
        "key" => "key.pem",
        _ => return None,
    };
    Some(Path::new("/etc/depesch").join(name)).filter(|path| path.exists())
}

fn see(role: Role, path: &Path) -> Seen {
    match std::fs::metadata(path) {
        Ok(found) => {
            let kind = found.file_type();
            let fits = match role {
                Role::State | Role::Templates => kind.is_dir(),
                Role::ControlSocket => kind.is_socket(),
                Role::Configuration | Role::Secret => kind.is_file(),
            };
            Seen::File { mode: found.mode() & 0o777, fits }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Seen::Missing,
        Err(error) => Seen::Hidden(error.to_string()),
    }
}

/// Evaluates one file.
pub fn evaluate(file: &File) -> Option<Finding> {
    let path = file.path.display();
    let found = |severity, code, what: String, why: &str, remedy: String| {
        Some(Finding::new(severity, Area::Permissions, code, what, why, remedy))
    };
    let (mode, fits) = match &file.seen {
        Seen::File { mode, fits } => (*mode, *fits),
        Seen::Hidden(why) => {
            let (what, remedy) = (format!("{path} cannot be examined: {why}"), "Run this as root.".to_owned());
            return found(Severity::NotSeen, "hidden", what, "", remedy);
        }
        Seen::Missing => return missing(file),
    };
    if !fits {
        let (what, remedy) =
            (format!("{path} is not of the expected kind"), "Check the path in depesch.toml.".to_owned());
        return found(Severity::Error, "kind", what, "The daemon cannot use it.", remedy);
    }
    let good = |what: String| Some(Finding::good(Area::Permissions, "closed", what));
    match file.role {
        Role::State if mode & 0o077 != 0 => found(
            Severity::Error,
            "state-open",
            format!("{path} is accessible to other users ({mode:04o})"),
            "It contains everyone's addresses and the key that signs tokens.",
            format!("chmod 0700 {path}"),
        ),
        Role::State => good(format!("{path} is not accessible to other users")),
        Role::Secret if mode & 0o007 != 0 => found(
            Severity::Error,
            "secret-open",
            format!("the secret in {path} can be read by every user of this machine ({mode:04o})"),
            "With it, others can send in your name, or pose as your mail server.",
            format!("chmod 0600 {path}, and change the secret"),
        ),
        Role::Secret if mode & 0o070 != 0 => found(
            Severity::Warning,
            "secret-group",
            format!("the secret in {path} can be read by its group ({mode:04o})"),
            "Members of that group can read it.",
            format!("chmod 0600 {path}"),
        ),
        Role::Secret => good(format!("the secret in {path} is not accessible to other users")),
        Role::Configuration | Role::Templates if mode & 0o022 != 0 => found(
            if mode & 0o002 != 0 { Severity::Error } else { Severity::Warning },
            "writable",
            format!("{path} can be written by other users ({mode:04o})"),
            "A user who can write it decides where mail goes and what it says.",
            format!("chmod go-w {path}"),
        ),
        Role::ControlSocket if mode & 0o007 != 0 => found(
            Severity::Error,
            "socket-open",
            format!("the control socket {path} is open to every user of this machine ({mode:04o})"),
            "A user who can open it may do everything.",
            "Set [control] mode = \"0660\" and restart.".to_owned(),
        ),
        Role::ControlSocket => good(format!("the control socket is for its owner and group only ({mode:04o})")),
        Role::Configuration | Role::Templates => None,
    }
}

fn missing(file: &File) -> Option<Finding> {
    let path = file.path.display();
    match file.role {
        Role::State => Some(Finding::new(
            Severity::Error,
            Area::Permissions,
            "state-missing",
            format!("the state directory {path} does not exist"),
            "The daemon starts with an empty store only when told to.",
            "On a new installation \u{201c}systemctl start depesch-create\u{201d} creates it; otherwise check whether its disk is mounted.",
        )),
        // Other missing files are reported where they are used.
        _ => None,
    }
}
