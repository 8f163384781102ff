//! The one thread that writes. Commands queue up for it; it takes what is there, makes one
//! transaction of them, commits, and then answers them all, so that many writers share the price of
//! one sync of the disk. The thread alone begins write transactions, and it alone closes the file.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyfob_store::{Invalidation, InvalidationListeners, Lane, OperationId, StoreError};
use redb::{Database, Durability};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::changes::Changes;
use crate::fault::Fault;
use crate::shared::Shared;

/// The most commands that share a commit.
const MOST_PER_COMMIT: usize = 64;

/// The longest that a commit waits for the writers that shared the last one to come back. One that
/// was alone never waits.
const LONGEST_WAIT: Duration = Duration::from_millis(1);

/// The most commands that wait for the thread; a caller beyond them waits to be let in.
const QUEUE: usize = 1024;

/// The handle of the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: Sender<Message>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How many commands were carried out, and by how many commits.
#[derive(Debug, Default)]
pub(crate) struct WriterCounts {
    pub(crate) commands: AtomicU64,
    pub(crate) commits: AtomicU64,
}

enum Message {
    Command(Command),
    Close(oneshot::Sender<()>),
}

struct Command {
    apply: Apply,
    /// What watchers are told before it is answered.
    changes: Vec<(Lane, Invalidation)>,
    /// Its place in the queue, free again when it is done.
    _room: OwnedSemaphorePermit,
}

type Apply = Box<dyn for<'t> FnOnce(&mut Changes<'t>) -> Applied + Send>;

/// A command that was carried out in a transaction that is not committed yet.
struct Applied {
    answer: Answer,
    broken: Option<String>,
}

type Answer = Box<dyn FnOnce(&Ending) + Send>;

/// Tells the watchers when it is dropped, whatever became of the transaction meanwhile.
struct Telling<'a> {
    watchers: &'a InvalidationListeners,
    changes: Vec<(Lane, Invalidation)>,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.watchers.notify(self.changes.drain(..));
    }
}

/// How a transaction ended.
enum Ending {
    Committed,
    /// Nothing of it was done.
    Aborted(String),
    /// It may have been done.
    Unknown,
}

