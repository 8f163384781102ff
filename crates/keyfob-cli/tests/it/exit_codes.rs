//! Each class of outcome has an exit code. Each error has a code and a hint.

use std::io::Write;
use std::net::TcpListener;

use crate::harness::{Keyfob, both_ways};

const UNKNOWN: &str = "tok_00d1h88n000000000000000001";

both_ways! {
fn refused_and_not_found_are_1(keyfob: &Keyfob) {
    let (id, bearer) = keyfob.issue(&["--scope=read"]);
    for (args, stdin, code) in [
        (vec!["validate", "--scope=write"], bearer.as_str(), "insufficient_scope"),
        (vec!["validate", "--issuer=other"], &bearer, "invalid_issuer"),
        (vec!["validate", "--kind=refresh"], &bearer, "invalid_kind"),
        (vec!["validate", "--device-id=phone"], &bearer, "device_mismatch"),
        (vec!["validate", "--require-claim=plan"], &bearer, "missing_claim"),
        (vec!["validate"], "fob_at_guess", "token_malformed"),
        (vec!["show", UNKNOWN], "", "token_not_found"),
        (vec!["history", UNKNOWN], "", "token_not_found"),
        (vec!["revoke", UNKNOWN], "", "token_not_found"),
        (vec!["revoke", UNKNOWN, "--dry-run"], "", "token_not_found"),
        (vec!["update", UNKNOWN, "--tag=a"], "", "token_not_found"),
    ] {
        let done = keyfob.feed(&args, stdin.as_bytes()).exits(1).says(&format!("({code})\n"));
        assert_eq!(done.stdout, "", "{args:?}");
        assert!(done.stderr.starts_with("error: "), "{args:?}: {}", done.stderr);
    }
    keyfob.run(&["revoke", &id]).exits(0);
    keyfob.run(&["update", &id, "--tag=a"]).exits(1).says("(token_ended)");
}
}

both_ways! {
fn wrong_usage_is_2(keyfob: &Keyfob) {
    let (id, _) = keyfob.issue(&[]);
    for args in [
        vec!["frobnicate"],
        vec!["issue", "--frobnicate"],
        vec!["issue", "--kind=cookie"],
        vec!["issue", "--ttl=1h", "--expires-at=+1h"],
        vec!["issue", "--from=x.jsonl", "--subject=a"],
        vec!["show"],
        vec!["list", "--limit=0"],
        vec!["revoke"],
        vec!["revoke", &id, "--all"],
        vec!["revoke", &id, "--throttle=5"],
        vec!["revoke", "--all"],
        vec!["revoke", "--where", ""],
        vec!["update", &id],
        vec!["events", "--observations", "--with-cursor"],
        vec!["man", "frobnicate"],
        vec!["list", "--prefix=UPPER"],
    ] {
        let done = keyfob.run(&args).exits(2);
        assert!(done.stderr.starts_with("error: "), "{args:?}: {}", done.stderr);
        let json: Vec<_> = ["--json"].iter().chain(&args).copied().collect();
        let code = keyfob.run(&json).exits(2).error_code();
        assert!(
            ["usage", "invalid_value", "confirmation_needed"].contains(&code.as_str()),
            "{code}"
        );
    }
    keyfob.run(&[]).exits(2).says("Usage: keyfob");
}
}

#[test]
fn invalid_arguments_are_reported_without_a_store() {
    let keyfob = Keyfob::on("redis://127.0.0.1:1?connect_timeout=200ms");
    for (args, code) in [
        (vec!["list", "subjct:a"], "invalid_filter"),
        (vec!["count", "subject:$who"], "invalid_filter"),
        (vec!["revoke", "--where=subjct:a"], "invalid_filter"),
        (vec!["revoke", "--where="], "usage"),
        (vec!["revoke", "--where=tag:a"], "confirmation_needed"),
        (vec!["revoke", "--all"], "confirmation_needed"),
        (vec!["issue", "--claim=a=1", "--claim=a=2"], "invalid_value"),
    ] {
        let args: Vec<_> = ["--json"].iter().chain(&args).copied().collect();
        assert_eq!(keyfob.run(&args).exits(2).error_code(), code, "{args:?}");
    }
}

