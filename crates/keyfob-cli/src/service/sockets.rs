//! The addresses to listen on: opened here, or handed over by systemd (socket activation).

use std::net::SocketAddr;
use std::sync::Arc;

use keyfob_server::config::Config;
use keyfob_server::listen::tls::Certificates;
use keyfob_server::listen::{Face, Listener};
use listenfd::ListenFd;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// The listeners of a service, with what is said about them.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) url: String,
    pub(crate) management_url: Option<String>,
}

/// Opens the addresses of a configuration. The first socket of systemd takes the place of `listen`, the
/// second that of `management.listen`.
pub(crate) async fn open(
    config: &Config,
    certificates: Option<&Arc<Certificates>>,
) -> Result<Sockets, Failure> {
    let mut handed_over = ListenFd::from_env();
    let face = match config.management.listen {
        Some(_) => Face::Public,
        None => Face::All,
    };
    let tcp = socket(&mut handed_over, 0, config.listen).await?;
    let (listener, url) = listener(tcp, face, certificates)?;
    let mut sockets = Sockets { listeners: vec![listener], url, management_url: None };
    if let Some(address) = config.management.listen {
        let tcp = socket(&mut handed_over, 1, address).await?;
        let certificates = certificates.filter(|_| config.management.tls);
        let (listener, url) = self::listener(tcp, Face::Management, certificates)?;
        sockets.listeners.push(listener);
        sockets.management_url = Some(url);
    }
    Ok(sockets)
}

async fn socket(
    handed_over: &mut ListenFd,
    index: usize,
    address: SocketAddr,
) -> Result<TcpListener, Failure> {
    let listening = |error| Failure::Listen { address, error };
    if index < handed_over.len()
        && let Some(socket) = handed_over.take_tcp_listener(index).map_err(listening)?
    {
        socket.set_nonblocking(true).map_err(listening)?;
        return TcpListener::from_std(socket).map_err(listening);
    }
    TcpListener::bind(address).await.map_err(listening)
}

fn listener(
    tcp: TcpListener,
    face: Face,
    certificates: Option<&Arc<Certificates>>,
) -> Result<(Listener, String), Failure> {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let address = tcp.local_addr().map_err(|error| Failure::Listen { address: any, error })?;
    let listener = Listener::new(tcp).face(face);
    Ok(match certificates {
        Some(certificates) => {
            (listener.tls(Arc::clone(certificates)), format!("https://{address}"))
        }
        None => {
            if !address.ip().is_loopback() {
                tracing::warn!(
                    %address,
                    "the server listens beyond this machine without TLS: a machine on the way reads \
                     every secret. Set tls.certificate and tls.key, or put a proxy with TLS before it"
                );
            }
            (listener, format!("http://{address}"))
        }
    })
}
