//! The context of a command: its manager, output and interrupt.

use keyfob::filter::FilterBindings;
use keyfob::{Filter, Timestamp, TokenManager};

use crate::args::Settings;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::open::{self, Opening};
use crate::output::Output;
use crate::values::BindArg;

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

    /// Parses a filter from the words of the command line, with values for its names.
    pub(crate) fn filter(&self, words: &[String], values: &[BindArg]) -> Result<Filter, Failure> {
        filter(words, values, self.now())
    }
}

/// Parses a filter from the words of the command line, with values for its names.
pub(crate) fn filter(
    words: &[String],
    values: &[BindArg],
    now: Timestamp,
) -> Result<Filter, Failure> {
    let mut bindings = FilterBindings::new();
    for value in values {
        bindings = bindings.bind(&value.name, value.value.clone())?;
    }
    let text = words.join(" ");
    let filter = Filter::parse_with(&text, now, &bindings);
    filter.map_err(|error| Failure::Filter { error, text })
}
