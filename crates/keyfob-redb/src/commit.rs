//! One transaction: applies commands, commits, and answers their callers.
//!
//! On a full disk, ordinary commands are refused before the transaction begins, and revocations use the
//! room that is set aside for them. See [`Disk`](crate::disk::Disk).

use std::path::Path;
use std::sync::atomic::Ordering;

use keyfob_store::{Invalidation, InvalidationListeners, Lane, StoreError};
use redb::{Database, Durability};
use tokio::sync::OwnedSemaphorePermit;

use crate::batch::Batch;
use crate::error::{self, TxError};
use crate::shared::Shared;
use crate::tables;

/// A command that waits for its transaction.
pub(crate) struct Command {
    pub(crate) apply: Apply,
    /// The invalidations that the listeners get before the command is answered.
    pub(crate) invalidations: Vec<(Lane, Invalidation)>,
    /// What the command may use of a full disk.
    pub(crate) room: Room,
    /// The command's slot in the queue, released when the command ends.
    pub(crate) _queue_slot: OwnedSemaphorePermit,
}

/// What a command may use of a full disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    /// Nothing: it is refused.
    Free,
    /// The room that is set aside for revocations.
    Reserve,
}

/// Applies a command to a batch. Without a batch, the command ends and its reply can be sent.
pub(crate) type Apply = Box<dyn for<'t> FnOnce(Option<&mut Batch<'t>>) -> Applied + Send>;

/// A command that was applied in a transaction that is not yet committed.
pub(crate) struct Applied {
    pub(crate) reply: Reply,
    pub(crate) failure: Option<Failure>,
}

/// Sends the result of a command to its caller.
pub(crate) type Reply = Box<dyn FnOnce(&CommitResult) + Send>;

/// The result of a transaction.
pub(crate) enum CommitResult {
    Committed,
    /// No command of the transaction took effect.
    Aborted(Failure),
    /// The commands may or may not have taken effect.
    Unknown,
}

/// Why a transaction did not take effect.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Full,
    ReadOnly,
    Unavailable(String),
}

impl Failure {
    /// Returns the failure of the engine that an error of a command reports, if it does.
    pub(crate) fn of(error: &TxError) -> Option<Self> {
        match error {
            TxError::Full => Some(Self::Full),
            TxError::Engine(detail) => Some(Self::Unavailable(detail.clone())),
            TxError::Refused(_) => None,
        }
    }

    pub(crate) fn error(&self, path: &Path) -> StoreError {
        match self {
            Self::Full => error::full(path),
            Self::ReadOnly => error::read_only(path),
            Self::Unavailable(detail) => StoreError::unavailable(detail),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::Full,
            StoreError::ReadOnly { .. } => Self::ReadOnly,
            StoreError::Unavailable { detail } => Self::Unavailable(detail),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<TxError> for Failure {
    fn from(error: TxError) -> Self {
        Self::of(&error).unwrap_or_else(|| match error {
            TxError::Refused(error) => error.into(),
            _ => Self::Full,
        })
    }
}

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

/// Applies the commands in one transaction, notifies the listeners, and answers the callers.
pub(crate) fn execute(shared: &Shared, mut commands: Vec<Command>) {
    let invalidations =
        commands.iter_mut().flat_map(|command| std::mem::take(&mut command.invalidations));
    let notify_on_drop =
        NotifyOnDrop { listeners: &shared.listeners, invalidations: invalidations.collect() };
    let mut transaction = Attempt { commands, ..Attempt::default() };
    let commit = shared
        .with_file(|file| {
            let Some((database, disk)) = file.writable() else {
                return Ok(CommitResult::Aborted(Failure::ReadOnly));
            };
            if !disk.prepare() {
                transaction.refuse_ordinary();
            }
            let only_revocations =
                transaction.commands.iter().all(|command| command.room == Room::Reserve);
            disk.allow_reserve(only_revocations);
            Ok(transaction.apply_and_commit(shared, database))
        })
        .unwrap_or_else(|error| CommitResult::Aborted(error.into()));
    let commit = match commit {
        CommitResult::Unknown => transaction.find_out(shared),
        commit => commit,
    };
    if let CommitResult::Committed = commit
        && !transaction.replies.is_empty()
    {
        let count = transaction.replies.len() as u64;
        shared.commit_counters.commits.fetch_add(1, Ordering::Relaxed);
        shared.commit_counters.commands.fetch_add(count, Ordering::Relaxed);
    }
    drop(notify_on_drop);
    transaction.answer(&commit);
}

/// The commands of one transaction.
#[derive(Default)]
struct Attempt {
    /// The commands that are not applied yet.
    commands: Vec<Command>,
    /// The replies of the applied commands.
    replies: Vec<Reply>,
    /// The commands that a full disk refuses.
    refused: Vec<Command>,
    /// The key of a saved answer. It is in the file if the transaction was committed.
    saved_answer: Option<Vec<u8>>,
}

impl Attempt {
    fn refuse_ordinary(&mut self) {
        let commands = std::mem::take(&mut self.commands).into_iter();
        (self.commands, self.refused) = commands.partition(|command| command.room == Room::Reserve);
    }

    fn apply_and_commit(&mut self, shared: &Shared, database: &Database) -> CommitResult {
        if self.commands.is_empty() {
            return CommitResult::Committed;
        }
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
            Err(error) => return CommitResult::Aborted(error.into()),
        };
        let mut batch = match Batch::open(&transaction, shared.lanes(), shared.clock.now()) {
            Ok(batch) => batch,
            Err(error) => return CommitResult::Aborted(error.into()),
        };
        let mut failure = None;
        for command in self.commands.drain(..) {
            batch.now = shared.clock.now();
            let applied = (command.apply)(Some(&mut batch));
            self.replies.push(applied.reply);
            failure = failure.or(applied.failure);
        }
        self.saved_answer = batch.saved_answer.take();
        let failure = failure.or_else(|| batch.finish().err().map(Failure::from));
        if let Some(failure) = failure {
            drop(transaction);
            return CommitResult::Aborted(failure);
        }
        match transaction.commit() {
            Ok(()) => CommitResult::Committed,
            Err(error) => {
                tracing::error!(%error, "a commit failed");
                CommitResult::Unknown
            }
        }
    }

    /// Reads whether the transaction was committed: its answers are in the file then.
    fn find_out(&self, shared: &Shared) -> CommitResult {
        let Some(key) = &self.saved_answer else { return CommitResult::Unknown };
        let is_saved = shared.read(|transaction| {
            Ok(transaction.open_table(tables::ANSWERS)?.get(key.as_slice())?.is_some())
        });
        match is_saved {
            Ok(true) => CommitResult::Committed,
            // Only a full disk lets the file be read again after a failed commit.
            Ok(false) => CommitResult::Aborted(Failure::Full),
            Err(_) => CommitResult::Unknown,
        }
    }

    /// Answers the callers.
    fn answer(self, commit: &CommitResult) {
        for reply in self.replies {
            reply(commit);
        }
        for command in self.commands {
            ((command.apply)(None).reply)(commit);
        }
        for command in self.refused {
            ((command.apply)(None).reply)(&CommitResult::Aborted(Failure::Full));
        }
    }
}
