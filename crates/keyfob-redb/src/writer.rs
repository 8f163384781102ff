//! The writing thread. Commands queue up for it. It takes the queued commands, applies them in one
//! transaction, commits, and then answers all of them: many writers share the cost of one sync of the
//! disk. Only this thread begins write transactions, and only this thread closes the file.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyfob_store::{Invalidation, InvalidationListeners, Lane, OperationId, StoreError};
use redb::{Database, Durability};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::batch::Batch;
use crate::error::TxError;
use crate::shared::{Shared, closed};

/// The maximum number of commands in one commit.
const MAX_COMMANDS_PER_COMMIT: usize = 64;

/// The maximum time that a commit waits for the writers that shared the last one to send their next
/// command. After a commit with one command there is no wait.
const MAX_GATHER_WAIT: Duration = Duration::from_millis(1);

/// The maximum number of commands in the queue. Further callers wait for a free slot.
const MAX_QUEUED: usize = 1024;

/// The handle of the writing thread.
#[derive(Debug)]
pub(crate) struct Writer {
    sender: Sender<Message>,
    queue_slots: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Command(Command),
    Close(oneshot::Sender<()>),
}

struct Command {
    apply: Apply,
    /// The invalidations that the listeners get before the command is answered.
    invalidations: Vec<(Lane, Invalidation)>,
    /// The command's slot in the queue, released when the command ends.
    _queue_slot: OwnedSemaphorePermit,
}

type Apply = Box<dyn for<'t> FnOnce(&mut Batch<'t>) -> Applied + Send>;

/// A command that was applied in a transaction that is not yet committed.
struct Applied {
    reply: Reply,
    engine_error: Option<String>,
}

/// Sends the result of a command to its caller.
type Reply = Box<dyn FnOnce(&CommitResult) + Send>;

/// Notifies the listeners when it is dropped, also after a panic. A transaction that failed may still
/// have been committed.
struct NotifyOnDrop<'a> {
    listeners: &'a InvalidationListeners,
    invalidations: Vec<(Lane, Invalidation)>,
}

impl Drop for NotifyOnDrop<'_> {
    fn drop(&mut self) {
        self.listeners.notify(self.invalidations.drain(..));
    }
}

/// The result of a transaction.
enum CommitResult {
    Committed,
    /// No command of the transaction took effect.
    Aborted(String),
    /// The commands may or may not have taken effect.
    Unknown,
}

impl Writer {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("keyfob-redb".to_owned())
            .spawn(move || run(&shared, &receiver))
            .map_err(|error| {
                StoreError::unavailable(format_args!("cannot start the writing thread: {error}"))
            })?;
        let queue_slots = Arc::new(Semaphore::new(MAX_QUEUED));
        Ok(Self { sender, queue_slots, thread: Mutex::new(Some(thread)) })
    }

    /// Executes a command and waits until it is durable. The listeners get `invalidations` before the
    /// command is answered, even if its caller no longer waits.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: Option<OperationId>,
        invalidations: impl IntoIterator<Item = (Lane, Invalidation)>,
        command: impl FnOnce(&mut Batch<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let outcome_unknown = move || match operation {
            Some(operation) => StoreError::OutcomeUnknown { operation },
            None => StoreError::unavailable("no answer from the disk"),
        };
        let (reply_sender, reply) = oneshot::channel();
        let apply = Box::new(move |batch: &mut Batch<'_>| {
            let outcome = command(batch);
            let engine_error = match &outcome {
                Err(TxError::Engine(detail)) => Some(detail.clone()),
                _ => None,
            };
            let reply = Box::new(move |commit: &CommitResult| {
                let outcome = match commit {
                    CommitResult::Committed => outcome.map_err(StoreError::from),
                    CommitResult::Aborted(detail) => Err(StoreError::unavailable(detail)),
                    CommitResult::Unknown => Err(outcome_unknown()),
                };
                // This fails if the caller no longer waits, and then nothing needs the reply.
                let _ = reply_sender.send(outcome);
            });
            Applied { reply, engine_error }
        });
        let queue_slots = Arc::clone(&self.queue_slots);
        let queue_slot = queue_slots.acquire_owned().await.map_err(|_| closed())?;
        let invalidations = invalidations.into_iter().collect();
        let command = Message::Command(Command { apply, invalidations, _queue_slot: queue_slot });
        self.sender.send(command).map_err(|_| closed())?;
        reply.await.unwrap_or_else(|_| Err(outcome_unknown()))
    }

    /// Waits until the thread has executed the queued commands and closed the file.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.sender.send(Message::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that the file can be opened again immediately.
    fn drop(&mut self) {
        let (done, _) = oneshot::channel();
        let _ = self.sender.send(Message::Close(done));
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, receiver: &Receiver<Message>) {
    let mut commands = Vec::with_capacity(MAX_COMMANDS_PER_COMMIT);
    let mut expected = 1;
    let mut closing = None;
    while closing.is_none() {
        match receiver.recv() {
            Ok(Message::Command(command)) => commands.push(command),
            Ok(Message::Close(done)) => closing = Some(done),
            Err(_) => break,
        }
        if closing.is_none() {
            closing = gather(receiver, &mut commands, expected);
        }
        if !commands.is_empty() {
            expected = commands.len();
            // A panic of the engine drops the reply senders, and the callers learn that the outcome
            // is unknown. The thread continues, so that later callers learn it as well.
            let execute = AssertUnwindSafe(|| execute(shared, commands.drain(..)));
            if panic::catch_unwind(execute).is_err() {
                tracing::error!("the file cannot be written: it is damaged");
            }
        }
    }
    shared.close();
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// Takes the queued commands. Waits at most [`MAX_GATHER_WAIT`] until there are as many as in the last
/// commit: its writers were just answered and are about to send their next command.
fn gather(
    receiver: &Receiver<Message>,
    commands: &mut Vec<Command>,
    expected: usize,
) -> Option<oneshot::Sender<()>> {
    let start = Instant::now();
    while commands.len() < MAX_COMMANDS_PER_COMMIT {
        let message = match receiver.try_recv() {
            Ok(message) => message,
            Err(_) if commands.len() >= expected => return None,
            Err(_) => {
                let left = MAX_GATHER_WAIT.saturating_sub(start.elapsed());
                match receiver.recv_timeout(left) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
                }
            }
        };
        match message {
            Message::Command(command) => commands.push(command),
            Message::Close(done) => return Some(done),
        }
    }
    None
}

