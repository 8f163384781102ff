//! TLS: certificates of the server and of clients, and their replacement while it serves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyfob::token::Confirmation;
use keyfob::{Grant, Kind, MemoryStore, TokenManager};
use keyfob_server::listen::Listener;
use keyfob_server::listen::tls::{CertificateFiles, Certificates, Reloaded};
use keyfob_server::{Server, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

/// An authority that signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    fn pem(&self) -> String {
        self.0.pem()
    }
}

/// The files of a server, in a directory of their own.
struct Files(TempDir);

impl Files {
    fn new(pair: &Pair, client_ca: Option<&Authority>) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write(pair);
        if let Some(authority) = client_ca {
            std::fs::write(files.path("ca.pem"), authority.pem()).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.0.path()).join(name)
    }

    fn write(&self, pair: &Pair) {
        std::fs::write(self.path("tls.pem"), &pair.certificate).unwrap();
        std::fs::write(self.path("tls.key"), &pair.key).unwrap();
    }

    fn load(&self, demands_client_certificate: bool) -> Arc<Certificates> {
        let ca = self.path("ca.pem");
        let files = CertificateFiles {
            certificate: self.path("tls.pem"),
            key: self.path("tls.key"),
            client_ca: ca.exists().then_some(ca),
            demands_client_certificate,
        };
        Arc::new(Certificates::load(files).unwrap())
    }
}

async fn serve(certificates: &Arc<Certificates>) -> SocketAddr {
    serve_over(TokenManager::new(MemoryStore::new().unwrap()), certificates).await
}

async fn serve_over(manager: TokenManager, certificates: &Arc<Certificates>) -> SocketAddr {
    let server = Server::new(manager, Settings::new());
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = Listener::new(tcp).tls(Arc::clone(certificates));
    tokio::spawn(async move { server.serve_all(vec![listener], std::future::pending()).await });
    address
}

/// A client that trusts an authority, and may show a certificate.
fn client(trusted: &Authority, shown: Option<&Pair>, protocol: &[u8]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Asks for the health of the server. The error says why the connection failed.
async fn ask(client: &TlsConnector, address: SocketAddr) -> std::io::Result<String> {
    ask_for("/healthz", "", client, address).await
}

async fn ask_for(
    path: &str,
    header: &str,
    client: &TlsConnector,
    address: SocketAddr,
) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let mut stream = client.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{header}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_client_speaks_http_1_or_2_through_tls() {
    let authority = Authority::new();
    let files = Files::new(&authority.sign("localhost"), None);
    let address = serve(&files.load(false)).await;
    let answer = ask(&client(&authority, None, b"http/1.1"), address).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = client(&authority, None, b"h2").connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/healthz").body(()).unwrap();
    let (answer, _) = sender.send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_without_the_right_certificate_is_not_let_in() {
    let (authority, clients, other) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new(&authority.sign("localhost"), Some(&clients));
    let (known, unknown) = (clients.sign("gateway"), other.sign("gateway"));
    let certificates = [files.load(true), files.load(false)];
    for (certificates, bare_is_let_in) in certificates.iter().zip([false, true]) {
        let address = serve(certificates).await;
        let ask = async |shown| ask(&client(&authority, shown, b"http/1.1"), address).await;
        assert!(ask(Some(&known)).await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(ask(Some(&unknown)).await.is_err());
        assert_eq!(ask(None).await.is_ok(), bare_is_let_in);
    }
}

#[tokio::test]
async fn new_certificates_apply_to_new_connections_and_wrong_ones_do_not_apply() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(&before.sign("localhost"), None);
    let certificates = files.load(false);
    let address = serve(&certificates).await;
    let ask =
        async |trusted: &Authority| ask(&client(trusted, None, b"http/1.1"), address).await.is_ok();
    assert!(ask(&before).await);
    assert_eq!(certificates.reload().unwrap(), Reloaded::Unchanged);

    // A key of another certificate, half a file, and no file.
    let next = after.sign("localhost");
    for (name, content) in [("tls.key", &*next.key), ("tls.pem", &next.certificate[..99])] {
        std::fs::write(files.path(name), content).unwrap();
        let error = certificates.reload().unwrap_err().to_string();
        assert!(error.contains("tls.pem"), "{error}");
        assert!(!error.contains("PRIVATE"), "{error}");
        assert!(ask(&before).await);
        assert_eq!(certificates.reload().unwrap(), Reloaded::Unchanged, "it is reported once");
    }
    std::fs::remove_file(files.path("tls.pem")).unwrap();
    assert!(certificates.reload().is_err());
    assert!(ask(&before).await);

    files.write(&next);
    assert_eq!(certificates.reload().unwrap(), Reloaded::Replaced);
    assert!(ask(&after).await);
    assert!(!ask(&before).await);
}

#[tokio::test]
async fn files_that_change_are_noticed() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(&before.sign("localhost"), None);
    let certificates = files.load(false);
    tokio::spawn(Arc::clone(&certificates).watch(Duration::from_millis(20)));
    let address = serve(&certificates).await;
    files.write(&after.sign("localhost"));
    let client = client(&after, None, b"http/1.1");
    let noticed = async {
        while ask(&client, address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noticed).await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_finish_the_handshake_is_cut() {
    let authority = Authority::new();
    let files = Files::new(&authority.sign("localhost"), None);
    let mut settings = Settings::new();
    settings.bounds.header_timeout = Duration::from_millis(200);
    let server = Server::new(TokenManager::new(MemoryStore::new().unwrap()), settings);
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = Listener::new(tcp).tls(files.load(false));
    tokio::spawn(async move { server.serve_all(vec![listener], std::future::pending()).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok());
}

#[tokio::test]
async fn a_key_that_is_bound_to_a_certificate_opens_the_service_with_that_handshake_alone() {
    let authority = Authority::new();
    let files = Files::new(&authority.sign("localhost"), Some(&authority));
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let address = serve_over(manager.clone(), &files.load(false)).await;
    let (own, other) = (authority.sign("app"), authority.sign("thief"));
    let der = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
    let grant = Grant::new(Kind::ApiKey).client("app").scopes("keyfob:read");
    let key = manager.issue(grant.confirmation(Confirmation::of_certificate(&der))).await.unwrap();
    let header = format!("authorization: Bearer {}\r\n", key.bearer.expose());
    let status = async |shown| {
        let client = client(&authority, shown, b"http/1.1");
        let answer = ask_for("/v1/caller", &header, &client, address).await.unwrap();
        answer[9..12].to_owned()
    };
    assert_eq!(status(Some(&own)).await, "200");
    assert_eq!(status(Some(&other)).await, "401");
    assert_eq!(status(None).await, "401");
}
