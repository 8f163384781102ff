//! A damaged store file: every command ends with an answer or a typed error, and no panic is
//! printed.

use crate::harness::{Done, Keyfob};

#[track_caller]
fn assert_typed(done: Done, what: &str) {
    let code = done.status.code();
    assert!(matches!(code, Some(0..=3)), "{what}: {done:#?}");
    assert!(!done.stderr.contains("panicked"), "{what}: {done:#?}");
    if code != Some(0) {
        assert!(done.stderr.contains("error: "), "{what}: {done:#?}");
    }
}

#[test]
fn flipped_bytes_are_typed_errors() {
    let keyfob = Keyfob::new();
    let (id, _) = keyfob.issue(&["--subject=alice"]);
    for n in 0..20 {
        keyfob.issue(&["--subject", &format!("user{n}")]);
    }
    let path = keyfob.home().join("tokens.redb");
    let whole = std::fs::read(&path).unwrap();
    let used: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    // The same positions in each run, spread over the whole file. Most kinds of damage are in the
    // header.
    let header = used.iter().take_while(|at| **at < 512).step_by(9);
    for at in header.chain(used.iter().step_by(used.len() / 60)) {
        let mut damaged = whole.clone();
        damaged[*at] ^= 0x55;
        for args in [&["list"][..], &["revoke", &id], &["issue", "--subject=bob"]] {
            std::fs::write(&path, &damaged).unwrap();
            assert_typed(keyfob.run(args), &format!("byte {at}, {args:?}"));
        }
    }
}
