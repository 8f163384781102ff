//! `validate`: shows the token of a valid bearer, or why the bearer is refused.

use keyfob::values::NameSet;
use keyfob_api::{
    ExplainBody, OneOf, RefusalBody, SecretBody, TokenBody, ValidateBody, WhichSecret,
};
use serde::Serialize;

use crate::args::ValidateArgs;
use crate::bearer_input::BearerInput;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::input::{self, InputSource};

#[derive(Serialize)]
struct ValidView<'a> {
    ok: bool,
    token: &'a TokenBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<SecretBody>,
}

/// Says which of the secrets of an API key the bearer has.
fn text_of(secret: SecretBody) -> String {
    let used = match secret.used {
        WhichSecret::Newest => "newest",
        WhichSecret::Older => "older",
    };
    match secret.until {
        Some(until) => format!("{used}, ends at {until}"),
        None => used.to_owned(),
    }
}

#[derive(Serialize)]
struct RefusedView<'a> {
    ok: bool,
    #[serde(flatten)]
    first: &'a RefusalBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusals: Option<&'a [RefusalBody]>,
}

pub(super) async fn run(args: &ValidateArgs, context: &mut Context) -> Result<(), Failure> {
    let bearer = input::bearer(InputSource::from_flag(args.bearer_file.as_ref())).await?;
    let (token, refusals, secret) = if args.all {
        let answer = context.backend.explain(&explain_body(args, &bearer)?).await?;
        (answer.token.filter(|_| answer.ok), answer.refusals, answer.secret)
    } else {
        let answer = context.backend.validate(&body(args, &bearer)?).await?;
        let refusal = RefusalBody {
            code: answer.code.unwrap_or_default(),
            message: answer.message.unwrap_or_default(),
        };
        (answer.token.filter(|_| answer.ok), vec![refusal], answer.secret)
    };
    match token {
        Some(token) if context.output.is_json() => {
            context.output.object(&ValidView { ok: true, token: &token, secret })
        }
        Some(token) => {
            context.output.line("the bearer is valid")?;
            if let Some(secret) = secret {
                context.output.line(format_args!("secret: {}", text_of(secret)))?;
            }
            context.output.token(&token)
        }
        None => refuse(&refusals, &bearer, args.all, context),
    }
}

fn refuse(
    refusals: &[RefusalBody],
    bearer: &BearerInput,
    all: bool,
    context: &mut Context,
) -> Result<(), Failure> {
    let Some(first) = refusals.first() else { return Ok(()) };
    let prefix = context.backend.prefix();
    if context.output.is_json() {
        let refusals = all.then_some(refusals);
        context.output.object(&RefusedView { ok: false, first, refusals })?;
        bearer.note(first, prefix, &context.output);
        return Err(Failure::AlreadyReported(Exit::Refused));
    }
    if !all {
        return Err(bearer.failure(Failure::Refused(first.clone()), prefix));
    }
    for RefusalBody { code, message } in refusals {
        context.output.line(format_args!("refused: {message} ({code})"))?;
    }
    bearer.note(first, prefix, &context.output);
    Err(Failure::AlreadyReported(Exit::Refused))
}

fn body(args: &ValidateArgs, bearer: &BearerInput) -> Result<ValidateBody, Failure> {
    Ok(ValidateBody {
        token: bearer.secret(),
        kind: OneOf::from(args.kind.clone()),
        issuer: OneOf::from(args.issuer.clone()),
        audience: OneOf::from(args.audience.clone()),
        scopes: NameSet::from_names(args.scope.iter().cloned())?,
        any_scopes: NameSet::from_names(args.any_scope.iter().cloned())?,
        claims: args.require_claim.clone(),
        clock_skew: args.clock_skew,
        max_age: args.max_age,
        device_id: args.device_id.clone(),
        cnf: args.proven_key.key(),
        ..ValidateBody::default()
    })
}

/// The same demands, where all that is wrong is asked for.
fn explain_body(args: &ValidateArgs, bearer: &BearerInput) -> Result<ExplainBody, Failure> {
    let ValidateBody {
        token,
        kind,
        issuer,
        audience,
        scopes,
        any_scopes,
        claims,
        clock_skew,
        max_age,
        device_id,
        cnf,
        ..
    } = body(args, bearer)?;
    Ok(ExplainBody {
        token: Some(token),
        kind,
        issuer,
        audience,
        scopes,
        any_scopes,
        claims,
        clock_skew,
        max_age,
        device_id,
        cnf,
        ..ExplainBody::default()
    })
}
