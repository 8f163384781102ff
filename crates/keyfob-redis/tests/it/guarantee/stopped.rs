//! The polled node's process is stopped (SIGSTOP) and continues later: its clock has advanced, the
//! pushes are in its sockets, and its cache is unchanged.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use keyfob::Ttl;
use keyfob::store::MonotonicInstant;
use keyfob_testkit::redis::server;
use tokio::time::sleep;

use super::scenario::*;

/// Tells the process that it is the polled node: the URL of the store, the maximum staleness and
/// the bearers.
const NODE: &str = "KEYFOB_TEST_NODE";

/// Another process. It is killed when this is dropped, stopped or not.
struct Process {
    child: Child,
    asks: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(url: &str, bound: Ttl, bearers: &[String]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "guarantee::stopped::node", "--nocapture"])
            .env(NODE, format!("{url} {} {}", bound.as_millis(), bearers.join(" ")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { asks: child.stdin.take().unwrap(), says, child }
    }

    /// For each token, when it asked the last question that was answered with "active". The clock
    /// is the same in all processes of the machine.
    fn last_active(&mut self) -> Vec<MonotonicInstant> {
        self.asks.write_all(b"?\n").unwrap();
        loop {
            let line = self.says.next().unwrap().unwrap();
            // The test harness of that process prints other lines.
            if let Some((_, said)) = line.split_once("last active") {
                let moments = said.split_whitespace().map(|nanos| nanos.parse().unwrap());
                return moments.map(MonotonicInstant::from_nanos).collect();
            }
        }
    }

    fn signal(&self, name: &str) {
        let kill = ["-c", r#"kill -s "$1" "$2""#, "sh", name, &self.child.id().to_string()];
        assert!(Command::new("sh").args(kill).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

async fn stop(bound: Ttl, before: u64, after: u64) {
    let namespace = TestNamespace::new(8);
    let config = namespace.by(&server().url());
    let here = revoking_node(&config).await;
    let tokens = Tokens::issue(&here).await;
    let mut process = Process::start(&namespace.url(&server().url()), bound, &tokens.bearers);
    // It prints this only when it answers from its cache.
    assert_eq!(process.last_active().len(), tokens.bearers.len());
    process.signal("STOP");
    sleep(Duration::from_millis(before)).await;
    let revoked = tokens.revoke(&here).await;
    sleep(Duration::from_millis(after)).await;
    process.signal("CONT");
    let continued = MonotonicInstant::now();
    sleep(bound.as_duration() + Duration::from_millis(500)).await;
    let last = process.last_active();
    revoked.assert_kept(&last, bound);
    assert!(last[VALID] > continued, "the valid token is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_longer_than_the_max_staleness() {
    stop(default_max_staleness(), 0, 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_less_than_the_max_staleness() {
    stop(millis(1_500), 100, 200).await;
    stop(default_max_staleness(), 50, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_short_max_staleness() {
    stop(millis(50), 20, 300).await;
}

/// The main function of the other process. Run as a normal test, it is one more node of the shared
/// server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node() {
    let Ok(arguments) = std::env::var(NODE) else {
        let config = TestNamespace::new(8).by(&server().url());
        Scenario::start(&config, &config, default_max_staleness()).await;
        return;
    };
    let mut arguments = arguments.split(' ').map(str::to_owned);
    let config = arguments.next().unwrap().parse().unwrap();
    let bound = millis(arguments.next().unwrap().parse().unwrap());
    let bearers: Vec<_> = arguments.collect();
    let node = Node::at(&config, bound).await;
    node.until_answered_from_cache(&bearers).await;
    let poll = node.poll(&bearers);
    sleep(Duration::from_millis(50)).await;
    let answering = tokio::task::spawn_blocking(move || {
        for _asked in std::io::stdin().lines().map_while(Result::ok) {
            let last: Vec<_> =
                poll.last_active().iter().map(|last| last.as_nanos().to_string()).collect();
            writeln!(std::io::stdout(), "last active {}", last.join(" ")).unwrap();
        }
    });
    answering.await.unwrap();
}