#[test]
fn a_usage_line_has_no_flag_of_the_environment_and_no_dangerous_tip() {
    let keyfob = Keyfob::new();
    for args in [vec!["show"], vec!["list", "--frobnicate"], vec!["revoke", "--all-sessions"]] {
        let done = keyfob.run(&args).exits(2).says("Usage: keyfob");
        assert!(!done.stderr.contains("--store"), "{}", done.stderr);
    }
    let done = keyfob.run(&["revoke", "--all-sessions"]).exits(2);
    assert!(!done.stderr.contains("tip"), "{}", done.stderr);
    keyfob.run(&["list", "--limt=5"]).exits(2).says("tip: a similar argument exists: '--limit'");
    // An error in a variable is still reported.
    let mut command = keyfob.command(&["list"]);
    let output = command.env("KEYFOB_PREFIX", "UPPER").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("--prefix"), "{output:?}");
}

#[test]
fn a_store_that_cannot_be_used_is_3() {
    let keyfob = Keyfob::new();
    let text = keyfob.file("notes.txt", "no store at all\n".repeat(1000));
    let text = format!("file:{}", text.display());
    let folder = format!("file:{}", keyfob.home().display());
    for (store, code) in [
        (text.as_str(), "not_a_store"),
        (&folder, "not_a_store"),
        ("file:missing.redb", "not_a_store"),
        ("redis://127.0.0.1:1?connect_timeout=200ms", "store_unavailable"),
    ] {
        for command in ["list", "doctor", "stats", "events"] {
            let done = keyfob.run(&[command, "--store", store, "--json"]).exits(3);
            assert_eq!(done.error_code(), code, "{store}");
        }
        keyfob.run(&["list", "--store", store]).exits(3).says("hint: ");
    }
    let kept = std::fs::read_to_string(keyfob.home().join("notes.txt")).unwrap();
    assert!(kept.starts_with("no store at all"));
    assert!(!keyfob.home().join("missing.redb").exists(), "a list created a store");
}

