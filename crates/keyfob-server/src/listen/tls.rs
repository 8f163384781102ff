//! Certificates, and their replacement while the server runs.
//!
//! New certificates apply to new connections. If the new files are not right, the server continues with
//! the certificates that it has, and the log says what is wrong.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use keyfob::metrics::{HttpMetrics, ReloadOutcome};
use keyfob_tower::ClientCertificate;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The files of the certificates, as PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFiles {
    /// The certificate of the server and its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates that sign those of clients. Without them, clients show none.
    pub client_ca: Option<PathBuf>,
    /// Whether a client has to show a certificate, where `client_ca` is set.
    pub demands_client_certificate: bool,
}

/// Why certificates cannot be used. It names the file, and never shows its content.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}", file = file.display())]
pub struct CertificateError {
    file: PathBuf,
    problem: String,
}

/// What became of a look at the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reloaded {
    /// They are the same as before.
    Unchanged,
    /// New connections use the new certificates.
    Replaced,
}

/// The certificates of a listener. They can be replaced while it serves.
#[derive(Debug)]
pub struct Certificates {
    files: CertificateFiles,
    current: RwLock<Arc<ServerConfig>>,
    /// The files as they were last read, also if they could not be used.
    seen: Mutex<Contents>,
}

/// The content of the files. Dropping it wipes the key.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Secret,
    client_ca: Option<Vec<u8>>,
}

/// The bytes of a private key.
#[derive(PartialEq, Eq)]
struct Secret(zeroize::Zeroizing<Vec<u8>>);

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// If a file cannot be read, or if the certificate and the key do not belong together.
    pub fn load(files: CertificateFiles) -> Result<Self, CertificateError> {
        let contents = Contents::read(&files)?;
        let config = contents.config(&files)?;
        Ok(Self { files, current: RwLock::new(Arc::new(config)), seen: Mutex::new(contents) })
    }

    /// Reads the files again. If they have changed and are right, new connections use them.
    ///
    /// # Errors
    /// If they are not right: once for each change. The server continues with those that it has.
    pub fn reload(&self) -> Result<Reloaded, CertificateError> {
        let contents = Contents::read(&self.files)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == contents {
            return Ok(Reloaded::Unchanged);
        }
        let config = contents.config(&self.files);
        *seen = contents;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config?);
        Ok(Reloaded::Replaced)
    }

    /// Reads the files again and logs the outcome.
    pub fn reload_and_log(&self) {
        let reloads = |outcome| HttpMetrics::global().handles.reloads.of(outcome).increment(1);
        match self.reload() {
            Ok(Reloaded::Replaced) => {
                reloads(ReloadOutcome::Replaced);
                tracing::info!("new connections use the new certificates");
            }
            Ok(Reloaded::Unchanged) => tracing::debug!("the certificates have not changed"),
            Err(error) => {
                reloads(ReloadOutcome::Refused);
                tracing::error!(%error, "the certificates before stay in use");
            }
        }
    }

    /// Looks at the files after every `interval`, and never returns.
    pub async fn watch(self: Arc<Self>, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let certificates = Arc::clone(&self);
            let reload = move || certificates.reload_and_log();
            if let Err(error) = tokio::task::spawn_blocking(reload).await {
                tracing::error!(%error, "the certificates could not be compared");
            }
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }
}

/// Returns the certificate that the client has shown in the handshake, which has verified it.
pub(super) fn client_certificate<I>(stream: &TlsStream<I>) -> Option<ClientCertificate> {
    let (_, session) = stream.get_ref();
    session.peer_certificates()?.first().map(|certificate| ClientCertificate::of_der(certificate))
}

impl Contents {
    fn read(files: &CertificateFiles) -> Result<Self, CertificateError> {
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: Secret(zeroize::Zeroizing::new(read(&files.key)?)),
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Returns the settings of TLS. They name their provider, because a provider for the whole process
    /// is the application's choice and may not be installed.
    fn config(&self, files: &CertificateFiles) -> Result<ServerConfig, CertificateError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = certificates(&files.certificate, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key.0)
            .map_err(|_| wrong(&files.key, "it has no private key in PEM"))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&files.certificate, error))?;
        let builder = match self.client_verifier(files, provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            let key = files.key.display();
            wrong(&files.certificate, format!("it cannot be used with {key}: {error}"))
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn client_verifier(
        &self,
        files: &CertificateFiles,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, CertificateError> {
        let (Some(file), Some(pem)) = (&files.client_ca, &self.client_ca) else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file, pem)? {
            roots.add(certificate).map_err(|error| wrong(file, error))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match files.demands_client_certificate {
            true => builder,
            false => builder.allow_unauthenticated(),
        };
        builder.build().map(Some).map_err(|error| wrong(file, error))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(file).map_err(|error| wrong(file, format!("it cannot be read: {error}")))
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(wrong(file, "it has no certificate in PEM")),
        Err(error) => Err(wrong(file, format!("it is not PEM: {error}"))),
    }
}

fn wrong(file: &Path, problem: impl std::fmt::Display) -> CertificateError {
    CertificateError { file: file.to_owned(), problem: problem.to_string() }
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contents([redacted])")
    }
}
