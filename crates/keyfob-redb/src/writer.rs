//! The writing thread. Commands queue up for it. It takes the queued commands, applies them in one
//! transaction, commits, and then answers all of them: many writers share the cost of one sync of the
//! disk. Only this thread begins write transactions, and only this thread closes the file.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyfob_store::{Invalidation, Lane, OperationId, StoreError};
use tokio::sync::{Semaphore, oneshot};

use crate::batch::Batch;
use crate::commit::{self, Applied, Command, CommitResult, Failure, Room};
use crate::error::TxError;
use crate::shared::{MAX_HOLD, Shared, closed};

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
    path: PathBuf,
    sender: Sender<Message>,
    queue_slots: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Command(Command),
    Close(oneshot::Sender<()>),
}

impl Writer {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        let path = shared.path.clone();
        let thread = std::thread::Builder::new()
            .name("keyfob-redb".to_owned())
            .spawn(move || run(&shared, &receiver))
            .map_err(|error| {
                StoreError::unavailable(format_args!("cannot start the writing thread: {error}"))
            })?;
        let queue_slots = Arc::new(Semaphore::new(MAX_QUEUED));
        Ok(Self { path, sender, queue_slots, thread: Mutex::new(Some(thread)) })
    }

    /// Executes a command and waits until it is durable. The listeners get `invalidations` before the
    /// command is answered, even if its caller no longer waits.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: Option<OperationId>,
        room: Room,
        invalidations: impl IntoIterator<Item = (Lane, Invalidation)>,
        command: impl FnOnce(&mut Batch<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let outcome_unknown = move || match operation {
            Some(operation) => StoreError::OutcomeUnknown { operation },
            None => StoreError::unavailable("no answer from the disk"),
        };
        let (reply_sender, reply) = oneshot::channel();
        let path = self.path.clone();
        let apply = Box::new(move |batch: Option<&mut Batch<'_>>| {
            // Without a batch, the reply names the reason.
            let outcome = batch.map_or(Err(TxError::Full), command);
            let failure = outcome.as_ref().err().and_then(Failure::of);
            let reply = Box::new(move |commit: &CommitResult| {
                let outcome = match commit {
                    CommitResult::Committed => outcome.map_err(|error| error.of(&path)),
                    CommitResult::Aborted(failure) => Err(failure.error(&path)),
                    CommitResult::Unknown => Err(outcome_unknown()),
                };
                // This fails if the caller no longer waits, and then nothing needs the reply.
                let _ = reply_sender.send(outcome);
            });
            Applied { reply, failure }
        });
        let queue_slots = Arc::clone(&self.queue_slots);
        let queue_slot = queue_slots.acquire_owned().await.map_err(|_| closed())?;
        let invalidations = invalidations.into_iter().collect();
        let command = Command { apply, invalidations, room, _queue_slot: queue_slot };
        self.sender.send(Message::Command(command)).map_err(|_| closed())?;
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
        match next(shared, receiver) {
            Some(Message::Command(command)) => commands.push(command),
            Some(Message::Close(done)) => closing = Some(done),
            None => break,
        }
        if closing.is_none() {
            closing = gather(receiver, &mut commands, expected);
        }
        if !commands.is_empty() {
            expected = commands.len();
            // A panic of the engine drops the reply senders, and the callers learn that the outcome
            // is unknown. The thread continues, so that later callers learn it as well.
            let execute =
                AssertUnwindSafe(|| commit::execute(shared, std::mem::take(&mut commands)));
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

/// Waits for a message. Meanwhile, a shared store leaves the file to others. Returns `None` when the store
/// is dropped.
fn next(shared: &Shared, receiver: &Receiver<Message>) -> Option<Message> {
    if !shared.options.is_shared {
        return receiver.recv().ok();
    }
    loop {
        // Commands that follow each other without a pause must not keep the file either.
        shared.release();
        match receiver.recv_timeout(MAX_HOLD) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
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
