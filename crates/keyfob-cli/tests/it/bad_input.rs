//! Invalid input gives a typed error. It never causes a panic, a guess, or a repeated value.

use crate::harness::{Keyfob, both_ways};

both_ways! {
fn input_that_is_not_a_bearer_is_refused(keyfob: &Keyfob) {
    let (_, bearer) = keyfob.issue(&[]);
    let twice = format!("{bearer}\n{bearer}");
    let last = if bearer.ends_with('0') { '1' } else { '0' };
    let typo = format!("{}{last}", &bearer[..bearer.len() - 1]);
    let other_prefix = bearer.replacen("fob", "acme", 1);
    for stdin in [
        &b""[..],
        b"\n",
        b"\xff\xfe\x00",
        b"fob_at_\x1b[31m",
        &vec![b'A'; 1024 * 1024],
        twice.as_bytes(),
        typo.as_bytes(),
        other_prefix.as_bytes(),
    ] {
        let done = keyfob.feed(&["validate", "--json"], stdin).exits(1).object();
        assert_eq!(done["code"], "token_malformed");
        let all = keyfob.feed(&["validate", "--json", "--all"], stdin).exits(1).object();
        assert_eq!(all["code"], "token_malformed");
    }
}
}

both_ways! {
fn white_space_and_a_byte_order_mark_around_a_bearer_do_not_count(keyfob: &Keyfob) {
    let (_, bearer) = keyfob.issue(&[]);
    for (before, after) in [
        ("", ""),
        ("", "\n"),
        ("", "\r\n"),
        ("", "\n\n"),
        (" ", " "),
        ("\t\n", "\u{a0}\u{2003}"),
        ("\u{feff}", ""),
        ("\u{feff} ", "\r\n"),
        ("\n\u{feff}", "\u{feff}"),
    ] {
        let stdin = format!("{before}{bearer}{after}");
        keyfob.feed(&["validate"], stdin.as_bytes()).exits(0);
        keyfob.file("bearer.txt", &stdin);
        keyfob.run(&["derive", "--bearer-file=bearer.txt"]).exits(0);
    }
    if keyfob.is_served() {
        return;
    }
    let (_, refresh) = keyfob.issue(&["--kind=refresh"]);
    keyfob.feed(&["refresh"], format!("\u{feff}{refresh} \n").as_bytes()).exits(0);
}
}

both_ways! {
fn a_hint_says_what_is_wrong_with_a_malformed_bearer(keyfob: &Keyfob) {
    let (id, bearer) = keyfob.issue(&[]);
    // Drawn by a store with another prefix.
    let (_, acme) = Keyfob::new().issue(&["--prefix=acme"]);
    let utf_16: Vec<u8> = bearer.bytes().flat_map(|byte| [byte, 0]).collect();
    let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf_16.iter().copied()).collect();
    for (stdin, hint) in [
        (format!("Bearer {bearer}"), "leave out 'Bearer '"),
        (format!("bearer {bearer}\n"), "leave out 'Bearer '"),
        (format!("Authorization: Bearer {bearer}"), "leave out 'Bearer '"),
        (format!("\"{bearer}\""), "leave out the quotes"),
        (format!("'{bearer}'"), "leave out the quotes"),
        (format!("\u{201c}{bearer}\u{201d}"), "leave out the quotes"),
        (format!("\u{200b}{bearer}"), "character 1 is U+200B"),
        (format!("{}\u{ad}{}", &bearer[..9], &bearer[9..]), "character 10 is U+00AD"),
        (format!("{bearer}\n{bearer}"), "one bearer only"),
        (id, "the id of a token"),
        (acme, "pass it with --prefix"),
        (" \n".to_owned(), "stdin is empty"),
    ] {
        check_hint(keyfob, stdin.as_bytes(), hint);
    }
    check_hint(keyfob, &utf_16, "stdin cannot be read: it is UTF-16");
    check_hint(keyfob, &marked, "stdin cannot be read: it is UTF-16");
    // A text without any of these gets no hint.
    let done = keyfob.feed(&["validate"], b"fob_at_guess").exits(1);
    assert!(!done.stderr.contains("hint"), "{}", done.stderr);
    let done =
        keyfob.feed(&["validate"], b"").exits(1).says("token is malformed: no bearer was given");
    assert!(!done.stderr.contains("copied whole"), "{}", done.stderr);
}
}

