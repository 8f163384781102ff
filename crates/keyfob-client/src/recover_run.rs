//! Revoking again what a restored store has forgotten: in batches, with progress.

use std::fmt;

use keyfob_api::revoke::ProgressState;
use keyfob_api::{LoggedRevocation, MAX_ITEMS, RecoverBody, RecoverProgress};

use crate::client::Client;
use crate::error::Error;
use crate::progress::{self, ProgressLines, Run, failed};
use crate::request::Request;
use crate::retry::Repeat;

/// A run that applies the revocations of a log again, in their order.
///
/// It sends up to a thousand at once. If the connection breaks, it sends those again that are not known to
/// be done. The numbers of [`RecoverProgress`] count from the start of the run.
pub struct RecoverRun {
    lines: ProgressLines,
    revocations: Vec<LoggedRevocation>,
    dry_run: bool,
    /// The numbers of all batches before the one that runs.
    before: RecoverProgress,
    /// The last line, with the numbers of the whole run.
    last: RecoverProgress,
}

impl RecoverRun {
    pub(crate) fn new(client: Client, revocations: Vec<LoggedRevocation>, dry_run: bool) -> Self {
        let (mut lines, start) = (ProgressLines::new(client), RecoverProgress::start());
        if revocations.is_empty() {
            lines.finish();
        }
        Self { lines, revocations, dry_run, before: start.clone(), last: start }
    }

    /// Returns the last progress that has arrived.
    pub fn progress(&self) -> &RecoverProgress {
        &self.last
    }

    /// Waits for the next line of progress; `None` after the last one, whose `state` is `done`.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the server refuses or the run fails there, or if the connection breaks more often than the
    /// [`RetryPolicy`](crate::RetryPolicy) allows. Another run over the same revocations changes
    /// nothing that is done.
    pub async fn next(&mut self) -> Result<Option<RecoverProgress>, Error> {
        progress::next(self).await
    }

    /// How many revocations are done by the batches before.
    fn applied(&self) -> usize {
        usize::try_from(self.before.applied).unwrap_or(usize::MAX)
    }
}

impl Run for RecoverRun {
    type Line = RecoverProgress;

    fn lines(&mut self) -> &mut ProgressLines {
        &mut self.lines
    }

    fn request(&self) -> Result<Request, Error> {
        let rest = self.revocations.iter().skip(self.applied());
        let body = RecoverBody {
            revocations: rest.take(MAX_ITEMS).cloned().collect(),
            dry_run: self.dry_run,
        };
        Request::post("/v1/recover", &body, Repeat::Safe)
    }

    fn read(&mut self, mut line: RecoverProgress) -> Result<RecoverProgress, Error> {
        line.add(&self.before);
        if line.state == ProgressState::Done {
            self.lines.end();
            self.before.clone_from(&line);
            if self.applied() < self.revocations.len() {
                line.state = ProgressState::Running;
            }
        }
        if line.state != ProgressState::Running {
            self.lines.finish();
        }
        self.last.clone_from(&line);
        match line.error.take() {
            Some(problem) => Err(failed(*problem)),
            None => Ok(line),
        }
    }

    fn resume(&mut self) {
        self.before.clone_from(&self.last);
    }
}

impl fmt::Debug for RecoverRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoverRun")
            .field("client", &self.lines.client)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