#[test]
fn a_url_that_leads_to_the_wrong_kind_of_server_is_2() {
    let server = keyfob_testkit::redis::server().url();
    let cluster = server.replace("redis://", "redis+cluster://");
    let sentinel = format!("{}/main", server.replace("redis://", "redis+sentinel://"));
    let tls = server.replace("redis://", "rediss://");
    let login = server.replace("redis://", "redis://nobody:hunter2@");
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("redis://{}", http.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in http.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    for (store, says) in [
        (login, "the user name or the password is wrong"),
        (other, "is no Redis server, but an HTTP server: check the host and the port"),
        (format!("{server}/99"), "no database of that number"),
        (cluster, "write redis:// instead of redis+cluster://"),
        (sentinel, "is not a sentinel"),
        (tls, "write redis instead of rediss"),
    ] {
        // The budget would hold the command for an hour.
        let store = format!("{store}?budget=1h");
        for command in ["list", "doctor"] {
            let done = keyfob_at(&store, command).exits(2).says("(store_misconfigured)").says(says);
            assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
            assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
        }
    }
    let closed = "redis://127.0.0.1:1?budget=1h";
    keyfob_at(closed, "doctor").exits(3).says("nothing accepts connections at 127.0.0.1:1");
}

fn keyfob_at(store: &str, command: &str) -> crate::harness::Done {
    Keyfob::on(store).run(&[command])
}

#[test]
fn doctor_says_that_a_server_is_a_replica_or_full() {
    use keyfob_testkit::redis::RedisServer;
    let replica = RedisServer::builder().setting("replicaof", "127.0.0.1 1").start().unwrap();
    let full = RedisServer::builder().setting("maxmemory", "1mb").start().unwrap();
    for (server, what, advice) in [
        (&replica, "role", "is a replica of 127.0.0.1:1 and has had no link"),
        (&full, "write", "no memory left"),
    ] {
        let doctor = Keyfob::on(&server.url()).run(&["doctor", "--json"]).exits(1).object();
        let findings = doctor["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["what"] == what).unwrap();
        assert_eq!(found["severity"], "fault", "{doctor}");
        assert!(found["advice"].as_str().unwrap().contains(advice), "{doctor}");
    }
    // A replica that lost its primary may also be set to answer no question about data.
    replica.call(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).unwrap();
    let url = format!("{}?budget=500ms", replica.url());
    Keyfob::on(&url).run(&["doctor"]).exits(3).says("is a replica that has lost its primary");
}

#[test]
fn a_file_that_a_service_has_open_is_3() {
    let keyfob = Keyfob::new();
    keyfob.issue(&[]);
    let store = keyfob_redb::RedbStore::open(keyfob.home().join("tokens.redb")).unwrap();
    keyfob.run(&["list"]).exits(3).says("(store_in_use)").says("ask the service");
    drop(store);
    keyfob.run(&["list"]).exits(0);
}

both_ways! {
fn a_reader_that_closes_the_pipe_early_is_not_an_error(keyfob: &Keyfob) {
    let grants = "{}\n".repeat(2000);
    keyfob.feed(&["issue", "--from=-"], grants.as_bytes()).exits(0);
    let mut child = keyfob.start(&["list", "--all-pages"]);
    drop(child.stdout.take());
    let done = crate::harness::Done::of(child).exits(0);
    assert!(!done.stderr.contains("error"), "{}", done.stderr);
}
}

/// Runs a command whose output nobody reads.
fn with_a_closed_output(keyfob: &Keyfob, args: &[&str], stdin: &str) -> crate::harness::Done {
    use std::io::Write;
    let mut child = keyfob.start(args);
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    crate::harness::Done::of(child).exits(1).says("bearer_lost")
}

fn first_id(text: &str) -> &str {
    let id = text.split_whitespace().find(|word| word.starts_with("tok_")).unwrap();
    &id[..30]
}

#[test]
fn a_token_whose_bearer_could_not_be_written_is_named_and_revoked() {
    let keyfob = Keyfob::new();
    let (parent, bearer) = keyfob.issue(&["--kind=session", "--subject=a"]);
    for (args, stdin) in [
        (&["issue", "--subject=a", "--by=ann"][..], ""),
        (&["issue", "--json"], ""),
        (&["derive"], &bearer),
        (&["init"], ""),
    ] {
        let done = with_a_closed_output(&keyfob, args, stdin).says("The token was revoked");
        let token = keyfob.run(&["show", "--json", first_id(&done.stderr)]).exits(0).object();
        assert_eq!(token["state"], "revoked", "{args:?}");
        assert_eq!(token["revocation"]["reason"], "the bearer could not be written");
        let by = args.contains(&"--by=ann").then_some("ann");
        assert_eq!(token["revocation"]["by"].as_str(), by, "{args:?}");
    }
    assert_eq!(keyfob.run(&["show", "--json", &parent]).object()["state"], "active");
}

#[test]
fn a_lost_secret_ends_no_key_and_no_family_and_the_hint_says_how_to_get_another() {
    let keyfob = Keyfob::new();
    let (key, bearer) = keyfob.issue(&["--kind=api-key"]);
    keyfob.feed(&["validate"], bearer.as_bytes()).exits(0);
    with_a_closed_output(&keyfob, &["rotate", &key], "").says("run keyfob rotate tok_");
    keyfob.feed(&["validate"], bearer.as_bytes()).exits(0);
    let again = keyfob.run(&["rotate", &key, "--json"]).exits(0).object();
    keyfob.feed(&["validate"], again["bearer"].as_str().unwrap().as_bytes()).exits(0);
    let (_, refresh) = keyfob.issue(&["--kind=refresh"]);
    with_a_closed_output(&keyfob, &["refresh"], &refresh).says("within its grace period");
    let pair = keyfob.feed(&["refresh", "--json"], refresh.as_bytes()).exits(0).object();
    assert_eq!(pair["case"], "replayed");
}
