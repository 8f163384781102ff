//! `serve` and `init` as commands.

use std::io::{BufRead, BufReader, Read as _};
use std::process::{Command, Stdio};

use crate::harness::{Done, Keyfob};

/// Runs a command with a key at a server.
fn ask(keyfob: &Keyfob, url: &str, key: &str, args: &[&str]) -> Done {
    let mut command = keyfob.command(args);
    command.env_remove("KEYFOB_STORE").env("KEYFOB_SERVER", url).env("KEYFOB_TOKEN", key);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Done::of(command.spawn().unwrap())
}

#[test]
fn dev_says_where_it_is_and_has_a_key() {
    let keyfob = Keyfob::new();
    let served = keyfob.serve(&["--dev"]);
    assert!(served.url.starts_with("http://127.0.0.1:") && !served.url.ends_with(":0"));
    let stats = ask(&keyfob, &served.url, &served.admin_key, &["stats", "--json"]).exits(0);
    assert_eq!(stats.object()["total"], 1);
    assert!(!keyfob.home().join("tokens.redb").exists(), "the store is in memory");
    assert_eq!(served.terminate().code(), Some(0));
}

#[test]
fn without_dev_the_key_is_that_of_init() {
    let (keyfob, key) = Keyfob::with_admin_key();
    assert!(key.starts_with("fob_ak_"), "{key}");
    assert_eq!(keyfob.run(&["init", "--json"]).exits(1).error_code(), "has_admin_key");
    let another = keyfob.run(&["init", "--another"]).exits(0);
    assert!(another.stdout.contains("client_secret:"), "{another:?}");
    let served = keyfob.serve(&[]);
    assert_eq!(served.admin_key, "", "only --dev shows one");
    ask(&keyfob, &served.url, &key, &["stats"]).exits(0);
    assert_eq!(served.terminate().code(), Some(0));
    keyfob.run(&["list"]).exits(0);
}

#[test]
fn the_lines_of_curl_work_as_pasted() {
    let keyfob = Keyfob::new();
    let mut command = keyfob.command(&["serve", "--dev", "--listen=127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    while lines.iter().filter(|line: &&String| line.contains("curl")).count() < 3 {
        let mut line = String::new();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended early: {lines:?}");
        lines.push(line);
    }
    let start = lines.iter().position(|line| line.trim().starts_with("key=")).unwrap();
    let end = lines.iter().rposition(|line| line.contains("introspect")).unwrap();
    let bash = |script: &str| {
        let output = Command::new("bash").args(["-c", script]).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let issued: serde_json::Value =
        serde_json::from_str(&bash(&lines[start..end].concat())).unwrap();
    assert_eq!(issued["subject"], "alice");
    let bearer = issued["bearer"].as_str().unwrap();
    let paste = |from: usize| {
        let script = format!("{}{}", lines[start], lines[from]);
        bash(&script.replace("PASTE_THE_BEARER", bearer))
    };
    let active: serde_json::Value = serde_json::from_str(&paste(end)).unwrap();
    assert_eq!((&active["active"], &active["sub"]), (&true.into(), &"alice".into()));
    paste(end + 1);
    assert_eq!(paste(end), r#"{"active":false}"#);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The run takes several seconds at its rate, and the server is asked to stop at its first page.
#[test]
fn a_request_that_runs_is_finished_after_sigterm() {
    let (keyfob, key) = Keyfob::with_admin_key();
    let grants = "{\"metadata\":{\"tags\":[\"beta\"]}}\n".repeat(300);
    keyfob.feed(&["issue", "--from=-"], grants.as_bytes()).exits(0);
    let served = keyfob.serve(&[]);
    let mut command =
        keyfob.command(&["revoke", "--where=tag:beta", "--throttle=100", "--yes", "--json", "-vv"]);
    command.env_remove("KEYFOB_STORE").env("KEYFOB_SERVER", &served.url).env("KEYFOB_TOKEN", key);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut stderr = String::new();
    while !stderr.contains("a page is done") {
        assert_ne!(reader.read_line(&mut stderr).unwrap(), 0, "it ended early: {stderr}");
    }
    let ended = served.terminate();
    reader.read_to_string(&mut stderr).unwrap();
    let done = Done::of(child).exits(0);
    assert_eq!(done.object()["count"], 300, "{stderr}");
    assert_eq!(ended.code(), Some(0));
    assert_eq!(keyfob.run(&["count", "tag:beta state:active"]).exits(0).stdout, "0\n");
}

#[test]
fn a_token_that_is_revoked_at_one_server_is_refused_by_the_other() {
    let server = keyfob_testkit::redis::server();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    let keyfob = Keyfob::on(&format!("{}/?namespace={namespace}", server.url()));
    let key = keyfob.run(&["init", "--json"]).exits(0).object();
    let key = key["admin_key"].as_str().unwrap();
    let (a, b) = (keyfob.serve(&[]), keyfob.serve(&[]));
    let issued = ask(&keyfob, &a.url, key, &["issue", "--subject=alice", "--json"]).exits(0);
    let (id, bearer) = (issued.object()["id"].clone(), issued.object()["bearer"].clone());
    let path = keyfob.file("bearer.txt", bearer.as_str().unwrap());
    let validate = ["validate", "--json", "--bearer-file", path.to_str().unwrap()];
    for url in [&a.url, &b.url] {
        ask(&keyfob, url, key, &validate).exits(0);
    }
    ask(&keyfob, &a.url, key, &["revoke", id.as_str().unwrap()]).exits(0);
    assert_eq!(ask(&keyfob, &a.url, key, &validate).exits(1).object()["code"], "token_revoked");
    // Within the max staleness, B may still have it as active.
    let refused = (0..100).any(|_| ask(&keyfob, &b.url, key, &validate).status.code() == Some(1));
    assert!(refused, "B never refused it");
}
