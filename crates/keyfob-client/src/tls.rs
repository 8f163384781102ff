//! Whom a client trusts, and how it proves who it is.

use std::sync::Arc;

use keyfob_api::SecretText;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Whom a client trusts, and how it proves who it is. `Debug` hides the key.
///
/// ```no_run
/// use keyfob_client::{Client, Tls};
///
/// let tls = Tls::new()
///     .roots_pem(std::fs::read("/etc/keyfob/ca.pem")?)
///     .identity_pem(std::fs::read("/etc/keyfob/me.pem")?, std::fs::read_to_string("/etc/keyfob/me.key")?);
/// let client = Client::builder("https://tokens.internal").tls(tls).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Tls {
    roots: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, SecretText)>,
}

/// Why the settings of TLS are not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no root that can be read.
    #[error("no root certificate can be read: {0}")]
    Roots(String),
    /// The certificate of the client, or its key, cannot be read.
    #[error("the certificate of the client is not valid: {0}")]
    Identity(String),
    /// The library does not take the settings.
    #[error("TLS cannot be set up: {0}")]
    Settings(String),
}

impl Tls {
    /// Trusts the roots of the system.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these certificates instead: a text with PEM.
    pub fn roots_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { roots: Some(pem.into()), ..self }
    }

    /// Proves who the client is (mTLS): a certificate with its chain, and its private key, as PEM.
    pub fn identity_pem(self, chain: impl Into<Vec<u8>>, key: impl Into<String>) -> Self {
        Self { identity: Some((chain.into(), SecretText::new(key))), ..self }
    }

    pub(crate) fn config(&self) -> Result<ClientConfig, TlsError> {
        self.with_roots(self.trusted()?)
    }

    /// Returns the settings of a client that uses no TLS.
    pub(crate) fn without_roots() -> Result<ClientConfig, TlsError> {
        Self::new().with_roots(RootCertStore::empty())
    }

    fn with_roots(&self, roots: RootCertStore) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Settings(error.to_string()))?
            .with_root_certificates(roots);
        let Some((chain, key)) = &self.identity else {
            return Ok(config.with_no_client_auth());
        };
        let invalid = |error: String| TlsError::Identity(error);
        let chain = certificates(chain).map_err(invalid)?;
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
            .map_err(|error| invalid(error.to_string()))?;
        config.with_client_auth_cert(chain, key).map_err(|error| invalid(error.to_string()))
    }

    fn trusted(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        match &self.roots {
            Some(pem) => {
                for certificate in certificates(pem).map_err(TlsError::Roots)? {
                    roots.add(certificate).map_err(|error| TlsError::Roots(error.to_string()))?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let text = found.errors.first().map(ToString::to_string);
                    let text = text.unwrap_or_else(|| "the system has none".to_owned());
                    return Err(TlsError::Roots(text));
                }
            }
        }
        Ok(roots)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err("the text has no certificate".to_owned())
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}
