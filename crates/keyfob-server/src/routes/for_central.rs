//! At an edge: checks that only the central server can make. The text of a token tells which those are, so it is known
//! before a check uses up anything. Several tokens of one request are sent on together.

use std::borrow::Cow;

use keyfob_api::OneOrMany;
use serde::Deserialize;

use super::route::Route;
use crate::form::Form;
use crate::oauth::forms::TOKEN;
use crate::shared::Shared;

/// A body that names a token. What else it has to be is for the handler of the route.
#[derive(Deserialize)]
struct One<'a> {
    #[serde(borrow)]
    token: Text<'a>,
}

/// A body that names several.
#[derive(Deserialize)]
struct Several<'a> {
    #[serde(borrow)]
    tokens: Vec<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The routes whose body names the tokens to check.
const CHECKS: [&str; 4] = ["introspect", "introspectTokens", "validateTokens", "explainToken"];

/// Returns whether a request of this route may be sent on because of what its body names.
pub(super) fn may_be_for_central(shared: &Shared, route: &Route) -> bool {
    shared.settings.forward.is_some() && CHECKS.contains(&route.operation)
}

/// Returns whether only the central server can answer a request with this body.
pub(super) fn is_for_central(
    shared: &Shared,
    route: &Route,
    body: &[u8],
    form: Option<&Form>,
) -> bool {
    if !may_be_for_central(shared, route) {
        return false;
    }
    let is_for_central = |text: &Text<'_>| shared.is_for_central(&text.0);
    if let Some(form) = form {
        return form.get(TOKEN.name).is_some_and(|token| shared.is_for_central(token));
    }
    if let Ok(body) = serde_json::from_slice::<OneOrMany<One<'_>>>(body) {
        return body.into_vec().0.iter().any(|one| is_for_central(&one.token));
    }
    let several = serde_json::from_slice::<Several<'_>>(body);
    several.is_ok_and(|body| body.tokens.iter().any(is_for_central))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::table::routes;

    #[test]
    fn every_check_is_a_route() {
        let routes = routes();
        for check in CHECKS {
            assert!(routes.iter().any(|route| route.operation == check), "{check}");
        }
    }
}
