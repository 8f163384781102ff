//! Ctrl-C: the store is closed, and the report is correct.

use std::io::{BufRead, BufReader, Write};

use crate::harness::{Done, Keyfob, both_ways, interrupt, interrupt_after};

both_ways! {
fn waiting_for_a_bearer_is_interrupted(keyfob: &Keyfob) {
    keyfob.issue(&[]);
    // Stdin stays open, so the command waits forever.
    let mut child = keyfob.start(&["validate", "-vv"]);
    let stdin = child.stdin.take();
    interrupt_after(child, "the store is open").exits(130).says("(interrupted)");
    drop(stdin);
    keyfob.run(&["list"]).exits(0);
}
}

both_ways! {
fn an_interrupted_import_loses_no_bearer(keyfob: &Keyfob) {
    let mut child = keyfob.start(&["issue", "--from=-"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all("{}\n".repeat(100).as_bytes()).unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    interrupt(&child);
    let shown = 1 + out.lines().count();
    let done = Done::of(child).exits(130);
    assert!(done.stderr.contains(&format!("{shown} issued")), "{done:?}");
    let count = format!("{}\n", shown + keyfob.keys() as usize);
    assert_eq!(keyfob.run(&["count"]).exits(0).stdout, count);
    drop(stdin);
}
}
