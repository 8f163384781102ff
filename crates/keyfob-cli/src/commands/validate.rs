//! `validate`: a bearer to its token, or to what is wrong with it.

use keyfob::{DeviceBinding, Error, Explanation, Presentation, Refusal, Token, ValidationChain};
use serde::Serialize;

use crate::args::{self, ValidateArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::input;

#[derive(Serialize)]
struct Good<T> {
    ok: bool,
    token: T,
}

#[derive(Serialize)]
struct Bad<'a> {
    ok: bool,
    #[serde(flatten)]
    first: Told<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusals: Option<Vec<Told<'a>>>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    message: String,
}

impl<'a> Told<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        Self { code: refusal.code(), message: refusal.to_string() }
    }
}

pub(super) async fn run(args: &ValidateArgs, context: &mut Context) -> Result<(), Failure> {
    let chain = chain_of(args);
    let bytes = input::bearer(args::source(args.bearer_file.as_ref()), input::MOST_BYTES).await?;
    // What is no text is no bearer either: as the empty text it is refused, and observed, like one.
    let bearer = std::str::from_utf8(&bytes).unwrap_or_default();
    let mut presented = Presentation::new(bearer);
    if let Some(device) = &args.device_id {
        presented = presented.device(device);
    }
    let outcome = if args.all {
        all(presented, &chain, context).await
    } else {
        context.manager.validate(presented, &chain).await.map(Ok)
    };
    match outcome {
        Ok(Ok(token)) if context.output.is_json() => {
            let token = token.view(context.manager.now());
            context.output.object(&Good { ok: true, token })
        }
        Ok(Ok(token)) => {
            context.output.line("the bearer is good")?;
            context.output.token(&token, context.manager.now())
        }
        Ok(Err(refusals)) => refuse(&refusals, args.all, context),
        Err(Error::Refused(refusal)) => refuse(&[refusal], args.all, context),
        Err(error) => Err(error.into()),
    }
}

/// The token, or everything that is wrong.
async fn all(
    presented: Presentation<'_>,
    chain: &ValidationChain,
    context: &Context,
) -> Result<Result<Token, Vec<Refusal>>, Error> {
    let Explanation { token, refusals, .. } = context.manager.explain(presented, chain).await?;
    Ok(if refusals.is_empty() { Ok(token) } else { Err(refusals) })
}

fn refuse(refusals: &[Refusal], all: bool, context: &mut Context) -> Result<(), Failure> {
    let Some(first) = refusals.first() else { return Ok(()) };
    if context.output.is_json() {
        let refusals = all.then(|| refusals.iter().map(Told::of).collect());
        let told = Bad { ok: false, first: Told::of(first), refusals };
        context.output.object(&told)?;
        return Err(Failure::Told(Exit::Refused));
    }
    if !all {
        return Err(Error::from(first.clone()).into());
    }
    for refusal in refusals {
        context.output.line(format_args!("refused: {refusal} ({})", refusal.code()))?;
    }
    Err(Failure::Told(Exit::Refused))
}

fn chain_of(args: &ValidateArgs) -> ValidationChain {
    let mut chain = ValidationChain::new();
    chain = args.kind.iter().fold(chain, |chain, kind| chain.allow_kind(*kind));
    chain = args.issuer.iter().cloned().fold(chain, ValidationChain::allow_issuer);
    chain = args.audience.iter().cloned().fold(chain, ValidationChain::allow_audience);
    chain = args.scope.iter().cloned().fold(chain, ValidationChain::require_scope);
    chain = args.any_scope.iter().cloned().fold(chain, ValidationChain::require_any_scope);
    chain = args.require_claim.iter().cloned().fold(chain, ValidationChain::require_claim);
    chain = args.clock_skew.into_iter().fold(chain, ValidationChain::clock_skew);
    chain = args.max_age.into_iter().fold(chain, ValidationChain::max_age);
    let binding = match args.device_id {
        Some(_) => DeviceBinding::Required,
        None => DeviceBinding::Unchecked,
    };
    chain.device(binding)
}
