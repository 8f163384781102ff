//! The same commands on a store and through a server: the same output, notes, errors and exit codes.

use serde_json::Value;

use crate::harness::{Done, Keyfob};

/// One way: the store itself, or the server in front of one.
struct Way {
    keyfob: Keyfob,
    /// The flag that makes a store record what a server records.
    by: Option<String>,
    id: String,
    bearer: String,
    family: String,
    key: String,
}

impl Way {
    fn new(keyfob: Keyfob) -> Self {
        let by = keyfob.by("admin");
        let mut way = Self {
            keyfob,
            by,
            id: String::new(),
            bearer: String::new(),
            family: String::new(),
            key: String::new(),
        };
        let full = ["--subject=alice", "--client=web", "--scope=read", "--tag=mobile"];
        (way.id, way.bearer) = way.issue(&full);
        (way.family, _) = way.issue(&["--kind=refresh", "--subject=bob"]);
        (way.key, _) = way.issue(&["--kind=api-key", "--client=shop", "--ttl=never"]);
        way.keyfob.file("log.jsonl", log_of(&[("subject", &way.id)]));
        way
    }

    fn issue(&self, args: &[&str]) -> (String, String) {
        let args: Vec<_> = args.iter().copied().chain(self.by.as_deref()).collect();
        wait_for_a_tick();
        self.keyfob.issue(&args)
    }

