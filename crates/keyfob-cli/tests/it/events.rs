//! Events: stored ones from a cursor on, and new ones.

use std::io::{BufRead, BufReader};

use crate::harness::{Done, Keyfob, both_ways, interrupt};

both_ways! {
fn a_cursor_resumes_after_the_last_event(keyfob: &Keyfob) {
    let start = keyfob.latest_event();
    let (first, _) = keyfob.issue(&[]);
    let (second, _) = keyfob.issue(&[]);
    let args = ["events", "--json", "--limit=1", "--with-cursor", "--after", &start];
    let page = keyfob.run(&args).exits(0);
    let event = page.object();
    assert_eq!(event["subject"], first.as_str());
    let cursor = event["keyfobcursor"].as_str().unwrap();
    assert_eq!(page.stderr_objects()[0]["note"]["cursor"], cursor);
    let rest = keyfob.run(&["events", "--after", cursor]).exits(0);
    assert_eq!(rest.object()["subject"], second.as_str());
    assert_eq!(keyfob.run(&["events", "--after=latest"]).exits(0).stdout, "");
}
}

#[test]
fn follow_prints_events_of_other_processes_and_a_cursor_at_the_end() {
    let server = keyfob_testkit::redis::server();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    follow(&Keyfob::on(&format!("{}/?namespace={namespace}", server.url())));
}

#[test]
fn follow_prints_events_of_other_processes_through_a_server() {
    follow(&Keyfob::served());
}

fn follow(keyfob: &Keyfob) {
    let start = keyfob.latest_event();
    let (old, _) = keyfob.issue(&[]);
    let mut child = keyfob.start(&["events", "--follow", "--json", "--after", &start]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["subject"], old.as_str());
    let (new, _) = keyfob.issue(&[]);
    assert_eq!(next()["subject"], new.as_str());
    keyfob.run(&["revoke", &new, "--reason=test"]).exits(0);
    let event = next();
    assert_eq!(
        (&event["type"], &event["data"]["reason"]),
        (&"keyfob.token.revoked".into(), &"test".into())
    );
    interrupt(&child);
    let done = Done::of(child).exits(0);
    let cursor = done.stderr_objects()[0]["note"]["cursor"].as_str().unwrap().to_owned();
    assert_eq!(keyfob.run(&["events", "--after", &cursor]).exits(0).stdout, "");
}

both_ways! {
fn observations_are_separate_from_events(keyfob: &Keyfob) {
    let (id, bearer) = keyfob.issue(&[]);
    keyfob.feed(&["validate", "--scope=x"], bearer.as_bytes()).exits(1);
    keyfob.feed(&["validate"], b"nonsense").exits(1);
    // A server writes observations a little later.
    let seen = (0..100).find_map(|_| {
        let seen = keyfob.run(&["events", "--observations"]).exits(0).objects();
        std::thread::sleep(std::time::Duration::from_millis(if seen.len() < 2 { 50 } else { 0 }));
        (seen.len() == 2).then_some(seen)
    });
    let seen = seen.expect("two observations");
    let codes: Vec<_> = seen.iter().map(|seen| seen["data"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["insufficient_scope", "token_malformed"]);
    assert_eq!(seen[0]["subject"], id.as_str());
    let one = keyfob.run(&["events", "--observations", "--limit=1", "--json"]).exits(0);
    let cursor = one.stderr_objects()[0]["note"]["cursor"].as_str().unwrap().to_owned();
    let rest = keyfob.run(&["events", "--observations", "--after", &cursor]).exits(0);
    assert_eq!(rest.objects().len(), 1);
    assert_eq!(keyfob.run(&["events", "--observations", "--after=latest"]).exits(0).stdout, "");
}
}
