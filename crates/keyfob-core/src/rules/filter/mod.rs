//! Filters: conditions on tokens, as a value that is built or parsed from one line of text.
//!
//! A filter is a conjunction: a token has to meet every condition. A condition with several values
//! says whether *all* of them are required or *any* of them.

mod bindings;
mod error;
mod group;
mod head;
mod key;
mod length;
mod parse;
mod plan;
mod write;

use std::collections::BTreeSet;

use crate::field::Field;
use crate::id::{FamilyId, IdPrefix};
use crate::invalid::{InvalidReason, InvalidValue};
use crate::names::{Labels, NameSet};
use crate::text::{
    AppId, Audience, ClientId, DeviceId, Issuer, LabelKey, LabelValue, Scope, Subject, Tag,
};
use crate::time::Timestamp;
use crate::token::{Kind, Token, TokenState};

use length::text_length;

pub use bindings::FilterBindings;
pub use error::FilterError;
pub use head::HeadConditions;
pub use plan::Plan;

/// Conditions that a token has to meet. An empty filter matches every token.
///
/// Each value is checked as it is given. The first value that is not valid is reported by
/// [`Filter::check`] and by every method that takes the filter. Such a filter matches no token, so a
/// mistake never widens a result.
///
/// # Text form
/// Conditions are `key:value`, separated by spaces. A value with a space is in double quotes. Inside
/// quotes, `\"` and `\\` stand for a quote and a backslash: `subject:"Jane Doe"`,
/// `label:team="red and blue"`. Outside quotes a backslash is an ordinary character.
///
/// A value that is not in quotes and starts with `$` is the name of a value that is bound to it:
/// `subject:$who`, `label:team=$team`. See [`FilterBindings`], and use it for every value that your
/// program did not write itself. In quotes, `$` is an ordinary character.
///
/// | key | value | given more than once |
/// |---|---|---|
/// | `kind` | `access`, `refresh`, `api-key` or `session`, or several, separated by commas | any of them |
/// | `state` | `pending`, `active`, `revoked`, `expired` or `exhausted`, or several, separated by commas | any of them |
/// | `subject`, `issuer`, `client`, `device`, `app` | the whole value | an error |
/// | `audience` | an audience of the token | an error |
/// | `family` | the id of the token at the family's root | an error |
/// | `id` | a token id or the start of one, such as `tok_00d1` | an error |
/// | `tag`, `scope` | a tag or a scope | all of them |
/// | `any-tag`, `any-scope` | a tag or a scope | any of them |
/// | `label` | `key=value` | all of them |
/// | `issued-after`, `issued-before` | a time | an error |
/// | `expires-after`, `expires-before` | a time | an error |
///
/// A time is RFC 3339 (`2026-11-24T08:30:00Z`), a date (`2026-11-24`, its first moment in UTC),
/// `now`, or a distance from now (`-7d`, `+1h`).
///
/// # Bounds
/// *After* includes its time and *before* excludes it. So `issued-after:2026-11-24
/// issued-before:2026-11-25` is that one day, and adjacent ranges neither overlap nor leave a gap.
///
/// *Expires* is the token's expires-at. A token that never expires is after every time and before
/// none. An idle timeout does not count; `state:expired` finds the tokens that ended by it.
///
/// # Cost
/// A store lists tokens by index. A filter with a family, subject, device, client, app, label or
/// tag reads only the tokens that the index lists under one of these. A filter with an id reads only
/// the ids that start with it, if the newest tokens come first. Every other filter reads every token
/// of the namespace. [`Filter::uses_index`] says which.
///
/// # Examples
/// ```
/// use keyfob::{Filter, Kind, Timestamp, TokenState};
///
/// let built = Filter::new()
///     .kind(Kind::Access)
///     .subject("user123")
///     .tag("mobile")
///     .label("environment", "production")
///     .state(TokenState::Active);
/// assert!(built.check().is_ok());
///
/// let now = Timestamp::from_millis(1_795_000_000_000);
/// let text = "kind:access subject:user123 tag:mobile label:environment=production state:active";
/// assert_eq!(Filter::parse(text, now)?, built);
/// assert_eq!(Filter::parse(&built.to_string(), now)?, built);
/// # Ok::<(), keyfob::filter::FilterError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use = "a filter finds nothing until it is handed to a method that lists"]
pub struct Filter {
    kinds: BTreeSet<Kind>,
    states: BTreeSet<TokenState>,
    id: Option<IdPrefix>,
    family: Option<FamilyId>,
    subject: Option<Subject>,
    issuer: Option<Issuer>,
    audience: Option<Audience>,
    client: Option<ClientId>,
    device: Option<DeviceId>,
    app: Option<AppId>,
    tags: NameSet<Tag>,
    any_tags: NameSet<Tag>,
    labels: Labels,
    scopes: NameSet<Scope>,
    any_scopes: NameSet<Scope>,
    issued_after: Option<Timestamp>,
    issued_before: Option<Timestamp>,
    expires_after: Option<Timestamp>,
    expires_before: Option<Timestamp>,
    invalid: Option<InvalidValue>,
}

impl Filter {
    /// The maximum length of the text form, in bytes.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Creates a filter that matches every token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks that every value is valid, and that the text form is not too long.
    ///
    /// # Errors
    /// The first value that is not valid.
    pub fn check(&self) -> Result<(), InvalidValue> {
        if let Some(invalid) = &self.invalid {
            return Err(invalid.clone());
        }
        if text_length(self) > Self::MAX_BYTES {
            return Err(InvalidValue::new(
                Field::Filter,
                InvalidReason::TooLong { max: Self::MAX_BYTES },
            ));
        }
        Ok(())
    }

