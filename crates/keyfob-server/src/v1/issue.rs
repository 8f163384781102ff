//! Issuing tokens: one, or up to a thousand in one request.
//!
//! Nothing is issued unless every member of an array is valid and within what the caller may hand out.

use futures_util::StreamExt as _;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use keyfob::token::{Expiry, TokenView};
use keyfob::{Grant, Issued, Timestamp};
use keyfob_api::{GrantSpec, IssueOutcome, IssuedBody, RefusalBody, TokenFormat};

use super::idempotency;
use super::input::one_or_many;
use super::view::issued_body;
use crate::access::bounds::{self, HandedOut};
use crate::access::caller::Caller;
use crate::call::Call;
use crate::jwt::mint::Minter;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `POST /v1/tokens`.
pub(crate) async fn handle(call: Call) -> Answer {
    let key = idempotency::key(&call)?;
    let (specs, is_array) = one_or_many::<GrantSpec>(&call)?.into_vec();
    let now = call.manager().now();
    let mut grants = Vec::with_capacity(specs.len());
    for (position, spec) in specs.into_iter().enumerate() {
        let grant = grant(&call, spec, now);
        grants.push(grant.map_err(|failure| match is_array {
            true => at(position, failure),
            false => failure,
        })?);
    }
    let issued = match key {
        Some(key) => call.manager().issue_many_once(&key, grants).await?,
        None => call.manager().issue_many(grants).collect().await,
    };
    if is_array { many(&call, issued) } else { one(&call, issued) }
}

/// Builds the grant, and checks that the caller may hand it out.
fn grant(call: &Call, mut spec: GrantSpec, now: Timestamp) -> Result<Grant, Failure> {
    let caller = call.caller()?;
    if spec.issuer.is_none() {
        spec.issuer.clone_from(&call.shared.settings.issuer);
    }
    let format = spec.format.take();
    let grant = spec
        .into_grant(Some(&caller.actor()?), now)
        .map_err(|invalid| Failure::bad(invalid.code(), invalid.to_string()))?;
    check_bounds(caller, &grant)?;
    match format {
        None | Some(TokenFormat::Opaque) => Ok(grant),
        Some(TokenFormat::Jwt) => as_jwt(call, grant, now),
    }
}

/// Asks for the token in the form of a JWT. It lives for as long as JWTs may, if the grant does not say for how long.
fn as_jwt(call: &Call, grant: Grant, now: Timestamp) -> Result<Grant, Failure> {
    let minter = Minter::of(call)?;
    let parts = grant.clone().into_parts()?;
    minter.check(parts.audiences.is_empty(), parts.client.as_ref())?;
    let max = minter.settings().ttl;
    let is_too_long = match parts.expiry {
        Expiry::Default => false,
        Expiry::After(ttl) => ttl > max,
        Expiry::At(at) => at > now + max,
        Expiry::Never => true,
    };
    if is_too_long {
        let detail = "a JWT may not live that long: see jwt.ttl in the configuration";
        return Err(Failure::bad("jwt_lives_too_long", detail));
    }
    let grant = if parts.expiry == Expiry::Default { grant.ttl(max) } else { grant };
    let (form, key) = minter.form()?;
    Ok(grant.jwt(form, key))
}

/// Returns the body of a token with what its owner presents: the bearer token, or the JWT.
fn body<'a>(call: &Call, issued: &'a Issued) -> Result<IssuedBody<TokenView<'a>>, Failure> {
    let now = call.manager().now();
    match issued.token.jwt {
        None => Ok(issued_body(issued, now)),
        Some(_) => {
            let jwt = Minter::of(call)?.mint(&issued.token)?;
            Ok(IssuedBody::new(issued.token.view(now), &jwt))
        }
    }
}

fn check_bounds(caller: &Caller, grant: &Grant) -> Result<(), Failure> {
    let parts = grant.clone().into_parts()?;
    bounds::check(
        caller.token(),
        HandedOut {
            scopes: &parts.scopes,
            audiences: &parts.audiences,
            may_issue: parts.registered.may_issue.as_ref(),
        },
    )?;
    Ok(())
}

/// Says which member of an array a failure is about.
fn at(position: usize, failure: Failure) -> Failure {
    Failure { detail: format!("item {position}: {}", failure.detail).into(), ..failure }
}

fn one(call: &Call, issued: Vec<Result<Issued, keyfob::Error>>) -> Answer {
    let issued = issued.into_iter().next().ok_or(Failure::internal("nothing_issued"))??;
    let mut response = json::with_status(StatusCode::CREATED, &body(call, &issued)?)?;
    let location = format!("/v1/tokens/{}", issued.token.id);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Answers for many grants, in order. If none was issued, the first error is the answer.
fn many(call: &Call, issued: Vec<Result<Issued, keyfob::Error>>) -> Answer {
    if !issued.is_empty() && issued.iter().all(Result::is_err) {
        let first = issued.into_iter().find_map(Result::err);
        return Err(first.map_or(Failure::internal("nothing_issued"), Failure::from));
    }
    let outcomes = issued.iter().map(|issued| match issued {
        Ok(issued) => Ok(IssueOutcome::Issued(Box::new(body(call, issued)?))),
        Err(error) => Ok(IssueOutcome::Failed {
            error: RefusalBody { code: error.code().to_owned(), message: error.to_string() },
        }),
    });
    let outcomes: Result<Vec<_>, Failure> = outcomes.collect();
    json::with_status(StatusCode::CREATED, &outcomes?)
}
