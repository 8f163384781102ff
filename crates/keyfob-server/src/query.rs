//! The parameters of a query. One that the route does not have is refused, so that a mistyped name
//! changes nothing unnoticed.

use std::str::FromStr;

use keyfob::InvalidValue;

use crate::form::Form;
use crate::parameter::{Parameter, Value};
use crate::respond::failure::Failure;

/// The parameters of a query, as far as the route has them.
#[derive(Debug, Default)]
pub(crate) struct Query {
    form: Form,
    parameters: &'static [Parameter],
}

impl Query {
    /// Reads a query with these parameters and no others.
    ///
    /// # Errors
    /// If the query is not valid, or has another parameter.
    pub(crate) fn parse(text: &str, parameters: &'static [Parameter]) -> Result<Self, Failure> {
        let form = Form::parse(text.as_bytes()).map_err(|bad| {
            Failure::bad("invalid_query", format!("the query is not valid: {}", bad.message()))
        })?;
        if !form.names().all(|name| parameters.iter().any(|known| known.is_named(name))) {
            // The name is not repeated: it may be a secret in the wrong place.
            let names: Vec<_> = parameters.iter().map(Parameter::shown).collect();
            let may_have = match names.is_empty() {
                true => "It may have none".to_owned(),
                false => format!("It may have: {}", names.join(", ")),
            };
            let detail = format!("the query has an unknown parameter. {may_have}");
            return Err(Failure::bad("unknown_parameter", detail));
        }
        Ok(Self { form, parameters })
    }

    /// Returns a parameter as a text. One without a value is an empty text.
    pub(crate) fn text(&self, parameter: &Parameter) -> Option<&str> {
        debug_assert!(
            self.parameters.iter().any(|known| known.name == parameter.name),
            "the table of routes does not list {}",
            parameter.name
        );
        let is_empty = || self.form.names().any(|name| name == parameter.name);
        self.form.get(parameter.name).or_else(|| is_empty().then_some(""))
    }

    /// Returns a parameter as a value of keyfob.
    pub(crate) fn value<T: FromStr<Err = InvalidValue>>(
        &self,
        parameter: &Parameter,
    ) -> Result<Option<T>, Failure> {
        Ok(self.text(parameter).map(str::parse).transpose()?)
    }

    /// Returns a [number](Value::Number).
    pub(crate) fn number(&self, parameter: &Parameter) -> Result<usize, Failure> {
        let Value::Number { default, max } = parameter.value else {
            return Err(Failure::internal("parameter_is_no_number"));
        };
        let Some(text) = self.text(parameter) else { return Ok(default) };
        // `parse` takes a plus sign, which JSON does not.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_plain && (1..=max).contains(number));
        number.ok_or_else(|| invalid(parameter, &format!("a number from 1 to {max}")))
    }

    /// Returns a [flag](Value::Flag).
    pub(crate) fn flag(&self, parameter: &Parameter) -> Result<bool, Failure> {
        match self.text(parameter) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(parameter, "true or false")),
        }
    }

    /// Returns one of some [words](Value::Word).
    pub(crate) fn word(&self, parameter: &Parameter) -> Result<&'static str, Failure> {
        let Value::Word(words) = parameter.value else {
            return Err(Failure::internal("parameter_is_no_word"));
        };
        let given = self.text(parameter);
        let known = match given {
            None => words.first(),
            Some(given) => words.iter().find(|word| **word == given),
        };
        known.copied().ok_or_else(|| invalid(parameter, &words.join(" or ")))
    }

    /// Returns the [named](Value::Named) parameters: names and values.
    pub(crate) fn named(&self, parameter: &Parameter) -> impl Iterator<Item = (&str, &str)> {
        self.form.names().filter_map(|name| {
            Some((parameter.suffix(name)?, self.form.get(name).unwrap_or_default()))
        })
    }
}

fn invalid(parameter: &Parameter, expected: &str) -> Failure {
    Failure::bad("invalid_parameter", format!("{} has to be {expected}", parameter.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Parameter = Parameter::new("limit", Value::Number { default: 5, max: 9 }, "");
    const DRY: Parameter = Parameter::new("dry", Value::Flag, "");
    const ORDER: Parameter = Parameter::new("order", Value::Word(&["newest", "oldest"]), "");
    const BIND: Parameter = Parameter::new("bind", Value::Named(|_| true.into()), "");
    const ALL: &[Parameter] = &[LIMIT, DRY, ORDER, BIND];

    fn parsed(text: &str) -> Query {
        Query::parse(text, ALL).unwrap()
    }

    #[test]
    fn a_parameter_is_read_by_its_value() {
        let query = parsed("limit=9&dry=true&order=oldest&bind.a=x&bind.b-c=");
        assert_eq!(query.number(&LIMIT).unwrap(), 9);
        assert!(query.flag(&DRY).unwrap());
        assert_eq!(query.word(&ORDER).unwrap(), "oldest");
        assert_eq!(query.named(&BIND).collect::<Vec<_>>(), [("a", "x"), ("b-c", "")]);
        let query = parsed("");
        assert_eq!(query.number(&LIMIT).unwrap(), 5);
        assert!(!query.flag(&DRY).unwrap());
        assert_eq!(query.word(&ORDER).unwrap(), "newest");
    }

    #[test]
    fn a_value_that_is_not_valid_is_refused() {
        for text in ["limit=0", "limit=10", "limit=-1", "limit=%2b3", "limit=", "limit=x"] {
            assert!(parsed(text).number(&LIMIT).is_err(), "{text}");
        }
        assert!(parsed("dry=yes").flag(&DRY).is_err());
        assert!(parsed("dry=").flag(&DRY).is_err());
        assert!(parsed("order=").word(&ORDER).is_err());
    }

    #[test]
    fn an_unknown_or_repeated_parameter_is_refused_without_its_name() {
        for text in ["hunter2=1", "bind=1", "bindx=1", "limit.x=1", "limit=1&limit=2"] {
            let failure = Query::parse(text, ALL).unwrap_err();
            assert!(!failure.detail.contains("hunter2"));
        }
        let failure = Query::parse("x=1", ALL).unwrap_err();
        assert!(failure.detail.ends_with("It may have: limit, dry, order, bind.NAME"));
    }
}
