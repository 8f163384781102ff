//! A bearer appears once, in the output of the command that issues it.

use crate::harness::{Keyfob, both_ways};

#[test]
fn a_bearer_as_an_argument_is_refused_without_being_repeated() {
    let keyfob = Keyfob::new();
    let (id, bearer) = keyfob.issue(&[]);
    let filter = format!("subject:{bearer}");
    let flag = format!("--subject={bearer}");
    for args in [
        vec!["validate", &bearer],
        vec!["show", &bearer],
        vec!["list", &filter],
        vec!["issue", &flag],
        vec![&bearer],
        vec!["validate", "--scope=read", &bearer[..60]],
        vec!["validate", "something"],
    ] {
        let done = keyfob.run(&args).exits(2).says("(bearer_in_argument)");
        assert!(!done.stderr.contains(&bearer[..50]), "{}", done.stderr);
        assert!(!done.stderr.contains("something"), "{}", done.stderr);
    }
    keyfob.run(&["validate", &bearer]).exits(2).says(&format!("keyfob revoke {id}"));
}

both_ways! {
fn a_name_that_only_looks_like_a_bearer_is_a_name(keyfob: &Keyfob) {
    let name = "deploy_at_0123456789abcdef0123456789abcdef01234567";
    let (id, _) = keyfob.issue(&["--subject", name]);
    let listed = keyfob.run(&["list", "--json", &format!("subject:{name}")]).exits(0).object();
    assert_eq!((&listed["id"], &listed["subject"]), (&id.into(), &name.into()));
    keyfob.run(&["revoke", "--subject", name]).exits(0);
    assert_eq!(keyfob.run(&["count", "state:revoked", &format!("subject:{name}")]).stdout, "1\n");
}
}

#[test]
fn nothing_but_issue_shows_a_bearer() {
    let keyfob = Keyfob::new();
    let (id, bearer) = keyfob.issue(&["--subject=a"]);
    let secret = &bearer[bearer.len() - 36..];
    let stdin = bearer.as_bytes();
    for args in [
        vec!["validate", "-vvv"],
        vec!["validate", "--json", "--scope=b", "-vvv"],
        vec!["show", &id, "--json"],
        vec!["list", "--json"],
        vec!["events", "-vvv"],
        vec!["events", "--observations"],
        vec!["history", &id],
        vec!["doctor", "--json"],
    ] {
        let done = keyfob.feed(&args, stdin);
        assert!(!done.stdout.contains(secret), "{args:?}: {}", done.stdout);
        assert!(!done.stderr.contains(secret), "{args:?}: {}", done.stderr);
    }
    let file = std::fs::read(keyfob.home().join("tokens.redb")).unwrap();
    assert!(!file.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
}

#[test]
fn the_help_does_not_show_the_password_of_the_store() {
    let keyfob = Keyfob::on("redis://user:hunter2@127.0.0.1:1");
    for args in [["--help"].as_slice(), &["list", "--help"], &["man"], &["list", "-vvv"]] {
        let done = keyfob.run(args);
        assert!(!done.stdout.contains("hunter2"), "{}", done.stdout);
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
}

#[test]
fn a_password_in_an_argument_is_noted() {
    let url = "redis://user:hunter2@127.0.0.1:1?connect_timeout=200ms";
    let keyfob = Keyfob::new();
    for args in [["list", "--store", url], ["--store", url, "list"]] {
        let done = keyfob.run(&args).exits(3).says("can see the password in --store");
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
    let done = Keyfob::on(url).run(&["list"]).exits(3);
    assert!(!done.stderr.contains("can see the password"), "{}", done.stderr);
}

#[test]
fn piped_output_has_no_colours() {
    let keyfob = Keyfob::new();
    keyfob.issue(&["--subject=a"]);
    for args in [["list"].as_slice(), &["stats"], &["doctor"], &["--help"], &["list", "tga:x"]] {
        let done = keyfob.run(args);
        assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{done:?}");
    }
}
