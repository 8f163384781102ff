//! A process that is killed during its writes loses no acknowledged write.
//!
//! The test starts itself as a child process. The child writes with several tasks and records each
//! write twice in a journal: before it is sent and after it is answered. The parent kills the
//! child, opens the store, and compares it with the journal.

use keyfob::store::prelude::*;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::clock::{Clock, SystemClock};
use keyfob::store::{Consume, Consumed, Insert, Inserted, NewRecord, Operation, OperationId};
use keyfob::{Timestamp, TokenId};
use keyfob_redb::RedbStore;

use crate::fixture::{self, Fixture};

const CHILD: &str = "KEYFOB_REDB_KILLED_CHILD";
const ROUNDS: u64 = 6;
const TASKS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_kill() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return write_until_killed(Path::new(&folder)).await;
    }
    let fixture = Fixture::new();
    let folder = fixture.path().parent().unwrap().to_owned();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let journal = folder.join(format!("journal-{round}"));
        kill_a_writer(&folder, &journal, Duration::from_millis(40 + 67 * round));
        let before = Instant::now();
        let store = RedbStore::open(fixture.path()).unwrap();
        assert!(before.elapsed() < Duration::from_secs(5), "the store opens without a long repair");
        fixture::assert_consistent(&store).await;
        for earlier in 0..=round {
            let journal = std::fs::read_to_string(folder.join(format!("journal-{earlier}")));
            acknowledged += compare(&store, &journal.unwrap(), earlier == round).await;
        }
        fixture::assert_consistent(&store).await;
    }
    assert!(acknowledged > 100, "the children wrote something: {acknowledged}");
}

