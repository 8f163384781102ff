//! The context of a command: its manager, output and interrupt.

use keyfob::{Filter, Timestamp, TokenManager};

use crate::args::Settings;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::open::{self, Opening};
use crate::output::Output;

/// The context of a command.
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
        opening: Opening,
        output: Output,
    ) -> Result<Self, Failure> {
        let manager = open::manager(settings, opening).await?;
        let interrupt = Interrupt::listen();
        tracing::debug!("the store is open");
        Ok(Self { manager, output, interrupt })
    }

    /// The current time of the manager.
    pub(crate) fn now(&self) -> Timestamp {
        self.manager.now()
    }

    /// Parses a filter from the words of the command line.
    pub(crate) fn filter(&self, words: &[String]) -> Result<Filter, Failure> {
        let text = words.join(" ");
        Filter::parse(&text, self.now()).map_err(|error| Failure::Filter { error, text })
    }
}
