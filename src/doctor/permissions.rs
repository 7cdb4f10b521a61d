//! Who may read and write what: files are looked at, then judged by their bytes of permission alone.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::config::secret::SecretSource;

use super::finding::{Area, Finding, Severity};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The state directory: everything that is kept.
    State,
    /// The configuration.
    Configuration,
    /// A secret in a file.
    Secret,
    /// Templates of one's own.
    Templates,
    /// The control socket.
    ControlSocket,
}

/// What was seen of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its permissions, and whether it is a socket or a directory as it should be.
    File {
        /// The last nine bits of its mode.
        mode: u32,
        /// Whether it is of the right kind.
        fits: bool,
    },
    /// It is not there.
    Missing,
    /// It cannot be looked at; the system's words.
    Hidden(String),
}

/// A file as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is for.
    pub role: Role,
    /// Where it is.
    pub path: PathBuf,
    /// What was seen.
    pub seen: Seen,
}

/// Looks at the files that the configuration names.
pub fn look(config: &Config, file: Option<&Path>, socket: &Path) -> Vec<File> {
    let mut paths = vec![(Role::State, config.state_directory.clone()), (Role::ControlSocket, socket.to_owned())];
    paths.extend(file.map(|path| (Role::Configuration, path.to_owned())));
    paths.extend(config.templates_directory.clone().map(|path| (Role::Templates, path)));
    for source in [&config.relay.password, &config.inbound.key].into_iter().flatten() {
        paths.extend(match source {
            SecretSource::File(path) => Some((Role::Secret, path.clone())),
            // Where the unit as shipped finds it.
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

/// Judges one file.
pub fn judge(file: &File) -> Option<Finding> {
    let path = file.path.display();
    let found = |severity, code, what: String, why: &str, remedy: String| {
        Some(Finding::new(severity, Area::Permissions, code, what, why, remedy))
    };
    let (mode, fits) = match &file.seen {
        Seen::File { mode, fits } => (*mode, *fits),
        Seen::Hidden(why) => {
            let (what, remedy) = (format!("{path} cannot be looked at: {why}"), "Run this as root.".to_owned());
            return found(Severity::NotSeen, "hidden", what, "", remedy);
        }
        Seen::Missing => return missing(file),
    };
    if !fits {
        let (what, remedy) =
            (format!("{path} is not of the right kind"), "Look at the path in depesch.toml.".to_owned());
        return found(Severity::Error, "kind", what, "The daemon cannot use it.", remedy);
    }
    let good = |what: String| Some(Finding::good(Area::Permissions, "closed", what));
    match file.role {
        Role::State if mode & 0o077 != 0 => found(
            Severity::Error,
            "state-open",
            format!("{path} is open to others ({mode:04o})"),
            "Everybody's addresses and the key that signs tokens lie there.",
            format!("chmod 0700 {path}"),
        ),
        Role::State => good(format!("{path} is closed to others")),
        Role::Secret if mode & 0o007 != 0 => found(
            Severity::Error,
            "secret-open",
            format!("the secret in {path} can be read by everybody on this machine ({mode:04o})"),
            "Whoever has it can send in your name, or pose as your mail server.",
            format!("chmod 0600 {path}, and change the secret"),
        ),
        Role::Secret if mode & 0o070 != 0 => found(
            Severity::Warning,
            "secret-group",
            format!("the secret in {path} can be read by its group ({mode:04o})"),
            "A press secretary in that group sees it.",
            format!("chmod 0600 {path}"),
        ),
        Role::Secret => good(format!("the secret in {path} is closed to others")),
        Role::Configuration | Role::Templates if mode & 0o022 != 0 => found(
            if mode & 0o002 != 0 { Severity::Error } else { Severity::Warning },
            "writable",
            format!("{path} can be written by others ({mode:04o})"),
            "Whoever writes it decides where mail goes and what it says.",
            format!("chmod go-w {path}"),
        ),
        Role::ControlSocket if mode & 0o007 != 0 => found(
            Severity::Error,
            "socket-open",
            format!("the control socket {path} is open to everybody on this machine ({mode:04o})"),
            "Whoever opens it may do everything.",
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
            format!("the state directory {path} is not there"),
            "The daemon starts with an empty store only when told to.",
            "On a new installation \u{201c}systemctl start depesch-create\u{201d} makes it; otherwise look where its disk is.",
        )),
        // What else is missing is told where it is used.
        _ => None,
    }
}
