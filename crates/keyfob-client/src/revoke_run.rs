//! Revoking by a filter: progress line by line, resumed where a connection broke.

use std::fmt;

use keyfob_api::revoke::{ProgressState, RevokeFilter};
use keyfob_api::{RevokeBody, RevokeProgress, RevokeTarget};

use crate::client::Client;
use crate::error::Error;
use crate::progress::{self, ProgressLines, Run, failed};
use crate::request::Request;
use crate::retry::Repeat;

/// A run that revokes all tokens that match a filter.
///
/// If the connection breaks, the run resumes at the last page that it knows of. The numbers of
/// [`RevokeProgress`] then count from the start of the whole run. Tokens of a page whose line did not
/// arrive are revoked, and not counted.
pub struct RevokeRun {
    lines: ProgressLines,
    filter: RevokeFilter,
    body: RevokeBody,
    /// The last line, with the numbers of the whole run.
    last: Option<RevokeProgress>,
    /// The numbers of connections that broke.
    before: Numbers,
}

#[derive(Clone, Copy, Default)]
struct Numbers {
    revoked: u64,
    examined: u64,
    unreadable: u64,
}

impl RevokeRun {
    pub(crate) fn new(client: Client, filter: RevokeFilter, body: RevokeBody) -> Self {
        Self {
            lines: ProgressLines::new(client),
            filter,
            body,
            last: None,
            before: Numbers::default(),
        }
    }

    /// Returns the last progress that has arrived. Its `filter` and `resume` start another run where
    /// this one is.
    pub fn progress(&self) -> Option<&RevokeProgress> {
        self.last.as_ref()
    }

    /// Waits for the next line of progress; `None` after the last one, whose `state` is `done`.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the server refuses or the run fails there, or if the connection breaks more often than the
    /// [`RetryPolicy`](crate::RetryPolicy) allows. See [`Self::progress`] for where to resume.
    pub async fn next(&mut self) -> Result<Option<RevokeProgress>, Error> {
        progress::next(self).await
    }

    /// Runs to the end. Returns the last progress.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub async fn finish(&mut self) -> Result<RevokeProgress, Error> {
        while self.next().await?.is_some() {}
        let missing = || Error::UnexpectedAnswer("the stream has no last line".to_owned());
        self.last.clone().ok_or_else(missing)
    }
}

impl Run for RevokeRun {
    type Line = RevokeProgress;

    fn lines(&mut self) -> &mut ProgressLines {
        &mut self.lines
    }

    fn request(&self) -> Result<Request, Error> {
        let mut body = self.body.clone();
        body.target = RevokeTarget::Filter(self.filter.clone());
        // What is revoked stays revoked, and a filter has absolute times: sending it again is safe.
        Request::post("/v1/revoke", &body, Repeat::Safe)
    }

    fn read(&mut self, mut line: RevokeProgress) -> Result<RevokeProgress, Error> {
        line.revoked += self.before.revoked;
        line.examined += self.before.examined;
        line.unreadable += self.before.unreadable;
        if line.state != ProgressState::Running {
            self.lines.finish();
        }
        self.last = Some(line.clone());
        match line.error.take() {
            Some(problem) => Err(failed(*problem)),
            None => Ok(line),
        }
    }

    fn resume(&mut self) {
        if let Some(last) = &self.last {
            self.filter.filter.clone_from(&last.filter);
            self.filter.bind.clear();
            self.filter.resume.clone_from(&last.resume);
            let RevokeProgress { revoked, examined, unreadable, .. } = *last;
            self.before = Numbers { revoked, examined, unreadable };
        }
    }
}

impl fmt::Debug for RevokeRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevokeRun")
            .field("client", &self.lines.client)
            .field("filter", &self.filter)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