/// Applies the commands in one transaction, notifies the listeners, and answers the callers.
fn execute(shared: &Shared, commands: impl Iterator<Item = Command>) {
    let mut commands: Vec<_> = commands.collect();
    let invalidations =
        commands.iter_mut().flat_map(|command| std::mem::take(&mut command.invalidations));
    let notify_on_drop =
        NotifyOnDrop { listeners: &shared.listeners, invalidations: invalidations.collect() };
    let count = commands.len() as u64;
    let mut replies = Vec::with_capacity(commands.len());
    let commit = shared
        .with_database(|database| Ok(apply_and_commit(shared, database, commands, &mut replies)))
        .unwrap_or_else(|error| CommitResult::Aborted(error.to_string()));
    if let CommitResult::Committed = commit {
        shared.commit_counters.commits.fetch_add(1, Ordering::Relaxed);
        shared.commit_counters.commands.fetch_add(count, Ordering::Relaxed);
    }
    drop(notify_on_drop);
    for reply in replies {
        reply(&commit);
    }
}

fn apply_and_commit(
    shared: &Shared,
    database: &Database,
    commands: Vec<Command>,
    replies: &mut Vec<Reply>,
) -> CommitResult {
    let begun = database.begin_write().map_err(TxError::from).and_then(|mut transaction| {
        transaction
            .set_durability(Durability::Immediate)
            .map_err(|error| TxError::Engine(error.to_string()))?;
        transaction.set_two_phase_commit(true);
        // This writes the state of the allocator with each commit. It costs 5 % at 64 commands per
        // commit, and opening after a crash takes milliseconds instead of a scan of the whole file.
        transaction.set_quick_repair(true);
        Ok(transaction)
    });
    let transaction = match begun {
        Ok(transaction) => transaction,
        Err(error) => return CommitResult::Aborted(StoreError::from(error).to_string()),
    };
    let mut batch = match Batch::open(&transaction, shared.lanes(), shared.clock.now()) {
        Ok(batch) => batch,
        Err(error) => return CommitResult::Aborted(StoreError::from(error).to_string()),
    };
    let mut engine_error = None;
    for command in commands {
        batch.now = shared.clock.now();
        let applied = (command.apply)(&mut batch);
        replies.push(applied.reply);
        engine_error = engine_error.or(applied.engine_error);
    }
    let engine_error = engine_error.or_else(|| match batch.finish() {
        Ok(()) => None,
        Err(error) => Some(StoreError::from(error).to_string()),
    });
    if let Some(detail) = engine_error {
        drop(transaction);
        return CommitResult::Aborted(detail);
    }
    match transaction.commit() {
        Ok(()) => CommitResult::Committed,
        Err(error) => {
            tracing::error!(%error, "a commit failed");
            CommitResult::Unknown
        }
    }
}