/// Asserts that each command that reads a bearer gives the hint, in each form, and repeats nothing.
#[track_caller]
fn check_hint(keyfob: &Keyfob, stdin: &[u8], hint: &str) {
    let secret = |text: &str| text.contains("fob_at_") || text.contains("acme_at_");
    for args in [
        vec!["validate"],
        vec!["validate", "--json"],
        vec!["validate", "--all"],
        vec!["validate", "--all", "--json"],
        vec!["refresh"],
        vec!["refresh", "--json"],
        vec!["derive"],
        vec!["derive", "--json"],
    ] {
        if args[0] == "refresh" && keyfob.is_served() {
            continue;
        }
        let done = keyfob.feed(&args, stdin).exits(1).says(hint);
        assert!(!secret(&done.stdout) && !secret(&done.stderr), "{args:?}: {done:?}");
        if args.contains(&"--json") {
            done.stderr.lines().for_each(|line| assert!(line.starts_with('{'), "{line}"));
        }
    }
}

both_ways! {
fn lines_of_json_may_start_with_a_byte_order_mark_and_are_not_utf_16(keyfob: &Keyfob) {
    let grants = "\u{feff}{\"subject\":\"a\"}\r\n{\"subject\":\"b\"}\n";
    let done = keyfob.feed(&["issue", "--from=-", "--json"], grants.as_bytes()).exits(0);
    let subjects: Vec<_> = done.objects().iter().map(|t| t["subject"].clone()).collect();
    assert_eq!(subjects, ["a", "b"]);
    let encoded: Vec<u8> = grants.encode_utf16().flat_map(u16::to_le_bytes).collect();
    keyfob.file("grants.jsonl", encoded);
    let done = keyfob.run(&["issue", "--from=grants.jsonl"]).exits(2);
    let done =
        done.says("grants.jsonl cannot be read: it is UTF-16 text").says("(input_unreadable)");
    assert_eq!(done.stdout, "");
}
}

both_ways! {
fn a_bearer_file_replaces_stdin(keyfob: &Keyfob) {
    let (_, bearer) = keyfob.issue(&[]);
    keyfob.file("bearer.txt", &bearer);
    keyfob.run(&["validate", "--bearer-file", "bearer.txt"]).exits(0);
    keyfob.feed(&["validate", "--bearer-file", "-"], bearer.as_bytes()).exits(0);
    let missing = keyfob.run(&["validate", "--bearer-file", "missing.txt", "--json"]).exits(2);
    assert_eq!(missing.error_code(), "input_unreadable");
    keyfob.run(&["validate", "--bearer-file", "."]).exits(2);
}
}

both_ways! {
fn control_characters_are_refused_in_every_flag(keyfob: &Keyfob) {
    let (id, _) = keyfob.issue(&[]);
    let evil = "a\u{1b}[31mb\nc";
    let flags = [
        "--subject",
        "--issuer",
        "--audience",
        "--scope",
        "--client",
        "--username",
        "--device-id",
        "--user-agent",
        "--platform",
        "--device-version",
        "--app",
        "--app-version",
        "--tag",
        "--by",
        "--kind",
        "--ttl",
        "--expires-at",
        "--not-before",
        "--idle",
        "--absolute",
        "--uses",
        "--ip",
    ];
    let mut runs: Vec<Vec<String>> =
        flags.iter().map(|flag| vec!["issue".into(), format!("{flag}={evil}")]).collect();
    let keyed = |args: &[&str]| args.iter().map(|arg| arg.to_string()).collect::<Vec<_>>();
    runs.push(keyed(&["issue", &format!("--label=a={evil}")]));
    runs.push(keyed(&["issue", &format!("--label={evil}=a")]));
    runs.push(keyed(&["issue", &format!("--claim=a=\"{evil}\"")]));
    runs.push(keyed(&["issue", &format!("--claim={evil}=1")]));
    for flag in ["--reason", "--by"] {
        runs.push(keyed(&["revoke", &id, &format!("{flag}={evil}")]));
    }
    for flag in ["--family", "--subject", "--client", "--where"] {
        runs.push(keyed(&["revoke", &format!("{flag}={evil}")]));
    }
    for flag in ["--remove-label", "--remove-tag", "--tag", "--app", "--by"] {
        runs.push(keyed(&["update", &id, &format!("{flag}={evil}")]));
    }
    for flag in
        ["--issuer", "--audience", "--scope", "--any-scope", "--device-id", "--require-claim"]
    {
        runs.push(keyed(&["validate", &format!("{flag}={evil}")]));
    }
    for command in ["show", "history", "list", "count"] {
        runs.push(keyed(&[command, evil]));
    }
    runs.push(keyed(&["list", &format!("subject:{evil}")]));
    runs.push(keyed(&["list", &format!("--cursor={evil}")]));
    runs.push(keyed(&["events", &format!("--after={evil}")]));
    runs.push(keyed(&["list", &format!("--prefix={evil}")]));
    runs.push(keyed(&["list", &format!("--store={evil}")]));
    runs.push(keyed(&["list", &format!("--store=file:{evil}")]));
    runs.push(keyed(&["list", &format!("--{evil}")]));
    runs.push(keyed(&["completions", evil]));
    runs.push(keyed(&[evil]));
    for args in &runs {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let done = keyfob.run(&args).exits(2);
        assert!(!done.stderr.contains('\u{1b}'), "{args:?}: {}", done.stderr);
        assert_eq!(done.stdout, "", "{args:?}");
    }
    assert_eq!(keyfob.run(&["count", "kind:access"]).stdout, "1\n");
}
}

