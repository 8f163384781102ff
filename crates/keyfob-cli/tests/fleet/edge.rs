//! A server without a store, in front of others: what they revoke, it refuses within the max staleness.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use keyfob::clock::{Clock as _, SystemClock};
use keyfob_jwt::dpop::{ProofKey, ProofRequest};
use keyfob_testkit::proxy::{Faults, Proxy};
use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{Client, Verdict};
use crate::poll::{BOUND, PATIENCE, Poll};
use crate::replica::{Deployment, Replica};

/// So many checks show whether an edge answers from its memory.
const CHECKS: usize = 10;

/// Two servers on one Redis, and the key of an edge.
struct Centrals {
    deployment: Deployment,
    a: Replica,
    b: Replica,
    key: String,
}

impl Centrals {
    async fn start() -> Self {
        let namespace = fresh_namespace();
        let store = format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port());
        let deployment = Deployment::init(&store);
        let (a, b) = (deployment.serve(), deployment.serve());
        let grant = json!({"kind": "api-key", "client": "edge", "scopes": ["keyfob:edge"]});
        let key = a.client.issue(&grant).await;
        Self { deployment, a, b, key }
    }

    fn edge_at(&self, central: &str) -> Replica {
        self.deployment.serve_edge(central, &self.key, "127.0.0.1:0")
    }

    async fn edge_through(&self, replica: &Replica) -> (Proxy, Replica) {
        let proxy = Proxy::to(address(replica)).await.unwrap();
        let edge = self.edge_at(&format!("http://{}", proxy.address()));
        (proxy, edge)
    }
}

fn address(replica: &Replica) -> SocketAddr {
    replica.client.url.strip_prefix("http://").unwrap().parse().unwrap()
}

async fn issue(client: &Client) -> String {
    client.issue(&json!({"subject": "alice", "scopes": ["read"]})).await
}

async fn revoke(client: &Client, bearer: &str) -> Instant {
    let reply = client.revoke(bearer).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    Instant::now()
}

