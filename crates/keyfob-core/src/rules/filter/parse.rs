//! The parser of the text form, in one pass over the characters.

use std::iter::Peekable;
use std::str::{Chars, FromStr};

use super::bindings::FilterBindings;
use super::error::{FilterError, Problem};
use super::key::Key;
use super::{Filter, put};
use crate::invalid::{InvalidReason, InvalidValue};
use crate::text::{LabelKey, LabelValue};
use crate::time::{Timestamp, Ttl};

impl Filter {
    /// Parses the text form. Distances such as `-7d` count from `now`.
    ///
    /// # Errors
    /// If the text is not a filter; the error has the first position.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, FilterError> {
        Self::parse_with(text, now, &FilterBindings::new())
    }

    /// Parses the text form, with values for its names such as `$who`. The values are not parsed as
    /// parts of the filter.
    ///
    /// # Errors
    /// If the text is not a filter, if a name has no value or a value no name, or if a value is not
    /// valid where it stands; the error has the first position.
    pub fn parse_with(
        text: &str,
        now: Timestamp,
        bindings: &FilterBindings,
    ) -> Result<Self, FilterError> {
        Self::parse_at(text, Some(now), bindings)
    }

    /// Parses the text form of a filter that is kept, and has to mean the same whenever it is applied. So the state,
    /// `now` and distances such as `-7d` are refused. Times that do not depend on the clock are allowed.
    ///
    /// # Errors
    /// As [`Filter::parse_with`], and if a condition depends on the clock.
    ///
    /// # Examples
    /// ```
    /// use keyfob::Filter;
    /// use keyfob::filter::FilterBindings;
    ///
    /// let none = FilterBindings::new();
    /// assert!(Filter::parse_timeless("kind:session issued-after:2026-11-24", &none).is_ok());
    /// let refused = Filter::parse_timeless("kind:session state:active", &none).unwrap_err();
    /// assert_eq!(refused.column(), 14);
    /// ```
    pub fn parse_timeless(text: &str, bindings: &FilterBindings) -> Result<Self, FilterError> {
        Self::parse_at(text, None, bindings)
    }

    fn parse_at(
        text: &str,
        now: Option<Timestamp>,
        bindings: &FilterBindings,
    ) -> Result<Self, FilterError> {
        if text.len() > Self::MAX_BYTES {
            let fits = text.char_indices().take_while(|(at, _)| *at < Self::MAX_BYTES).count();
            return Err(FilterError::new(fits + 1, Problem::TooLong));
        }
        let mut parser = Parser { filter: Self::new(), now, given: Vec::new() };
        let mut scanner = Scanner { rest: text.chars().peekable(), column: 1 };
        let mut unused: Vec<&str> = bindings.names().collect();
        while let Some(part) = scanner.part()? {
            let Some(reference) = part.reference() else {
                parser.take(&part)?;
                continue;
            };
            let (name, column) = (reference.name.clone(), reference.column);
            let value = bindings.get(&name);
            let value = value.ok_or_else(|| FilterError::not_bound(column, &name))?;
            unused.retain(|bound| *bound != name);
            let part = part.with_value(&reference, value);
            parser.take(&part).map_err(|error| match error.is_about_value() {
                true => error.of_bound(column, &name),
                false => error,
            })?;
        }
        if let Some(name) = unused.first() {
            return Err(FilterError::new(1, Problem::Unused { name: (*name).into() }));
        }
        // The text is within the maximum, but times and escapes can be longer when written.
        match parser.filter.check() {
            Ok(()) => Ok(parser.filter),
            Err(_) => Err(FilterError::new(1, Problem::TooLong)),
        }
    }
}

/// One `key:value`, with the columns at which its halves start.
struct Part {
    key: Key,
    key_column: usize,
    value: String,
    value_column: usize,
    /// The number of characters of the value before its quote.
    quote_after: Option<usize>,
    /// Whether the value was bound to a name, so that it is one value and never a list.
    is_bound: bool,
}

/// A `$name` in place of a value.
struct Reference {
    name: String,
    column: usize,
    /// What the value starts with before the name: the key of a label and `=`.
    before: String,
}

