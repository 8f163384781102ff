//! From a request and the demands of a gateway to a verdict.

use http::StatusCode;
use keyfob::cache::ActiveToken;
use keyfob::limit::request_of;
use keyfob::{DeviceId, Error, ErrorClass, LimitBy, LimitVerdict, Presentation, Token};
use keyfob_tower::dpop::{Dpop, Proof, ProofRequest};
use keyfob_tower::{AuthScheme, ErrorResponse, PresentedBearer};

use super::demands::{BadDemands, Demands, Device};
use super::request::ClientRequest;
use super::verdict::{Allowed, Denial, Verdict};
use crate::jwt::resources;
use crate::shared::Shared;

/// The realm of the challenges.
const REALM: &str = "keyfob";

/// Decides whether a request may pass. `read` reads the identity where the token is: most answers need no copy of it.
///
/// Demands that are not valid deny every request: the gateway would let requests through that its
/// operator meant to refuse.
pub(crate) async fn decide<T>(
    shared: &Shared,
    request: &ClientRequest<'_>,
    demands: &Result<Demands, BadDemands>,
    read: impl FnOnce(&ActiveToken<'_>) -> T,
) -> Verdict<T> {
    match allow(shared, request, demands, read).await {
        Ok(allowed) => Verdict::Allowed(allowed),
        Err(Denial::Demands(bad)) => {
            tracing::warn!(%bad, "a gateway asks with demands that are not valid");
            Verdict::Denied(Denial::Demands(bad))
        }
        Err(Denial::Token(response)) => {
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                shared.readiness.doubt();
            }
            let in_realm = response.clone().in_realm(REALM).unwrap_or(*response);
            let chain = demands.as_ref().ok().map(|demands| &demands.chain);
            let in_realm = match chain.and_then(|chain| resources::metadata_uri(shared, chain)) {
                Some(uri) => in_realm.resource_metadata(&uri),
                None => in_realm,
            };
            Verdict::Denied(Denial::Token(Box::new(match shared.dpop {
                Some(_) => in_realm.offer_dpop(),
                None => in_realm,
            })))
        }
    }
}

async fn allow<T>(
    shared: &Shared,
    request: &ClientRequest<'_>,
    demands: &Result<Demands, BadDemands>,
    read: impl FnOnce(&ActiveToken<'_>) -> T,
) -> Result<Allowed<T>, Denial> {
    let demands = demands.as_ref().map_err(BadDemands::clone)?;
    let cookie = shared.settings.gateway_cookie.as_ref();
    let presented = PresentedBearer::read(request.headers, request.query, cookie)?;
    let presented = presented.ok_or_else(ErrorResponse::unauthenticated)?;
    let device = device(request, demands.device.as_ref())?;
    let bearer = shared.bearer(presented.bearer());
    let mut presentation = Presentation::new(&bearer);
    if let Some(device) = &device {
        presentation = presentation.device(device);
    }
    if let Some(address) = request.address {
        presentation = presentation.ip(address);
    }
    if let Some(key) = &request.certificate {
        presentation = presentation.confirmation(key);
    }
    let proof = proof(shared, request, &presented)?;
    if let Some((_, proof)) = &proof {
        presentation = presentation.confirmation(&proof.key);
    }
    let is_copied = proof.is_some() || !demands.limits.is_empty();
    let read =
        |token: &ActiveToken<'_>| (read(token), is_copied.then(|| Box::new(token.to_token())));
    let validated = shared.manager.validate_with(presentation, &demands.chain, read).await;
    let failed = |error: Error| ErrorResponse::of_validation(&error, &demands.chain);
    let (identity, copied) = validated.map_err(failed)?;
    let Some(token) = copied else { return Ok(Allowed { identity, limits: None }) };
    // In a box, so that the future of other requests is small.
    let limits = Box::pin(async {
        let token = (*token).map_err(|damaged| failed(damaged.into()))?;
        if let Some((dpop, proof)) = &proof {
            dpop.accept(proof, &token).await?;
        }
        charge(shared, request, demands, &token).await
    });
    Ok(Allowed { identity, limits: limits.await? })
}

/// Returns the proof of a request that presents its token with the scheme `DPoP`.
fn proof<'a>(
    shared: &'a Shared,
    request: &ClientRequest<'_>,
    presented: &PresentedBearer<'_>,
) -> Result<Option<(&'a Dpop, Proof)>, ErrorResponse> {
    if presented.scheme() == AuthScheme::Bearer {
        return Ok(None);
    }
    let Some(dpop) = &shared.dpop else { return Err(ErrorResponse::unauthenticated()) };
    let Some(target) = &request.target else {
        tracing::warn!(
            "a proof of possession is refused: the gateway does not tell the method and the address of \
             the request, see docs/gateways.md"
        );
        return Err(ErrorResponse::invalid_dpop_proof(None));
    };
    let (method, uri) = (target.method.as_str(), &target.uri);
    let wanted = ProofRequest { method, uri, access_token: Some(presented.bearer()) };
    let proof = dpop.proof_of(presented, request.headers, &wanted)?;
    Ok(proof.map(|proof| (dpop, proof)))
}

/// Returns the device that presents the token. A request that does not name the device presents none.
fn device(
    request: &ClientRequest<'_>,
    demanded: Option<&Device>,
) -> Result<Option<DeviceId>, ErrorResponse> {
    let name = match demanded {
        None => return Ok(None),
        Some(Device::Id(id)) => return Ok(Some(id.clone())),
        Some(Device::Header(name)) => name,
    };
    let mut values = request.headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    match (first, values.next()) {
        (None, _) => Ok(None),
        (Some(Some(id)), None) => Ok(Some(id)),
        _ => Err(ErrorResponse::invalid_request("the header that names the device is not valid")),
    }
}

async fn charge(
    shared: &Shared,
    request: &ClientRequest<'_>,
    demands: &Demands,
    token: &Token,
) -> Result<Option<LimitVerdict>, Denial> {
    if demands.limits.is_empty() {
        return Ok(None);
    }
    let mut charged = request_of(token);
    match request.address {
        Some(address) => charged = charged.ip(address),
        // Such a limit would count nothing, and admit everything.
        None if counts_by_address(shared, demands) => return Err(BadDemands::NoAddress.into()),
        None => {}
    }
    match shared.manager.admit_named(&charged, &demands.limits).await {
        Ok(verdict) if verdict.is_admitted() => Ok(Some(verdict)),
        Ok(verdict) => Err(ErrorResponse::rate_limited(&verdict).into()),
        Err(error) if error.class() == ErrorClass::InvalidRequest => {
            Err(BadDemands::Invalid { name: "limit", reason: error.to_string() }.into())
        }
        Err(error) => Err(ErrorResponse::from(error).into()),
    }
}

fn counts_by_address(shared: &Shared, demands: &Demands) -> bool {
    let is_named = |name: &_| demands.limits.iter().any(|(named, _)| named == name);
    shared
        .manager
        .limit_policies()
        .any(|policy| policy.by() == LimitBy::Ip && is_named(policy.name()))
}
