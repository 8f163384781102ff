//! Who asks for a change, as the builders of requests collect it.

use keyfob_core::invalid::InvalidValue;
use keyfob_core::text::Actor;

/// The actor of a request, and the first value of the request that is not valid.
#[derive(Clone, Debug, Default)]
pub(super) struct Requester {
    actor: Option<Actor>,
    invalid: Option<InvalidValue>,
}

impl Requester {
    /// A requester whose request has a value that is not valid already.
    pub(super) fn invalid(invalid: InvalidValue) -> Self {
        Self { actor: None, invalid: Some(invalid) }
    }

    /// Returns the requester with this actor.
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

    /// Checks that every value was valid.
    ///
    /// # Errors
    /// The first that was not.
    pub(super) fn check(&self) -> Result<(), InvalidValue> {
        self.invalid.clone().map_or(Ok(()), Err)
    }
}
