//! Text from outside: what a person reads shows every character, and a value stays a value.

use crate::harness::{Keyfob, both_ways, snapshot_settings};

/// Characters of each class that is invisible or reorders text, without control characters, which
/// no field takes.
const HIDDEN: [char; 12] = [
    '\u{202e}',
    '\u{2066}',
    '\u{200b}',
    '\u{e0041}',
    '\u{3164}',
    '\u{fe0f}',
    '\u{2028}',
    '\u{a0}',
    '\u{ad}',
    '\u{feff}',
    '\u{2800}',
    '\u{115f}',
];

#[test]
fn invisible_characters_are_escaped_in_text_and_unchanged_in_json() {
    let keyfob = Keyfob::new();
    let hidden: String = HIDDEN.iter().collect();
    let subject = format!("alice{hidden}");
    // C1 control characters are refused in fields, but JSON allows them in claims.
    let claim = format!("note=\"{hidden}\u{9b}31m\"");
    let (id, _) = keyfob.issue(&["--subject", &subject, "--client", &subject, "--tag", &subject]);
    // Tokens of one tick of an id, 16 ms, are listed in any order.
    std::thread::sleep(std::time::Duration::from_millis(40));
    let (claimed, _) = keyfob.issue(&["--claim", &claim]);
    let by = ["--by", subject.as_str(), "--reason", subject.as_str()];
    keyfob.run(&["update", &id, "--label", &format!("a={subject}"), "--by", &subject]).exits(0);
    let revoke: Vec<_> = ["revoke", &id].into_iter().chain(by).collect();
    keyfob.run(&revoke).exits(0);
    let show = |args: &[&str]| {
        let done = keyfob.run(args);
        let text = format!("{}{}", done.stdout, done.stderr);
        for c in HIDDEN.into_iter().chain(['\u{9b}']) {
            assert!(!text.contains(c), "{args:?} shows U+{:04X}: {text:?}", u32::from(c));
        }
        text
    };
    snapshot_settings().bind(|| {
        insta::assert_snapshot!("list", show(&["list"]));
        insta::assert_snapshot!("show", show(&["show", &id]));
        insta::assert_snapshot!("show_claims", show(&["show", &claimed]));
        insta::assert_snapshot!("history", show(&["history", &id]));
        insta::assert_snapshot!("stats", show(&["stats"]));
        insta::assert_snapshot!("filter_error", show(&["list", &format!("tag:{subject} x")]));
        insta::assert_snapshot!("more", show(&["list", "--limit=1", &format!("tag:{subject}")]));
        let again: Vec<_> = ["revoke", "--subject", &subject].into_iter().chain(by).collect();
        insta::assert_snapshot!("revoke", show(&again));
    });
    for args in [vec!["list", "--json"], vec!["show", &id, "--json"]] {
        let done = keyfob.run(&args).exits(0);
        let found = done.objects().iter().any(|token| token["subject"] == subject.as_str());
        assert!(found, "{args:?}: {done:?}");
    }
    let events = keyfob.run(&["events"]).exits(0);
    assert!(events.stdout.contains(&subject), "{}", events.stdout);
}

both_ways! {
fn two_similar_looking_subjects_are_distinguished(keyfob: &Keyfob) {
    for subject in
        ["alice", "alice\u{200b}", r"alice\u{200b}", r"alice\\u{200b}", "a\u{a0}b", "a b"]
    {
        keyfob.issue(&["--subject", subject]);
    }
    let listed = keyfob.run(&["list", "kind:access"]).exits(0);
    let subjects: std::collections::BTreeSet<_> = listed
        .lines()
        .iter()
        .filter_map(|line| line.split('\t').nth(3))
        .map(str::to_owned)
        .collect();
    assert_eq!(subjects.len(), 6, "{subjects:?}");
}
}

both_ways! {
fn a_command_for_the_next_page_can_be_copied_from_a_terminal(keyfob: &Keyfob) {
    let subject = "it's a\u{200b}lice \\ \u{e0041}";
    for _ in 0..2 {
        keyfob.issue(&["--subject", subject]);
    }
    let done = keyfob.run(&["list", "--limit=1", "subject:$who", &format!("--bind=who={subject}")]);
    let done = done.exits(0);
    let command = done.stderr.split("follow: keyfob ").nth(1).unwrap().trim();
    let mut shell = keyfob.command(&[]);
    let binary = shell.get_program().to_owned();
    let script = format!("\"$0\" {command}");
    shell = {
        let mut bash = std::process::Command::new("bash");
        bash.args(["-c", &script]).arg(&binary).current_dir(keyfob.home());
        for (name, value) in shell.get_envs() {
            match value {
                Some(value) => bash.env(name, value),
                None => bash.env_remove(name),
            };
        }
        bash
    };
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1, "{command}");
}
}

