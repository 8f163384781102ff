//! The context of a command: where its tokens are, output and interrupt.

use keyfob::filter::FilterBindings;
use keyfob::{Filter, Timestamp, TokenManager};

use crate::args::{Place, Settings};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::open::{self, Opening};
use crate::output::Output;
use crate::server_url;
use crate::values::BindArg;

/// The context of a command.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) backend: Backend,
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
}

impl Context {
    /// Opens the store that the settings name, or prepares to ask the server.
    pub(crate) async fn open(
        settings: &Settings,
        opening: Opening,
        output: Output,
    ) -> Result<Self, Failure> {
        let backend = match settings.place()? {
            Place::Store => Backend::store(open::manager(settings, opening).await?),
            Place::Server(url) => {
                let client = server_url::client(url, &settings.server)?;
                Backend::server(client, settings.prefix.clone())
            }
        };
        let interrupt = Interrupt::listen();
        tracing::debug!("the store is open");
        Ok(Self { backend, output, interrupt })
    }

    /// The manager of the store, for a command that works on a store only.
    pub(crate) fn manager(&self) -> Result<TokenManager, Failure> {
        self.backend.manager().cloned()
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        self.backend.now()
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
    let text = words.join(" ");
    let filter = Filter::parse_with(&text, now, &bindings(values)?);
    filter.map_err(|error| Failure::Filter { error, text })
}

/// Returns the values for the names of a filter.
pub(crate) fn bindings(values: &[BindArg]) -> Result<FilterBindings, Failure> {
    let mut bindings = FilterBindings::new();
    for value in values {
        bindings = bindings.bind(&value.name, value.value.clone())?;
    }
    Ok(bindings)
}
