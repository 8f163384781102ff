//! What a command works with.

use keyfob::{Filter, Timestamp, TokenManager};

use crate::args::Settings;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::open::{self, Missing};
use crate::output::Output;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) manager: TokenManager,
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
}

impl Context {
    /// Opens the store that the settings name.
    pub(crate) async fn open(
        settings: &Settings,
        missing: Missing,
        output: Output,
    ) -> Result<Self, Failure> {
        let manager = open::manager(settings, missing).await?;
        let interrupt = Interrupt::listen();
        tracing::debug!("the store is open");
        Ok(Self { manager, output, interrupt })
    }

    /// The present time of the manager.
    pub(crate) fn now(&self) -> Timestamp {
        self.manager.now()
    }

    /// Reads a filter from the words of the command line.
    pub(crate) fn filter(&self, words: &[String]) -> Result<Filter, Failure> {
        let text = words.join(" ");
        Filter::parse(&text, self.now()).map_err(|error| Failure::Filter { error, text })
    }
}
