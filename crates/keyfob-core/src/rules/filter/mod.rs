//! Filters: which tokens are asked for, as a value that is built up or read from one line of text.
//!
//! A filter is a conjunction: a token has to satisfy every part that is given. Parts that take
//! several values say whether *all* of them are wanted or *any* of them.

mod error;
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

pub use error::FilterError;
pub use plan::Plan;

/// Which tokens are asked for. An empty filter asks for all of them.
///
/// Each part is checked as it is given; the first that does not hold is reported by
/// [`Filter::check`] and by whatever the filter is handed to. Until then such a filter matches
/// nothing, so that a mistake never widens what is found.
///
/// # Text form
/// Parts are `key:value`, separated by spaces. A value with a space is put in double quotes, inside
/// which `\"` and `\\` stand for a quote and a backslash: `subject:"Jane Doe"`,
/// `label:team="red and blue"`. Outside quotes a backslash is an ordinary character.
///
/// | key | value | given again |
/// |---|---|---|
/// | `kind` | `access`, `refresh`, `api-key` or `session`, or several with commas | any of them |
/// | `state` | `pending`, `active`, `revoked`, `expired` or `exhausted`, or several with commas | any of them |
/// | `subject`, `issuer`, `client`, `device`, `app` | the whole value | an error |
/// | `audience` | one whom the token is meant for | an error |
/// | `family` | the id of the token at the family's root | an error |
/// | `id` | a token id or the start of one, such as `tok_00d1` | an error |
/// | `tag`, `scope` | one that the token has | all of them |
/// | `any-tag`, `any-scope` | one that the token may have | any of them |
/// | `label` | `key=value` | all of them |
/// | `issued-after`, `issued-before` | a time | an error |
/// | `expires-after`, `expires-before` | a time | an error |
///
/// A time is RFC 3339 (`2026-11-24T08:30:00Z`), a date (`2026-11-24`, its first moment in UTC),
/// `now`, or a distance from now (`-7d`, `+1h`).
///
/// # Bounds
/// *After* includes its moment and *before* excludes it, so `issued-after:2026-11-24
/// issued-before:2026-11-25` is that one day, and adjacent ranges neither overlap nor leave a gap.
/// *Expires* is the token's expires-at. A token that never expires is after every moment and before
/// none. An idle timeout does not count here; ask for `state:expired` to find what ended by it.
///
/// # Cost
/// A store lists tokens by index. A filter with a family, subject, device, client, app, label or
/// tag looks only at what the index lists there. One with an id looks only at the ids that start
/// so, if the newest are asked for first. Any other looks at every token of the namespace:
/// [`Filter::uses_index`] tells.
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
/// # Ok::<(), keyfob::FilterError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
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
    /// The most bytes that the text form of a filter may have.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// A filter that asks for every token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether every part that was given holds, and the text form is not too long.
    ///
    /// # Errors
    /// The first part that does not hold.
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

    /// Whether nothing was given, so that every token is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `token`, in the state that it has at `now`, is asked for.
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

/// Building up. What takes several values adds one more with each call; anything else replaces
/// what was given before.
impl Filter {
    fn with(mut self, set: impl FnOnce(&mut Self) -> Result<(), InvalidValue>) -> Self {
        if self.invalid.is_none() {
            self.invalid = set(&mut self).err();
        }
        self
    }

    /// Adds one kind that a token may be of.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.insert(kind);
        self
    }

    /// Adds one state that a token may be in.
    pub fn state(mut self, state: TokenState) -> Self {
        self.states.insert(state);
        self
    }

    /// How the token id starts.
    pub fn id_prefix(mut self, prefix: IdPrefix) -> Self {
        self.id = Some(prefix);
        self
    }

    /// The family.
    pub fn family(mut self, family: FamilyId) -> Self {
        self.family = Some(family);
        self
    }

    /// Whom the token speaks for.
    pub fn subject(self, subject: impl TryInto<Subject, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.subject, subject))
    }

    /// Who issued it.
    pub fn issuer(self, issuer: impl TryInto<Issuer, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.issuer, issuer))
    }

    /// One whom it is meant for.
    pub fn audience(self, audience: impl TryInto<Audience, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.audience, audience))
    }

    /// The client that it was issued to.
    pub fn client(self, client: impl TryInto<ClientId, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.client, client))
    }

    /// The device that holds it.
    pub fn device(self, device: impl TryInto<DeviceId, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.device, device))
    }

    /// The application that holds it.
    pub fn app(self, app: impl TryInto<AppId, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| put(&mut filter.app, app))
    }

    /// Adds one tag that it must have.
    pub fn tag(self, tag: impl TryInto<Tag, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.tags.insert(tag.try_into().map_err(Into::into)?))
    }

    /// Adds one tag to those of which it must have any.
    pub fn any_tag(self, tag: impl TryInto<Tag, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.any_tags.insert(tag.try_into().map_err(Into::into)?))
    }

    /// Adds one label that it must have, with this value.
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

    /// Adds one scope that it must have.
    pub fn scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// Adds one scope to those of which it must have any.
    pub fn any_scope(self, scope: impl TryInto<Scope, Error: Into<InvalidValue>>) -> Self {
        self.with(|filter| filter.any_scopes.insert(scope.try_into().map_err(Into::into)?))
    }

    /// It was issued at this moment or later.
    pub fn issued_after(mut self, at: Timestamp) -> Self {
        self.issued_after = Some(at);
        self
    }

    /// It was issued earlier than this moment.
    pub fn issued_before(mut self, at: Timestamp) -> Self {
        self.issued_before = Some(at);
        self
    }

    /// It expires at this moment or later, or never.
    pub fn expires_after(mut self, at: Timestamp) -> Self {
        self.expires_after = Some(at);
        self
    }

    /// It expires earlier than this moment.
    pub fn expires_before(mut self, at: Timestamp) -> Self {
        self.expires_before = Some(at);
        self
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
