//! Verdicts on bearer tokens: demands and limits in one call, for one or up to a thousand.
//!
//! A caller with audiences of its own learns nothing about tokens that are meant for others: they are
//! refused as unknown. A refresh token is accepted only where the request names its kind, or for the
//! client that it was issued to.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use keyfob::limit::{LimitVerdict, request_of};
use keyfob::validation::KeyBinding;
use keyfob::values::LimitName;
use keyfob::{Audience, Error, Kind, Presentation, Refusal, Token};
use keyfob_api::{DpopBody, OneOf, OneOrMany, SecretBody, ValidateAnswer, ValidateBody};
use keyfob_tower::dpop::{Dpop, NoProof, Proof, ProofRequest, TargetUri};
use serde::Serialize;

use super::input::one_or_many;
use crate::access::caller::Caller;
use crate::access::scope::ManagementScope;
use crate::bodies::{self, limit_status};
use crate::call::Call;
use crate::chains::NamedChain;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// How many bearer tokens of one request are validated at the same time.
const MAX_CONCURRENT: usize = 64;

/// The verdict before it is written.
enum Verdict {
    Valid(Box<Token>, Option<LimitVerdict>),
    Refused(Refusal),
    Limited(LimitVerdict),
    Unproven(NoProof),
}

/// Answers `POST /v1/validate`.
///
/// If the store cannot tell about one bearer token, the whole answer is an error: a verdict is never
/// a guess.
pub(crate) async fn handle(call: Call) -> Answer {
    match one_or_many::<ValidateBody>(&call)? {
        OneOrMany::One(one) => {
            let verdict = verdict(&call, &one).await?;
            json::ok(&answer(&call, &verdict))
        }
        OneOrMany::Many(many) => {
            let call = &call;
            let verdicts = stream::iter(many)
                .map(|one: ValidateBody| async move { verdict(call, &one).await });
            let verdicts: Vec<_> = verdicts.buffered(MAX_CONCURRENT).try_collect().await?;
            let answers: Vec<_> = verdicts.iter().map(|verdict| answer(call, verdict)).collect();
            json::ok(&answers)
        }
    }
}

async fn verdict(call: &Call, wanted: &ValidateBody) -> Result<Verdict, Failure> {
    let caller = call.caller()?;
    let Some(wanted) = confined(caller, wanted) else {
        return Ok(Verdict::Refused(Refusal::Unknown));
    };
    let NamedChain { demands, limits } =
        chain(call, wanted.chain.as_deref(), wanted.would_widen())?;
    let demands = wanted.add_to(demands);
    let presented_proof = PresentedProof::of(call, &wanted)?;
    let proof = match presented_proof.as_ref().map(|it| it.check(wanted.token.expose())) {
        None => None,
        Some(Ok(proof)) => Some(proof),
        Some(Err(no_proof)) => return Ok(Verdict::Unproven(no_proof)),
    };
    let (demands, proven) = match &proof {
        // What is presented with a proof has to be bound to its key (RFC 9449 section 7.1).
        Some(proof) => (demands.key(KeyBinding::Required), Some(proof.key.clone())),
        None => (demands, wanted.cnf.as_ref().map(bodies::confirmation)),
    };
    let bearer = call.shared.bearer(wanted.token.expose());
    let presented = bodies::presentation_of(&bearer, wanted.device_id.as_ref(), proven.as_ref());
    let presented = wanted.ip.into_iter().fold(presented, Presentation::ip);
    let token = match call.manager().validate(presented, &demands).await {
        Ok(token) => token,
        Err(Error::Refused(refusal)) => return Ok(Verdict::Refused(refusal)),
        Err(error) if call.shared.is_disguised(&error) => {
            return Ok(Verdict::Refused(Refusal::Unknown));
        }
        Err(error) => return Err(error.into()),
    };
    if !caller.may_see(&token) {
        return Ok(Verdict::Refused(Refusal::Unknown));
    }
    if token.kind == Kind::Refresh && !may_take_refresh_token(caller, &wanted, &token) {
        return Ok(Verdict::Refused(Refusal::Kind { found: Kind::Refresh }));
    }
    if let (Some(presented), Some(proof)) = (&presented_proof, &proof) {
        match presented.dpop.use_up(proof).await {
            Ok(()) => {}
            Err(NoProof::Undecided) => {
                let detail = "it cannot be decided now whether the proof was used before";
                return Err(Failure::undecided(detail));
            }
            Err(no_proof) => return Ok(Verdict::Unproven(no_proof)),
        }
    }
    charge(call, &wanted, limits, token).await
}

/// A proof of possession with which a bearer token was presented.
struct PresentedProof<'a> {
    dpop: &'a Dpop,
    body: &'a DpopBody,
    uri: TargetUri,
}

