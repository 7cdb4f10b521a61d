//! The listener's certificate: read from files, and replaceable while it runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::TlsFiles;

/// Why a certificate cannot be used. The previous one stays in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or has the wrong content.
    #[error("{path} cannot be used for STARTTLS: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate and the key do not belong together.
    #[error("the certificate {certificate} and the key {key} cannot be used for STARTTLS: {why}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        why: String,
    },
}

/// A certificate with its key, read and verified as usable.
pub(crate) struct Certificate(Arc<ServerConfig>);

/// A certificate in use.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(read(&files)?);
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads the files again; the result is applied by [`Self::replace`].
    ///
    /// # Errors
    /// [`TlsError`].
    pub(crate) fn read_again(&self) -> Result<Certificate, TlsError> {
        Ok(Certificate(read(&self.files)?))
    }

    /// Calls [`Self::read_again`] and [`Self::replace`].
    ///
    /// # Errors
    /// [`TlsError`]; the old certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.replace(self.read_again()?);
        Ok(())
    }

    /// Uses this certificate for new connections.
    pub(crate) fn replace(&self, new: Certificate) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new.0;
        tracing::info!(certificate = %self.files.certificate.display(), "the certificate was read again");
    }

    /// The acceptor for the current certificate.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let wrong = |path: &Path, why: String| TlsError::File { path: path.to_owned(), why };
    let of_certificate = |error: &dyn ToString| wrong(&files.certificate, error.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| of_certificate(&error))?;
    if chain.is_empty() {
        return Err(of_certificate(&"it contains no certificate in PEM form"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, error.to_string()))?;
    let of_pair = |why: String| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), why };
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| of_pair(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| of_pair(error.to_string()))?;
    Ok(Arc::new(config))
}