impl Part {
    /// The column of the character after `before` characters of the value. Escapes do not count: a
    /// value that is parsed in pieces cannot contain a character that needs one.
    fn column_of(&self, before: usize) -> usize {
        let quote = self.quote_after.is_some_and(|position| position <= before);
        self.value_column + before + usize::from(quote)
    }

    /// The name that the value is bound to, if it stands there without quotes.
    fn reference(&self) -> Option<Reference> {
        if self.quote_after.is_some() {
            return None;
        }
        let start = match self.key {
            Key::Label => self.value.find('=')? + 1,
            _ => 0,
        };
        let (before, rest) = self.value.split_at(start);
        let name = rest.strip_prefix('$')?.to_owned();
        let column = self.value_column + before.chars().count();
        Some(Reference { name, column, before: before.to_owned() })
    }

    /// The same condition with the value that is bound to a name.
    fn with_value(self, reference: &Reference, value: &str) -> Self {
        Self { value: format!("{}{value}", reference.before), is_bound: true, ..self }
    }

    /// The members of a list, with their columns. A bound value is one member.
    fn members(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut before = 0;
        let is_bound = self.is_bound;
        self.value.split(move |c| c == ',' && !is_bound).map(move |member| {
            let column = self.column_of(before);
            before += member.chars().count() + 1;
            (member, column)
        })
    }
}

/// Splits a text into conditions.
struct Scanner<'a> {
    rest: Peekable<Chars<'a>>,
    /// The column of the next character, from 1.
    column: usize,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.column += 1;
        Some(c)
    }

    fn part(&mut self) -> Result<Option<Part>, FilterError> {
        while self.rest.peek() == Some(&' ') {
            self.next();
        }
        if self.rest.peek().is_none() {
            return Ok(None);
        }
        let key_column = self.column;
        let mut name = String::new();
        loop {
            match self.next() {
                None | Some(' ') => return Err(FilterError::new(key_column, Problem::NoColon)),
                Some(':') => break,
                Some(c) => name.push(c),
            }
        }
        let unknown = || FilterError::unknown_key(key_column, &name);
        let key = Key::named(&name).ok_or_else(unknown)?;
        let value_column = self.column;
        let (value, quote_after) = self.value()?;
        if value.is_empty() {
            return Err(FilterError::new(value_column, Problem::NoValue(key)));
        }
        Ok(Some(Part { key, key_column, value, value_column, quote_after, is_bound: false }))
    }

    /// A value, and the number of its characters before its quote.
    fn value(&mut self) -> Result<(String, Option<usize>), FilterError> {
        let mut value = String::new();
        while let Some(c) = self.rest.peek().copied().filter(|c| *c != ' ') {
            if c == '"' {
                let quote_after = value.chars().count();
                self.quoted(&mut value)?;
                return Ok((value, Some(quote_after)));
            }
            value.push(c);
            self.next();
        }
        Ok((value, None))
    }

    /// The quoted rest of a value.
    fn quoted(&mut self, value: &mut String) -> Result<(), FilterError> {
        let opened_at = self.column;
        self.next();
        loop {
            let column = self.column;
            match self.next() {
                None => return Err(FilterError::new(opened_at, Problem::Unclosed)),
                Some('"') => break,
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\\')) => value.push(c),
                    Some(_) => return Err(FilterError::new(column, Problem::Escape)),
                    None => return Err(FilterError::new(opened_at, Problem::Unclosed)),
                },
                Some(c) => value.push(c),
            }
        }
        match self.rest.peek() {
            None | Some(' ') => Ok(()),
            Some(_) => Err(FilterError::new(self.column, Problem::AfterQuote)),
        }
    }
}

/// Builds the filter from conditions.
struct Parser {
    filter: Filter,
    /// The current time. Without it, no condition may depend on it.
    now: Option<Timestamp>,
    /// The keys for one value that were given, each with its column.
    given: Vec<(Key, usize)>,
}

