//! TLS with roots of one's own, and with a certificate of the client.

use std::net::SocketAddr;
use std::sync::Arc;

use keyfob_client::{Client, ErrorClass, RetryPolicy, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::Service;

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key, as PEM.
    fn sign(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    }
}

/// Takes TLS connections for a server that has none. It demands a certificate of the client.
async fn terminate(authority: &Authority, server: SocketAddr) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(authority.roots(), Arc::clone(&provider));
    let (certificate, key) = authority.sign();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut plain).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_client_trusts_given_roots_and_shows_its_certificate() {
    let (service, authority) = (Service::start().await, Authority::new());
    let port = terminate(&authority, service.address).await;
    let client = |tls: Tls| {
        let builder = Client::builder(format!("https://localhost:{port}")).tls(tls);
        builder.bearer(&service.admin_key).retry(RetryPolicy::never()).build().unwrap()
    };
    let roots = || Tls::new().roots_pem(authority.pem.clone());
    let (certificate, key) = authority.sign();
    client(roots().identity_pem(certificate, key)).stats().await.unwrap();

    let without_certificate = client(roots()).stats().await.unwrap_err();
    assert_eq!(without_certificate.class(), ErrorClass::Unavailable);
    let other_roots = client(Tls::new().roots_pem(Authority::new().pem)).stats().await;
    assert_eq!(other_roots.unwrap_err().code(), "server_unreachable");
}

#[test]
fn a_text_that_is_no_certificate_is_refused_when_the_client_is_built() {
    let build = |tls| Client::builder("https://localhost").tls(tls).build().unwrap_err();
    let authority = Authority::new();
    let error = build(Tls::new().roots_pem("hunter2")).to_string();
    assert!(error.contains("no root") && !error.contains("hunter2"), "{error}");
    let tls = Tls::new().roots_pem(authority.pem.clone()).identity_pem(authority.pem, "hunter2");
    let error = build(tls).to_string();
    assert!(error.contains("certificate of the client") && !error.contains("hunter2"), "{error}");
}
