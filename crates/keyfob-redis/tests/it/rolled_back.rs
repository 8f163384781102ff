//! A server that comes back with an old snapshot, while nodes run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::store::prelude::*;
use keyfob::store::{Cursor, Lane, Severity, Verdict};
use keyfob::{EventKind, Grant, Issued, Kind, Metrics, RevokeRequest, TokenManager, Ttl};
use keyfob_redis::{RedisConfig, WhenEmptied};
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::RedisServer;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::support::*;

/// From this loss on, tokens are refused. The time between two pulses is at most one second.
const TOLERANCE: Duration = Duration::from_millis(1_500);

async fn issue(manager: &TokenManager, subject: &str) -> Issued {
    manager.issue(Grant::new(Kind::Access).subject(subject)).await.unwrap()
}

/// Whether the report has the fault.
async fn is_reported(manager: &TokenManager) -> bool {
    let findings = manager.report().await.unwrap().findings;
    findings.iter().any(|found| found.what == "rollback" && found.severity == Severity::Fault)
}

/// Waits until the nodes have renewed the pulses several times after now.
async fn pulses_pass(server: &RedisServer, config: &RedisConfig) {
    let pulse = || {
        let lane = keys(server, config, "l*").into_iter().next()?;
        server.call(&["HGET", &lane, "p"]).unwrap().to_string().parse::<u64>().ok()
    };
    until("the pulse is renewed", || pulse().is_some()).await;
    let first = pulse().unwrap();
    let lead = 2 * TOLERANCE.as_millis() as u64;
    until("the pulse continues", || pulse().unwrap_or(0) > first + lead).await;
}

