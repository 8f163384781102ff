//! TLS of the connections: which certificates are trusted, and which one this node presents.
//!
//! The files are read again when they have changed, because certificates are renewed while processes run.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use keyfob_store::StoreError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::config::{Tls, misconfigured};

pub(super) struct TlsSource {
    settings: Tls,
    last: Mutex<LastRead>,
}

struct LastRead {
    connector: TlsConnector,
    files: Vec<FileState>,
}

/// When a file was changed, and its length. `None` if it cannot be read.
type FileState = Option<(SystemTime, u64)>;

impl TlsSource {
    pub(super) fn new(settings: &Tls) -> Result<Self, StoreError> {
        let files = states_of(settings);
        let last = Mutex::new(LastRead { connector: connector(settings)?, files });
        Ok(Self { settings: settings.clone(), last })
    }

    /// Returns what to connect with. Reads the files again if one has changed.
    pub(super) fn connector(&self) -> TlsConnector {
        let files = states_of(&self.settings);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.files != files {
            match connector(&self.settings) {
                Ok(connector) => *last = LastRead { connector, files },
                // The two files of a certificate are not replaced in the same moment.
                Err(error) => tracing::warn!(%error, "the certificates before are used"),
            }
        }
        last.connector.clone()
    }
}

fn states_of(settings: &Tls) -> Vec<FileState> {
    let state = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    let files = [&settings.ca, &settings.certificate, &settings.key];
    files.into_iter().flatten().map(state).collect()
}

/// Creates the TLS settings. They name their cryptography provider, because a provider for the whole
/// process is the application's choice and may not be installed.
fn connector(tls: &Tls) -> Result<TlsConnector, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| misconfigured(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots(tls)?);
    let config = match (&tls.certificate, &tls.key) {
        (None, None) => config.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates_in(certificate, "to present")?;
            let private = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unusable(key, "no private key in PEM", &error))?;
            config.with_client_auth_cert(chain, private).map_err(|error| {
                misconfigured(format!(
                    "the certificate in {} cannot be used with the key in {}: {error}",
                    certificate.display(),
                    key.display()
                ))
            })?
        }
        _ => {
            return Err(misconfigured(
                "a client certificate needs its key: set both, such as ?cert=/etc/me.pem&key=/etc/me.key",
            ));
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(tls: &Tls) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        Some(path) => {
            for certificate in certificates_in(path, "to trust")? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(path, "no certificates in PEM to trust", &error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(misconfigured(
                    "this system has no certificates to trust: set a file, such as ?ca=/etc/ca.pem",
                ));
            }
        }
    }
    Ok(roots)
}

fn certificates_in(
    path: &Path,
    what_for: &str,
) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let lacks = format!("no certificates in PEM {what_for}");
    let wrong = |error: &dyn std::fmt::Display| unusable(path, &lacks, error);
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let certificates: Vec<_> =
        certificates.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    if certificates.is_empty() {
        return Err(wrong(&"the file has none"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, lacks: &str, error: &dyn std::fmt::Display) -> StoreError {
    misconfigured(format!("{} has {lacks}: {error}", path.display()))
}

/// Returns what to do if the error of a connection is that the server does not accept this node's
/// certificate, or that there is none.
pub(super) fn certificate_advice(error: &str) -> Option<&'static str> {
    const REFUSED: [&str; 7] = [
        "BadCertificate",
        "UnsupportedCertificate",
        "CertificateRevoked",
        "CertificateExpired",
        "CertificateUnknown",
        "UnknownCA",
        "AccessDenied",
    ];
    // The alert of a server before TLS 1.3 is `HandshakeFailure`.
    if error.contains("received fatal alert: CertificateRequired")
        || error.contains("received fatal alert: HandshakeFailure")
    {
        return Some(
            "asks for a client certificate: set one, such as ?cert=/etc/me.pem&key=/etc/me.key",
        );
    }
    let alert = error.split("received fatal alert: ").nth(1)?;
    REFUSED
        .iter()
        .any(|refused| alert.starts_with(refused))
        .then_some("does not accept the client certificate: check that its authority signed it")
}