both_ways! {
fn a_bound_value_cannot_change_a_filter(keyfob: &Keyfob) {
    for subject in ["alice", "alice state:revoked", "x kind:refresh", "a\" kind:\"b"] {
        keyfob.issue(&["--subject", subject, "--label", &format!("owner={subject}")]);
    }
    for subject in ["alice", "alice state:revoked", "x kind:refresh", "a\" kind:\"b"] {
        let bind = format!("--bind=who={subject}");
        let found = keyfob.run(&["list", "--json", "subject:$who", &bind]).exits(0).object();
        assert_eq!(found["subject"], subject);
        let counted = keyfob.run(&["count", "label:owner=$who kind:access", &bind]).exits(0);
        assert_eq!(counted.stdout, "1\n", "{subject}");
        let sweep = ["revoke", "--json", "--dry-run", "--where=subject:$who", &bind];
        assert_eq!(keyfob.run(&sweep).exits(0).object()["count"], 1, "{subject}");
    }
    let sweep = ["revoke", "--yes", "--where=subject:$who", "--bind=who=alice state:revoked"];
    keyfob.run(&sweep).exits(0);
    assert_eq!(keyfob.run(&["count", "state:active kind:access"]).stdout, "3\n");
    assert_eq!(keyfob.run(&["count", "subject:alice state:active"]).stdout, "1\n");
}
}

both_ways! {
fn a_binding_that_is_missing_or_left_over_is_refused(keyfob: &Keyfob) {
    keyfob.issue(&[]);
    for (args, says) in [
        (vec!["list", "subject:$who"], "no value is bound to '$who'"),
        (vec!["revoke", "--dry-run", "--where=subject:$who"], "--bind NAME=VALUE"),
        (vec!["list", "subject:a", "--bind=who=hunter2"], "the filter has no '$who'"),
        (vec!["count", "--bind=who=hunter2"], "the filter has no '$who'"),
        (
            vec!["list", "subject:$who", "--bind=who=a", "--bind=who=hunter2"],
            "binding is given twice",
        ),
        (vec!["list", "subject:$who", "--bind=who"], "Write name=value"),
        (vec!["list", "subject:$who", "--bind=a b=hunter2"], "binding is malformed"),
        (vec!["list", "kind:$k", "--bind=k=hunter2"], "the value of '$k': kind is malformed"),
        (vec!["revoke", "--subject=a", "--bind=who=hunter2"], "cannot be used together"),
    ] {
        let done = keyfob.run(&args).exits(2).says(says);
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
    keyfob.run(&["list", "subject:\"$who\""]).exits(0);
}
}

both_ways! {
fn claims_that_readers_of_json_disagree_on_are_refused_with_their_place(keyfob: &Keyfob) {
    for (claims, place) in [
        (r#"{"n":1e999}"#, "at /n "),
        (r#"{"n":{"a":1,"a":2}}"#, "at /n/a"),
        (r#"{"n":[1,{"m":123456789012345678901234567890}]}"#, "at /n/1/m "),
        (r#"{"n":[1,{"m":1,"b":0,"m":1}]}"#, "at /n/1/m"),
    ] {
        let value = claims.strip_prefix("{\"n\":").and_then(|rest| rest.strip_suffix('}')).unwrap();
        let flag = format!("--claim=n={value}");
        let code = keyfob.run(&["issue", "--json", &flag]).exits(2).says(place).error_code();
        assert_eq!(code, "invalid_value");
        let line = format!("{{\"claims\":{claims}}}");
        keyfob.feed(&["issue", "--from=-"], line.as_bytes()).exits(2).says("line 1: ").says(place);
    }
    keyfob.run(&["issue", r#"--claim=n={"a":{"b":1},"c":[{"b":1},1.5,-7]}"#]).exits(0);
}
}

both_ways! {
fn a_time_that_is_not_possible_is_refused_with_the_reason(keyfob: &Keyfob) {
    let (flag, line) =
        ("--expires-at=9999-12-31T23:59:59Z", "{\"expires_at\":\"9999-12-31T23:59:59Z\"}");
    let done = keyfob.run(&["issue", flag]).exits(2).says("to 9999-12-30T00:00:00Z");
    let done = done.says("use --ttl never");
    assert!(!done.stderr.contains("malformed"), "{}", done.stderr);
    keyfob.feed(&["issue", "--from=-"], line.as_bytes()).exits(2).says("to 9999-12-30T00:00:00Z");
    let zone = "--expires-at=2027-06-01T00:00:00-05:00[Europe/Berlin]";
    keyfob.run(&["issue", zone]).exits(2).says("the time zone in brackets");
    keyfob.run(&["issue", "--expires-at=2099-06-01T00:00:00+02:00[Europe/Berlin]"]).exits(0);
    keyfob.run(&["issue", "--expires-at=soon"]).exits(2).says("such as +15m");
    keyfob.run(&["list", "expires-before:9999-12-31"]).exits(2).says("to 9999-12-30T00:00:00Z");
    assert_eq!(keyfob.run(&["count", "kind:access"]).stdout, "1\n");
}
}
