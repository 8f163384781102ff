//! A network that fails on command: a TCP proxy on the loopback whose faults are switched while it
//! runs.

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

/// A proxy in front of a server. It goes when it is dropped, and every connection with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// What is wrong with the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Nobody listens: a new connection is refused. Those that are there stay.
    pub refuse: bool,
    /// What the client sends does not get through; it is held back until this ends.
    pub stall_requests: bool,
    /// What the server sends does not get through; it is held back until this ends.
    pub stall_replies: bool,
    /// How much later everything arrives, each way.
    pub delay: Duration,
    /// Which connections are stalled and delayed.
    pub concerns: Concerned,
}

/// Which connections a fault concerns, by what the client has said in the first few kilobytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Concerned {
    /// All of them.
    #[default]
    All,
    /// Those on which the client has said this.
    Saying(&'static str),
    /// Those on which the client has not said this yet.
    NotSaying(&'static str),
}

/// How much is remembered of what a client said.
const REMEMBERED: usize = 4096;

#[derive(Debug)]
struct Shared {
    /// Where new connections lead.
    target: Mutex<SocketAddr>,
    faults: watch::Sender<Faults>,
    /// Counts up whenever all connections are cut.
    cuts: watch::Sender<u64>,
    /// Counts up whenever the server's side of all connections is lost.
    losses: watch::Sender<u64>,
    limits: Mutex<Option<Limits>>,
    open: AtomicUsize,
}

/// After how many bytes a new connection is cut.
#[derive(Debug)]
struct Limits {
    random: SeededRandom,
    most: u64,
}

impl Proxy {
    /// A proxy in front of `target`, on a free port, without faults.
    ///
    /// # Errors
    /// When no port can be had.
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

    /// A proxy in front of a port of the loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to_port(port: u16) -> io::Result<Self> {
        Self::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections go through it now.
    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Changes what is wrong.
    pub fn set(&self, faults: Faults) {
        self.shared.faults.send_replace(faults);
    }

    /// Nothing is wrong any more: what was held back arrives, new connections are whole.
    pub fn heal(&self) {
        self.set(Faults::default());
        *self.limits() = None;
    }

    /// Nothing gets through either way, as in a black hole; connections stay open.
    pub fn stall(&self) {
        self.stall_those(Concerned::All);
    }

    /// The same for some connections only, and for those that are made to be like them.
    pub fn stall_those(&self, concerns: Concerned) {
        let delay = self.shared.faults.borrow().delay;
        let refuse = false;
        self.set(Faults { stall_requests: true, stall_replies: true, delay, refuse, concerns });
    }

    /// Cuts every connection that is open.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|count| *count += 1);
    }

    /// Loses the server's side of every connection that is open. The client is not told: to it they
    /// look open, and what it sends goes nowhere.
    pub fn leave_half_open(&self) {
        self.shared.losses.send_modify(|count| *count += 1);
    }

    /// Cuts each new connection after a number of bytes, both ways together, between 1 and `most`:
    /// the numbers that `seed` determines.
    pub fn cut_at_random(&self, seed: u64, most: u64) {
        *self.limits() = Some(Limits { random: SeededRandom::new(seed), most: most.max(1) });
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
        // The connections are tasks of this one and go with it.
        self.accepting.abort();
    }
}

impl Shared {
    fn target(&self) -> SocketAddr {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self) -> u64 {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Limits { random, most }) = &*limits else { return u64::MAX };
        let mut bytes = [0; 8];
        random.fill(&mut bytes).map_or(1, |()| 1 + u64::from_le_bytes(bytes) % most)
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
                    // Somebody has the port for a moment.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        tokio::select! {
            accepted = listening.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(carry(client, Arc::clone(&shared)));
                }
            }
            changed = faults.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
        listener = Some(listening);
    }
}

/// One connection: what its client said first, and how much may still go through.
struct Carried {
    said: Mutex<Vec<u8>>,
    left: Mutex<u64>,
}

impl Carried {
    fn hear(&self, bytes: &[u8]) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let room = REMEMBERED.saturating_sub(said.len()).min(bytes.len());
        said.extend_from_slice(&bytes[..room]);
    }

    fn has_said(&self, what: &str) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.windows(what.len().max(1)).any(|window| window == what.as_bytes())
    }

    fn is_concerned(&self, faults: &Faults) -> bool {
        match faults.concerns {
            Concerned::All => true,
            Concerned::Saying(what) => self.has_said(what),
            Concerned::NotSaying(what) => !self.has_said(what),
        }
    }
}

/// Counts a connection for as long as it lives.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let mut losses = shared.losses.subscribe();
    shared.open.fetch_add(1, Ordering::SeqCst);
    let _open = Open(&shared.open);
    let Ok(server) = TcpStream::connect(shared.target()).await else { return };
    let _undelayed = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let carried = Carried { said: Mutex::default(), left: Mutex::new(shared.limit()) };
    let lost = tokio::select! {
        // Whichever side ends, the other is told at once.
        () = pump(&mut from_client, &mut to_server, &shared, &carried, Way::Request) => false,
        () = pump(&mut from_server, &mut to_client, &shared, &carried, Way::Reply) => false,
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
enum Way {
    Request,
    Reply,
}

impl Way {
    fn is_stalled(self, faults: &Faults) -> bool {
        match self {
            Self::Request => faults.stall_requests,
            Self::Reply => faults.stall_replies,
        }
    }
}

/// Carries bytes one way until an end, an error or the limit.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
    carried: &Carried,
    way: Way,
) {
    let mut faults = shared.faults.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if way == Way::Request {
            carried.hear(&buffer[..count]);
        }
        let delay = {
            let faults = faults.borrow();
            if carried.is_concerned(&faults) { faults.delay } else { Duration::ZERO }
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let gets_through =
            |faults: &Faults| !(way.is_stalled(faults) && carried.is_concerned(faults));
        if faults.wait_for(gets_through).await.is_err() {
            return;
        }
        let fits = {
            let mut left = carried.left.lock().unwrap_or_else(PoisonError::into_inner);
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
