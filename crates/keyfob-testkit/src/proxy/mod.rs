//! A TCP proxy on the loopback whose faults can be switched at run time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob::random::{Random, SeededRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A proxy in front of a server. Dropping it closes all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// The faults of the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// New connections are refused. Open connections stay.
    pub refuse: bool,
    /// Bytes of the client are held back until this is switched off.
    pub stall_requests: bool,
    /// Bytes of the server are held back until this is switched off.
    pub stall_replies: bool,
    /// The delay of all bytes, in each direction.
    pub delay: Duration,
    /// The connections that are stalled and delayed.
    pub concerns: Concerned,
}

/// Selects the connections of a fault by the first kilobytes that the client sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Concerned {
    /// All connections.
    #[default]
    All,
    /// Connections on which the client has sent this text.
    Saying(&'static str),
    /// Connections on which the client has not sent this text yet.
    NotSaying(&'static str),
}

/// The number of first bytes of a client to remember.
const REMEMBERED_BYTES: usize = 4096;

#[derive(Debug)]
struct Shared {
    /// Where new connections lead.
    target: Mutex<SocketAddr>,
    faults: watch::Sender<Faults>,
    /// Increases whenever all connections are cut.
    cuts: watch::Sender<u64>,
    /// Increases whenever the server's side of all connections is lost.
    losses: watch::Sender<u64>,
    limits: Mutex<Option<Limits>>,
    open: AtomicUsize,
}

/// The number of bytes after which a new connection is cut.
#[derive(Debug)]
struct Limits {
    random: SeededRandom,
    max_bytes: u64,
}

impl Proxy {
    /// Starts a proxy in front of `target`, on a free port, without faults.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            faults: watch::Sender::new(Faults::default()),
            cuts: watch::Sender::new(0),
            losses: watch::Sender::new(0),
            limits: Mutex::new(None),
            open: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, address, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// Starts a proxy in front of a port of the loopback.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn to_port(port: u16) -> io::Result<Self> {
        Self::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Returns the address of the proxy.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port of the proxy.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the number of open connections.
    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Changes the faults.
    pub fn set(&self, faults: Faults) {
        self.shared.faults.send_replace(faults);
    }

    /// Ends all faults: held-back bytes arrive, and new connections are not cut.
    pub fn heal(&self) {
        self.set(Faults::default());
        *self.limits() = None;
    }

    /// Stalls both directions of all connections. They stay open.
    pub fn stall(&self) {
        self.stall_those(Concerned::All);
    }

    /// Stalls both directions of the selected connections, also of later ones.
    pub fn stall_those(&self, concerns: Concerned) {
        let delay = self.shared.faults.borrow().delay;
        let refuse = false;
        self.set(Faults { stall_requests: true, stall_replies: true, delay, refuse, concerns });
    }

    /// Cuts every open connection.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|count| *count += 1);
    }

    /// Closes the server's side of every open connection. The client gets no close: the connections
    /// look open, and bytes of the client are lost.
    pub fn leave_half_open(&self) {
        self.shared.losses.send_modify(|count| *count += 1);
    }

    /// Cuts each new connection after a number of bytes in both directions together. `seed`
    /// determines the numbers, between 1 and `max_bytes`.
    pub fn cut_at_random(&self, seed: u64, max_bytes: u64) {
        *self.limits() =
            Some(Limits { random: SeededRandom::new(seed), max_bytes: max_bytes.max(1) });
    }

    /// Leads new connections to another server, as an address does that moves. Those that are open stay.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    fn limits(&self) -> std::sync::MutexGuard<'_, Option<Limits>> {
        self.shared.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The connections are child tasks of this task and end with it.
        self.accepting.abort();
    }
}

impl Shared {
    fn target(&self) -> SocketAddr {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self) -> u64 {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Limits { random, max_bytes }) = &*limits else { return u64::MAX };
        let mut bytes = [0; 8];
        random.fill(&mut bytes).map_or(1, |()| 1 + u64::from_le_bytes(bytes) % max_bytes)
    }
}

async fn accept(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut faults = shared.faults.subscribe();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        if faults.borrow_and_update().refuse {
            listener = None;
            if faults.wait_for(|faults| !faults.refuse).await.is_err() {
                return;
            }
        }
        let listening = match listener.take() {
            Some(listening) => listening,
            None => match TcpListener::bind(address).await {
                Ok(listening) => listening,
                Err(_) => {
                    // Another process uses the port temporarily.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        tokio::select! {
            accepted = listening.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(forward(client, Arc::clone(&shared)));
                }
            }
            changed = faults.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
        listener = Some(listening);
    }
}

/// One connection: the first bytes of its client, and the remaining number of bytes.
struct Connection {
    sent: Mutex<Vec<u8>>,
    left: Mutex<u64>,
}

impl Connection {
    fn record(&self, bytes: &[u8]) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let room = REMEMBERED_BYTES.saturating_sub(sent.len()).min(bytes.len());
        sent.extend_from_slice(&bytes[..room]);
    }

    fn has_sent(&self, what: &str) -> bool {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.windows(what.len().max(1)).any(|window| window == what.as_bytes())
    }

    fn is_concerned(&self, faults: &Faults) -> bool {
        match faults.concerns {
            Concerned::All => true,
            Concerned::Saying(what) => self.has_sent(what),
            Concerned::NotSaying(what) => !self.has_sent(what),
        }
    }
}

/// Counts a connection while it is open.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn forward(client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let mut losses = shared.losses.subscribe();
    shared.open.fetch_add(1, Ordering::SeqCst);
    let _open = Open(&shared.open);
    let Ok(server) = TcpStream::connect(shared.target()).await else { return };
    let _undelayed = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let connection = Connection { sent: Mutex::default(), left: Mutex::new(shared.limit()) };
    let lost = tokio::select! {
        // If one side closes, the other side is closed immediately.
        () = pump(&mut from_client, &mut to_server, &shared, &connection, Direction::Request) => false,
        () = pump(&mut from_server, &mut to_client, &shared, &connection, Direction::Reply) => false,
        _ = cuts.changed() => false,
        _ = losses.changed() => true,
    };
    drop((from_server, to_server));
    if lost {
        let mut sink = tokio::io::sink();
        tokio::select! {
            _ = tokio::io::copy(&mut from_client, &mut sink) => {}
            _ = cuts.changed() => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Reply,
}

impl Direction {
    fn is_stalled(self, faults: &Faults) -> bool {
        match self {
            Self::Request => faults.stall_requests,
            Self::Reply => faults.stall_replies,
        }
    }
}

/// Copies bytes in one direction until an end, an error or the limit.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
    connection: &Connection,
    direction: Direction,
) {
    let mut faults = shared.faults.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if direction == Direction::Request {
            connection.record(&buffer[..count]);
        }
        let delay = {
            let faults = faults.borrow();
            if connection.is_concerned(&faults) { faults.delay } else { Duration::ZERO }
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let gets_through =
            |faults: &Faults| !(direction.is_stalled(faults) && connection.is_concerned(faults));
        if faults.wait_for(gets_through).await.is_err() {
            return;
        }
        let fits = {
            let mut left = connection.left.lock().unwrap_or_else(PoisonError::into_inner);
            let fits = (*left).min(count as u64);
            *left -= fits;
            fits as usize
        };
        if to.write_all(&buffer[..fits]).await.is_err() || fits < count {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
