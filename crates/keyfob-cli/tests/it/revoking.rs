//! Revoking more than one token.

use crate::harness::{Keyfob, both_ways, interrupt_after};

fn states(keyfob: &Keyfob) -> (u64, u64) {
    let stats = keyfob.run(&["stats", "--json"]).exits(0).object();
    let count = |state: &str| stats["by_state"][state].as_u64().unwrap();
    (count("active") - keyfob.keys(), count("revoked"))
}

both_ways! {
fn a_dry_run_counts_and_changes_nothing(keyfob: &Keyfob) {
    let (id, _) = keyfob.issue(&["--subject=a", "--client=web", "--kind=session"]);
    keyfob.issue(&["--subject=a", "--client=app"]);
    keyfob.issue(&["--subject=b", "--client=app"]);
    for (target, count) in [
        (vec![id.as_str()], 1),
        (vec!["--family", &id], 1),
        (vec!["--subject=a"], 2),
        (vec!["--client=app"], 2),
        (vec!["--where=client:app subject:b"], 1),
        (vec!["--all"], 3 + keyfob.keys()),
    ] {
        let args: Vec<_> =
            ["revoke", "--json", "--dry-run"].iter().chain(&target).copied().collect();
        let done = keyfob.run(&args).exits(0).object();
        assert_eq!(
            (&done["outcome"], &done["count"]),
            (&"counted".into(), &count.into()),
            "{args:?}"
        );
    }
    assert_eq!(states(keyfob), (3, 0));
}
}

both_ways! {
fn each_target_revokes_only_its_tokens(keyfob: &Keyfob) {
    keyfob.issue(&["--subject=a", "--client=web"]);
    keyfob.issue(&["--subject=b", "--client=web"]);
    keyfob.issue(&["--subject=c", "--client=app"]);
    keyfob.issue(&["--subject=d", "--client=app", "--tag=beta"]);
    let (family, _) = keyfob.issue(&["--subject=e", "--kind=refresh"]);
    keyfob.issue(&["--subject=f"]);
    keyfob.run(&["revoke", "--subject=a", "--reason=one"]).exits(0);
    assert_eq!(states(keyfob), (5, 1));
    let found = keyfob.run(&["list", "--json", "subject:a"]).exits(0).object();
    assert_eq!(found["revocation"]["through"], "subject");
    assert_eq!(found["revocation"]["reason"], "one");
    keyfob.run(&["revoke", "--client=web"]).exits(0);
    assert_eq!(states(keyfob), (4, 2));
    keyfob.run(&["revoke", "--where=tag:beta", "--yes"]).exits(0);
    assert_eq!(states(keyfob), (3, 3));
    keyfob.run(&["revoke", "--family", &family]).exits(0);
    assert_eq!(states(keyfob), (2, 4));
    keyfob.run(&["revoke", "--all", "--yes", "--reason=incident"]).exits(0);
    if keyfob.keys() == 0 {
        assert_eq!(states(keyfob), (0, 6));
    } else {
        // Its own key is revoked too.
        keyfob.run(&["stats"]).exits(1).says("(invalid_client)").says("hint: check the key");
    }
}
}

both_ways! {
fn many_tokens_are_revoked_only_after_a_question_or_with_yes(keyfob: &Keyfob) {
    keyfob.issue(&["--tag=beta"]);
    for target in [["--where=tag:beta"].as_slice(), &["--all"]] {
        let args: Vec<_> = ["revoke", "--json"].iter().chain(target).copied().collect();
        assert_eq!(keyfob.run(&args).exits(2).error_code(), "confirmation_needed");
        let args: Vec<_> = ["revoke", "--dry-run"].iter().chain(target).copied().collect();
        keyfob.run(&args).exits(0);
    }
    assert_eq!(states(keyfob), (1, 0));
    keyfob.run(&["revoke", "--yes", "--where=tag:beta"]).exits(0);
    assert_eq!(states(keyfob), (0, 1));
}
}

both_ways! {
fn a_name_under_which_nothing_is_listed_is_noted(keyfob: &Keyfob) {
    for _ in 0..2 {
        keyfob.issue(&["--subject=alice", "--client=web"]);
    }
    for (flag, name) in [("--subject", "alice"), ("--client", "web")] {
        let typo = format!("{name}x");
        let done = keyfob.run(&["revoke", flag, &typo]).exits(0).says("no token is listed");
        assert!(done.stdout.contains("(0 listed"), "{done:?}");
        let json = keyfob.run(&["revoke", "--json", flag, &typo]).exits(0);
        assert_eq!(json.object()["listed"], 0);
        assert_eq!(json.stderr_objects()[0]["note"]["code"], "none_listed");
        let done = keyfob.run(&["revoke", "--json", flag, name]).exits(0);
        assert_eq!(done.object()["listed"], 2);
        assert_eq!(done.stderr, "");
    }
    let grants = "{\"client\":\"many\"}\n".repeat(1_001);
    keyfob.feed(&["issue", "--from=-"], grants.as_bytes()).exits(0);
    let done = keyfob.run(&["revoke", "--client=many"]).exits(0);
    assert!(done.stdout.contains("(at least 1000 listed"), "{done:?}");
}
}

both_ways! {
fn an_interrupted_sweep_is_resumed_at_its_cursor(keyfob: &Keyfob) {
    let grants = "{\"client\":\"a\"}\n".repeat(350);
    keyfob.feed(&["issue", "--from=-"], grants.as_bytes()).exits(0);
    // It waits two seconds after each page of 100 tokens.
    let args = ["revoke", "--where=client:a", "--throttle=50", "--json", "-vv", "--yes"];
    let done = interrupt_after(keyfob.start(&args), "a page is done").exits(130);
    let object = done.object();
    assert_eq!(object["outcome"], "interrupted");
    let count = object["count"].as_u64().unwrap();
    assert!((100..350).contains(&count), "{object}");
    let next = object["next"].as_str().unwrap();
    assert!(done.stderr_objects().iter().any(|line| line["note"]["cursor"] == next), "{done:?}");
    let rest =
        keyfob.run(&["revoke", "--where=client:a", "--resume", next, "--json", "--yes"]).exits(0);
    let rest = rest.object();
    assert_eq!(rest["outcome"], "revoked");
    assert_eq!(rest["next"], serde_json::Value::Null);
    assert_eq!(states(keyfob), (0, 350));
}
}
