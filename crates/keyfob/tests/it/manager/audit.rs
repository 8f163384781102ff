//! Audit logs: restarts, crashes at every step, rotation, and exclusive writers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyfob::Ttl;
use keyfob::handlers::audit::{AuditLog, AuditLogError, AuditLogOptions, Rotation, SyncPolicy};
use keyfob::manager::HandlerTask;
use keyfob::store::Cursor;

use super::{Bench, bench, session};

/// A directory of one test, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("keyfob-audit-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("tokens.jsonl")
    }

    fn cursor(&self) -> PathBuf {
        self.0.join("tokens.jsonl.cursor")
    }

    /// Returns the rotated files, in order.
    fn rotated(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut rotated: Vec<_> =
            files.filter(|path| name(path).starts_with("tokens.jsonl.2")).collect();
        rotated.sort();
        rotated
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns the ids of the events in a file. Each line must be complete.
fn ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let id = |line| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    text.lines().map(|line| id(line)["id"].as_str().unwrap().to_owned()).collect()
}

async fn issue(bench: &Bench, number: usize) {
    for n in 0..number {
        bench.manager.issue(session(&format!("user{n}"))).await.unwrap();
    }
}

/// Returns the ids of all events of a bench.
async fn all_events(bench: &Bench) -> Vec<String> {
    let page = bench.manager.events(&Cursor::start(), 10_000).await.unwrap();
    page.events.iter().map(|(event, _)| event.id.to_string()).collect()
}

