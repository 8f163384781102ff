//! The JSON shapes are stable. A snapshot pins each.

use crate::harness::{Keyfob, snapshot_settings};

#[test]
fn shapes_are_pinned() {
    let keyfob = Keyfob::new();
    let full = [
        "--subject=user123",
        "--issuer=example-service",
        "--audience=example-app",
        "--scope=read",
        "--client=web",
        "--kind=session",
        "--not-before=2026-01-01T00:00:00Z",
        "--idle=30m",
        "--absolute=12h",
        "--uses=5",
        "--device-id=device123",
        "--user-agent=ExampleApp/1.0",
        "--ip=192.0.2.1",
        "--platform=iOS",
        "--device-version=19",
        "--app=shop",
        "--app-version=2.0",
        "--label=environment=production",
        "--tag=mobile",
        "--claim=seats=12",
        "--username=Jane Doe",
        "--json",
    ];
    let full: Vec<_> = ["issue"].iter().chain(&full).copied().collect();
    let issued = keyfob.run(&full).exits(0);
    let object = issued.object();
    let (id, bearer) = (object["id"].as_str().unwrap(), object["bearer"].as_str().unwrap());
    snapshot_settings().bind(|| {
        let feed = |args: &[&str]| {
            let done = keyfob.feed(args, bearer.as_bytes());
            let stderr = done.stderr.lines().map(|line| format!("stderr: {line}\n"));
            format!("{}{}", done.stdout, stderr.collect::<String>())
        };
        insta::assert_snapshot!("issue", issued.stdout + &issued.stderr);
        insta::assert_snapshot!("validate", feed(&["validate", "--json"]));
        let demands = ["validate", "--json", "--all", "--scope=write", "--audience=other"];
        insta::assert_snapshot!("validate_all", feed(&demands));
        insta::assert_snapshot!("validate_refused", feed(&["validate", "--json", "--scope=write"]));
        insta::assert_snapshot!("list", feed(&["list", "--json"]));
        insta::assert_snapshot!("count", feed(&["count", "--json"]));
        let revoke = ["revoke", id, "--json", "--reason=user logout", "--by=ops"];
        insta::assert_snapshot!("revoke", feed(&revoke));
        insta::assert_snapshot!("show", feed(&["show", id, "--json"]));
        insta::assert_snapshot!("history", feed(&["history", id, "--json"]));
        insta::assert_snapshot!("events", feed(&["events", "--json", "--with-cursor"]));
        insta::assert_snapshot!("stats", feed(&["stats", "--json"]));
        insta::assert_snapshot!(
            "error",
            feed(&["show", "tok_00d1h88n000000000000000001", "--json"])
        );
        for (name, target) in [
            ("revoke_subject", ["--subject=user123"].as_slice()),
            ("revoke_client", &["--client=web"]),
            ("revoke_family", &["--family", id]),
            ("revoke_where", &["--where=tag:mobile", "--yes"]),
            ("revoke_all", &["--all", "--yes"]),
        ] {
            let args: Vec<_> = ["revoke", "--json"].iter().chain(target).copied().collect();
            insta::assert_snapshot!(name, feed(&args));
        }
    });
}

#[test]
fn plain_output_is_pinned_too() {
    let keyfob = Keyfob::new();
    let issued =
        keyfob.run(&["issue", "--subject=user123", "--tag=mobile", "--ttl=never"]).exits(0);
    let id = issued.stdout.split_whitespace().find(|word| word.starts_with("tok_")).unwrap();
    snapshot_settings().bind(|| {
        insta::assert_snapshot!("plain_issue", format!("{}{}", issued.stdout, issued.stderr));
        insta::assert_snapshot!("plain_list", keyfob.run(&["list"]).exits(0).stdout);
        insta::assert_snapshot!("plain_show", keyfob.run(&["show", id]).exits(0).stdout);
        insta::assert_snapshot!("plain_stats", keyfob.run(&["stats"]).exits(0).stdout);
        let revoke = ["revoke", id, "--reason=user logout", "--by=ops"];
        insta::assert_snapshot!("plain_revoke", keyfob.run(&revoke).exits(0).stdout);
        insta::assert_snapshot!("plain_history", keyfob.run(&["history", id]).exits(0).stdout);
    });
}