async fn wait_until_active(client: &Client, bearer: &str) {
    let begun = Instant::now();
    while client.introspect(bearer).await != Verdict::Active {
        assert!(begun.elapsed() < PATIENCE, "it does not recover");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_any_server_revokes_is_refused_at_the_edge() {
    let centrals = Centrals::start().await;
    let edge = centrals.edge_at(&centrals.a.client.url);
    let mut delays = Vec::new();
    for round in 0..40 {
        let there = if round % 2 == 0 { &centrals.a } else { &centrals.b };
        let bearer = issue(&there.client).await;
        let poll = Poll::begin(&edge.client, &bearer).await;
        let returned = revoke(&there.client, &bearer).await;
        delays.push(poll.refused_after(returned).await);
    }
    delays.sort();
    assert!(delays[20] < BOUND / 2, "the feed does not arrive: the median is {:?}", delays[20]);
    // It answers from memory: so many checks cost the central server few requests.
    let bearer = issue(&centrals.a.client).await;
    wait_until_active(&edge.client, &bearer).await;
    let loads = async || {
        let metrics = centrals.a.client.get("/metrics").await;
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        let line = |line: &&str| {
            line.starts_with("keyfob_http_requests_total") && line.contains("getEdgeRecord")
        };
        let counts = metrics.lines().filter(line).map(|line| line.rsplit(' ').next().unwrap());
        counts.map(|count| count.parse::<f64>().unwrap()).sum::<f64>()
    };
    sleep(Duration::from_millis(1_100)).await;
    let before = loads().await;
    for _ in 0..200 {
        assert_eq!(edge.client.introspect(&bearer).await, Verdict::Active);
    }
    sleep(Duration::from_millis(1_100)).await;
    let more = loads().await - before;
    assert!(before > 0.0 && more <= 20.0, "200 checks have cost {more} loads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_edge_is_stopped() {
    let centrals = Centrals::start().await;
    let edge = centrals.edge_at(&centrals.a.client.url);
    for pause in [Duration::from_millis(20), BOUND * 2, Duration::from_secs(3)] {
        let bearer = issue(&centrals.a.client).await;
        let poll = Poll::begin(&edge.client, &bearer).await;
        edge.signal("STOP");
        let returned = revoke(&centrals.b.client, &bearer).await;
        sleep(pause).await;
        edge.signal("CONT");
        poll.refused_after(returned).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_central_server_is_stopped() {
    let centrals = Centrals::start().await;
    let edge = centrals.edge_at(&centrals.a.client.url);
    let bearer = issue(&centrals.b.client).await;
    let poll = Poll::begin(&edge.client, &bearer).await;
    centrals.a.signal("STOP");
    let returned = revoke(&centrals.b.client, &bearer).await;
    sleep(BOUND * 4).await;
    centrals.a.signal("CONT");
    poll.refused_after(returned).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_network_is_silent_or_half_open() {
    let centrals = Centrals::start().await;
    let (proxy, edge) = centrals.edge_through(&centrals.a).await;
    for fault in ["stall", "half open", "cut"] {
        let bearer = issue(&centrals.a.client).await;
        wait_until_active(&edge.client, &bearer).await;
        let poll = Poll::begin(&edge.client, &bearer).await;
        match fault {
            "stall" => proxy.stall(),
            "half open" => proxy.leave_half_open(),
            _ => proxy.cut(),
        }
        let returned = revoke(&centrals.b.client, &bearer).await;
        sleep(BOUND * 2).await;
        proxy.heal();
        poll.refused_after(returned).await;
    }
    wait_until_active(&edge.client, &issue(&centrals.a.client).await).await;
}

/// Asks so often, one after the other. Returns how many answers were "active" sooner than the central server can be
/// asked, so they came from memory.
async fn answers_from_memory(client: &Client, bearer: &str, round_trip: Duration) -> usize {
    let mut from_memory = 0;
    for _ in 0..CHECKS {
        let sent = Instant::now();
        let verdict = client.introspect(bearer).await;
        assert_ne!(verdict, Verdict::Inactive);
        from_memory += usize::from(verdict == Verdict::Active && sent.elapsed() < round_trip);
    }
    from_memory
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_way_to_its_central_server_and_back_takes_80_ms() {
    let centrals = Centrals::start().await;
    let (proxy, edge) = centrals.edge_through(&centrals.a).await;
    let delay = Duration::from_millis(40);
    proxy.set(Faults { delay, ..Faults::default() });
    // What the edge has proven with a shorter way ends.
    sleep(BOUND * 2).await;
    let bearer = issue(&centrals.a.client).await;
    wait_until_active(&edge.client, &bearer).await;
    let begun = Instant::now();
    // A machine that is busy may ask now and then.
    while answers_from_memory(&edge.client, &bearer, delay * 2).await <= CHECKS / 2 {
        assert!(begun.elapsed() < PATIENCE, "it does not answer from its memory");
    }
    for there in [&centrals.a, &centrals.b] {
        let bearer = issue(&there.client).await;
        wait_until_active(&edge.client, &bearer).await;
        let poll = Poll::begin(&edge.client, &bearer).await;
        let returned = revoke(&there.client, &bearer).await;
        poll.refused_after(returned).await;
    }
}

/// What arrives is older than the max staleness: a proof of the cache, and an answer about a token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_way_to_its_central_server_and_back_takes_600_ms() {
    let centrals = Centrals::start().await;
    let (proxy, edge) = centrals.edge_through(&centrals.a).await;
    let (kept, bearer) = (issue(&centrals.a.client).await, issue(&centrals.a.client).await);
    wait_until_active(&edge.client, &kept).await;
    let poll = Poll::begin(&edge.client, &bearer).await;
    let delay = Duration::from_millis(300);
    proxy.set(Faults { delay, ..Faults::default() });
    let returned = revoke(&centrals.b.client, &bearer).await;
    sleep(BOUND * 2).await;
    for _ in 0..CHECKS {
        assert_eq!(edge.client.introspect(&kept).await, Verdict::Unknown);
    }
    proxy.heal();
    poll.refused_after(returned).await;
    wait_until_active(&edge.client, &kept).await;
}

/// As a load balancer does that sends one request here and the next one there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_requests_go_to_another_server() {
    let centrals = Centrals::start().await;
    let (proxy, edge) = centrals.edge_through(&centrals.a).await;
    for round in 0..10 {
        let bearer = issue(&centrals.a.client).await;
        wait_until_active(&edge.client, &bearer).await;
        let poll = Poll::begin(&edge.client, &bearer).await;
        let there = if round % 2 == 0 { &centrals.b } else { &centrals.a };
        proxy.lead_to(address(there));
        proxy.cut();
        let returned = revoke(&there.client, &bearer).await;
        poll.refused_after(returned).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_central_server_is_killed_and_starts_again() {
    let mut centrals = Centrals::start().await;
    let (proxy, edge) = centrals.edge_through(&centrals.a).await;
    let bearer = issue(&centrals.a.client).await;
    let poll = Poll::begin(&edge.client, &bearer).await;
    centrals.a.signal("KILL");
    centrals.a.wait();
    let returned = revoke(&centrals.b.client, &bearer).await;
    centrals.a = centrals.deployment.serve();
    proxy.lead_to(address(&centrals.a));
    poll.refused_after(returned).await;
    wait_until_active(&edge.client, &issue(&centrals.a.client).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_changes_nothing_and_says_who_does() {
    let centrals = Centrals::start().await;
    let edge = centrals.edge_at(&centrals.a.client.url);
    edge.wait_until_ready_is(200).await;
    let refused = edge.client.post("/v1/tokens", &json!({"subject": "alice"})).await;
    assert_eq!((refused.status, refused.text("code").as_str()), (400, "not_at_edge"));
    assert_eq!(edge.client.get("/console").await.status, 404);
    let pair = json!({"kind": "refresh", "subject": "alice"});
    let refresh = centrals.a.client.issue(&pair).await;
    let refused = edge.client.form("/oauth2/introspect", &[("token", &refresh)]).await;
    assert_eq!(refused.status, 400, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_listens_at_a_socket_that_outlives_no_kill() {
    let centrals = Centrals::start().await;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("keyfob.sock");
    let listen = format!("unix:{}", path.display());
    let bearer = issue(&centrals.a.client).await;
    for _ in 0..2 {
        // The socket of the one that was killed is replaced.
        let mut edge =
            centrals.deployment.serve_edge(&centrals.a.client.url, &centrals.key, &listen);
        assert_eq!(edge.client.url, listen);
        let body = format!("token={bearer}");
        let request = format!(
            "POST /oauth2/introspect HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: Bearer {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            centrals.deployment.admin_key,
            body.len()
        );
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"active\":true"), "{answer}");
        edge.signal("KILL");
        edge.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_token_passes_an_edge_with_a_proof_of_its_key_and_each_proof_counts_once() {
    let centrals = Centrals::start().await;
    let edges = [&centrals.a, &centrals.b].map(|replica| centrals.edge_at(&replica.client.url));
    let [owner, thief] = [(); 2].map(|()| ProofKey::generate().unwrap());
    let cnf = json!({"jkt": owner.confirmation().thumbprint().as_str()});
    let bearer = centrals.a.client.issue(&json!({"subject": "alice", "cnf": cnf})).await;
    let url = "https://shop.example/orders";
    let proof = |key: &ProofKey, jti: &str| {
        let (uri, access_token) = (url.parse().unwrap(), Some(&*bearer));
        let request = ProofRequest { method: "GET", uri: &uri, access_token };
        let proof = key.sign(&request, jti, None, SystemClock.now()).unwrap();
        json!({"proof": proof, "method": "GET", "url": url})
    };
    let validate = async |edge: &Replica, dpop: &Value| {
        let reply = edge.client.post("/v1/validate", &json!({"token": bearer, "dpop": dpop})).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let json = reply.json();
        assert_eq!(json["ok"] == true, json["code"].is_null(), "{json}");
        json["code"].as_str().unwrap_or("ok").to_owned()
    };
    for (number, edge) in edges.iter().enumerate() {
        assert_eq!(validate(edge, &Value::Null).await, "confirmation_mismatch", "no proof");
        let (good, by_thief) = (proof(&owner, &number.to_string()), proof(&thief, "1"));
        assert_eq!(validate(edge, &by_thief).await, "confirmation_mismatch");
        assert_eq!(validate(edge, &good).await, "ok");
        for edge in &edges {
            assert_eq!(validate(edge, &good).await, "proof_used");
        }
    }
}
