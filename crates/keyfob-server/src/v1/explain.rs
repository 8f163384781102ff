//! Everything that is wrong with a token: what an operator asks when a user cannot get in.

use keyfob::Error;
use keyfob::validation::{KeyBinding, PresentedBy};
use keyfob_api::{ExplainAnswer, ExplainBody, SecretBody};

use super::input::body;
use super::validate::chain;
use super::view::readable;
use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `POST /v1/explain`. No use is counted, and no limit is charged.
pub(crate) async fn handle(call: Call) -> Answer {
    let wanted: ExplainBody = body(&call)?;
    let chain = chain(&call, wanted.chain.as_deref(), wanted.would_widen())?;
    let chain = wanted.add_to(chain.demands);
    chain.check()?;
    let mut secret = None;
    let (token, refusals) = match (&wanted.token, wanted.id) {
        (Some(bearer), None) => {
            let proven = wanted.cnf.as_ref().map(bodies::confirmation);
            let bearer = call.shared.bearer(bearer.expose());
            let device = wanted.device_id.as_ref();
            let presented = bodies::presentation_of(&bearer, device, proven.as_ref());
            match call.manager().explain(presented, &chain).await {
                Ok(explained) => {
                    secret = SecretBody::of(&explained.token);
                    (explained.token, explained.refusals)
                }
                Err(Error::Refused(refusal)) => return unknown(&refusal),
                Err(error) => return Err(error.into()),
            }
        }
        (None, Some(id)) => {
            let token = readable(&call, id).await?;
            let now = call.manager().now();
            // Nobody presents an id, so nobody could have proved a key.
            let proven = wanted.cnf.as_ref().map(bodies::confirmation);
            let chain = match &proven {
                None => chain.key(KeyBinding::Unchecked),
                Some(_) => chain,
            };
            let by = PresentedBy { device: wanted.device_id.as_ref(), key: proven.as_ref() };
            let refusals = chain.evaluate_all(&token, by, now).await;
            (token, refusals)
        }
        _ => {
            let detail = "name either a token or an id";
            return Err(Failure::bad("token_or_id", detail));
        }
    };
    if !call.caller()?.may_see(&token) {
        return unknown(&keyfob::Refusal::Unknown);
    }
    json::ok(&ExplainAnswer {
        ok: refusals.is_empty(),
        token: Some(token.view(call.manager().now())),
        secret,
        refusals: refusals.iter().map(bodies::refusal).collect(),
    })
}

/// Answers for a bearer token that is malformed or unknown.
fn unknown(refusal: &keyfob::Refusal) -> Answer {
    let refusals = vec![bodies::refusal(refusal)];
    json::ok(&ExplainAnswer::<()> { ok: false, token: None, secret: None, refusals })
}
