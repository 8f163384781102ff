//! The metrics of a command are written to a file.

use crate::harness::Keyfob;

#[test]
fn metrics_are_written_at_the_end_of_a_command() {
    let keyfob = Keyfob::new();
    keyfob.run(&["issue", "--subject", "user123", "--metrics", "keyfob.prom"]).exits(0);
    let text = std::fs::read_to_string(keyfob.home().join("keyfob.prom")).unwrap();
    let has = |line: &str| text.lines().any(|there| there == line);
    assert!(has("# TYPE keyfob_tokens_issued_total counter"), "{text}");
    assert!(has("keyfob_tokens_issued_total{kind=\"access\"} 1"), "{text}");
    assert!(has("keyfob_store_calls_total{method=\"insert\",outcome=\"ok\"} 1"), "{text}");
    assert!(has("keyfob_store_call_seconds_count{method=\"insert\"} 1"), "{text}");
    assert!(text.contains("keyfob_store_call_seconds_bucket{method=\"insert\",le=\"0.005\"}"));
    assert!(!text.contains("user123"));
    let files = std::fs::read_dir(keyfob.home()).unwrap().map(|file| file.unwrap().file_name());
    assert!(files.into_iter().all(|file| !file.to_string_lossy().contains("unfinished")));
}

#[test]
fn a_failed_command_writes_its_metrics_too() {
    let keyfob = Keyfob::new();
    keyfob.issue(&["--subject", "user123"]);
    keyfob.feed(&["validate", "--metrics", "keyfob.prom"], b"no bearer").exits(1);
    let text = std::fs::read_to_string(keyfob.home().join("keyfob.prom")).unwrap();
    let malformed = "keyfob_validations_total{outcome=\"token_malformed\",kind=\"unknown\"} 1";
    assert!(text.lines().any(|line| line == malformed), "{text}");
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::{FileTypeExt, symlink};

    let keyfob = Keyfob::new();
    let path = |name: &str| keyfob.home().join(name);
    std::fs::create_dir(path("real")).unwrap();
    symlink("real/keyfob.prom", path("link")).unwrap();
    for _ in 0..2 {
        keyfob.run(&["issue", "--metrics", "link"]).exits(0);
        assert!(path("link").is_symlink());
        let text = std::fs::read_to_string(path("real/keyfob.prom")).unwrap();
        assert!(text.contains("keyfob_store_calls_total"), "{text}");
        std::fs::write(path("real/keyfob.prom"), "").unwrap();
    }
    // A link of this name in place of the device itself, which this test must not put at risk.
    symlink("/dev/null", path("null")).unwrap();
    keyfob.run(&["issue", "--metrics", "null"]).exits(0);
    assert!(path("null").is_symlink());
    let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
    assert!(made.success());
    let reader = std::thread::spawn({
        let pipe = path("pipe");
        move || std::fs::read_to_string(pipe).unwrap()
    });
    keyfob.run(&["issue", "--metrics", "pipe"]).exits(0);
    assert!(reader.join().unwrap().contains("keyfob_store_calls_total"));
    assert!(std::fs::symlink_metadata(path("pipe")).unwrap().file_type().is_fifo());
}

#[test]
fn an_unwritable_metrics_file_is_an_error_after_the_work_is_done() {
    let keyfob = Keyfob::new();
    let failed = keyfob.run(&["issue", "--metrics", "nowhere/keyfob.prom"]);
    let failed = failed.exits(1).says("metrics_unwritten");
    assert!(failed.stdout.contains("fob_at_"), "the bearer was shown: {failed:?}");
}
