//! Sockets of the network and of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// The address of the clients of a Unix socket.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What connections are accepted from.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection that was accepted.
pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.local_addr(),
            #[cfg(unix)]
            Self::Unix(_) => Ok(LOCAL),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(tcp) => tcp.accept().await.map(|(stream, peer)| (Stream::Tcp(stream), peer)),
            #[cfg(unix)]
            Self::Unix(unix) => {
                unix.accept().await.map(|(stream, _)| (Stream::Unix(stream), LOCAL))
            }
        }
    }

    /// Returns the connections that the system has completed. Nothing is waited for.
    pub(super) fn completed(self) -> Vec<(Stream, SocketAddr)> {
        let mut all = Vec::new();
        match self {
            Self::Tcp(tcp) => {
                let Ok(tcp) = tcp.into_std() else { return all };
                while let Ok((stream, peer)) = tcp.accept() {
                    let stream =
                        stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    all.extend(stream.map(|stream| (Stream::Tcp(stream), peer)));
                }
            }
            #[cfg(unix)]
            Self::Unix(unix) => {
                let Ok(unix) = unix.into_std() else { return all };
                while let Ok((stream, _)) = unix.accept() {
                    let stream =
                        stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
                    all.extend(stream.map(|stream| (Stream::Unix(stream), LOCAL)));
                }
            }
        }
        all
    }
}
