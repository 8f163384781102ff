//! Sealing all records again: progress line by line, resumed where a connection broke.

use std::collections::BTreeMap;
use std::fmt;

use keyfob_api::revoke::ProgressState;
use keyfob_api::{ResealBody, ResealProgress};

use crate::client::Client;
use crate::error::Error;
use crate::progress::{self, ProgressLines, Run, failed};
use crate::request::Request;
use crate::retry::Repeat;

/// A run that seals all records with the active key.
///
/// If the connection breaks, the run resumes at the last page that it knows of. The numbers of
/// [`ResealProgress`] then count from the start of the whole run.
pub struct ResealRun {
    lines: ProgressLines,
    body: ResealBody,
    /// The last line, with the numbers of the whole run.
    last: Option<ResealProgress>,
    /// The numbers of connections that broke.
    before: Numbers,
}

#[derive(Clone, Default)]
struct Numbers {
    resealed: u64,
    examined: u64,
    unreadable: u64,
    under: BTreeMap<u16, u64>,
}

impl ResealRun {
    pub(crate) fn new(client: Client, body: ResealBody) -> Self {
        let (lines, before) = (ProgressLines::new(client), Numbers::default());
        Self { lines, body, last: None, before }
    }

    /// Returns the last progress that has arrived. Its `resume` starts another run where this one is.
    pub fn progress(&self) -> Option<&ResealProgress> {
        self.last.as_ref()
    }

    /// Waits for the next line of progress; `None` after the last one, whose `state` is `done`.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the server refuses or the run fails there, or if the connection breaks more often than the
    /// [`RetryPolicy`](crate::RetryPolicy) allows. See [`Self::progress`] for where to resume.
    pub async fn next(&mut self) -> Result<Option<ResealProgress>, Error> {
        progress::next(self).await
    }
}

impl Run for ResealRun {
    type Line = ResealProgress;

    fn lines(&mut self) -> &mut ProgressLines {
        &mut self.lines
    }

    fn request(&self) -> Result<Request, Error> {
        // What is sealed again stays so.
        Request::post("/v1/keys/reseal", &self.body, Repeat::Safe)
    }

    fn read(&mut self, mut line: ResealProgress) -> Result<ResealProgress, Error> {
        line.resealed += self.before.resealed;
        line.examined += self.before.examined;
        line.unreadable += self.before.unreadable;
        for (key, records) in &self.before.under {
            *line.under.entry(*key).or_default() += records;
        }
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
            self.body.resume.clone_from(&last.resume);
            let ResealProgress { resealed, examined, unreadable, .. } = *last;
            self.before = Numbers { resealed, examined, unreadable, under: last.under.clone() };
        }
    }
}

impl fmt::Debug for ResealRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResealRun")
            .field("client", &self.lines.client)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
