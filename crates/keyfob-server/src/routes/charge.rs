//! The limits that a route charges.
//!
//! Limits by address are charged before it is known who calls, so that a flood of wrong credentials is
//! charged too. The others follow.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use keyfob::limit::request_of;
use keyfob::{LimitBy, LimitRequest};
use keyfob_tower::write_rate_limit;

use super::route::Route;
use crate::access::caller::Identity;
use crate::respond::failure::Failure;
use crate::shared::Shared;

/// Charges the limits by address.
pub(super) async fn by_address(
    shared: &Shared,
    route: &Route,
    address: Option<IpAddr>,
    fields: &mut HeaderMap,
) -> Result<(), Failure> {
    let Some(address) = address else { return Ok(()) };
    let request = LimitRequest::new().ip(address);
    charge(shared, route, &request, |by| by == LimitBy::Ip, fields).await
}

/// Charges the limits by token, subject and client.
pub(super) async fn by_caller(
    shared: &Shared,
    route: &Route,
    identity: Option<&Identity>,
    fields: &mut HeaderMap,
) -> Result<(), Failure> {
    let request = match identity {
        Some(Identity::Proven(caller)) => request_of(caller.token()),
        Some(Identity::Public(client)) => LimitRequest::new().client(client),
        None => return Ok(()),
    };
    charge(shared, route, &request, |by| by != LimitBy::Ip, fields).await
}

async fn charge(
    shared: &Shared,
    route: &Route,
    request: &LimitRequest<'_>,
    is_charged: impl Fn(LimitBy) -> bool,
    fields: &mut HeaderMap,
) -> Result<(), Failure> {
    let Some(limits) = shared.limits.get(route.operation) else { return Ok(()) };
    let costs: Vec<_> = limits
        .iter()
        .filter(|limit| is_charged(limit.by))
        .map(|limit| (limit.name.clone(), 1))
        .collect();
    if costs.is_empty() {
        return Ok(());
    }
    let verdict = Box::pin(shared.manager.admit_named(request, &costs)).await?;
    let mut own = HeaderMap::new();
    write_rate_limit(&verdict, &mut own);
    for (name, value) in own.iter() {
        fields.append(name, value.clone());
    }
    if verdict.is_admitted() {
        return Ok(());
    }
    Err(Failure {
        code: Cow::Borrowed("limited"),
        public_detail: "there are too many requests",
        retry_after: verdict.retry_after(),
        ..Failure::new(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            "a limit does not admit the request",
        )
    })
}
