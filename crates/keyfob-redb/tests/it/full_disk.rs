//! A full disk: ordinary writes are refused without effect, revocations are taken, and the store
//! continues by itself once there is room.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

use keyfob::store::prelude::*;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use keyfob::TokenId;
use keyfob::store::{
    Advanced, Insert, Inserted, LastUse, NewRecord, Revoked, Severity, StoreError,
};
use keyfob_redb::{Options, RedbStore};

use crate::fixture::{self, Fixture};

const MIB: u64 = 1024 * 1024;
/// The body of most records here, so that few fill a disk.
const BODY_BYTES: usize = 48 * 1024;

fn record(fixture: &Fixture, store: &RedbStore, n: usize) -> NewRecord {
    let body = vec![n as u8; BODY_BYTES];
    NewRecord { body, ..fixture.record(store, &format!("user{}", n % 8)) }
}

async fn insert(
    fixture: &Fixture,
    store: &RedbStore,
    record: NewRecord,
) -> Result<Inserted, StoreError> {
    let insert = Insert { records: vec![record], events: vec![b"issued".to_vec()] };
    store.insert(fixture.operation(), insert).await
}

/// Inserts records until the disk is full. Returns their ids.
async fn fill(fixture: &Fixture, store: &RedbStore) -> Vec<TokenId> {
    let mut ids = Vec::new();
    for n in 0..10_000 {
        let record = record(fixture, store, n);
        let id = record.id;
        match insert(fixture, store, record).await {
            Ok(stored) => {
                assert!(matches!(stored, Inserted::Stored(_)), "{stored:?}");
                ids.push(id);
            }
            Err(error) => {
                assert_eq!(error.code(), "store_full", "{error}");
                assert!(error.to_string().contains("free some space"), "{error}");
                assert!(store.load(id).await.unwrap().is_none(), "the refused write had no effect");
                return ids;
            }
        }
    }
    panic!("the disk never became full");
}

async fn revoke(fixture: &Fixture, store: &RedbStore, id: TokenId) {
    let revoked = store.revoke(fixture.operation(), fixture.revocation(id)).await;
    assert_eq!(revoked.unwrap(), Revoked::Now, "a revocation succeeds on a full disk");
}

/// Checks the guarantees on a full disk, on which `make_room` then frees space.
async fn a_full_disk_takes_revocations(
    fixture: &Fixture,
    options: Options,
    make_room: impl FnOnce(),
) {
    let store = options.clone().open(fixture.path()).unwrap();
    let ids = fill(fixture, &store).await;
    assert!(ids.len() > 20, "{}", ids.len());
    let (revoked, rest) = ids.split_at(ids.len() - 10);
    for _ in 0..5 {
        let refused = insert(fixture, &store, record(fixture, &store, 0)).await;
        assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    }
    for id in revoked {
        revoke(fixture, &store, *id).await;
    }
    // 500 more writes of revocations: far more than one commit needs.
    let subject = fixture.record(&store, "another").epochs.subject.unwrap();
    for _ in 0..500 {
        let advance = fixture::advance(&fixture.clock, revoked[0].lane(), subject);
        let advanced = store.advance(fixture.operation(), advance).await.unwrap();
        assert_eq!(advanced, Advanced { lanes: 1 });
    }
    for id in revoked {
        assert!(
            !store.load(*id).await.unwrap().unwrap().verdict.is_clear(),
            "reads work on a full disk"
        );
    }
    let refused = store.touch(&[LastUse::new(rest[0], fixture.now())]).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    drop(store);
    // The reserved space is part of the file, so another process has it too.
    let store = options.clone().open(fixture.path()).unwrap();
    let refused = insert(fixture, &store, record(fixture, &store, 0)).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    revoke(fixture, &store, rest[0]).await;
    make_room();
    for n in 0..20 {
        insert(fixture, &store, record(fixture, &store, n)).await.unwrap();
    }
    let report = store.report().await.unwrap();
    let room = report.findings.iter().find(|finding| finding.what == "room").unwrap();
    assert_eq!(room.severity, Severity::Good, "the space is reserved again: {room:?}");
    fixture::assert_consistent(&store).await;
    drop(store);
    fixture::assert_consistent(&options.open(fixture.path()).unwrap()).await;
}

