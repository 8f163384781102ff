//! Which services a token is asked for, and in which form they take it.

use keyfob::values::{Audience, NameSet};
use keyfob::{ClientId, Grant, Issued};

use super::answer::TokenAnswer;
use crate::call::Call;
use crate::jwt::mint::Minter;
use crate::oauth::forms::{AUDIENCE, JWT_TYPE, REQUESTED_TOKEN_TYPE, RESOURCE};
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Returns the services that the request names, by `audience` (RFC 8693) or `resource` (RFC 8707).
pub(super) fn audiences(call: &Call) -> Result<Vec<Audience>, Failure> {
    let mut all = Vec::new();
    for name in call.form.get_all(AUDIENCE.name) {
        all.push(Audience::new(name)?);
    }
    for name in call.form.get_all(RESOURCE.name) {
        if !is_absolute_uri(name) {
            let detail =
                "resource is an absolute URI without a fragment: use audience for another name";
            return Err(Failure::oauth("invalid_target", detail));
        }
        all.push(Audience::new(name)?);
    }
    Ok(all)
}

/// Returns whether a text is an absolute URI without a fragment (RFC 8707 section 2, RFC 3986 section 4.3).
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// The form of a token that is asked for.
pub(super) struct Form<'a>(Option<Minter<'a>>);

impl<'a> Form<'a> {
    /// Returns the form of a token for these services. Without any, it is for those of the token that it is derived from.
    pub(super) fn of(
        call: &'a Call,
        asked: &[Audience],
        parent: (&NameSet<Audience>, Option<&ClientId>),
    ) -> Result<Self, Failure> {
        let (inherited, client) = parent;
        let audiences: Vec<&Audience> =
            if asked.is_empty() { inherited.iter().collect() } else { asked.iter().collect() };
        let minter = match call.optional(&REQUESTED_TOKEN_TYPE) {
            Some(JWT_TYPE) => Some(Minter::of(call)?),
            _ => Minter::for_audiences(call, audiences.iter().copied())?,
        };
        if let Some(minter) = &minter {
            minter.check(audiences.is_empty(), client)?;
        }
        Ok(Self(minter))
    }

    /// Says the form in a grant.
    pub(super) fn say(&self, grant: Grant) -> Result<Grant, Failure> {
        let Some(minter) = &self.0 else { return Ok(grant) };
        let (form, key) = minter.form()?;
        Ok(grant.ttl(minter.settings().ttl).jwt(form, key))
    }

    /// Answers with the token.
    pub(super) fn answer(
        &self,
        call: &Call,
        issued: &Issued,
        issued_token_type: Option<&'static str>,
    ) -> Answer {
        let jwt = self.0.as_ref().map(|minter| minter.mint(&issued.token)).transpose()?;
        let answer = TokenAnswer::of(issued, call.manager().now());
        let access_token = jwt.as_deref().unwrap_or(answer.access_token);
        json::ok(&TokenAnswer { access_token, issued_token_type, ..answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_an_absolute_uri() {
        for text in ["https://a.example/b?c", "urn:a:b", "a+b://c"] {
            assert!(is_absolute_uri(text), "{text}");
        }
        for text in ["", "shop", "/shop", "https:", "https://a#b", "https://a b", "1a:b", ":b"] {
            assert!(!is_absolute_uri(text), "{text}");
        }
    }
}
