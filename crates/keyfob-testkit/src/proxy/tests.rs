//! Tests of the proxy with an echo server.

use super::*;

/// An echo server with a proxy in front of it.
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
    assert_eq!(ask(&mut open, b"two").await.unwrap(), b"two", "an open connection stays open");
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
async fn stalled_bytes_arrive_later() {
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
    assert!(is_silent(&mut stream).await, "neither a reply nor a close arrives");
    proxy.cut();
    assert!(stream.read_u8().await.is_err(), "a cut closes the connection");
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
    assert_eq!(cuts[..3], cuts[3..], "the same seed gives the same cuts");
    assert!(cuts[0] != cuts[1] || cuts[1] != cuts[2], "the cuts differ: {cuts:?}");
}

#[tokio::test]
async fn a_fault_may_concern_only_those_who_said_something() {
    let proxy = echo().await;
    let mut marked = TcpStream::connect(proxy.address()).await.unwrap();
    let mut other = TcpStream::connect(proxy.address()).await.unwrap();
    for (stream, word) in [(&mut marked, b"hello feed"), (&mut other, b"hello rest")] {
        assert_eq!(ask(stream, word).await.unwrap(), word);
    }
    for concerns in [Concerned::Saying("feed"), Concerned::NotSaying("rest")] {
        proxy.set(Faults { stall_replies: true, concerns, ..Faults::default() });
        assert_eq!(ask(&mut other, b"one").await.unwrap(), b"one", "{concerns:?}");
        marked.write_all(b"2").await.unwrap();
        assert!(is_silent(&mut marked).await, "{concerns:?}");
        proxy.heal();
        assert_eq!(marked.read_u8().await.unwrap(), b'2');
    }
}