/// Checks the guarantees when many writers find the disk full at the same time.
async fn many_writers_find_a_disk_full(fixture: Arc<Fixture>) {
    let store = Arc::new(fixture.store());
    let small = (0..40).map(|n| fixture.record(&store, &format!("small{n}"))).collect::<Vec<_>>();
    let targets: Vec<_> = small.iter().map(|record| record.id).collect();
    fixture.insert(&store, small).await;
    let mut tasks = Vec::new();
    for n in 0..400 {
        let (fixture, store) = (Arc::clone(&fixture), Arc::clone(&store));
        let target = (n % 10 == 0).then(|| targets[n / 10]);
        tasks.push(tokio::spawn(async move {
            if let Some(target) = target {
                revoke(&fixture, &store, target).await;
            }
            let record = record(&fixture, &store, n);
            let id = record.id;
            match insert(&fixture, &store, record).await {
                Ok(_) => (id, true),
                Err(StoreError::Full { .. }) => (id, false),
                Err(error) => panic!("{error}"),
            }
        }));
    }
    let mut stored = 0;
    for task in tasks {
        let (id, is_stored) = task.await.unwrap();
        stored += usize::from(is_stored);
        assert_eq!(store.load(id).await.unwrap().is_some(), is_stored);
    }
    assert!((10..390).contains(&stored), "{stored} of 400 fit");
    for id in targets {
        assert!(!store.load(id).await.unwrap().unwrap().verdict.is_clear());
    }
    fixture::assert_consistent(&store).await;
}

const MOUNT: &str = "KEYFOB_TEST_MOUNT";
const LIMIT: &str = "KEYFOB_TEST_LIMIT";

/// Runs a test on a file system of this number of MiB, in its own mount namespace.
fn on_a_small_file_system(mib: u64, test: &str) {
    let mount = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size={mib}m tmpfs \"${MOUNT}\" || exit 77; \
         exec \"$0\" --exact full_disk::{test} --nocapture"
    );
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(MOUNT, mount.path())
        .output();
    let Ok(run) = run else { return eprintln!("not run: there is no unshare") };
    let out = [run.stdout, run.stderr].concat();
    let output = String::from_utf8_lossy(&out);
    if run.status.code() == Some(77) || output.contains("unshare failed") {
        return eprintln!("not run: this user may not mount a file system");
    }
    assert!(run.status.success() && output.contains("1 passed"), "{output}");
}

/// The small file system; `None` outside of it, where the tests below have nothing to do.
fn mounted() -> Option<PathBuf> {
    std::env::var_os(MOUNT).map(PathBuf::from)
}

#[test]
fn a_small_file_system_takes_revocations() {
    on_a_small_file_system(16, "inside_a_small_file_system");
}

#[tokio::test]
async fn inside_a_small_file_system() {
    let Some(mounted) = mounted() else { return };
    let fixture = Fixture::in_folder(&mounted);
    // Another program's file. Deleting it makes room.
    let other = mounted.join("other");
    std::fs::write(&other, vec![1; 6 * MIB as usize]).unwrap();
    let make_room = || std::fs::remove_file(&other).unwrap();
    a_full_disk_takes_revocations(&fixture, fixture.options(), make_room).await;
}

#[test]
fn many_writers_fill_a_small_file_system() {
    on_a_small_file_system(16, "inside_a_file_system_with_many_writers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inside_a_file_system_with_many_writers() {
    let Some(mounted) = mounted() else { return };
    many_writers_find_a_disk_full(Arc::new(Fixture::in_folder(mounted))).await;
}

#[test]
fn a_store_without_its_reserve_is_not_created() {
    on_a_small_file_system(2, "inside_a_file_system_that_is_too_small");
}

#[test]
fn inside_a_file_system_that_is_too_small() {
    let Some(mounted) = mounted() else { return };
    let fixture = Fixture::in_folder(mounted);
    let refused = fixture.options().open(fixture.path());
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    assert!(!fixture.path().exists());
}

/// Runs the test below with a limit for the size of files, which any user may set. Its signal is
/// ignored.
#[test]
fn a_file_size_limit_refuses_writes_and_reads_continue() {
    let script = "trap '' XFSZ; ulimit -S -f 6144; \
                  exec \"$0\" --exact full_disk::inside_a_limit_of_the_file_size --nocapture";
    let run = Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(LIMIT, "1")
        .output()
        .unwrap();
    let out = [run.stdout, run.stderr].concat();
    let output = String::from_utf8_lossy(&out);
    assert!(run.status.success() && output.contains("1 passed"), "{output}");
}

#[tokio::test]
async fn inside_a_limit_of_the_file_size() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if std::env::var_os(LIMIT).is_none() {
        return;
    }
    let fixture = Fixture::new();
    let store = fixture.store();
    let ids = fill(&fixture, &store).await;
    assert!(ids.len() > 20, "{}", ids.len());
    for id in &ids {
        assert!(
            store.load(*id).await.unwrap().unwrap().verdict.is_clear(),
            "reads work on a full disk"
        );
    }
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    for n in 0..20 {
        insert(&fixture, &store, record(&fixture, &store, n)).await.unwrap();
    }
    fixture::assert_consistent(&store).await;
}