impl Writer {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("keyfob-redb".to_owned())
            .spawn(move || run(&shared, &receiver))
            .map_err(|error| {
                StoreError::unavailable(format_args!("no thread to write: {error}"))
            })?;
        let room = Arc::new(Semaphore::new(QUEUE));
        Ok(Self { sender, room, thread: Mutex::new(Some(thread)) })
    }

    /// Carries out a command and waits until it is durable. The watchers are told of `changes`
    /// before it is answered, even if the caller has gone away by then.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: Option<OperationId>,
        changes: impl IntoIterator<Item = (Lane, Invalidation)>,
        command: impl FnOnce(&mut Changes<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let lost = move || match operation {
            Some(operation) => StoreError::OutcomeUnknown { operation },
            None => StoreError::unavailable("no answer from the disk"),
        };
        let (reply, answer) = oneshot::channel();
        let apply = Box::new(move |changes: &mut Changes<'_>| {
            let outcome = command(changes);
            let broken = match &outcome {
                Err(Fault::Engine(detail)) => Some(detail.clone()),
                _ => None,
            };
            let answer = Box::new(move |ending: &Ending| {
                let outcome = match ending {
                    Ending::Committed => outcome.map_err(StoreError::from),
                    Ending::Aborted(detail) => Err(StoreError::unavailable(detail)),
                    Ending::Unknown => Err(lost()),
                };
                // A caller that went away needs no answer.
                let _ = reply.send(outcome);
            });
            Applied { answer, broken }
        });
        let room = Arc::clone(&self.room);
        let room = room.acquire_owned().await.map_err(|_| closed())?;
        let changes = changes.into_iter().collect();
        let command = Message::Command(Command { apply, changes, _room: room });
        self.sender.send(command).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Lets the thread finish what is queued and close the file; waits for it.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.sender.send(Message::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that the file can be opened again at once.
    fn drop(&mut self) {
        let (done, _) = oneshot::channel();
        let _ = self.sender.send(Message::Close(done));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

pub(crate) fn closed() -> StoreError {
    StoreError::unavailable("the store is closed")
}

fn run(shared: &Shared, receiver: &Receiver<Message>) {
    let mut batch = Vec::with_capacity(MOST_PER_COMMIT);
    let mut expected = 1;
    let mut closing = None;
    while closing.is_none() {
        match receiver.recv() {
            Ok(Message::Command(command)) => batch.push(command),
            Ok(Message::Close(done)) => closing = Some(done),
            Err(_) => break,
        }
        if closing.is_none() {
            closing = gather(receiver, &mut batch, expected);
        }
        if !batch.is_empty() {
            expected = batch.len();
            // A panic of the engine drops the replies, which tells the callers that the outcome
            // is unknown; the thread must live on to say so to the next.
            let carry_out = AssertUnwindSafe(|| carry_out(shared, batch.drain(..)));
            if panic::catch_unwind(carry_out).is_err() {
                tracing::error!("the file cannot be written: it is damaged");
            }
        }
    }
    shared.close();
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// Takes what is queued, and waits a moment for as many commands as shared the last commit: their
/// writers were answered just now and are on their way back.
fn gather(
    receiver: &Receiver<Message>,
    batch: &mut Vec<Command>,
    expected: usize,
) -> Option<oneshot::Sender<()>> {
    let start = Instant::now();
    while batch.len() < MOST_PER_COMMIT {
        let message = match receiver.try_recv() {
            Ok(message) => message,
            Err(_) if batch.len() >= expected => return None,
            Err(_) => {
                let left = LONGEST_WAIT.saturating_sub(start.elapsed());
                match receiver.recv_timeout(left) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
                }
            }
        };
        match message {
            Message::Command(command) => batch.push(command),
            Message::Close(done) => return Some(done),
        }
    }
    None
}

fn carry_out(shared: &Shared, commands: impl Iterator<Item = Command>) {
    let mut commands: Vec<_> = commands.collect();
    let changes = commands.iter_mut().flat_map(|command| std::mem::take(&mut command.changes));
    let telling = Telling { watchers: &shared.watchers, changes: changes.collect() };
    let count = commands.len() as u64;
    let mut answers = Vec::with_capacity(commands.len());
    let ending = shared
        .with_database(|database| Ok(transact(shared, database, commands, &mut answers)))
        .unwrap_or_else(|error| Ending::Aborted(error.to_string()));
    if let Ending::Committed = ending {
        shared.tally.commits.fetch_add(1, Ordering::Relaxed);
        shared.tally.commands.fetch_add(count, Ordering::Relaxed);
    }
    drop(telling);
    for answer in answers {
        answer(&ending);
    }
}

fn transact(
    shared: &Shared,
    database: &Database,
    commands: Vec<Command>,
    answers: &mut Vec<Answer>,
) -> Ending {
    let begun = database.begin_write().map_err(Fault::from).and_then(|mut transaction| {
        transaction
            .set_durability(Durability::Immediate)
            .map_err(|error| Fault::Engine(error.to_string()))?;
        transaction.set_two_phase_commit(true);
        // The state of the allocator goes into each commit: with 64 commands in it that costs a
        // twentieth, and opening after a crash takes milliseconds instead of a walk through the
        // whole file.
        transaction.set_quick_repair(true);
        Ok(transaction)
    });
    let transaction = match begun {
        Ok(transaction) => transaction,
        Err(fault) => return Ending::Aborted(StoreError::from(fault).to_string()),
    };
    let mut changes = match Changes::open(&transaction, shared.lanes(), shared.clock.now()) {
        Ok(changes) => changes,
        Err(fault) => return Ending::Aborted(StoreError::from(fault).to_string()),
    };
    let mut broken = None;
    for command in commands {
        changes.now = shared.clock.now();
        let applied = (command.apply)(&mut changes);
        answers.push(applied.answer);
        broken = broken.or(applied.broken);
    }
    let broken = broken.or_else(|| match changes.finish() {
        Ok(()) => None,
        Err(fault) => Some(StoreError::from(fault).to_string()),
    });
    if let Some(detail) = broken {
        drop(transaction);
        return Ending::Aborted(detail);
    }
    match transaction.commit() {
        Ok(()) => Ending::Committed,
        Err(error) => {
            tracing::error!(%error, "a commit failed");
            Ending::Unknown
        }
    }
}
