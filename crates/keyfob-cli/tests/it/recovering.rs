//! `recover`, `revoke --issued-before` and the page about recovery, on a store that was rolled
//! back.

use std::time::Duration;

use crate::harness::{Done, Keyfob};

/// A store that was restored from a backup, with the log of all its events.
struct RolledBack {
    keyfob: Keyfob,
    /// Tokens that were revoked after the backup and are active again.
    revived: Vec<(String, String)>,
    /// A token that was not revoked.
    kept: (String, String),
    /// A token of a subject that was revoked, issued after the restore.
    new: (String, String),
}

impl RolledBack {
    fn new() -> Self {
        let keyfob = Keyfob::new();
        let issue = |args: &[&str]| keyfob.issue(args);
        let revived = vec![
            issue(&["--subject=alice"]),
            issue(&["--subject=bob"]),
            issue(&["--subject=bob", "--client=web"]),
            issue(&["--subject=carol", "--client=shop"]),
        ];
        let kept = issue(&["--subject=dave"]);
        let path = keyfob.home().join("tokens.redb");
        let backup = std::fs::read(&path).unwrap();
        keyfob.run(&["revoke", &revived[0].0, "--reason=stolen phone", "--by=ops"]).exits(0);
        keyfob.run(&["revoke", "--subject=bob", "--reason=password changed"]).exits(0);
        keyfob.run(&["revoke", "--client=shop"]).exits(0);
        let log = keyfob.run(&["events", "--json"]).exits(0).stdout;
        keyfob.file("audit.jsonl", log);
        std::fs::write(&path, backup).unwrap();
        // A revocation of many covers what was issued up to a second later.
        std::thread::sleep(Duration::from_millis(1100));
        let new = issue(&["--subject=bob"]);
        let rolled_back = Self { revived, kept, new, keyfob };
        rolled_back.assert_revived_are(0);
        rolled_back
    }

    fn validate(&self, bearer: &str) -> Done {
        self.keyfob.feed(&["validate"], bearer.as_bytes())
    }

    #[track_caller]
    fn assert_revived_are(&self, code: i32) {
        for (_, bearer) in &self.revived {
            self.validate(bearer).exits(code);
        }
    }
}

#[test]
fn recover_revokes_what_the_log_has_and_nothing_else() {
    let store = RolledBack::new();
    let run = |args: &[&str]| store.keyfob.run(args).exits(0).object();
    let counted = run(&["recover", "audit.jsonl", "--dry-run", "--json"]);
    assert_eq!((&counted["outcome"], &counted["count"]), (&"counted".into(), &4.into()));
    store.assert_revived_are(0);
    let done = run(&["recover", "audit.jsonl", "--json"]);
    assert_eq!((&done["outcome"], &done["count"]), (&"recovered".into(), &4.into()));
    assert_eq!(
        (&done["tokens"], &done["subjects"], &done["clients"]),
        (&1.into(), &1.into(), &1.into())
    );
    store.assert_revived_are(1);
    store.validate(&store.kept.1).exits(0);
    store.validate(&store.new.1).exits(0);
    let shown = run(&["show", &store.revived[0].0, "--json"]);
    assert_eq!(shown["revocation"]["reason"], "stolen phone");
    assert_eq!(shown["revocation"]["by"], "ops");
    let again = run(&["recover", "audit.jsonl", "--json"]);
    assert_eq!((&again["count"], &again["already_revoked"]), (&0.into(), &1.into()));
    let later = run(&["recover", "audit.jsonl", "--since=2999-01-01T00:00:00Z", "--json"]);
    assert_eq!((&later["tokens"], &later["subjects"]), (&0.into(), &0.into()));
}

#[test]
fn a_log_with_a_gap_or_torn_lines_is_applied_and_exits_with_1() {
    let store = RolledBack::new();
    let log = std::fs::read_to_string(store.keyfob.home().join("audit.jsonl")).unwrap();
    let gap =
        "{\"specversion\":\"1.0\",\"source\":\"/keyfob\",\"type\":\"keyfob.events.trimmed\"}\n";
    let torn = &log[..log.len() - 20];
    for (text, note, left) in [(format!("{gap}{log}"), "gap", 0), (torn.to_owned(), "malformed", 1)]
    {
        store.keyfob.file("damaged.jsonl", &text);
        let done = store.keyfob.run(&["recover", "damaged.jsonl", "--dry-run", "--json"]).exits(1);
        assert_eq!(done.stderr_objects()[0]["note"]["code"], note);
        assert_eq!(done.object()["count"], 4 - left, "the count has the remaining tokens: {note}");
    }
    let done = store.keyfob.feed(&["recover", "-"], log.as_bytes()).exits(0);
    assert!(done.stdout.starts_with("4 tokens revoked"), "{done:?}");
    store.keyfob.run(&["recover", "missing.jsonl"]).exits(2).says("missing.jsonl");
}