impl<'a> PresentedProof<'a> {
    /// Reads the proof that the body names, if it names one.
    fn of(call: &'a Call, wanted: &'a ValidateBody) -> Result<Option<Self>, Failure> {
        let Some(body) = &wanted.dpop else { return Ok(None) };
        if wanted.cnf.is_some() {
            return Err(Failure::bad("proof_and_key", "name either dpop or cnf"));
        }
        let Some(dpop) = &call.shared.dpop else {
            return Err(Failure::bad("no_proofs", "this server takes no DPoP proofs"));
        };
        let Ok(uri) = body.url.parse() else {
            return Err(Failure::bad("invalid_value", "dpop.url is no URL of http or https"));
        };
        Ok(Some(Self { dpop, body, uri }))
    }

    fn check(&self, bearer: &str) -> Result<Proof, NoProof> {
        let DpopBody { proof, method, .. } = self.body;
        let request = ProofRequest { method, uri: &self.uri, access_token: Some(bearer) };
        self.dpop.check(proof, &request)
    }
}

/// Returns the demands as far as they concern tokens that the caller may see; `None` if none does. So a
/// token that is meant for others is refused before one of its uses is counted.
fn confined<'a>(
    caller: &Caller,
    wanted: &'a ValidateBody,
) -> Option<std::borrow::Cow<'a, ValidateBody>> {
    use std::borrow::Cow;
    if caller.token().audiences.is_empty() || wanted.chain.is_some() {
        return Some(Cow::Borrowed(wanted));
    }
    let own = || caller.token().audiences.iter().cloned();
    let audience: Vec<Audience> = match wanted.audience.is_empty() {
        true => own().collect(),
        false => own().filter(|own| wanted.audience.iter().any(|named| named == own)).collect(),
    };
    if audience.is_empty() {
        return None;
    }
    Some(Cow::Owned(ValidateBody { audience: OneOf::from(audience), ..wanted.clone() }))
}

/// Returns the chain of this name, or one without demands.
pub(super) fn chain(
    call: &Call,
    name: Option<&str>,
    would_widen: bool,
) -> Result<NamedChain, Failure> {
    let Some(name) = name else { return Ok(NamedChain::default()) };
    if would_widen {
        let detail = "issuer, audience, kind, any_scopes and clock_skew would widen a chain: leave out \
                      the chain or these";
        return Err(Failure::bad("chain_widened", detail));
    }
    let known = call.shared.settings.chains.get(name);
    known
        .map(|chain| NamedChain::clone(chain))
        .ok_or_else(|| Failure::bad("unknown_chain", "the server has no chain of this name"))
}

fn may_take_refresh_token(caller: &Caller, wanted: &ValidateBody, token: &Token) -> bool {
    wanted.kind.iter().any(|kind| *kind == Kind::Refresh)
        || caller.is_client_of(token)
        || caller.has(ManagementScope::Admin)
}

/// Charges the limits of the chain, and those that the request names. What both name costs the sum.
async fn charge(
    call: &Call,
    wanted: &ValidateBody,
    mut costs: Vec<(LimitName, u32)>,
    token: Token,
) -> Result<Verdict, Failure> {
    let of_chain = costs.len();
    for charge in &wanted.limits {
        match costs[..of_chain].iter_mut().find(|(name, _)| *name == charge.name) {
            Some((_, cost)) => *cost = cost.saturating_add(charge.cost),
            None => costs.push((charge.name.clone(), charge.cost)),
        }
    }
    if costs.is_empty() {
        return Ok(Verdict::Valid(Box::new(token), None));
    }
    let mut request = request_of(&token);
    if let Some(ip) = wanted.ip {
        request = request.ip(ip);
    }
    let verdict = call.manager().admit_named(&request, &costs).await?;
    Ok(match verdict.is_admitted() {
        true => Verdict::Valid(Box::new(token), Some(verdict)),
        false => Verdict::Limited(verdict),
    })
}

fn answer<'a>(call: &Call, verdict: &'a Verdict) -> ValidateAnswer<impl Serialize + use<'a>> {
    match verdict {
        Verdict::Valid(token, limits) => {
            let answer = ValidateAnswer::valid(token.view(call.manager().now()));
            let mut answer = answer.by_secret(SecretBody::of(token));
            let status = limits.iter().flat_map(LimitVerdict::limit_status);
            answer.limits = status.map(limit_status).collect();
            answer
        }
        Verdict::Refused(refusal) => {
            let mut answer = ValidateAnswer::refused(refusal.code(), refusal.to_string());
            if let Refusal::Throttled { retry_after } = refusal {
                answer.retry_after_ms = Some(retry_after.as_millis());
            }
            answer
        }
        Verdict::Unproven(no_proof) => {
            let mut answer = ValidateAnswer::refused(no_proof.code(), no_proof.to_string());
            let nonce = call.shared.dpop.as_ref().and_then(Dpop::nonce);
            answer.dpop_nonce = nonce.and_then(|nonce| nonce.to_str().ok().map(str::to_owned));
            answer
        }
        Verdict::Limited(verdict) => {
            let mut answer =
                ValidateAnswer::refused("limited", "a limit does not admit the request");
            answer.retry_after_ms = verdict.retry_after().map(|wait| wait.as_millis());
            answer.limits = verdict.limit_status().iter().map(limit_status).collect();
            answer
        }
    }
}
