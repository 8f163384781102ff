//! `validate`: shows the token of a valid bearer, or why the bearer is refused.

use keyfob::manager::Explanation;
use keyfob::token::SecretUsed;
use keyfob::validation::DeviceBinding;
use keyfob::{Error, Kind, Presentation, Refusal, Timestamp, Token, ValidationChain};
use serde::Serialize;

use crate::args::ValidateArgs;
use crate::bearer_input::BearerInput;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::input::{self, InputSource};

#[derive(Serialize)]
struct ValidView<T> {
    ok: bool,
    token: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<SecretView>,
}

/// Which of the secrets of an API key the bearer has.
#[derive(Serialize)]
struct SecretView {
    used: &'static str,
    /// When it ends, if it is the older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl SecretView {
    /// Only an API key has more than one secret.
    fn of(token: &Token) -> Option<Self> {
        let (used, until) = match token.secret {
            SecretUsed::Newest => ("newest", None),
            SecretUsed::Older { until } => ("older", Some(until)),
        };
        (token.kind == Kind::ApiKey).then_some(Self { used, until })
    }

    fn text(&self) -> String {
        match self.until {
            Some(until) => format!("{}, ends at {until}", self.used),
            None => self.used.to_owned(),
        }
    }
}

#[derive(Serialize)]
struct RefusedView<'a> {
    ok: bool,
    #[serde(flatten)]
    first: RefusalView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusals: Option<Vec<RefusalView<'a>>>,
}

#[derive(Serialize)]
struct RefusalView<'a> {
    code: &'a str,
    message: String,
}

impl<'a> RefusalView<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        Self { code: refusal.code(), message: refusal.to_string() }
    }
}

pub(super) async fn run(args: &ValidateArgs, context: &mut Context) -> Result<(), Failure> {
    let chain = chain_of(args);
    let bearer = input::bearer(InputSource::from_flag(args.bearer_file.as_ref())).await?;
    let mut presented = Presentation::new(bearer.as_str());
    if let Some(device) = &args.device_id {
        presented = presented.device(device);
    }
    let outcome = if args.all {
        explain(presented, &chain, context).await
    } else {
        context.manager.validate(presented, &chain).await.map(Ok)
    };
    match outcome {
        Ok(Ok(token)) if context.output.is_json() => {
            let secret = SecretView::of(&token);
            let token = token.view(context.manager.now());
            context.output.object(&ValidView { ok: true, token, secret })
        }
        Ok(Ok(token)) => {
            context.output.line("the bearer is valid")?;
            if let Some(secret) = SecretView::of(&token) {
                context.output.line(format_args!("secret: {}", secret.text()))?;
            }
            context.output.token(&token, context.manager.now())
        }
        Ok(Err(refusals)) => refuse(&refusals, &bearer, args.all, context),
        Err(Error::Refused(refusal)) => refuse(&[refusal], &bearer, args.all, context),
        Err(error) => Err(error.into()),
    }
}

/// Returns the token, or all reasons for the refusal.
async fn explain(
    presented: Presentation<'_>,
    chain: &ValidationChain,
    context: &Context,
) -> Result<Result<Token, Vec<Refusal>>, Error> {
    let Explanation { token, refusals, .. } = context.manager.explain(presented, chain).await?;
    Ok(if refusals.is_empty() { Ok(token) } else { Err(refusals) })
}

fn refuse(
    refusals: &[Refusal],
    bearer: &BearerInput,
    all: bool,
    context: &mut Context,
) -> Result<(), Failure> {
    let Some(first) = refusals.first() else { return Ok(()) };
    let prefix = context.manager.prefix();
    if context.output.is_json() {
        let refusals = all.then(|| refusals.iter().map(RefusalView::of).collect());
        let view = RefusedView { ok: false, first: RefusalView::of(first), refusals };
        context.output.object(&view)?;
        bearer.note(first, prefix, &context.output);
        return Err(Failure::AlreadyReported(Exit::Refused));
    }
    if !all {
        return Err(bearer.failure(Error::from(first.clone()), prefix));
    }
    for refusal in refusals {
        context.output.line(format_args!("refused: {refusal} ({})", refusal.code()))?;
    }
    bearer.note(first, prefix, &context.output);
    Err(Failure::AlreadyReported(Exit::Refused))
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
