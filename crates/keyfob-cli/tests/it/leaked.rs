//! Bearers that were found where they should not be.

use serde_json::Value;

use crate::harness::{Keyfob, both_ways};

both_ways! {
    fn a_bearer_that_was_found_is_revoked_and_its_owner_is_named(keyfob: &Keyfob) {
        let (id, bearer) = keyfob.issue(&["--kind=api-key", "--subject=alice", "--client=ci"]);
        let (_, kept) = keyfob.issue(&["--kind=api-key"]);
        let found = format!("{bearer}\r\n\nghp_something\n  {bearer} \n\u{fffd}");
        let done = keyfob.feed(&["leaked", "--reason=leaked: in a log"], found.as_bytes()).exits(0);
        let expected = [
            format!("revoked {id} subject alice client ci"),
            "not_ours".to_owned(),
            format!("already_revoked {id} subject alice client ci"),
            "not_ours".to_owned(),
        ];
        let lines: Vec<_> = done.stdout.lines().collect();
        // A server looks at several at once, so either of both may be the first.
        let mut lines = lines.iter().map(|line| line.replace("already_", "")).collect::<Vec<_>>();
        let mut expected: Vec<_> = expected.iter().map(|line| line.replace("already_", "")).collect();
        lines.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lines, expected);
        assert!(!done.stdout.contains(&bearer) && !done.stderr.contains(&bearer));
        let shown = keyfob.run(&["show", &id, "--json"]).exits(0).object();
        assert_eq!(shown["revocation"]["reason"], "leaked: in a log");
        keyfob.feed(&["validate"], kept.as_bytes()).exits(0);
    }
}

both_ways! {
    fn each_line_of_json_is_an_object(keyfob: &Keyfob) {
        let (id, bearer) = keyfob.issue(&["--subject=alice"]);
        let done = keyfob.feed(&["leaked", "--json"], format!("{bearer}\nx\n").as_bytes()).exits(0);
        let lines: Vec<Value> =
            done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["outcome"], &lines[0]["token"]["id"]), (&"revoked".into(), &id.into()));
        assert_eq!(lines[1], serde_json::json!({ "outcome": "not_ours" }));
        assert_eq!(keyfob.feed(&["leaked", "--json"], b"").exits(0).stdout, "");
    }
}

#[test]
fn a_bearer_is_no_argument_and_a_file_that_is_missing_is_named() {
    let keyfob = Keyfob::new();
    let misplaced = keyfob.run(&["leaked", "--json", "hunter2"]).exits(2);
    assert_eq!(misplaced.error_code(), "bearer_in_argument");
    assert!(!misplaced.stderr.contains("hunter2"));
    keyfob.issue(&[]);
    keyfob.run(&["leaked", "--from=missing.txt"]).exits(2).says("missing.txt");
}
