//! The actor of a request, collected by the request builders.

use keyfob_core::invalid::InvalidValue;
use keyfob_core::text::Actor;

/// The actor of a request, and the first invalid value.
#[derive(Clone, Debug, Default)]
pub(super) struct Requester {
    actor: Option<Actor>,
    invalid: Option<InvalidValue>,
}

impl Requester {
    /// Creates a requester for a request that already has an invalid value.
    pub(super) fn invalid(invalid: InvalidValue) -> Self {
        Self { actor: None, invalid: Some(invalid) }
    }

    /// Sets the actor.
    pub(super) fn by(mut self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        match actor.try_into() {
            Ok(actor) => self.actor = Some(actor),
            Err(error) => self.invalid = self.invalid.or(Some(error.into())),
        }
        self
    }

    pub(super) fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// Checks that every value is valid.
    ///
    /// # Errors
    /// The first invalid value.
    pub(super) fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }
}
