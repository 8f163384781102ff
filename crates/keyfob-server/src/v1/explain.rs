//! Everything that is wrong with a token: what an operator asks when a user cannot get in.

use keyfob::{Error, Presentation};
use keyfob_api::{ExplainAnswer, ExplainBody, RefusalBody, SecretBody};

use super::derive::confirmation;
use super::input::body;
use super::validate::chain;
use super::view::readable;
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
            let confirmation = wanted.cnf.as_ref().map(confirmation);
            let mut presented = Presentation::new(bearer.expose());
            if let Some(device) = &wanted.device_id {
                presented = presented.device(device);
            }
            if let Some(confirmation) = &confirmation {
                presented = presented.confirmation(confirmation);
            }
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
            let refusals = chain.evaluate_all(&token, wanted.device_id.as_ref(), now).await;
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
        refusals: refusals.iter().map(refusal_body).collect(),
    })
}

/// Answers for a bearer token that is malformed or unknown.
fn unknown(refusal: &keyfob::Refusal) -> Answer {
    let refusals = vec![refusal_body(refusal)];
    json::ok(&ExplainAnswer::<()> { ok: false, token: None, secret: None, refusals })
}

fn refusal_body(refusal: &keyfob::Refusal) -> RefusalBody {
    RefusalBody { code: refusal.code().to_owned(), message: refusal.to_string() }
}