both_ways! {
fn contradictions_and_overflows_are_reported(keyfob: &Keyfob) {
    for (args, says) in [
        (vec!["--label=a=1", "--label=a=2"], "label is given twice"),
        (vec!["--claim=a=1", "--claim=a=2"], "claim is given twice"),
        (vec!["--claim=sub=\"x\""], "a registered claim has a field of its own"),
        (vec!["--claim=plan=team"], "a text needs double quotes"),
        (vec!["--label=environment"], "Write key=value"),
        (vec!["--expires-at=2020-01-01T00:00:00Z"], "it is in the past"),
        (vec!["--not-before=+2h", "--ttl=1h"], "it must be before the expiry"),
        (vec!["--ttl=99999999999d"], "at most 100 years"),
        (vec!["--ttl=99999999999999999999999d"], "at most 100 years"),
        (vec!["--ttl=0s"], "at least 1 ms"),
        (vec!["--ttl=soon"], "duration is malformed"),
        (vec!["--uses=0"], "--uses"),
        (vec!["--uses=4294967296"], "--uses"),
        (vec!["--subject="], "subject is empty"),
        (vec!["--ip=999.1.1.1"], "--ip"),
        (vec!["--scope=read write"], "scope contains a character that is not allowed"),
        (vec!["--scope=read write"], "Repeat the flag for each scope"),
    ] {
        let words: Vec<_> = ["issue"].iter().chain(&args).copied().collect();
        keyfob.run(&words).exits(2).says(says);
    }
    let long = format!("--subject={}", "x".repeat(257));
    keyfob.run(&["issue", &long]).exits(2).says("at most 256 bytes");
    let tags: Vec<_> = (0..65).map(|n| format!("--tag=t{n}")).collect();
    let words: Vec<_> = ["issue"].into_iter().chain(tags.iter().map(String::as_str)).collect();
    keyfob.run(&words).exits(2).says("at most 64");
}
}

both_ways! {
fn a_typo_in_a_filter_is_pointed_at(keyfob: &Keyfob) {
    keyfob.issue(&[]);
    let done = keyfob.run(&["list", "tag:mobile", "subjct:user123"]).exits(2);
    let expected = "\
error: column 12: unknown key 'subjct': did you mean 'subject'? (invalid_filter)
  tag:mobile subjct:user123
             ^
";
    assert_eq!(done.stderr, expected);
    let json = keyfob.run(&["count", "--json", "subjct:user123"]).exits(2);
    assert_eq!(json.error_code(), "invalid_filter");
    keyfob.run(&["revoke", "--where=subjct:a"]).exits(2).says("^");
}
}

#[test]
fn an_invalid_store_url_is_refused_with_the_valid_forms() {
    let keyfob = Keyfob::new();
    for store in
        ["", "tokens.redb", "http://u:hunter2@host", "memory:x", "file:", "redis://u:hunter2@h:x"]
    {
        let done = keyfob.run(&["list", "--store", store]).exits(2);
        let done = done.says("(invalid_store_url)").says("file:").says("redis://").says("memory:");
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
}

both_ways! {
fn a_cursor_of_another_list_is_refused(keyfob: &Keyfob) {
    for _ in 0..3 {
        keyfob.issue(&["--subject=a"]);
    }
    let page = keyfob.run(&["list", "--limit=1", "--json", "subject:a"]).exits(0);
    let cursor = page.stderr_objects()[0]["note"]["cursor"].as_str().unwrap().to_owned();
    keyfob.run(&["list", "--cursor", &cursor, "subject:a"]).exits(0);
    keyfob.run(&["list", "--cursor", &cursor, "subject:b"]).exits(2).says("another filter");
    keyfob.run(&["list", "--cursor=nonsense"]).exits(2);
    keyfob.run(&["events", "--after=nonsense"]).exits(2);
}
}
