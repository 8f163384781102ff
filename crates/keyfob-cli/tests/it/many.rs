//! Many tokens: issued from lines of JSON, listed page by page.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};

use crate::harness::{Done, Keyfob, both_ways};

both_ways! {
fn ten_thousand_lines_are_ten_thousand_tokens_in_order(keyfob: &Keyfob) {
    let grants: String = (0..10_000)
        .map(|n| format!("{{\"subject\":\"user{n}\",\"kind\":\"api-key\",\"ttl\":\"90d\",\"metadata\":{{\"tags\":[\"many\"]}}}}\n"))
        .collect();
    let done = keyfob.feed(&["issue", "--from", "-", "--json"], grants.as_bytes()).exits(0);
    let tokens = done.objects();
    assert_eq!(tokens.len(), 10_000);
    for (n, token) in tokens.iter().enumerate() {
        assert_eq!(token["subject"], format!("user{n}"));
    }
    let bearers: HashSet<_> = tokens.iter().map(|token| token["bearer"].to_string()).collect();
    assert_eq!(bearers.len(), 10_000);
    let last = tokens[9_999]["bearer"].as_str().unwrap();
    keyfob.feed(&["validate"], last.as_bytes()).exits(0);
    assert_eq!(keyfob.run(&["count", "tag:many"]).exits(0).stdout, "10000\n");

    let listed = keyfob.run(&["list", "--all-pages", "kind:api-key", "scope:none"]).exits(0);
    listed.says("note: this reads every");
    let listed = keyfob.run(&["list", "--all-pages", "tag:many"]).exits(0);
    let ids: HashSet<_> = listed.lines().into_iter().filter_map(|l| l.split('\t').next()).collect();
    assert_eq!(ids.len(), 10_000);
}
}

both_ways! {
fn pages_follow_each_other_without_gap_or_overlap(keyfob: &Keyfob) {
    let grants: String =
        (1..=25).map(|n| format!("{{\"ttl\":\"{n}h\",\"client\":\"a\"}}\n")).collect();
    keyfob.feed(&["issue", "--from=-"], grants.as_bytes()).exits(0);
    for sort in ["newest", "expiring"] {
        let mut seen = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let mut args = vec!["list", "--json", "--limit=10", "--sort", sort, "client:a"];
            if let Some(cursor) = &cursor {
                args.extend(["--cursor", cursor]);
            }
            let page = keyfob.run(&args).exits(0);
            seen.extend(page.objects().iter().map(|token| token["expires_at"].to_string()));
            let notes = page.stderr_objects();
            cursor = notes.first().map(|note| note["note"]["cursor"].as_str().unwrap().to_owned());
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 25);
        if sort == "expiring" {
            assert!(seen.is_sorted(), "{seen:?}");
        }
    }
}
}

both_ways! {
fn an_invalid_line_is_reported_and_the_others_are_issued(keyfob: &Keyfob) {
    let grants = concat!(
        "{\"subject\":\"a\"}\n",
        "\n",
        "{\"subjct\":\"b\"}\n",
        "not json\n",
        "{\"subject\":\"c\",\"expires_at\":\"2020-01-01T00:00:00Z\"}\n",
        "{\"subject\":\"d\",\"metadata\":{\"device\":{\"id\":\"x\"},\"tags\":[\"t\"]}}",
    );
    keyfob.file("grants.jsonl", grants);
    let done = keyfob.run(&["issue", "--from=grants.jsonl", "--json"]).exits(2);
    let subjects: Vec<_> = done.objects().iter().map(|t| t["subject"].to_string()).collect();
    assert_eq!(subjects, ["\"a\"", "\"d\""]);
    let messages: Vec<_> = done
        .stderr_objects()
        .iter()
        .filter_map(|t| t["error"]["message"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(messages.len(), 4, "{messages:?}");
    assert!(messages[0].starts_with("line 3: ") && messages[0].contains("subjct"), "{messages:?}");
    assert!(messages[1].starts_with("line 4: "), "{messages:?}");
    assert!(messages[2].starts_with("line 5: ") && messages[2].contains("past"), "{messages:?}");
    assert_eq!(messages[3], "3 of 5 lines were refused");
}
}

both_ways! {
fn tokens_with_lost_bearers_are_named_and_revoked(keyfob: &Keyfob) {
    keyfob.file("grants.jsonl", "{\"subject\":\"a\"}\n".repeat(3_000));
    for form in [["--json"].as_slice(), &[]] {
        let args: Vec<_> = ["issue", "--from=grants.jsonl"].iter().chain(form).copied().collect();
        let mut child = keyfob.start(&args);
        let mut reader = BufReader::with_capacity(64, child.stdout.take().unwrap());
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        assert!(first.contains("fob_at_"));
        drop(reader);
        let done = Done::of(child).exits(1).says("bearer_lost");
        let lost: HashSet<_> = done
            .stderr
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("tok_"))
            .map(str::to_owned)
            .collect();
        assert!(!lost.is_empty(), "{done:?}");
        // Every named token is revoked, and no other token is.
        let listed = keyfob.run(&["list", "--all-pages", "--json", "state:revoked"]).exits(0);
        let revoked: HashSet<_> =
            listed.objects().iter().map(|t| t["id"].as_str().unwrap().to_owned()).collect();
        assert!(lost.is_subset(&revoked), "{lost:?}");
        // The token whose bearer was read is still valid.
        let id = first.split(['"', '\t']).find(|word| word.starts_with("tok_")).unwrap();
        assert!(!revoked.contains(id));
    }
}
}

#[test]
#[cfg(target_os = "linux")]
fn no_token_stays_active_if_nothing_could_be_written() {
    let keyfob = Keyfob::new();
    keyfob.file("grants.jsonl", "{}\n".repeat(3_000));
    for form in [["--json"].as_slice(), &[]] {
        let args: Vec<_> = ["issue", "--from=grants.jsonl"].iter().chain(form).copied().collect();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = keyfob.command(&args).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let listed = keyfob.run(&["list", "--all-pages", "--json"]).exits(0).objects();
        assert!((1..1_000).contains(&listed.len()), "{}", listed.len());
        for token in listed.iter().filter(|token| token["revocation"]["by"].is_null()) {
            assert_eq!(token["state"], "revoked");
        }
        let newest = listed[0]["id"].as_str().unwrap();
        assert!(stderr.contains(newest) && stderr.contains("bearer_lost"), "{stderr}");
    }
}

both_ways! {
fn lines_that_are_too_long_or_not_utf_8_are_refused(keyfob: &Keyfob) {
    let mut grants = vec![b'x'; 1024 * 1024];
    grants.extend(b"\n\xff\xff\n{}\n");
    let done = keyfob.feed(&["issue", "--from=-"], &grants).exits(2);
    let done = done.says("line 1: it is longer than 65536 bytes").says("line 2: it is not UTF-8");
    assert_eq!(done.lines().len(), 1);
    let missing = keyfob.run(&["issue", "--from=missing.jsonl", "--json"]).exits(2);
    assert_eq!(missing.error_code(), "input_unreadable");
}
}

both_ways! {
fn a_program_that_writes_a_line_and_waits_gets_its_token(keyfob: &Keyfob) {
    let mut child = keyfob.start(&["issue", "--from=-"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..3 {
        stdin.write_all(b"{}\n").unwrap();
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line.split('\t').count(), 4, "{line}");
    }
    drop(stdin);
    Done::of(child).exits(0).says("3 issued");
}
}
