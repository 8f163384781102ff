//! Keys are generated, listed, activated and retired. A sealed store is readable only with its
//! keys.

use std::os::unix::fs::PermissionsExt;

use crate::harness::Keyfob;

const KEYS: [&str; 2] = ["--keys", "ring"];

fn with(args: &[&'static str]) -> Vec<&'static str> {
    args.iter().chain(&KEYS).copied().collect()
}

/// The number, the state and the count of each key.
fn listed(keyfob: &Keyfob) -> Vec<(u64, String, u64)> {
    let listed = keyfob.run(&with(&["keys", "list", "--count", "--json"])).exits(0);
    let number = |key: &serde_json::Value, name: &str| key[name].as_u64().unwrap();
    let row = |key: &serde_json::Value| {
        let state = key["state"].as_str().unwrap().to_owned();
        (number(key, "key"), state, number(key, "records"))
    };
    listed.objects().iter().map(row).collect()
}

fn row(key: u64, state: &str, records: u64) -> (u64, String, u64) {
    (key, state.to_owned(), records)
}

#[test]
fn a_store_is_sealed_and_its_key_changed() {
    let keyfob = Keyfob::new();
    let (id, bearer) = keyfob.issue(&["--subject=user123"]);
    keyfob.run(&with(&["keys", "generate", "--bare"])).exits(0);
    keyfob.run(&with(&["keys", "generate", "--bare"])).exits(2).says("(usage)");
    keyfob.run(&with(&["keys", "retire", "0"])).exits(1).says("(key_in_use)").says("reseal");
    let sealed = keyfob.run(&with(&["keys", "reseal", "--json"])).exits(0).object();
    assert_eq!((&sealed["resealed"], &sealed["under"]["1"]), (&1.into(), &1.into()));
    keyfob.run(&with(&["keys", "retire", "0"])).exits(0);

    keyfob.feed(&with(&["validate"]), bearer.as_bytes()).exits(0);
    let refused = keyfob.feed(&["validate"], bearer.as_bytes()).exits(2);
    refused.says("(store_sealed)").says("hint: pass the key ring with --keys or KEYFOB_KEYS");
    keyfob.run(&["issue"]).exits(2).says("(key_retired)");

    keyfob.run(&with(&["keys", "generate", "--terms"])).exits(0);
    assert_eq!(listed(&keyfob), [row(0, "retired", 0), row(1, "active", 1), row(2, "reading", 0)]);
    keyfob.run(&with(&["keys", "activate", "2"])).exits(0);
    keyfob.run(&with(&["keys", "retire", "1"])).exits(1).says("(key_in_use)");
    keyfob.run(&with(&["keys", "reseal"])).exits(0);
    keyfob.run(&with(&["keys", "retire", "1"])).exits(0);
    assert_eq!(listed(&keyfob), [row(0, "retired", 0), row(1, "retired", 0), row(2, "active", 1)]);
    let found = keyfob.run(&with(&["list", "subject:user123"])).exits(0);
    assert!(found.stdout.starts_with(&id), "{found:?}");
    keyfob.run(&with(&["keys", "activate", "1"])).exits(1).says("(key_retired)");
    keyfob.run(&with(&["keys", "activate", "9"])).exits(2).says("(key_unknown)");
}

#[test]
fn an_exposed_or_malformed_ring_is_refused() {
    let keyfob = Keyfob::new();
    keyfob.run(&with(&["keys", "generate"])).exits(0);
    let ring = keyfob.home().join("ring");
    let mode = std::fs::metadata(&ring).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only the owner can read the file");
    std::fs::set_permissions(&ring, std::fs::Permissions::from_mode(0o644)).unwrap();
    for command in [&["issue"][..], &["keys", "list"], &["keys", "generate"]] {
        keyfob.run(&with(command)).exits(2).says("(key_ring_exposed)").says("chmod 600");
    }
    assert!(!keyfob.home().join("tokens.redb").exists(), "no store was created");
    std::fs::set_permissions(&ring, std::fs::Permissions::from_mode(0o600)).unwrap();
    let secret = "c3dvcmRmaXNoc3dvcmRmaXNoc3dvcmRmaXNoc3dvcmQ";
    std::fs::write(&ring, format!("key 1 active yesterday terms=1 {secret}")).unwrap();
    let refused = keyfob.run(&with(&["keys", "list"])).exits(2).says("(key_ring_malformed)");
    assert!(!refused.stderr.contains(secret), "{refused:?}");
    keyfob.run(&["issue", "--keys", "missing"]).exits(2).says("(key_ring_unreadable)");
    keyfob.run(&["keys", "list"]).exits(2).says("Name its file with --keys or KEYFOB_KEYS");
}

#[test]
fn a_ring_comes_from_a_file_the_environment_or_a_command_never_from_the_argument() {
    let keyfob = Keyfob::new();
    keyfob.run(&with(&["keys", "generate"])).exits(0);
    let (_, bearer) = keyfob.issue(&with(&["--subject=user123"]));
    let ring = std::fs::read_to_string(keyfob.home().join("ring")).unwrap();
    let validate = |keys: &str| {
        let mut command = keyfob.command(&["validate"]);
        command.env("RING", &ring).env("KEYFOB_KEYS", keys);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        // The process may end before it has read stdin.
        drop(std::io::Write::write_all(&mut child.stdin.take().unwrap(), bearer.as_bytes()));
        crate::harness::Done::of(child)
    };
    for keys in ["env:RING", "command:cat ring", "file:ring", "ring"] {
        validate(keys).exits(0);
    }
    let refused = validate(&ring).exits(2).says("must not be the ring");
    let secret = ring.split_whitespace().last().unwrap();
    assert!(!refused.stderr.contains(secret), "{refused:?}");
    validate("command:false").exits(2).says("(key_ring_unreadable)");
    let changed = keyfob.command(&["keys", "generate"]).env("KEYFOB_KEYS", "env:RING").output();
    assert_eq!(changed.unwrap().status.code(), Some(2), "only a file can be changed");
}

#[test]
fn doctor_reports_whether_unsealed_records_are_accepted() {
    let keyfob = Keyfob::new();
    keyfob.run(&with(&["keys", "generate", "--bare"])).exits(0);
    keyfob.issue(&with(&[]));
    let found = keyfob.run(&with(&["doctor"])).exits(0).stdout;
    assert!(found.contains("sealing") && found.contains("bare records"), "{found}");
    keyfob.run(&with(&["keys", "retire", "0"])).exits(0);
    let found = keyfob.run(&with(&["doctor"])).exits(0).stdout;
    assert!(found.contains("sealing") && !found.contains("bare records"), "{found}");
}