/// Waits until the task has handled every event, and stops it.
async fn caught_up(bench: &Bench, task: HandlerTask) {
    for _ in 0..1_000 {
        if bench.manager.events(&task.cursor(), 1).await.unwrap().events.is_empty() {
            return task.stop().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the log did not catch up within five seconds");
}

fn always() -> AuditLogOptions {
    AuditLog::options().rotation(Rotation::Never).sync(SyncPolicy::Always)
}

#[tokio::test]
async fn an_audit_log_resumes_after_a_restart_and_repeats_nothing() {
    for sync in [SyncPolicy::Always, SyncPolicy::EverySecond, SyncPolicy::Never] {
        let (bench, directory) = (bench(), Directory::new("restart"));
        for _ in 0..3 {
            issue(&bench, 5).await;
            let log = always().sync(sync).open(directory.log()).unwrap();
            assert!(log.is_writing());
            caught_up(&bench, bench.manager.spawn_audit_log(log)).await;
        }
        assert_eq!(ids(&directory.log()), all_events(&bench).await, "{sync:?}");
    }
}

#[tokio::test]
async fn a_crash_between_a_line_and_its_cursor_loses_and_repeats_nothing() {
    let (bench, directory) = (bench(), Directory::new("crash"));
    issue(&bench, 5).await;
    let open = || always().open(directory.log()).unwrap();
    caught_up(&bench, bench.manager.spawn_audit_log(open())).await;
    let cursor_before = fs::read(directory.cursor()).unwrap();
    issue(&bench, 5).await;
    caught_up(&bench, bench.manager.spawn_audit_log(open())).await;
    // The lines are written, but not the cursor after them.
    fs::write(directory.cursor(), cursor_before).unwrap();
    issue(&bench, 5).await;
    caught_up(&bench, bench.manager.spawn_audit_log(open())).await;
    assert_eq!(ids(&directory.log()), all_events(&bench).await);
    // A crash before the first cursor was written.
    fs::remove_file(directory.cursor()).unwrap();
    caught_up(&bench, bench.manager.spawn_audit_log(open())).await;
    assert_eq!(ids(&directory.log()), all_events(&bench).await);
}

#[tokio::test]
async fn a_last_line_that_was_cut_off_is_removed_and_its_event_written_again() {
    let (bench, directory) = (bench(), Directory::new("torn"));
    issue(&bench, 5).await;
    let open = || always().open(directory.log()).unwrap();
    caught_up(&bench, bench.manager.spawn_audit_log(open())).await;
    let cursor_before = fs::read(directory.cursor()).unwrap();
    issue(&bench, 1).await;
    caught_up(&bench, bench.manager.spawn_audit_log(open())).await;
    let whole = fs::read(directory.log()).unwrap();
    let start_of_last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    // Cut off at each byte of the last line, including its line break.
    for end in start_of_last + 2..whole.len() {
        fs::write(directory.log(), &whole[..end]).unwrap();
        fs::write(directory.cursor(), &cursor_before).unwrap();
        let log = open();
        assert_eq!(fs::read(directory.log()).unwrap().len(), start_of_last + 1);
        if end % 40 == 0 || end == whole.len() - 1 {
            caught_up(&bench, bench.manager.spawn_audit_log(log)).await;
            assert_eq!(ids(&directory.log()), all_events(&bench).await);
        }
    }
}

#[tokio::test]
async fn a_log_rotates_by_size_and_keeps_the_newest_files() {
    let (bench, directory) = (bench(), Directory::new("size"));
    let options =
        || always().rotation(Rotation::Size(1_000)).clock(bench.clock.clone()).max_files(3);
    for _ in 0..6 {
        issue(&bench, 5).await;
        let log = options().open(directory.log()).unwrap();
        caught_up(&bench, bench.manager.spawn_audit_log(log)).await;
        bench.clock.advance(Ttl::from_secs(1));
    }
    let (rotated, all) = (directory.rotated(), all_events(&bench).await);
    assert_eq!(rotated.len(), 3);
    assert!(rotated[0].to_str().unwrap().contains(".jsonl.2026-11-18T"), "{rotated:?}");
    let kept: Vec<_> =
        rotated.iter().chain([&directory.log()]).flat_map(|path| ids(path)).collect();
    assert_eq!(kept, all[all.len() - kept.len()..], "the newest events are kept, in order");
    assert_eq!(kept.len(), 20);
}

#[tokio::test]
async fn a_log_rotates_by_day_and_two_files_of_one_moment_have_two_names() {
    let (bench, directory) = (bench(), Directory::new("day"));
    let task = {
        let daily = always().rotation(Rotation::Daily).clock(bench.clock.clone());
        bench.manager.spawn_audit_log(daily.open(directory.log()).unwrap())
    };
    let wait = async |number| {
        while fs::read_to_string(directory.log()).map_or(0, |text| text.lines().count()) < number {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    issue(&bench, 2).await;
    wait(2).await;
    bench.clock.advance(Ttl::from_hours(1));
    issue(&bench, 1).await;
    wait(3).await;
    assert!(directory.rotated().is_empty());
    bench.clock.advance(Ttl::from_hours(24));
    issue(&bench, 1).await;
    caught_up(&bench, task).await;
    let rotated = directory.rotated();
    assert_eq!((rotated.len(), ids(&rotated[0]).len(), ids(&directory.log()).len()), (1, 3, 1));

    for _ in 0..2 {
        let by_size = always().rotation(Rotation::Size(1)).clock(bench.clock.clone());
        issue(&bench, 1).await;
        let log = by_size.open(directory.log()).unwrap();
        caught_up(&bench, bench.manager.spawn_audit_log(log)).await;
    }
    let rotated = directory.rotated();
    assert_eq!(rotated.len(), 3, "{rotated:?}");
    let files = rotated.into_iter().chain([directory.log()]);
    let written: Vec<_> = files.flat_map(|path| ids(&path)).collect();
    assert_eq!(written, all_events(&bench).await);
}

#[tokio::test]
async fn one_of_several_that_share_a_file_writes_and_another_takes_over() {
    let (bench, directory) = (bench(), Directory::new("shared"));
    let shared = || always().shared("shop").open(directory.log()).unwrap();
    let (first, second) = (shared(), shared());
    assert!(first.is_writing() && !second.is_writing());
    let first = bench.manager.spawn_audit_log(first);
    let second = bench.another().spawn_audit_log(second);
    issue(&bench, 5).await;
    caught_up(&bench, first).await;
    issue(&bench, 5).await;
    caught_up(&bench, second).await;
    assert_eq!(ids(&directory.log()), all_events(&bench).await);
}

#[tokio::test]
async fn a_file_that_is_in_use_or_of_another_consumer_is_refused() {
    let (bench, directory) = (bench(), Directory::new("refused"));
    let open = |options: AuditLogOptions| options.open(directory.log());
    let first = open(always()).unwrap();
    let refused = open(always()).unwrap_err();
    assert!(matches!(refused, AuditLogError::InUse { .. }), "{refused}");
    issue(&bench, 1).await;
    caught_up(&bench, bench.manager.spawn_audit_log(first)).await;
    let refused = open(always().shared("shop")).unwrap_err();
    assert!(matches!(refused, AuditLogError::OtherConsumer { .. }), "{refused}");
    fs::write(directory.cursor(), "not a cursor").unwrap();
    let refused = open(always()).unwrap_err();
    assert!(matches!(refused, AuditLogError::DamagedCursor { .. }), "{refused}");
}

#[tokio::test]
async fn a_new_log_begins_where_it_is_asked_to_and_a_shutdown_completes_it() {
    let (bench, directory) = (bench(), Directory::new("start"));
    issue(&bench, 5).await;
    let latest = bench.manager.latest_event().await.unwrap();
    let log = AuditLog::options().start_at(latest).open(directory.log()).unwrap();
    bench.manager.spawn_audit_log(log);
    issue(&bench, 3).await;
    bench.manager.shutdown().await;
    assert_eq!(ids(&directory.log()), all_events(&bench).await[5..]);
    let stored = fs::read_to_string(directory.cursor()).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let stored: Cursor = stored["cursor"].as_str().unwrap().parse().unwrap();
    assert!(bench.manager.events(&stored, 1).await.unwrap().events.is_empty());
}