#[test]
fn without_a_log_everything_before_a_time_is_revoked() {
    let store = RolledBack::new();
    let issued = store.keyfob.run(&["show", &store.new.0, "--json"]).exits(0).object();
    let time = issued["issued_at"].as_str().unwrap();
    store.keyfob.run(&["revoke", "--issued-before", time, "--yes"]).exits(0);
    store.assert_revived_are(1);
    store.validate(&store.kept.1).exits(1);
    store.validate(&store.new.1).exits(0);
    for injected in ["now kind:refresh", "", "x\ny"] {
        store.keyfob.run(&["revoke", "--issued-before", injected, "--yes"]).exits(2);
    }
}

#[test]
fn the_page_about_recovery_is_followed() {
    let store = RolledBack::new();
    let page = include_str!("../../../../docs/recovery.md");
    let commands: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("keyfob ")).collect();
    assert!(commands.iter().any(|line| line.starts_with("recover")), "{commands:?}");
    for line in commands {
        // The page has simple commands: words, and one text in quotes.
        let mut words = Vec::new();
        for (n, part) in line.split('\'').enumerate() {
            if n % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        store.keyfob.run(&words).exits(0);
    }
    store.assert_revived_are(1);
}

#[test]
fn tokens_that_are_refused_after_a_rollback_are_accepted_after_the_log_was_applied() {
    let server = keyfob_testkit::redis::server();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    let keyfob = Keyfob::on(&format!("{}/?namespace={namespace}&lanes=1", server.url()));
    let (stolen, kept) = (keyfob.issue(&["--subject=alice"]), keyfob.issue(&["--subject=bob"]));
    let log = keyfob.run(&["events", "--json"]).exits(0).stdout;
    keyfob.run(&["revoke", &stolen.0]).exits(0);
    let events = keyfob.run(&["events", "--json"]).exits(0).stdout;
    assert!(events.len() > log.len(), "the revocation is in the log");
    keyfob.file("audit.jsonl", &events);
    keyfob.file("gap.jsonl", &events[..events.len() - 20]);
    let is_active = |bearer: &str| keyfob.feed(&["validate"], bearer.as_bytes()).status.success();
    // What a node writes that finds the lane rolled back.
    let lane = format!("{namespace}:l{{0}}");
    let birth = server.call(&["HGET", &lane, "b"]).unwrap().to_string();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let (later, millis) = (now.to_string(), (now / 1000).to_string());
    let fields = ["b", &later, "n", &later, "f", &birth, "s", &millis, "o", &millis];
    server.call(&[&["HSET", &lane][..], &fields].concat()).unwrap();
    assert!(!is_active(&kept.1));
    let doctor = keyfob.run(&["doctor"]).exits(1);
    assert!(doctor.stdout.contains("keyfob recover --accept"), "{doctor:?}");
    // A log with a gap accepts nothing, and counting neither.
    keyfob.run(&["recover", "gap.jsonl", "--accept"]).exits(1);
    keyfob.run(&["recover", "audit.jsonl", "--dry-run", "--accept"]).exits(2);
    keyfob.run(&["recover"]).exits(2);
    assert!(!is_active(&kept.1));
    let done = keyfob.run(&["recover", "audit.jsonl", "--accept", "--json"]).exits(0).object();
    assert_eq!(done["accepted_lanes"], 1, "{done}");
    assert!(is_active(&kept.1) && !is_active(&stolen.1));
    let again = keyfob.run(&["recover", "--accept", "--json"]).exits(0).object();
    assert_eq!(again["accepted_lanes"], 0, "{again}");
}

#[test]
fn waiting_for_replicas_is_for_redis() {
    let keyfob = Keyfob::new();
    let (id, bearer) = keyfob.issue(&[]);
    keyfob.run(&["revoke", &id, "--wait=1"]).exits(2).says("no replicas");
    keyfob.feed(&["validate"], bearer.as_bytes()).exits(0);
    let server = keyfob_testkit::redis::server();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    let keyfob = Keyfob::on(&format!("{}/?namespace={namespace}", server.url()));
    let (id, bearer) = keyfob.issue(&[]);
    keyfob.run(&["revoke", &id, "--wait=1"]).exits(3).says("(outcome_unknown)");
    keyfob.feed(&["validate"], bearer.as_bytes()).exits(1);
}
