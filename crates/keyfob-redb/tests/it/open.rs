//! Opening: a missing file is created, and a file that is not a store is refused.

use keyfob::store::prelude::*;
use std::fs;
use std::time::Duration;

use keyfob::store::{LaneCount, Severity, StoreError};
use keyfob_redb::RedbStore;
use redb::{Database, TableDefinition};

use crate::fixture::Fixture;

const META: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("meta");

fn refusal(fixture: &Fixture) -> StoreError {
    fixture.options().open(fixture.path()).expect_err("it must not open")
}

fn assert_not_a_store(fixture: &Fixture, advice: &str) {
    match refusal(fixture) {
        StoreError::NotAStore { what, detail } => {
            assert_eq!(what, fixture.path().display().to_string());
            assert!(detail.contains(advice), "{detail}");
        }
        other => panic!("expected that it is not a store, got {other}"),
    }
}

#[test]
fn a_missing_file_is_created_with_its_folders() {
    let fixture = Fixture::new();
    let path = fixture.path().with_file_name("a").join("b").join("keyfob.redb");
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.path(), path);
    assert_eq!(store.namespace().lanes(), LaneCount::ONE);
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["keyfob.redb", "keyfob.redb.reserve"], "no temporary file is left");
}

#[test]
fn a_missing_file_is_not_created_if_the_options_forbid_it() {
    let fixture = Fixture::new();
    let refused = fixture.options().create(false).open(fixture.path());
    assert!(matches!(refused, Err(StoreError::NotAStore { .. })), "{refused:?}");
    assert!(!fixture.path().exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_open_a_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    let store = fixture.store();
    let mode = || fs::metadata(fixture.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let report = store.report().await.unwrap();
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Good));
    let rollback = report.findings.iter().find(|finding| finding.what == "rollback").unwrap();
    assert!(rollback.advice.contains("is not noticed"), "{}", rollback.advice);
    fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let report = store.report().await.unwrap();
    let worst = report.findings.first().unwrap();
    assert_eq!((worst.severity, worst.what.as_str()), (Severity::Warning, "permissions"));
}

#[test]
fn a_second_handle_gets_the_error_in_use() {
    let fixture = Fixture::new();
    let store = fixture.store();
    assert!(matches!(refusal(&fixture), StoreError::InUse { .. }));
    drop(store);
    fixture.store();
}

#[test]
fn an_open_waits_until_another_handle_closes_the_file() {
    let fixture = Fixture::new();
    let store = fixture.store();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            fixture.options().wait_for_lock(Duration::from_secs(30)).open(fixture.path()).map(drop)
        });
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(store);
        waiting.join().unwrap().unwrap();
    });
}

#[tokio::test]
async fn a_closed_store_releases_the_file_and_refuses_commands() {
    let fixture = Fixture::new();
    let store = fixture.store();
    store.close().await;
    fixture.store();
    let id = fixture.record(&store, "user").id;
    let refused = store.load(id).await.expect_err("it is closed");
    assert_eq!(refused.to_string(), "the store is unavailable: the store is closed");
    let refused = store.revoke(fixture.operation(), fixture.revocation(id)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
}

#[test]
fn the_number_of_lanes_is_fixed_when_a_store_is_created() {
    let fixture = Fixture::new();
    let lanes =
        |count| fixture.options().lanes(LaneCount::new(count).unwrap()).open(fixture.path());
    assert_eq!(lanes(3).unwrap().namespace().lanes().get(), 3);
    assert_eq!(fixture.store().namespace().lanes().get(), 3, "an open without a number accepts it");
    match lanes(4) {
        Err(StoreError::Misconfigured(advice)) => assert!(advice.contains("3 lanes"), "{advice}"),
        other => panic!("another number must be refused: {other:?}"),
    }
}

#[test]
fn another_programs_file_is_refused_and_stays_unchanged() {
    let fixture = Fixture::new();
    for text in ["x", "# a file of settings\n", &"many lines\n".repeat(10_000)] {
        fs::write(fixture.path(), text).unwrap();
        assert_not_a_store(&fixture, "another program");
        assert_eq!(fs::read_to_string(fixture.path()).unwrap(), text);
    }
}

#[test]
fn another_programs_database_is_refused() {
    let fixture = Fixture::new();
    const PRICES: TableDefinition<'_, &str, u64> = TableDefinition::new("prices");
    let database = Database::create(fixture.path()).unwrap();
    drop(database);
    assert_not_a_store(&fixture, "another program");
    let database = Database::create(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(PRICES).unwrap().insert("apple", 3).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_not_a_store(&fixture, "another program");
}

#[test]
fn a_folder_and_an_empty_file_are_refused() {
    let fixture = Fixture::new();
    fs::write(fixture.path(), "").unwrap();
    assert_not_a_store(&fixture, "empty");
    fs::remove_file(fixture.path()).unwrap();
    fs::create_dir(fixture.path()).unwrap();
    assert_not_a_store(&fixture, "folder");
}

#[test]
fn a_truncated_file_is_refused_at_any_length() {
    let fixture = Fixture::new();
    fixture.store();
    let whole = fs::read(fixture.path()).unwrap();
    for length in [1, 9, 100, 4095, 4096, 10_000, whole.len() / 2, whole.len() - 1] {
        fs::write(fixture.path(), &whole[..length]).unwrap();
        assert!(matches!(refusal(&fixture), StoreError::NotAStore { .. }), "{length} bytes");
    }
}

#[test]
fn a_newer_format_is_reported_and_not_read() {
    let fixture = Fixture::new();
    fixture.store();
    let database = Database::open(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = 7u32.to_be_bytes();
    let mut meta = transaction.open_table(META).unwrap();
    meta.insert(b"format".as_slice(), newer.as_slice()).unwrap();
    drop(meta);
    transaction.delete_table(TableDefinition::<&[u8], &[u8]>::new("lanes")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    match refusal(&fixture) {
        StoreError::NewerFormat { found: 7, known: 2, .. } => {}
        other => panic!("expected a newer format, got {other}"),
    }
}

#[test]
fn a_store_of_the_first_format_opens_and_its_ids_need_no_code() {
    let fixture = Fixture::new();
    assert!(fixture.store().namespace().requires_id_macs());
    let database = Database::open(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut meta = transaction.open_table(META).unwrap();
    meta.insert(b"format".as_slice(), 1u32.to_be_bytes().as_slice()).unwrap();
    drop(meta);
    transaction.commit().unwrap();
    drop(database);
    let older = fixture.store();
    assert!(!older.namespace().requires_id_macs());
}

#[test]
fn a_store_without_one_of_its_tables_is_refused() {
    let fixture = Fixture::new();
    fixture.store();
    let database = Database::open(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.delete_table(TableDefinition::<&[u8], &[u8]>::new("lanes")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_not_a_store(&fixture, "damaged");
}