fn restart(server: &RedisServer) {
    block_in_place(|| {
        server.kill9();
        server.restart().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_older_than_a_rollback_are_refused_until_it_is_accepted() {
    let server = RedisServer::start().unwrap();
    let recorded = MemoryRecorder::default();
    let config = config(&server.url(), 2).with_rollback_tolerance(TOLERANCE);
    let watching = config.clone().with_metrics(Metrics::on(&recorded));
    let running = TokenManager::new(Arc::new(open(&watching).await));
    let (stolen, kept) = (issue(&running, "alice").await, issue(&running, "bob").await);
    server.call(&["SAVE"]).unwrap();
    pulses_pass(&server, &config).await;

    // A command revokes, and its process ends. The running node has heard of it.
    let command = TokenManager::new(Arc::new(open(&config).await));
    command.revoke(stolen.token.id, "stolen").await.unwrap();
    command.shutdown().await;
    drop(command);
    until_code(&running, &stolen, "token_revoked").await;
    restart(&server);

    until_code(&running, &stolen, "token_revoked").await;
    until_code(&running, &kept, "token_damaged").await;
    assert!(is_reported(&running).await);
    assert!(recorded.value("keyfob_store_lanes_rolled_back", []) >= 1.0);
    // A node that starts later refuses them too, and says why.
    let started = TokenManager::new(Arc::new(open(&config).await));
    assert_eq!(code(&started, &stolen).await, "token_revoked");
    assert_eq!(code(&started, &kept).await, "token_damaged");
    assert!(is_reported(&started).await);
    // What is issued from now on is valid, everywhere.
    let new = issue(&started, "alice").await;
    for manager in [&running, &started] {
        assert_eq!(code(manager, &new).await, "active");
    }

    // The operator revokes again what else was lost, and accepts the rest.
    let lanes = started.accept_rollback(RevokeRequest::reason("done").by("ops")).await.unwrap();
    assert!((1..=2).contains(&lanes), "both tokens may be in one lane: {lanes}");
    assert_eq!(started.accept_rollback(()).await.unwrap(), 0, "there is nothing more to accept");
    // The acceptance is in the event feed, once.
    let page = running.events(&Cursor::start(), 1_000).await.unwrap();
    let accepted: Vec<_> = page
        .events
        .iter()
        .filter(|event| matches!(event.0.what, EventKind::RollbackAccepted { .. }))
        .collect();
    assert_eq!(accepted.len(), 1);
    let EventKind::RollbackAccepted { since, noticed, lanes: of } = accepted[0].0.what else {
        panic!()
    };
    assert!(since < noticed && of == lanes);
    assert_eq!(accepted[0].0.by.as_ref().unwrap().as_str(), "ops");
    for manager in [&running, &started] {
        assert_eq!(code(manager, &stolen).await, "token_revoked");
        assert_eq!(code(manager, &kept).await, "active");
        assert_eq!(code(manager, &new).await, "active");
        assert!(!is_reported(manager).await);
    }
    let begun = Instant::now();
    while recorded.value("keyfob_store_lanes_rolled_back", []) > 0.0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the node does not notice it");
        sleep(Duration::from_millis(50)).await;
    }
    // A revocation of everything reaches them as before.
    started.revoke_all("end").await.unwrap();
    for issued in [&kept, &new] {
        until_code(&running, issued, "token_revoked").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_rollback_keeps_the_first_birth() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1).with_rollback_tolerance(TOLERANCE);
    let running = TokenManager::new(Arc::new(open(&config).await));
    let first = issue(&running, "alice").await;
    server.call(&["SAVE"]).unwrap();
    pulses_pass(&server, &config).await;
    restart(&server);
    until_code(&running, &first, "token_damaged").await;
    let second = issue(&running, "bob").await;
    server.call(&["SAVE"]).unwrap();
    pulses_pass(&server, &config).await;
    restart(&server);
    until_code(&running, &second, "token_damaged").await;
    assert_eq!(running.accept_rollback(()).await.unwrap(), 1);
    for issued in [&first, &second] {
        until_code(&running, issued, "active").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_keeps_its_writes_was_not_rolled_back() {
    let server = RedisServer::builder().append_only().start().unwrap();
    let config = config(&server.url(), 2).with_rollback_tolerance(TOLERANCE);
    let running = TokenManager::new(Arc::new(open(&config).await));
    let issued = issue(&running, "alice").await;
    pulses_pass(&server, &config).await;
    restart(&server);
    until_code(&running, &issued, "active").await;
    pulses_pass(&server, &config).await;
    assert_eq!(code(&running, &issued).await, "active");
    assert!(!is_reported(&running).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_loss_is_repaired_instead() {
    let server = RedisServer::start().unwrap();
    let store = Arc::new(open(&config(&server.url(), 1)).await);
    let [stolen, kept] =
        [(); 2].map(|()| record(id_at(now(), Lane::default()), Ttl::from_hours(1), vec![]));
    let (stolen, kept) = (insert(&store, stolen).await, insert(&store, kept).await);
    server.call(&["SAVE"]).unwrap();
    store.revoke(operation(), keyfob::store::Revoke::new(stolen, now())).await.unwrap();
    restart(&server);
    let verdict = async |id| store.load(id).await.ok().flatten().map(|loaded| loaded.verdict);
    let begun = Instant::now();
    while !matches!(verdict(stolen).await, Some(Verdict::Revoked(_))) {
        assert!(begun.elapsed() < Duration::from_secs(15), "it is not revoked again");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(verdict(kept).await, Some(Verdict::Clear));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_came_back_empty_was_not_rolled_back() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1).with_rollback_tolerance(TOLERANCE);
    let config = config.when_emptied(WhenEmptied::Recreate);
    let running = TokenManager::new(Arc::new(open(&config).await));
    issue(&running, "alice").await;
    pulses_pass(&server, &config).await;
    server.call(&["FLUSHALL"]).unwrap();
    let begun = Instant::now();
    let new = loop {
        match running.issue(Grant::new(Kind::Access)).await {
            Ok(issued) => break issued,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "the namespace is not created again");
    };
    pulses_pass(&server, &config).await;
    assert_eq!(code(&running, &new).await, "active");
    assert!(!is_reported(&running).await);
}

/// Returns a token whose revocation the server has lost, while no node runs.
async fn stolen_and_forgotten(server: &RedisServer, config: &RedisConfig) -> Issued {
    let running = TokenManager::new(Arc::new(open(config).await));
    let stolen = issue(&running, "alice").await;
    server.call(&["SAVE"]).unwrap();
    pulses_pass(server, config).await;
    running.revoke(stolen.token.id, "stolen").await.unwrap();
    running.shutdown().await;
    drop(running);
    restart(server);
    stolen
}

/// What a store says about rollbacks.
async fn finding(manager: &TokenManager) -> (Severity, String) {
    let findings = manager.report().await.unwrap().findings;
    let found = findings.into_iter().find(|found| found.what == "rollback").unwrap();
    (found.severity, found.advice)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_while_no_node_ran_is_noticed_by_a_witness() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 2).with_rollback_tolerance(TOLERANCE);
    let config = config.with_witness(folder.path().join("witness"));
    let stolen = stolen_and_forgotten(&server, &config).await;

    // The first answer refuses it already.
    let started = TokenManager::new(Arc::new(open(&config).await));
    assert_eq!(code(&started, &stolen).await, "token_damaged");
    assert!(is_reported(&started).await);
    started.revoke(stolen.token.id, "stolen").await.unwrap();
    assert_eq!(started.accept_rollback(()).await.unwrap(), 1);
    let (severity, advice) = finding(&started).await;
    assert_eq!(severity, Severity::Good);
    assert!(advice.contains("a process that starts with"), "{advice}");
}

/// A process that ends soon renews the pulses when it opens the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_knows_of_commands_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1).with_rollback_tolerance(TOLERANCE);
    let with_witness = config.clone().with_witness(folder.path().join("witness"));
    let command = async || TokenManager::new(Arc::new(open(&with_witness).await));
    let issuing = command().await;
    let stolen = issue(&issuing, "alice").await;
    issuing.shutdown().await;
    drop(issuing);
    server.call(&["SAVE"]).unwrap();
    sleep(2 * TOLERANCE).await;
    let revoking = command().await;
    revoking.revoke(stolen.token.id, "stolen").await.unwrap();
    revoking.shutdown().await;
    drop(revoking);
    restart(&server);
    assert_eq!(code(&command().await, &stolen).await, "token_damaged");
}

/// What cannot be noticed is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_witness_the_report_says_what_is_not_noticed() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1).with_rollback_tolerance(TOLERANCE);
    let stolen = stolen_and_forgotten(&server, &config).await;
    let started = TokenManager::new(Arc::new(open(&config).await));
    assert_eq!(code(&started, &stolen).await, "active", "nothing knows of the loss");
    let (severity, advice) = finding(&started).await;
    assert_eq!(severity, Severity::Good);
    assert!(advice.contains("nothing notices it: add witness=FILE"), "{advice}");
}
