//! Secrets: from files or systemd credentials, never from the configuration or the command line.

use std::path::PathBuf;

use crate::base::secret::Secret;

use super::environment;
use super::reader::Reader;

/// Maximum size of a secret, in bytes.
const LIMIT: u64 = 64 * 1024;

/// The source of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file; a line end at its end is removed.
    File(PathBuf),
    /// A systemd credential, by its name: `LoadCredential=` or `SetCredentialEncrypted=` of the unit.
    Credential(String),
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The service has no credentials at all.
    #[error(
        "the credential \u{201c}{0}\u{201d} is not there: $CREDENTIALS_DIRECTORY is not set; run Depesch as a systemd \
         service with LoadCredential={0}:PATH, or use a file"
    )]
    NoCredentials(String),
    /// The file cannot be read.
    #[error("the secret in {path} cannot be read: {error}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The file is empty or too large.
    #[error("the secret in {path} is {what}")]
    Unfit {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

/// Reads the keys `<name>_file` and `<name>_credential` of a section: the source of `what`, if given.
pub(super) fn source(reader: &mut Reader<'_>, section: &str, name: &str, what: &str) -> Option<SecretSource> {
    let (mut file, mut credential) = (None, None);
    reader.optional_path(&format!("{name}_file"), &format!("{what}, or \"\""), &mut file);
    let named = "the name of a systemd credential, or \"\"";
    reader.optional_text(&format!("{name}_credential"), named, &mut credential);
    let key = format!("{section}.{name}_credential");
    if credential.as_deref().is_some_and(|name| name.contains('/') || name.starts_with('.')) {
        reader.problem(&key, format!("expected {named}, without a path"));
    }
    if file.is_some() && credential.is_some() {
        reader.problem(&key, format!("either this or {section}.{name}_file, not both"));
    }
    file.map(SecretSource::File).or(credential.map(SecretSource::Credential))
}

impl SecretSource {
    /// The file with the secret.
    ///
    /// # Errors
    /// [`SecretError::NoCredentials`].
    pub(crate) fn path(&self) -> Result<PathBuf, SecretError> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Credential(name) => {
                let directory = environment::credentials_directory();
                Ok(directory.ok_or_else(|| SecretError::NoCredentials(name.clone()))?.join(name))
            }
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// [`SecretError`]; it never contains the secret.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let path = self.path()?;
        let unreadable = |error| SecretError::Unreadable { path: path.clone(), error };
        let length = std::fs::metadata(&path).map_err(unreadable)?.len();
        if length > LIMIT {
            return Err(SecretError::Unfit { path, what: "too long for a secret" });
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let text = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
        if text.is_empty() {
            return Err(SecretError::Unfit { path, what: "empty" });
        }
        Ok(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_it_with_or_without_a_line_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, " korrekt häst\r\n").unwrap();
        let source = SecretSource::File(path.clone());
        assert_eq!(source.read().unwrap().reveal(), " korrekt häst");
        std::fs::write(&path, "\n").unwrap();
        assert!(source.read().unwrap_err().to_string().ends_with("is empty"));
    }
}
