//! Several commands and users on one store file.

#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

use std::io::{BufRead, BufReader};
use std::process::Command;

use crate::harness::{Done, Keyfob, interrupt};

#[test]
fn a_follower_keeps_no_command_from_the_file_and_sees_its_events() {
    let keyfob = Keyfob::new();
    let (id, bearer) = keyfob.issue(&[]);
    let mut follower = keyfob.start(&["events", "--follow", "--json"]);
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["subject"], id.as_str());
    keyfob.run(&["list"]).exits(0);
    keyfob.run(&["revoke", &id]).exits(0);
    assert_eq!(next()["type"], "keyfob.token.revoked");
    keyfob.feed(&["validate"], bearer.as_bytes()).exits(1);
    let (second, _) = keyfob.issue(&[]);
    assert_eq!(next()["subject"], second.as_str());
    interrupt(&follower);
    Done::of(follower).exits(0);
}

#[test]
fn a_process_that_holds_keys_leaves_no_core() {
    let keyfob = Keyfob::new();
    keyfob.issue(&[]);
    let mut follower = keyfob.start(&["events", "--follow"]);
    let mut first = String::new();
    BufReader::new(follower.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", follower.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    interrupt(&follower);
    Done::of(follower).exits(0);
}

#[test]
fn a_file_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let keyfob = Keyfob::new();
    keyfob.issue(&[]);
    let path = keyfob.home().join("tokens.redb");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    for command in ["list", "doctor", "issue"] {
        keyfob.run(&[command]).exits(2).says("chmod 600");
    }
}

/// Runs a script in which the home of the store is mounted read-only. Returns `None` if this user may
/// not mount.
fn with_a_read_only_home(keyfob: &Keyfob, script: &str) -> Option<String> {
    let script = format!(
        "mount --bind \"$HOME\" \"$HOME\" && mount -o remount,bind,ro \"$HOME\" || exit 77; {script}"
    );
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    command.env("HOME", keyfob.home()).env("K", env!("CARGO_BIN_EXE_keyfob"));
    let store = format!("file:{}", keyfob.home().join("tokens.redb").display());
    let out = command.env("KEYFOB_STORE", store).output().ok()?;
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    (out.status.code() != Some(77) && !text.contains("unshare failed")).then_some(text)
}

#[test]
fn a_backup_on_a_read_only_file_system_lists_shows_and_validates() {
    let keyfob = Keyfob::new();
    let (id, bearer) = keyfob.issue(&["--subject=alice"]);
    keyfob.file("bearer.txt", &bearer);
    let script = "cd \"$HOME\"; \"$K\" list; echo list $?; \"$K\" show $(\"$K\" list --json | \
                  sed 's/.*\\(tok_[a-z0-9]*\\).*/\\1/'); echo show $?; \"$K\" validate < bearer.txt; \
                  echo validate $?; \"$K\" doctor; echo doctor $?; \"$K\" revoke --all --yes; \
                  echo revoke $?";
    let Some(said) = with_a_read_only_home(&keyfob, script) else {
        return eprintln!("not run: this user may not mount a file system");
    };
    for expected in ["list 0", "show 0", "validate 0", "doctor 0", "revoke 3", &id] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
