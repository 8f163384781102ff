//! The addresses to listen on: opened here, or handed over by systemd (socket activation).

use std::sync::Arc;

use keyfob_server::config::Config;
use keyfob_server::listen::tls::Certificates;
use keyfob_server::listen::{Face, ListenAddress, Listener};
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
    let socket = open_one(&mut handed_over, 0, &config.listen).await?;
    let (listener, url) = listener(socket, &config.listen, face, certificates)?;
    let mut sockets = Sockets { listeners: vec![listener], url, management_url: None };
    if let Some(address) = &config.management.listen {
        let socket = open_one(&mut handed_over, 1, address).await?;
        let certificates = certificates.filter(|_| config.management.tls);
        let (listener, url) = self::listener(socket, address, Face::Management, certificates)?;
        sockets.listeners.push(listener);
        sockets.management_url = Some(url);
    }
    Ok(sockets)
}

/// A socket that is listened at.
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

async fn open_one(
    handed_over: &mut ListenFd,
    index: usize,
    address: &ListenAddress,
) -> Result<Socket, Failure> {
    let listening = |error| Failure::Listen { address: address.clone(), error };
    match address {
        ListenAddress::Tcp(tcp) => {
            if index < handed_over.len()
                && let Some(socket) = handed_over.take_tcp_listener(index).map_err(listening)?
            {
                socket.set_nonblocking(true).map_err(listening)?;
                return TcpListener::from_std(socket).map(Socket::Tcp).map_err(listening);
            }
            TcpListener::bind(tcp).await.map(Socket::Tcp).map_err(listening)
        }
        #[cfg(unix)]
        ListenAddress::Unix(path) => {
            if index < handed_over.len()
                && let Some(socket) = handed_over.take_unix_listener(index).map_err(listening)?
            {
                socket.set_nonblocking(true).map_err(listening)?;
                let socket = tokio::net::UnixListener::from_std(socket);
                return socket.map(Socket::Unix).map_err(listening);
            }
            unix_socket::bind(path).map(Socket::Unix).map_err(listening)
        }
        #[cfg(not(unix))]
        ListenAddress::Unix(_) => Err(listening(std::io::ErrorKind::Unsupported.into())),
    }
}

#[cfg(unix)]
mod unix_socket {
    //! A socket at a path.

    use std::io;
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    use std::path::Path;

    use tokio::net::UnixListener;

    /// Who may connect: the user and the group of the process.
    const MODE: u32 = 0o660;

    /// Binds a socket. A socket that nobody listens at, which a process that was killed has left, is replaced.
    pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
        let is_socket =
            path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
        if is_socket {
            match std::os::unix::net::UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path)?;
                }
                Err(error) => return Err(error),
                Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            }
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
        Ok(listener)
    }
}

fn listener(
    socket: Socket,
    address: &ListenAddress,
    face: Face,
    certificates: Option<&Arc<Certificates>>,
) -> Result<(Listener, String), Failure> {
    let tcp = match socket {
        Socket::Tcp(tcp) => tcp,
        #[cfg(unix)]
        Socket::Unix(socket) => {
            return Ok((Listener::unix(socket).face(face), address.to_string()));
        }
    };
    let failed = |error| Failure::Listen { address: address.clone(), error };
    let address = tcp.local_addr().map_err(failed)?;
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