    /// Runs a command with the names of the tokens replaced.
    fn run(&self, args: &[&str], json: bool) -> Done {
        let mut words: Vec<String> = args
            .iter()
            .map(|word| match *word {
                "ID" => self.id.clone(),
                "FAMILY" => self.family.clone(),
                "KEY" => self.key.clone(),
                word => word.to_owned(),
            })
            .collect();
        if ["issue", "update", "revoke", "rotate", "derive"].contains(&args[0]) {
            words.extend(self.by.clone());
        }
        if json {
            words.push("--json".to_owned());
        }
        if args[0] == "issue" {
            wait_for_a_tick();
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        self.keyfob.feed(&words, self.bearer.as_bytes())
    }
}

/// A log that revokes tokens and, under the name `token_subject`, subjects.
pub(crate) fn log_of(revoked: &[(&str, &str)]) -> String {
    let line = |(what, name): &(&str, &str)| {
        let (kind, subject, data) = match *what {
            "subject" => ("keyfob.token.revoked", Some(name), serde_json::json!({})),
            what => ("keyfob.epoch.advanced", None, serde_json::json!({ what: name })),
        };
        let mut event = serde_json::json!({
            "specversion": "1.0", "type": kind, "time": "2999-01-01T00:00:00Z", "data": data,
        });
        event["data"]["reason"] = "stolen".into();
        event["data"]["by"] = "ops".into();
        if let Some(subject) = subject {
            event["subject"] = (*subject).into();
        }
        format!("{event}\n")
    };
    revoked.iter().map(line).collect()
}

/// Tokens of one tick of an id, 16 ms, are listed in any order.
fn wait_for_a_tick() {
    std::thread::sleep(std::time::Duration::from_millis(40));
}

/// The objects of a text, without notes about the place, with their members in order, or its lines. A server writes the last use of
/// a token a little later.
fn normalized(text: &str) -> String {
    let line = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(value) => value
            .to_string()
            .replace(r#""last_used":null"#, r#""last_used":"2026-01-01T00:00:00Z""#),
        Err(_) if line.starts_with("last used:") => String::new(),
        Err(_) => line.to_owned(),
    };
    // A server counts limits for all who ask it. A command on a file says that it counts for itself.
    let lines = text.lines().filter(|line| !line.contains("Each process counts for itself"));
    lines.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_output_is_the_same_on_a_store_and_through_a_server() {
    let ways = [Way::new(Keyfob::with_admin_key().0), Way::new(Keyfob::served())];
    let unknown = "tok_00d1h88n000000000000000001";
    let commands: &[&[&str]] = &[
        &["show", "ID"],
        &["show", unknown],
        &["list"],
        &["list", "--limit=1", "tag:mobile"],
        &["list", "--sort=expiring", "--all-pages"],
        &["list", "subjct:a"],
        &["count"],
        &["count", "tag:mobile"],
        &["history", "ID"],
        &["history", unknown],
        &["validate"],
        &["validate", "--scope=write"],
        &["validate", "--all", "--scope=write", "--audience=x", "--issuer=y"],
        &["validate", "--kind=refresh"],
        &["issue", "--subject=carol", "--ttl=1h", "--claim=seats=12"],
        &["issue", "--subject=carol", "--expires-at=2020-01-01T00:00:00Z"],
        &["issue", "--claim=a=1", "--claim=a=2"],
        &["derive", "--scope=read", "--acting=agent"],
        &["derive", "--scope=write"],
        &["refresh"],
        &["rotate", "KEY"],
        &["rotate", "ID"],
        &["update", "ID", "--label=a=b", "--tag=vip"],
        &["update", unknown, "--tag=vip"],
        &["stats"],
        &["stats", "--exact"],
        &["limit", "show", "--rate=3/1h", "--subject=alice"],
        &["limit", "show", "--rate=3/1h", "--failed-attempts", "--ip=192.0.2.1"],
        &["limit", "test", "--rate=3/1h", "--cost=4", "--client=web"],
        &["limit", "test", "--rate=3/1h", "--cost=0", "--client=web"],
        &["limit", "test", "--rate=3/1h", "--lease=2m", "--client=web"],
        &["recover", "log.jsonl", "--dry-run"],
        &["recover", "missing.jsonl"],
        &["recover", "--accept"],
        &["events", "--limit=3"],
        &["events", "--with-cursor"],
        &["events", "--after=nonsense"],
        &["revoke", "ID", "--dry-run"],
        &["revoke", unknown, "--dry-run"],
        &["revoke", "--subject=alice", "--dry-run"],
        &["revoke", "--where=tag:mobile", "--dry-run"],
        &["revoke", "--where=tag:mobile"],
        &["revoke", "--where=tag:mobile", "--yes"],
        &["revoke", "ID", "--reason=logout"],
        &["revoke", "ID", "--reason=again"],
        &["revoke", unknown],
        &["revoke", "--family", "FAMILY"],
        &["revoke", "--subject=alice"],
        &["revoke", "--subject=nobody"],
        &["revoke", "--client=web", "--reason=incident"],
        &["validate"],
        &["update", "ID", "--tag=late"],
        &["events"],
    ];
    let mut differences = Vec::new();
    for args in commands {
        for json in [false, true] {
            let [store, server] = ways.each_ref().map(|way| {
                let done = way.run(args, json);
                let text = format!("{}\n{}", normalized(&done.stdout), normalized(&done.stderr));
                format!("{:?} {}", done.status.code(), without_run_values(&text))
            });
            if store != server {
                differences.push(format!("{args:?}\nstore:  {store}\nserver: {server}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    // Its figures differ: one process has had more to do.
    let [store, server] = ways.each_ref().map(|way| {
        let report = way.run(&["doctor"], true).exits(0).object();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.iter().map(|it| it["what"].to_string()).collect::<Vec<_>>()
    });
    assert_eq!(store, server);
}

/// Replaces ids, bearers, times and positions.
fn without_run_values(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    let mut words = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            words.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let word = &rest[..length];
        rest = &rest[length..];
        let is_time = word.len() >= 20 && word.as_bytes()[4] == b'-' && word.contains('T');
        let is_position = word.split('.').count() == 3 && word.chars().any(|c| c.is_ascii_digit());
        let is_drawn = ["tok_", "fob_", "op_"].iter().any(|start| word.starts_with(start));
        match is_time || is_position || is_drawn {
            true => words.push_str(&word[..2]),
            false => words.push_str(word),
        }
    }
    words
}

#[test]
fn a_command_for_a_store_only_says_so() {
    let keyfob = Keyfob::served();
    let id = "tok_00d1h88n000000000000000001";
    for args in [vec!["demo"], vec!["init"], vec!["serve"], vec!["revoke", id, "--wait=1"]] {
        let done =
            keyfob.run(&args).exits(2).says("(needs_store)").says("hint: leave out --server");
        assert_eq!(done.stdout, "", "{args:?}");
    }
    keyfob.run(&["scanner-regex"]).exits(0);
    keyfob.run(&["issue", "--by=ops"]).exits(2).says("--by is for a store");
    keyfob.run(&["revoke", id, "--by=ops"]).exits(2).says("--by is for a store");
}

#[test]
fn a_server_and_a_store_are_not_mixed_up() {
    let keyfob = Keyfob::served();
    let store = format!("file:{}", keyfob.home().join("other.redb").display());
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let output = keyfob.command(args).envs(variables.iter().copied()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, stderr) = run(&["list"], &[("KEYFOB_STORE", &store)]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("both KEYFOB_STORE and KEYFOB_SERVER are set"), "{stderr}");
    // A flag is stronger than a variable.
    let (code, stderr) = run(&["list", "--store", &store], &[]);
    assert_eq!(code, Some(3), "the store does not exist: {stderr}");
    let url = keyfob.server_url();
    let (code, stderr) = run(&["list", "--server", &url], &[("KEYFOB_STORE", &store)]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, stderr) = run(&["list", "--server", &url, "--store", &store], &[]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("exclude each other"), "{stderr}");
}

#[test]
fn the_key_is_in_a_variable_or_a_file_and_never_shown() {
    let keyfob = Keyfob::served();
    let path = keyfob.file("key", keyfob.admin_key());
    let run = |args: &[&str], token: &str| {
        let mut command = keyfob.command(args);
        let output = match token {
            "" => command.env_remove("KEYFOB_TOKEN").output().unwrap(),
            token => command.env("KEYFOB_TOKEN", token).output().unwrap(),
        };
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let path = path.to_str().unwrap();
    assert_eq!(run(&["stats", "--token-file", path], "").0, Some(0));
    let (code, stderr) = run(&["stats"], "");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("KEYFOB_TOKEN") && stderr.contains("--token-file"), "{stderr}");
    let (code, stderr) = run(&["stats", "-vvv"], "fob_ak_hunter2");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("(invalid_client)") && !stderr.contains("hunter2"), "{stderr}");
    let (code, stderr) = run(&["stats", "--token-file=missing"], "");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("missing"), "{stderr}");
}

#[test]
fn a_server_that_is_away_is_3_and_one_that_is_none_is_named() {
    let keyfob = Keyfob::served();
    let done = keyfob.run(&["list", "--server=http://127.0.0.1:1"]).exits(3);
    done.says("(server_unreachable)").says("hint: check --server");
    for url in ["tokens.example", "ftp://x", "http://u:hunter2@h"] {
        let done = keyfob.run(&["list", "--server", url]).exits(2).says("the URL of the server");
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
}
