//! Keys are generated, listed, activated and retired. A sealed store is readable only with its
//! keys.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use crate::harness::{Done, Keyfob};

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
fn a_server_shows_its_keys_and_seals_its_store_again() {
    let keyfob = Keyfob::new();
    keyfob.issue(&["--subject=user123"]);
    keyfob.run(&with(&["keys", "generate", "--bare"])).exits(0);
    let keyfob = keyfob.behind_a_server(&KEYS);
    let states = |args: &[&str]| {
        let keys = keyfob.run(args).exits(0).objects();
        let state = |key: &serde_json::Value| (key["state"].clone(), key["records"].as_u64());
        keys.iter().map(state).collect::<Vec<_>>()
    };
    let (reading, active) = ("reading".into(), "active".into());
    let shown = states(&["keys", "list", "--json"]);
    assert_eq!(shown, [(reading, None), (active, None)], "the ring of the server");
    // The token is not sealed, the admin key is.
    assert_eq!(listed(&keyfob), [row(0, "reading", 1), row(1, "active", 1)]);
    keyfob.run(&with(&["keys", "retire", "0"])).exits(1).says("(key_in_use)");
    keyfob.run(&with(&["keys", "retire", "1"])).exits(1).says("(key_in_use)");
    let sealed = keyfob.run(&["keys", "reseal", "--json"]).exits(0).object();
    assert_eq!((&sealed["resealed"], &sealed["under"]["1"]), (&1.into(), &2.into()));
    keyfob.run(&["keys", "reseal", "--resume=nonsense"]).exits(2);
    keyfob.run(&["keys", "retire", "0"]).exits(2).says("no key ring is given");
    keyfob.run(&with(&["keys", "retire", "0"])).exits(0);
    assert_eq!(listed(&keyfob), [row(0, "retired", 0), row(1, "active", 2)]);
    let (_, bearer) = keyfob.issue(&[]);
    keyfob.feed(&["validate"], bearer.as_bytes()).exits(0);
    // A server without keys has none to show.
    Keyfob::served().run(&["keys", "list"]).exits(1).says("(no_keys)");
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

#[test]
fn a_ring_behind_a_link_is_changed_where_it_lies() {
    let keyfob = Keyfob::new();
    let path = |name: &str| keyfob.home().join(name);
    std::fs::create_dir(path("real")).unwrap();
    keyfob.run(&["keys", "generate", "--keys", "real/ring"]).exits(0);
    symlink("real/ring", path("link")).unwrap();
    keyfob.run(&["keys", "generate", "--keys", "link"]).exits(0);
    keyfob.run(&["keys", "activate", "2", "--keys", "link"]).exits(0);
    assert!(path("link").is_symlink());
    let lists = ["link", "real/ring"]
        .map(|ring| keyfob.run(&["keys", "list", "--json", "--keys", ring]).exits(0).stdout);
    assert_eq!(lists[0], lists[1]);
    assert!(lists[0].contains("\"key\":2,\"state\":\"active\""), "{}", lists[0]);
}

/// Runs a script in mounts of its own, with the binary as `$K`, in the home of `keyfob`. Returns `None` if
/// this user may not mount.
fn with_mounts(keyfob: &Keyfob, mounts: &str, script: &str) -> Option<Done> {
    let script = format!("cd \"$HOME\"; {{ {mounts}; }} || exit 77; {script}");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    command.env("HOME", keyfob.home()).env("K", env!("CARGO_BIN_EXE_keyfob"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = Done::of(command.spawn().ok()?);
    let may_not = done.status.code() == Some(77) || done.stderr.contains("unshare failed");
    (!may_not).then_some(done)
}

#[test]
fn a_ring_that_is_a_mount_or_lies_on_a_read_only_file_system_is_an_error_that_says_so() {
    let keyfob = Keyfob::new();
    let path = |name: &str| keyfob.home().join(name);
    std::fs::create_dir(path("secret")).unwrap();
    for name in ["ring", "outer", "secret/ring"] {
        keyfob.run(&["keys", "generate", "--keys", name]).exits(0);
    }
    symlink("secret/ring", path("link")).unwrap();
    let before = std::fs::read(path("ring")).unwrap();
    for (mounts, ring, advice) in [
        ("mount --bind outer ring", "ring", "is mounted as a single file"),
        (
            "mount --bind secret secret && mount -o remount,bind,ro secret",
            "link",
            "secret/ring is on a read-only file system",
        ),
    ] {
        let script = format!("\"$K\" keys generate --keys {ring}");
        let Some(done) = with_mounts(&keyfob, mounts, &script) else {
            return eprintln!("not run: this user may not mount a file system");
        };
        done.exits(2).says("(key_ring_unwritable)").says(advice);
    }
    assert_eq!(std::fs::read(path("ring")).unwrap(), before);
    assert!(!path("ring.new").exists() && !path("secret/ring.new").exists());
}

#[test]
fn a_ring_in_a_folder_that_this_user_may_not_write_to_is_an_error_that_says_so() {
    let keyfob = Keyfob::new();
    let folder = keyfob.home().join("etc");
    std::fs::create_dir(&folder).unwrap();
    keyfob.run(&["keys", "generate", "--keys", "etc/ring"]).exits(0);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    // Without capabilities, permissions also hold for the superuser.
    let script = "if [ \"$(id -u)\" = 0 ]; then exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"; \
                  else exec \"$@\"; fi";
    for words in [&["generate"][..], &["activate", "1"]] {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_keyfob"), "keys"]);
        command.args(words).args(["--keys", "etc/ring"]).current_dir(keyfob.home());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let done = Done::of(command.spawn().unwrap()).exits(2);
        done.says("(key_ring_unwritable)").says("Run the command as a user who may write there");
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_superuser_leaves_a_ring_to_its_owner() {
    use std::os::unix::fs::{MetadataExt, chown};

    let keyfob = Keyfob::new();
    let ring = keyfob.home().join("ring");
    keyfob.run(&with(&["keys", "generate"])).exits(0);
    if chown(&ring, Some(4711), Some(4711)).is_err() {
        return eprintln!("not run: this user may not give a file to another one");
    }
    keyfob.run(&with(&["keys", "generate"])).exits(0);
    let metadata = std::fs::metadata(&ring).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (4711, 0o600));
}

#[test]
fn a_ring_with_crlf_and_a_byte_order_mark_comes_from_a_variable() {
    let keyfob = Keyfob::new();
    keyfob.run(&with(&["keys", "generate"])).exits(0);
    keyfob.issue(&with(&[]));
    let ring = std::fs::read_to_string(keyfob.home().join("ring")).unwrap();
    let crlf = ring.replace('\n', "\r\n");
    for ring in [format!("\u{feff}{crlf}\r\n"), ring.replace('\n', ";"), ring.trim().to_owned()] {
        let mut command = keyfob.command(&["list", "--keys", "env:RING"]);
        command.env("RING", &ring).stdout(Stdio::piped()).stderr(Stdio::piped());
        let done = Done::of(command.spawn().unwrap()).exits(0);
        assert!(done.stdout.starts_with("ID") || done.stdout.contains("tok_"), "{done:?}");
    }
}

#[test]
fn a_ring_without_the_key_of_a_token_makes_it_unavailable() {
    let keyfob = Keyfob::new();
    keyfob.run(&with(&["keys", "generate"])).exits(0);
    std::fs::copy(keyfob.home().join("ring"), keyfob.home().join("stale")).unwrap();
    keyfob.run(&with(&["keys", "generate"])).exits(0);
    keyfob.run(&with(&["keys", "activate", "2"])).exits(0);
    let (_, bearer) = keyfob.issue(&with(&[]));
    let done = keyfob.feed(&["validate", "--keys", "stale"], bearer.as_bytes()).exits(3);
    let done = done.says("(key_missing)").says("key 2").says("cannot be read");
    assert!(!done.stderr.contains("refused"), "{done:?}");
}
