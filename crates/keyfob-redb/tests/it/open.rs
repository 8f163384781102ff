//! Opening: what is made where nothing is, and what is refused where something else is.

use keyfob::store::prelude::*;
use std::fs;
use std::time::Duration;

use keyfob::LaneCount;
use keyfob::store::{Severity, StoreError};
use keyfob_redb::RedbStore;
use redb::{Database, TableDefinition};

use crate::stage::Stage;

const META: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("meta");

fn refusal(stage: &Stage) -> StoreError {
    stage.options().open(stage.path()).expect_err("it must not open")
}

fn assert_not_a_store(stage: &Stage, advice: &str) {
    match refusal(stage) {
        StoreError::NotAStore { what, detail } => {
            assert_eq!(what, stage.path().display().to_string());
            assert!(detail.contains(advice), "{detail}");
        }
        other => panic!("it is not a store: {other}"),
    }
}

#[test]
fn a_missing_file_is_made_with_its_folders() {
    let stage = Stage::new();
    let path = stage.path().with_file_name("a").join("b").join("keyfob.redb");
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.path(), path);
    assert_eq!(store.namespace().lanes(), LaneCount::ONE);
    let beside: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "nothing is left of the making: {beside:?}");
}

#[test]
fn a_missing_file_is_not_made_when_it_must_not_be() {
    let stage = Stage::new();
    let refused = stage.options().create(false).open(stage.path());
    assert!(matches!(refused, Err(StoreError::NotAStore { .. })), "{refused:?}");
    assert!(!stage.path().exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_open_a_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let store = stage.store();
    let mode = || fs::metadata(stage.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let report = store.report().await.unwrap();
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Good));
    fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let report = store.report().await.unwrap();
    let worst = report.findings.first().unwrap();
    assert_eq!((worst.severity, worst.what.as_str()), (Severity::Warning, "permissions"));
}

#[test]
fn a_second_handle_is_told_that_the_store_is_in_use() {
    let stage = Stage::new();
    let store = stage.store();
    assert!(matches!(refusal(&stage), StoreError::InUse { .. }));
    drop(store);
    stage.store();
}

#[test]
fn an_open_waits_for_one_who_is_about_to_finish() {
    let stage = Stage::new();
    let store = stage.store();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            stage.options().wait_for_lock(Duration::from_secs(30)).open(stage.path()).map(drop)
        });
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(store);
        waiting.join().unwrap().unwrap();
    });
}

#[tokio::test]
async fn closing_lets_go_of_the_file_and_refuses_what_comes_after() {
    let stage = Stage::new();
    let store = stage.store();
    store.close().await;
    stage.store();
    let id = stage.record(&store, "user").id;
    let refused = store.load(id).await.expect_err("it is closed");
    assert_eq!(refused.to_string(), "the store is unavailable: the store is closed");
    let refused = store.revoke(stage.operation(), stage.revocation(id)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
}

#[test]
fn the_number_of_lanes_is_fixed_when_a_store_is_made() {
    let stage = Stage::new();
    let lanes = |count| stage.options().lanes(LaneCount::new(count).unwrap()).open(stage.path());
    assert_eq!(lanes(3).unwrap().namespace().lanes().get(), 3);
    assert_eq!(stage.store().namespace().lanes().get(), 3, "no need to name it again");
    match lanes(4) {
        Err(StoreError::Misconfigured(advice)) => assert!(advice.contains("3 lanes"), "{advice}"),
        other => panic!("another number must be refused: {other:?}"),
    }
}

#[test]
fn another_programs_file_is_not_a_store_and_stays_as_it_is() {
    let stage = Stage::new();
    for text in ["x", "# a file of settings\n", &"many lines\n".repeat(10_000)] {
        fs::write(stage.path(), text).unwrap();
        assert_not_a_store(&stage, "another program");
        assert_eq!(fs::read_to_string(stage.path()).unwrap(), text);
    }
}

#[test]
fn another_programs_database_is_not_a_store() {
    let stage = Stage::new();
    const PRICES: TableDefinition<'_, &str, u64> = TableDefinition::new("prices");
    let database = Database::create(stage.path()).unwrap();
    drop(database);
    assert_not_a_store(&stage, "another program");
    let database = Database::create(stage.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(PRICES).unwrap().insert("apple", 3).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_not_a_store(&stage, "another program");
}

#[test]
fn a_folder_and_an_empty_file_are_not_stores() {
    let stage = Stage::new();
    fs::write(stage.path(), "").unwrap();
    assert_not_a_store(&stage, "empty");
    fs::remove_file(stage.path()).unwrap();
    fs::create_dir(stage.path()).unwrap();
    assert_not_a_store(&stage, "folder");
}

#[test]
fn a_store_that_was_cut_short_is_refused_wherever_the_cut_is() {
    let stage = Stage::new();
    stage.store();
    let whole = fs::read(stage.path()).unwrap();
    for length in [1, 9, 100, 4095, 4096, 10_000, whole.len() / 2, whole.len() - 1] {
        fs::write(stage.path(), &whole[..length]).unwrap();
        assert!(matches!(refusal(&stage), StoreError::NotAStore { .. }), "{length} bytes");
    }
}

#[test]
fn a_newer_format_is_named_and_left_alone() {
    let stage = Stage::new();
    stage.store();
    let database = Database::open(stage.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = 7u32.to_be_bytes();
    let mut meta = transaction.open_table(META).unwrap();
    meta.insert(b"format".as_slice(), newer.as_slice()).unwrap();
    drop(meta);
    transaction.delete_table(TableDefinition::<&[u8], &[u8]>::new("lanes")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    match refusal(&stage) {
        StoreError::NewerFormat { found: 7, known: 1, .. } => {}
        other => panic!("it is newer: {other}"),
    }
}

#[test]
fn a_store_without_one_of_its_tables_is_refused() {
    let stage = Stage::new();
    stage.store();
    let database = Database::open(stage.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.delete_table(TableDefinition::<&[u8], &[u8]>::new("lanes")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_not_a_store(&stage, "damaged");
}