/// Starts a child, lets it write for a while after its first acknowledgement, and kills it.
fn kill_a_writer(folder: &Path, journal: &Path, after: Duration) {
    File::create(journal).unwrap();
    std::fs::write(folder.join("journal"), journal.to_str().unwrap()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::acknowledged_writes_survive_a_kill"])
        .env(CHILD, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !std::fs::read_to_string(journal).unwrap().contains("done") {
        assert!(start.elapsed() < Duration::from_secs(60), "the child does not write");
        assert!(child.try_wait().unwrap().is_none(), "the child revoked by itself");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

async fn write_until_killed(folder: &Path) {
    let journal = std::fs::read_to_string(folder.join("journal")).unwrap();
    let store = Arc::new(RedbStore::open(folder.join("keyfob.redb")).unwrap());
    let tasks = (0..TASKS).map(|task| {
        let journal = OpenOptions::new().append(true).open(&journal).unwrap();
        tokio::spawn(write(Arc::clone(&store), journal, task))
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// Appends one line in one write, so that a kill cannot split it.
fn note(journal: &mut File, line: &str) {
    journal.write_all(format!("{line}\n").as_bytes()).unwrap();
}

async fn write(store: Arc<RedbStore>, mut journal: File, task: usize) {
    let subject = format!("user{task}");
    for n in 0u64.. {
        let operation = fixture::operation(&SystemClock);
        let record =
            NewRecord { uses_left: Some(9), ..fixture::record(&store, &SystemClock, &subject) };
        let (id, field) = (record.id, record.epochs.subject.unwrap());
        note(&mut journal, &format!("try {task} issue {id} {}", words(&operation)));
        let insert = Insert { records: vec![record], events: vec![id.to_string().into_bytes()] };
        let inserted = store.insert(operation, insert).await.unwrap();
        let Inserted::Stored(stamp) = inserted else { panic!("{inserted:?}") };
        let words = words(&operation);
        note(&mut journal, &format!("done {task} issue {id} {words} {}", stamp.value()));
        match n % 5 {
            1 | 3 => {
                note(&mut journal, &format!("try {task} revoke {id}"));
                let revocation = fixture::revocation(&SystemClock, id);
                store.revoke(fixture::operation(&SystemClock), revocation).await.unwrap();
                note(&mut journal, &format!("done {task} revoke {id}"));
            }
            2 => {
                note(&mut journal, &format!("try {task} spend {id}"));
                let consumed =
                    store.consume(fixture::operation(&SystemClock), Consume { id }).await;
                assert_eq!(consumed.unwrap(), Consumed::Left(8));
                note(&mut journal, &format!("done {task} spend {id}"));
            }
            4 => {
                note(&mut journal, &format!("try {task} advance {id}"));
                let advance = fixture::advance(&SystemClock, id.lane(), field);
                store.advance(fixture::operation(&SystemClock), advance).await.unwrap();
                note(&mut journal, &format!("done {task} advance {id}"));
            }
            _ => {}
        }
    }
}

/// The operation as two words of a journal line.
fn words(operation: &Operation) -> String {
    let id = u128::from_be_bytes(*operation.id.as_bytes());
    format!("{id:032x} {}", operation.deadline.as_millis())
}

/// The expected state of one record, from the journal.
#[derive(Default)]
struct Expected {
    revoked: bool,
    consumed: bool,
    /// A write was sent and not answered. Both outcomes are correct.
    in_doubt: bool,
    operation: Option<(Operation, u64)>,
}

/// Compares the store with a journal. Returns the number of acknowledged writes in it.
async fn compare(store: &RedbStore, journal: &str, is_last: bool) -> u64 {
    let mut expected: HashMap<TokenId, Expected> = HashMap::new();
    let mut by_task: HashMap<&str, Vec<TokenId>> = HashMap::new();
    let mut sent: HashMap<&str, (&str, TokenId)> = HashMap::new();
    let mut acknowledged = 0;
    for line in journal.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let (task, command, id) = (words[1], words[2], words[3].parse::<TokenId>().unwrap());
        if words[0] == "try" {
            sent.insert(task, (command, id));
            continue;
        }
        sent.remove(task);
        acknowledged += 1;
        match command {
            "issue" => {
                let operation = u128::from_str_radix(words[4], 16).unwrap().to_be_bytes();
                let operation = Operation {
                    id: OperationId::from_bytes(operation),
                    deadline: Timestamp::from_millis(words[5].parse().unwrap()),
                };
                let stamp = words[6].parse().unwrap();
                let operation = Some((operation, stamp));
                expected.insert(id, Expected { operation, ..Expected::default() });
                by_task.entry(task).or_default().push(id);
            }
            "revoke" => expected.get_mut(&id).unwrap().revoked = true,
            "spend" => expected.get_mut(&id).unwrap().consumed = true,
            "advance" => {
                for id in &by_task[task] {
                    expected.get_mut(id).unwrap().revoked = true;
                }
            }
            other => panic!("{other}"),
        }
    }
    for (task, (command, id)) in sent {
        let affected = if command == "advance" { by_task[task].clone() } else { vec![id] };
        for id in affected {
            expected.entry(id).or_default().in_doubt = true;
        }
    }
    for (id, expected) in &expected {
        let loaded = store.load(*id).await.unwrap();
        if expected.in_doubt && expected.operation.is_none() {
            continue;
        }
        let loaded = loaded.unwrap_or_else(|| panic!("{id} was acknowledged and is lost"));
        if expected.revoked || (!expected.in_doubt && is_last) {
            assert_eq!(loaded.is_clear(), !expected.revoked, "{id}");
        }
        if !expected.in_doubt {
            assert_eq!(loaded.uses_left, Some(if expected.consumed { 8 } else { 9 }), "{id}");
        }
    }
    if is_last {
        send_again(store, &expected).await;
    }
    acknowledged
}

/// Sends operations again that were acknowledged before the kill. Each gets the same answer.
async fn send_again(store: &RedbStore, expected: &HashMap<TokenId, Expected>) {
    let answered = expected.iter().filter_map(|(id, expected)| Some((id, expected.operation?)));
    for (id, (operation, stamp)) in answered.take(50) {
        let record = NewRecord { id: *id, ..fixture::record(store, &SystemClock, "someone") };
        let again = Insert { records: vec![record], events: vec![b"again".to_vec()] };
        let answer = store.insert(operation, again).await;
        match answer {
            Ok(Inserted::Stored(again)) => assert_eq!(again.value(), stamp, "{id}"),
            other => assert!(SystemClock.now() > operation.deadline, "{id}: {other:?}"),
        }
    }
    let events = fixture::events(store).await;
    assert!(!events.contains(&b"again".to_vec()), "an operation takes effect once");
}
