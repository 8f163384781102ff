//! Values that are bound to the names in a filter's text.

use std::collections::BTreeMap;
use std::fmt;

use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};

/// Values for the names in a filter's text, for values that come from elsewhere.
///
/// In the text, `$name` stands where a value can stand. The value that is bound to the name is never
/// parsed as a part of the filter: spaces, colons, commas and quotes in it are ordinary characters.
/// So a value from a user cannot add or change a condition.
///
/// ```
/// use keyfob::filter::FilterBindings;
/// use keyfob::{Filter, Timestamp};
///
/// let bindings = FilterBindings::new().bind("who", "alice state:revoked")?;
/// let filter = Filter::parse_with("subject:$who kind:access", Timestamp::default(), &bindings)?;
/// assert_eq!(filter.to_string(), r#"kind:access subject:"alice state:revoked""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FilterBindings(BTreeMap<Box<str>, Box<str>>);

impl FilterBindings {
    /// The maximum length of a name, in bytes.
    pub const MAX_NAME_BYTES: usize = 32;

    /// Creates an empty set of bindings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a value to a name: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// If the name is not valid, or has a value already.
    pub fn bind(mut self, name: &str, value: impl Into<String>) -> Result<Self, InvalidValue> {
        let refused = |reason| Err(InvalidValue::new(Field::Binding, reason));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > Self::MAX_NAME_BYTES || !name.chars().all(plain) {
            let expected = "a name of at most 32 letters, digits, '-' and '_'";
            return refused(InvalidReason::Malformed { expected });
        }
        if self.0.contains_key(name) {
            return refused(InvalidReason::Duplicate);
        }
        self.0.insert(name.into(), value.into().into_boxed_str());
        Ok(self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }
}

impl fmt::Debug for FilterBindings {
    /// Shows the names. A value may be a secret in the wrong place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
