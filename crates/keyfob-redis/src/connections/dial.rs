//! Opens TCP connections to hosts with several addresses.
//!
//! A host may have an address that does not answer, such as an IPv6 address without a route. So the next
//! address is tried while the one before may still succeed, and the first connection wins ("happy eyeballs",
//! RFC 8305).

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;

use crate::config::Address;

/// The longest time for which an address is tried alone.
const MAX_HEAD_START: Duration = Duration::from_millis(100);

/// How many addresses that hang are remembered.
const MAX_SLOW: usize = 1_000;

/// Finds the addresses of hosts, and connects to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialer {
    /// Hosts for which the system is not asked.
    fixed: HashMap<String, Vec<SocketAddr>>,
    /// Addresses that gave no answer when they were tried last. They are still tried in their turn, because
    /// they may lead to another server than the rest, but without a head start.
    slow: Arc<Mutex<HashSet<SocketAddr>>>,
}

impl Dialer {
    pub(super) fn new(fixed: HashMap<String, Vec<SocketAddr>>) -> Self {
        Self { fixed, slow: Arc::default() }
    }

    /// Returns the addresses of a host in the order of the system, which puts the preferred family first.
    pub(super) async fn resolve(&self, address: &Address) -> io::Result<Vec<SocketAddr>> {
        if let Some(fixed) = self.fixed.get(&address.host) {
            return Ok(fixed.clone());
        }
        let found: Vec<_> = lookup_host((address.host.as_str(), address.port)).await?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }

    /// Connects to the first of these addresses that accepts. `limit` is the time that the caller has: each
    /// address gets a part of it before the next is tried too.
    pub(super) async fn connect(
        &self,
        addresses: &[SocketAddr],
        limit: Duration,
    ) -> io::Result<TcpStream> {
        let mut waiting: VecDeque<_> = alternating(addresses).into();
        let head_start = MAX_HEAD_START.min(limit / (waiting.len() as u32 + 1));
        let (mut trying, mut tried) = (FuturesUnordered::new(), None);
        let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        loop {
            if let Some(next) = waiting.pop_front() {
                trying.push(async move { (next, TcpStream::connect(next).await) });
                tried = Some(next);
            }
            let is_slow = tried.is_some_and(|tried| self.slow().contains(&tried));
            let next_is_due = async {
                match (waiting.is_empty(), is_slow) {
                    (true, _) => std::future::pending::<()>().await,
                    (false, true) => tokio::task::yield_now().await,
                    (false, false) => sleep(head_start).await,
                }
            };
            tokio::select! {
                outcome = trying.next() => match outcome {
                    Some((from, Ok(stream))) => {
                        self.slow().remove(&from);
                        return Ok(stream);
                    }
                    Some((_, Err(error))) => last_error = error,
                    None => return Err(last_error),
                },
                () = next_is_due => self.note_slow(tried),
            }
        }
    }

    fn note_slow(&self, address: Option<SocketAddr>) {
        let mut slow = self.slow();
        if slow.len() >= MAX_SLOW {
            slow.clear();
        }
        slow.extend(address);
    }

    fn slow(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to a unix socket.
#[cfg(unix)]
pub(super) async fn unix_stream(path: &str) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(path).await
}

#[cfg(not(unix))]
pub(super) async fn unix_stream(_: &str) -> io::Result<TcpStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no unix sockets"))
}

/// Orders addresses so that the families alternate, beginning with the first.
fn alternating(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first =
        |at: &SocketAddr| addresses.first().is_some_and(|it| it.is_ipv6() == at.is_ipv6());
    let (first, second): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(is_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::with_capacity(addresses.len());
    while ordered.len() < addresses.len() {
        ordered.extend(first.next());
        ordered.extend(second.next());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(4);

    async fn live() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A port whose queue of new connections is full, so that another one hangs.
    async fn hanging() -> (Socket, Vec<TcpStream>, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        let short = Duration::from_millis(100);
        while let Ok(connected) = tokio::time::timeout(short, TcpStream::connect(address)).await {
            queued.push(connected.unwrap());
            assert!(queued.len() < 1_000, "the queue does not fill");
        }
        (socket, queued, address)
    }

    #[tokio::test]
    async fn an_address_that_hangs_does_not_use_up_the_time_of_the_next() {
        let ((_full, _queued, dead), (_listener, alive)) = (hanging().await, live().await);
        let begun = Instant::now();
        let stream = Dialer::default().connect(&[dead, alive], LIMIT).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        assert!(begun.elapsed() < LIMIT / 2, "{:?}", begun.elapsed());
        // It is remembered, so that it does not delay the next connection. The time is that of both tries.
        let (dialer, mut times) = (Dialer::default(), Vec::new());
        for _ in 0..20 {
            let begun = Instant::now();
            dialer.connect(&[dead, alive], LIMIT).await.unwrap();
            times.push(begun.elapsed());
        }
        let later = times[1..].iter().min().unwrap();
        assert!(*later * 4 < times[0], "{times:?}");
        // In a short time too: each address has its share.
        let short = Duration::from_millis(600);
        let both = tokio::time::timeout(short, dialer.connect(&[dead, dead, alive], short)).await;
        assert_eq!(both.unwrap().unwrap().peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next_without_delay() {
        let (listener, refusing) = live().await;
        drop(listener);
        let (_listener, alive) = live().await;
        let stream = Dialer::default().connect(&[refusing, alive], LIMIT).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        let error = Dialer::default().connect(&[refusing, refusing], LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(
            Dialer::default().connect(&[], LIMIT).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn the_families_alternate() {
        let [a6, b6, a4, b4, c4] = ["[::1]:1", "[::2]:1", "1.0.0.1:1", "1.0.0.2:1", "1.0.0.3:1"]
            .map(|at| at.parse().unwrap());
        assert_eq!(alternating(&[a6, b6, a4, b4, c4]), [a6, a4, b6, b4, c4]);
        assert_eq!(alternating(&[a4, b4, a6]), [a4, a6, b4]);
        assert_eq!(alternating(&[a4]), [a4]);
        assert_eq!(alternating(&[]), []);
    }
}