    /// Returns whether the filter has no conditions, so that it matches every token.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether `token`, in its state at `now`, meets every condition.
    pub fn matches(&self, token: &Token, now: Timestamp) -> bool {
        self.invalid.is_none()
            && (self.kinds.is_empty() || self.kinds.contains(&token.kind))
            && self.matches_names(token)
            && self.matches_sets(token)
            && self.matches_times(token)
            && (self.states.is_empty() || self.states.contains(&token.state(now)))
    }

    fn matches_names(&self, token: &Token) -> bool {
        fn is<T: PartialEq>(wanted: &Option<T>, actual: &Option<T>) -> bool {
            wanted.is_none() || wanted == actual
        }
        is(&self.subject, &token.subject)
            && is(&self.issuer, &token.issuer)
            && is(&self.client, &token.client)
            && is(&self.device, &token.metadata.device.id)
            && is(&self.family, &token.family)
            && is(&self.app, &token.metadata.app)
            && self.id.as_ref().is_none_or(|prefix| prefix.matches(token.id))
    }

    fn matches_sets(&self, token: &Token) -> bool {
        let (tags, scopes) = (&token.metadata.tags, &token.scopes);
        let labels = &token.metadata.labels;
        self.audience.as_ref().is_none_or(|wanted| token.audiences.contains(wanted))
            && tags.contains_all(&self.tags)
            && (self.any_tags.is_empty() || tags.contains_any(&self.any_tags))
            && self.labels.iter().all(|(key, wanted)| labels.get(key) == Some(wanted))
            && scopes.contains_all(&self.scopes)
            && (self.any_scopes.is_empty() || scopes.contains_any(&self.any_scopes))
    }

    fn matches_times(&self, token: &Token) -> bool {
        let end = token.expires_at;
        self.issued_after.is_none_or(|bound| token.issued_at >= bound)
            && self.issued_before.is_none_or(|bound| token.issued_at < bound)
            && self.expires_after.is_none_or(|bound| end.is_none_or(|end| end >= bound))
            && self.expires_before.is_none_or(|bound| end.is_some_and(|end| end < bound))
    }
}

/// Conditions. A method for several values adds one with each call. Every other method replaces the
/// value of an earlier call.
impl Filter {
    fn with(mut self, set: impl FnOnce(&mut Self) -> Result<(), InvalidValue>) -> Self {
        if self.invalid.is_none() {
            self.invalid = set(&mut self).err();
        }
        self
    }

    /// Adds a kind that a token may have.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.insert(kind);
        self
    }

    /// Adds a state that a token may have.
    pub fn state(mut self, state: TokenState) -> Self {
        self.states.insert(state);
        self
    }

    /// Sets the start of the token id.
    pub fn id_prefix(mut self, prefix: IdPrefix) -> Self {
        self.id = Some(prefix);
        self
    }

    /// Sets the family.
    pub fn family(mut self, family: FamilyId) -> Self {
        self.family = Some(family);
        self
    }

    /// Sets the subject.
    pub fn subject(self, subject: impl TryInto<Subject, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.subject, subject))
    }

    /// Sets the issuer.
    pub fn issuer(self, issuer: impl TryInto<Issuer, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.issuer, issuer))
    }

    /// Sets an audience that the token must have.
    pub fn audience(self, audience: impl TryInto<Audience, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.audience, audience))
    }

    /// Sets the client.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.client, client))
    }

    /// Sets the device.
    pub fn device(self, device: impl TryInto<DeviceId, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.device, device))
    }

    /// Sets the application.
    pub fn app(self, app: impl TryInto<AppId, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.app, app))
    }

    /// Adds a tag that the token must have.
    pub fn tag(self, tag: impl TryInto<Tag, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.tags.insert(tag.try_into().map_err(Into::into)?))
    }

    /// Adds a tag to those of which the token must have any one.
    pub fn any_tag(self, tag: impl TryInto<Tag, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.any_tags.insert(tag.try_into().map_err(Into::into)?))
    }

    /// Adds a label that the token must have, with this value.
    pub fn label(
        self,
        key: impl TryInto<LabelKey, Error: Into<InvalidValue>>,
        value: impl TryInto<LabelValue, Error: Into<InvalidValue>>,
    ) -> Self {
        self.with(|filter| {
            let key = key.try_into().map_err(Into::into)?;
            filter.labels.insert(key, value.try_into().map_err(Into::into)?)
        })
    }

    /// Adds a scope that the token must have.
    pub fn scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Adds a scope to those of which the token must have any one.
    pub fn any_scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.any_scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Matches tokens that were issued at this time or later.
    pub fn issued_after(mut self, at: Timestamp) -> Self {
        self.issued_after = Some(at);
        self
    }

    /// Matches tokens that were issued before this time.
    pub fn issued_before(mut self, at: Timestamp) -> Self {
        self.issued_before = Some(at);
        self
    }

    /// Matches tokens that expire at this time or later, or never.
    pub fn expires_after(mut self, at: Timestamp) -> Self {
        self.expires_after = Some(at);
        self
    }

    /// Matches tokens that expire before this time.
    pub fn expires_before(mut self, at: Timestamp) -> Self {
        self.expires_before = Some(at);
        self
    }
}

impl serde::Serialize for Filter {
    /// Writes the text form.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn put<T>(
    slot: &mut Option<T>,
    value: impl TryInto<T, Error: Into<InvalidValue>>,
) -> Result<(), InvalidValue> {
    *slot = Some(value.try_into().map_err(Into::into)?);
    Ok(())
}

#[cfg(test)]
mod tests;
