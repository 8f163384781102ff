//! The rights of the file: who may read it, who may write it, and what that allows.

#![cfg(unix)]
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

use keyfob::store::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use keyfob::store::{Order, StoreError};
use keyfob_redb::{Access, RedbStore};

use crate::fixture::{self, Fixture};

fn set_mode(fixture: &Fixture, mode: u32) {
    fs::set_permissions(fixture.path(), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_others_can_write_is_refused() {
    let fixture = Fixture::new();
    fixture.store();
    for (mode, is_refused) in [(0o666, true), (0o602, true), (0o620, true), (0o644, false)] {
        set_mode(&fixture, mode);
        for access in [Access::Write, Access::Read, Access::WriteIfAllowed] {
            match fixture.options().access(access).open(fixture.path()) {
                Ok(_) => assert!(!is_refused, "{mode:o}"),
                Err(StoreError::Misconfigured(text)) => {
                    assert!(is_refused, "{mode:o}");
                    assert!(text.contains("chmod 600") && text.contains(&format!("{mode:o}")));
                }
                Err(error) => panic!("{mode:o}: {error}"),
            }
        }
    }
}

/// Checks the calls that a read-only store must answer, and those that it must refuse.
async fn assert_reads_and_refuses_writes(fixture: &Fixture, store: &RedbStore) {
    let all = store.namespace().all();
    let ids = fixture::ids(store, all, Order::NewestFirst).await;
    assert_eq!(ids.len(), 1);
    assert!(store.load(ids[0]).await.unwrap().unwrap().verdict.is_clear());
    assert_eq!(fixture::events(store).await.len(), 1);
    assert!(!store.tallies().await.unwrap().counts.iter().any(|counts| counts.sample.is_none()));
    store.report().await.unwrap();
    fixture::assert_consistent(store).await;
    let refused = store.revoke(fixture.operation(), fixture.revocation(ids[0])).await;
    match refused {
        Err(error @ StoreError::ReadOnly { .. }) => {
            assert_eq!(error.code(), "store_read_only");
            assert!(error.to_string().contains("may only be read"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

async fn with_one_record() -> Fixture {
    let fixture = Fixture::new();
    let store = fixture.store();
    let record = fixture.record(&store, "user");
    fixture.insert(&store, vec![record]).await;
    fixture
}

#[tokio::test]
async fn a_store_that_is_opened_for_reading_reads_and_refuses_writes() {
    let fixture = with_one_record().await;
    let store = fixture.options().access(Access::Read).open(fixture.path()).unwrap();
    assert_reads_and_refuses_writes(&fixture, &store).await;
}

#[tokio::test]
async fn a_store_that_was_not_closed_is_read_too() {
    let fixture = with_one_record().await;
    let store = fixture.store();
    // A copy of an open file is what a crash leaves.
    let copy = Fixture::new();
    fs::copy(fixture.path(), copy.path()).unwrap();
    drop(store);
    let store = copy.options().access(Access::Read).open(copy.path()).unwrap();
    assert_reads_and_refuses_writes(&copy, &store).await;
}

const COPY: &str = "KEYFOB_TEST_COPY";

/// Runs the test below with a backup on a read-only file system, in its own mount namespace.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_backup_on_a_read_only_file_system_opens() {
    let fixture = with_one_record().await;
    let folder = fixture.path().parent().unwrap().to_owned();
    let script = "mount --bind -o ro \"$KEYFOB_TEST_COPY\" \"$KEYFOB_TEST_COPY\" || exit 77; \
                  mount -o remount,bind,ro \"$KEYFOB_TEST_COPY\" || exit 77; \
                  exec \"$0\" --exact rights::inside_a_read_only_file_system --nocapture";
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(COPY, folder)
        .output();
    let Ok(run) = run else { return eprintln!("not run: there is no unshare") };
    let output =
        format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    if run.status.code() == Some(77) || output.contains("unshare failed") {
        return eprintln!("not run: this user may not mount a file system");
    }
    assert!(run.status.success() && output.contains("1 passed"), "{output}");
}

#[tokio::test]
async fn inside_a_read_only_file_system() {
    // The test does nothing outside of that file system.
    let Some(folder) = std::env::var_os(COPY) else { return };
    let fixture = Fixture::in_folder(folder);
    let refused = fixture.options().open(fixture.path());
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "it is read-only: {refused:?}");
    for access in [Access::WriteIfAllowed, Access::Read] {
        let store = fixture.options().access(access).open(fixture.path()).unwrap();
        assert_reads_and_refuses_writes(&fixture, &store).await;
    }
}
