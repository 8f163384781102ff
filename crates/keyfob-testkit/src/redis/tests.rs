//! Tests of the launchers with real servers.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_server_answers_and_is_gone_when_dropped() {
    let server = RedisServer::start().unwrap();
    server.call(&["SET", "a", "b\r\nc"]).unwrap();
    assert_eq!(server.call(&["GET", "a"]).unwrap().to_string(), "b\r\nc");
    assert_eq!(server.key_count().unwrap(), 1);
    assert_eq!(server.command_stats().unwrap()["set"].calls, 1);
    assert!(server.call(&["NONSENSE"]).is_err(), "an error reply is an error");
    let (port, folder) = (server.port(), server.folder().to_owned());
    drop(server);
    assert!(resp::call(port, &[vec!["PING"]]).is_err(), "the port is closed");
    assert!(!folder.exists(), "the folder is removed");
}

#[test]
fn data_on_disk_survives_a_kill() {
    for durable in [true, false] {
        let builder = RedisServer::builder();
        let builder = if durable { builder.append_only() } else { builder };
        let server = builder.start().unwrap();
        server.call(&["SET", "a", "b"]).unwrap();
        server.kill9();
        assert!(server.call(&["PING"]).is_err(), "a killed server does not answer");
        let port = server.port();
        server.restart().unwrap();
        assert_eq!(server.port(), port);
        assert_eq!(server.key_count().unwrap(), u64::from(durable));
    }
}

#[test]
fn a_paused_server_is_silent_until_it_resumes() {
    let server = RedisServer::start().unwrap();
    server.pause().unwrap();
    assert!(server.call(&["PING"]).is_err(), "a paused server does not answer");
    server.resume().unwrap();
    server.call(&["PING"]).unwrap();
    server.pause().unwrap();
    // A paused server can be killed too.
    drop(server);
}

#[test]
fn users_and_passwords_are_asked_for() {
    let server = RedisServer::builder().password("secret").start().unwrap();
    assert!(
        resp::call(server.port(), &[vec!["DBSIZE"]]).is_err(),
        "a call without the password is refused"
    );
    assert_eq!(server.key_count().unwrap(), 0);
    let server =
        RedisServer::builder().user("app", "word", "~app:* +@read +@write").start().unwrap();
    let login = || vec!["AUTH", "app", "word"];
    resp::call(server.port(), &[login(), vec!["SET", "app:a", "b"]]).unwrap();
    let refused = resp::call(server.port(), &[login(), vec!["SET", "other", "b"]]);
    assert!(refused.unwrap_err().to_string().starts_with("NOPERM"));
    assert!(server.url_of("app", "word").contains("app:word@"));
}

#[cfg(feature = "tls")]
#[test]
fn a_server_speaks_tls() {
    let server = RedisServer::builder().tls().start().unwrap();
    let url = server.tls_url().unwrap();
    let authority = &server.certificates().unwrap().authority;
    let port = url.rsplit_once(':').unwrap().1;
    let ping = |trust: &[&str]| {
        let mut cli = Command::new("redis-cli");
        cli.args(["-h", "127.0.0.1", "-p", port, "--tls"]).args(trust).arg("PING");
        String::from_utf8(cli.stdin(Stdio::null()).output().unwrap().stdout).unwrap()
    };
    assert_eq!(ping(&["--cacert", authority.to_str().unwrap()]).trim(), "PONG");
    assert_eq!(ping(&[]).trim(), "", "an authority that is not trusted is refused");
}

#[test]
fn a_cluster_serves_all_slots_and_survives_a_primary() {
    let cluster = RedisCluster::start().unwrap();
    assert_eq!(cluster.primaries().len(), 3);
    for primary in cluster.primaries() {
        assert_eq!(cluster.replicas_of(primary).len(), 1);
    }
    let first = cluster.primary_of_slot(0).unwrap();
    let last = cluster.primary_of_slot(16_383).unwrap();
    assert_ne!(first.port(), last.port());
    cluster.hand_over(first).unwrap();
    assert_ne!(
        cluster.primary_of_slot(0).unwrap().port(),
        first.port(),
        "another primary serves the slot"
    );
    last.kill9();
    let start = Instant::now();
    while cluster.primary_of_slot(16_383).is_none_or(|primary| primary.port() == last.port()) {
        assert!(start.elapsed() < Duration::from_secs(20), "the replica takes over in time");
        std::thread::sleep(Duration::from_millis(50));
    }
    last.restart().unwrap();
    cluster.wait_until_ok().unwrap();
    assert_eq!(cluster.primaries().len(), 3);
}

#[test]
fn sentinels_replace_a_primary() {
    let group = RedisSentinel::start(1).unwrap();
    let old = group.primary().unwrap().port();
    let new = group.failover().unwrap();
    assert_ne!(new.port(), old);
    group.wait_until_ok().unwrap();
    new.kill9();
    let third = group.wait_for_another_than(Some(new.port())).unwrap();
    assert_eq!(third.port(), old, "the first server is the only one left");
}

#[test]
fn a_missing_program_is_said_clearly() {
    let path = "/nowhere/redis-server".into();
    let text = LaunchError::Missing { path, program: PROGRAM }.to_string();
    assert!(text.contains("cargo xtask test") && text.contains("KEYFOB_REDIS_SERVER"), "{text}");
}

/// Starts this test binary with servers, kills it, and checks that no server is left.
#[test]
fn nothing_outlives_tests_that_are_killed() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "redis::tests::hold_a_server_if_asked", "--nocapture"])
        .env("KEYFOB_TEST_HOLD", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(holder.stdout.take().unwrap());
    let mut held = std::io::BufRead::lines(output).map_while(Result::ok);
    let line = held.find_map(|line| line.split_once("holding ").map(|(_, rest)| rest.to_owned()));
    let line = line.unwrap();
    let (port, folder) = line.split_once(' ').unwrap();
    let port = port.parse().unwrap();
    assert!(resp::call(port, &[vec!["PING"]]).is_ok(), "the server runs");
    holder.kill().unwrap();
    holder.wait().unwrap();
    let start = Instant::now();
    while resp::call(port, &[vec!["PING"]]).is_ok() || std::path::Path::new(folder).exists() {
        assert!(start.elapsed() < Duration::from_secs(10), "the server outlived the tests");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The child process of the test above. Without the variable it only starts the shared server.
#[test]
fn hold_a_server_if_asked() {
    let server = server();
    server.call(&["PING"]).unwrap();
    assert_ne!(fresh_namespace(), fresh_namespace());
    if std::env::var_os("KEYFOB_TEST_HOLD").is_some() {
        use std::io::Write;
        writeln!(std::io::stdout(), "holding {} {}", server.port(), server.folder().display())
            .unwrap();
        std::thread::sleep(Duration::from_secs(60));
    }
}
