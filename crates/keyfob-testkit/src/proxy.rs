//! A network that fails on command: a TCP proxy on the loopback whose faults are switched while it
//! runs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob::{Random, SeededRandom};
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
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
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
            target,
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
        let delay = self.shared.faults.borrow().delay;
        self.set(Faults { stall_requests: true, stall_replies: true, delay, refuse: false });
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
    let Ok(server) = TcpStream::connect(shared.target).await else { return };
    let _undelayed = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let left = Mutex::new(shared.limit());
    let requests = |faults: &Faults| faults.stall_requests;
    let replies = |faults: &Faults| faults.stall_replies;
    let lost = tokio::select! {
        // Whichever side ends, the other is told at once.
        () = pump(&mut from_client, &mut to_server, &shared, requests, &left) => false,
        () = pump(&mut from_server, &mut to_client, &shared, replies, &left) => false,
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

/// Carries bytes one way until an end, an error or the limit.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
    stalls: fn(&Faults) -> bool,
    left: &Mutex<u64>,
) {
    let mut faults = shared.faults.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let delay = faults.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if faults.wait_for(|faults| !stalls(faults)).await.is_err() {
            return;
        }
        let fits = {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
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
mod tests {
    use super::*;

    /// A server that sends back what it gets, a proxy before it, and a way to connect.
    async fn echo() -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ended = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Proxy::to(address).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(bytes).await?;
        let mut answer = vec![0; bytes.len()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    async fn is_silent(stream: &mut TcpStream) -> bool {
        let wait = Duration::from_millis(100);
        tokio::time::timeout(wait, stream.read_u8()).await.is_err()
    }

    #[tokio::test]
    async fn without_faults_everything_gets_through() {
        let proxy = echo().await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let large: Vec<u8> = (0..200_000).map(|n| (n % 251) as u8).collect();
        stream.write_all(&large[..50_000]).await.unwrap();
        let mut answer = vec![0; 50_000];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, large[..50_000]);
        assert_eq!(proxy.open_connections(), 1);
    }

    #[tokio::test]
    async fn a_cut_ends_what_is_open_and_nothing_else() {
        let proxy = echo().await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut stream, b"one").await.unwrap(), b"one");
        proxy.cut();
        assert!(ask(&mut stream, b"two").await.is_err());
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut stream, b"three").await.unwrap(), b"three");
    }

    #[tokio::test]
    async fn a_refusal_lasts_until_it_is_healed() {
        let proxy = echo().await;
        let mut open = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut open, b"one").await.unwrap(), b"one");
        proxy.set(Faults { refuse: true, ..Faults::default() });
        while TcpStream::connect(proxy.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(&mut open, b"two").await.unwrap(), b"two", "what is open stays");
        proxy.heal();
        let mut stream = loop {
            match TcpStream::connect(proxy.address()).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(ask(&mut stream, b"three").await.unwrap(), b"three");
    }

    #[tokio::test]
    async fn what_is_stalled_arrives_later() {
        for (stall_requests, stall_replies) in [(true, false), (false, true), (true, true)] {
            let proxy = echo().await;
            let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
            assert_eq!(ask(&mut stream, b"one").await.unwrap(), b"one");
            proxy.set(Faults { stall_requests, stall_replies, ..Faults::default() });
            stream.write_all(b"2").await.unwrap();
            assert!(is_silent(&mut stream).await, "{stall_requests} {stall_replies}");
            proxy.heal();
            assert_eq!(stream.read_u8().await.unwrap(), b'2');
        }
    }

    #[tokio::test]
    async fn half_open_is_silent_for_ever() {
        let proxy = echo().await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut stream, b"one").await.unwrap(), b"one");
        proxy.leave_half_open();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(b"2").await.unwrap();
        proxy.heal();
        assert!(is_silent(&mut stream).await, "nothing comes back, and no end");
        proxy.cut();
        assert!(stream.read_u8().await.is_err(), "until it is cut");
    }

    #[tokio::test]
    async fn a_delay_is_felt_both_ways() {
        let proxy = echo().await;
        let delay = Duration::from_millis(50);
        proxy.set(Faults { delay, ..Faults::default() });
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        let start = std::time::Instant::now();
        ask(&mut stream, b"one").await.unwrap();
        assert!(start.elapsed() >= 2 * delay);
    }

    #[tokio::test]
    async fn a_random_cut_comes_where_the_seed_says() {
        let mut cuts = Vec::new();
        for _ in 0..2 {
            let proxy = echo().await;
            proxy.cut_at_random(7, 400);
            for _ in 0..3 {
                let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
                let mut whole = 0;
                while ask(&mut stream, b"x").await.is_ok() {
                    whole += 1;
                }
                assert!(whole <= 200, "{whole} bytes came back through a limit of 400 both ways");
                cuts.push(whole);
            }
        }
        assert_eq!(cuts[..3], cuts[3..], "the same seed, the same cuts");
        assert!(cuts[0] != cuts[1] || cuts[1] != cuts[2], "not always the same: {cuts:?}");
    }
}