impl Parser {
    fn take(&mut self, part: &Part) -> Result<(), FilterError> {
        if !part.key.takes_several() {
            if let Some((_, first)) = self.given.iter().find(|(key, _)| *key == part.key) {
                let twice = Problem::Twice { key: part.key, first: *first };
                return Err(FilterError::new(part.key_column, twice));
            }
            self.given.push((part.key, part.key_column));
        }
        let filter = &mut self.filter;
        let value = part.value.as_str();
        let taken = match part.key {
            Key::Kind => return each(part, |kind| filter.kinds.insert(kind)),
            Key::State if self.now.is_none() => {
                return Err(FilterError::new(part.key_column, Problem::DependsOnClock(part.key)));
            }
            Key::State => return each(part, |state| filter.states.insert(state)),
            Key::Label => return self.label(part),
            Key::IssuedAfter | Key::IssuedBefore | Key::ExpiresAfter | Key::ExpiresBefore => {
                return self.time(part);
            }
            Key::Id => value.parse().map(|prefix| filter.id = Some(prefix)),
            Key::Family => value.parse().map(|family| filter.family = Some(family)),
            Key::Subject => put(&mut filter.subject, value),
            Key::Issuer => put(&mut filter.issuer, value),
            Key::Audience => put(&mut filter.audience, value),
            Key::Client => put(&mut filter.client, value),
            Key::Device => put(&mut filter.device, value),
            Key::App => put(&mut filter.app, value),
            Key::Tag => value.parse().and_then(|tag| filter.tags.insert(tag)),
            Key::AnyTag => value.parse().and_then(|tag| filter.any_tags.insert(tag)),
            Key::Scope => value.parse().and_then(|scope| filter.scopes.insert(scope)),
            Key::AnyScope => value.parse().and_then(|scope| filter.any_scopes.insert(scope)),
        };
        taken.map_err(|invalid| refused(part.value_column, invalid))
    }

    fn label(&mut self, part: &Part) -> Result<(), FilterError> {
        let (key, value) = part
            .value
            .split_once('=')
            .ok_or_else(|| FilterError::new(part.value_column, Problem::LabelForm))?;
        let column = part.value_column;
        let key: LabelKey = key.parse().map_err(|invalid| refused(column, invalid))?;
        let value_column = part.column_of(key.as_str().len() + 1);
        let value: LabelValue = value.parse().map_err(|invalid| refused(value_column, invalid))?;
        self.filter.labels.insert(key, value).map_err(|invalid| refused(column, invalid))
    }

    fn time(&mut self, part: &Part) -> Result<(), FilterError> {
        if self.now.is_none() && is_relative(&part.value) {
            return Err(FilterError::new(part.value_column, Problem::DependsOnClock(part.key)));
        }
        let at = time(&part.value, self.now.unwrap_or_default()).map_err(|invalid| {
            let problem = match invalid.reason() {
                InvalidReason::Malformed { .. } => Problem::TimeForm(part.key),
                reason => Problem::TimeValue { key: part.key, reason: reason.clone() },
            };
            FilterError::new(part.value_column, problem)
        })?;
        let bound = match part.key {
            Key::IssuedAfter => &mut self.filter.issued_after,
            Key::IssuedBefore => &mut self.filter.issued_before,
            Key::ExpiresAfter => &mut self.filter.expires_after,
            _ => &mut self.filter.expires_before,
        };
        *bound = Some(at);
        Ok(())
    }
}

fn refused(column: usize, invalid: InvalidValue) -> FilterError {
    FilterError::new(column, Problem::Value(invalid))
}

/// Parses each member of a list. A repeated member changes nothing.
fn each<T: FromStr<Err = InvalidValue>>(
    part: &Part,
    mut insert: impl FnMut(T) -> bool,
) -> Result<(), FilterError> {
    for (member, column) in part.members() {
        insert(member.parse().map_err(|invalid| refused(column, invalid))?);
    }
    Ok(())
}

/// Returns whether a time is `now` or a distance from it.
fn is_relative(text: &str) -> bool {
    let is_before = text.starts_with('-') && !text.contains('T');
    text == "now" || text.starts_with('+') || is_before
}

fn time(text: &str, now: Timestamp) -> Result<Timestamp, InvalidValue> {
    let date = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    if text == "now" {
        Ok(now)
    } else if let Some(distance) = text.strip_prefix('+') {
        Ok(now + distance.parse::<Ttl>()?)
    } else if let Some(distance) = text.strip_prefix('-').filter(|rest| !rest.contains('T')) {
        Ok(now.saturating_sub(distance.parse()?))
    } else if text.len() == "2026-11-24".len() && text.bytes().all(date) {
        format!("{text}T00:00:00Z").parse()
    } else {
        text.parse()
    }
}
