//! `demo`: a token's life in six steps, done for real on the store that is named; with `--full`, in
//! eleven.

mod full;
mod story;

use keyfob::{
    Error, Filter, Grant, Kind, LabelValue, Paging, Refusal, RevokeRequest, Timestamp,
    TokenManager, Ttl, ValidationChain,
};

use story::Story;

use crate::args::{DemoArgs, Settings};
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(
    args: &DemoArgs,
    settings: &Settings,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut told = Story::begin(&mut context.output)?;
    let manager = &context.manager;
    // Tells what this run does from what other runs did on the same store.
    let run = format!("{}-{}", manager.now().as_millis(), std::process::id());
    six_steps(&run, manager, &mut told).await?;
    if args.full {
        full::run(&run, settings, manager, &mut told).await?;
    }
    told.end()
}

async fn six_steps(run: &str, manager: &TokenManager, told: &mut Story<'_>) -> Result<(), Failure> {
    told.step("Creating and storing token", "--------------------------")?;
    let run = LabelValue::new(run)?;
    let grant = Grant::new(Kind::Access)
        .subject("user123")
        .issuer("example-service")
        .audience("example-app")
        .scope("read")
        .device_id("device123")
        .user_agent("ExampleApp/1.0")
        .platform("iOS")
        .label("environment", "production")
        .label("run", run.clone())
        .tag("mobile");
    let issued = manager.issue(grant).await?;
    told.line(format_args!("Token created: {}", issued.token.id))?;

    told.step("Retrieving and validating token", "--------------------------------")?;
    let token = manager.get(issued.token.id).await?;
    let subject = token.subject.as_ref().map_or("nobody", |subject| subject.as_str());
    told.line(format_args!("Retrieved token for subject: {subject}"))?;
    let chain = ValidationChain::new()
        .allow_issuer("example-service")
        .allow_audience("example-app")
        .require_scope("read")
        .clock_skew(Ttl::from_mins(1));
    manager.validate(&issued.bearer, &chain).await?;
    told.line("Token validation successful")?;

    told.step("Listing tokens with filters", "--------------------------")?;
    let filter = Filter::new()
        .kind(Kind::Access)
        .subject("user123")
        .tag("mobile")
        .label("environment", "production")
        .label("run", run);
    let page = manager.list(&filter, Paging::default()).await?;
    told.line(format_args!("Found {} matching tokens", page.tokens.len()))?;

    told.step("Revoking token", "---------------")?;
    manager.revoke(token.id, RevokeRequest::reason("user logout").by("keyfob demo")).await?;
    told.line("Token revoked successfully")?;

    told.step("Verifying revocation", "---------------------")?;
    if let Some(revocation) = manager.get(token.id).await?.revocation {
        told.line(format_args!("Token revoked at: {}", spelled_out(revocation.at)))?;
        let reason = revocation.reason.as_ref().map_or("none", |reason| reason.as_str());
        told.line(format_args!("Revocation reason: {reason}"))?;
    }

    told.step("Demonstrating validation failure", "--------------------------------")?;
    match manager.validate(&issued.bearer, &chain).await {
        Err(Error::Refused(refusal @ Refusal::Revoked(_))) => {
            told.line(format_args!("Expected validation failure: {refusal}"))?;
        }
        Err(error) => return Err(error.into()),
        Ok(token) => {
            let message = format!("{} is still good after it was revoked", token.id);
            return Err(Failure::BrokenPromise { message });
        }
    }
    Ok(())
}

/// `2025-09-12 10:30:00 +0000 UTC`
fn spelled_out(at: Timestamp) -> String {
    let whole = Timestamp::from_millis(at.as_secs() * 1000).to_string();
    whole.replace('T', " ").replace('Z', " +0000 UTC")
}
