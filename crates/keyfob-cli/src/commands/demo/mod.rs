//! `demo`: shows the life of a token in six steps, or with `--full` in eleven. It runs on the store
//! that the settings name.

mod full;
mod script;

use keyfob::values::LabelValue;
use keyfob::{
    Error, Filter, Grant, Kind, Paging, Refusal, RevokeRequest, Timestamp, TokenManager, Ttl,
    ValidationChain,
};

use script::DemoScript;

use crate::args::{DemoArgs, Settings};
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(
    args: &DemoArgs,
    settings: &Settings,
    context: &mut Context,
) -> Result<(), Failure> {
    let manager = &context.manager()?;
    let mut script = DemoScript::begin(&mut context.output)?;
    // A label that separates this run from other runs on the same store.
    let run = format!("{}-{}", manager.now().as_millis(), std::process::id());
    six_steps(&run, manager, &mut script).await?;
    if args.full {
        full::run(&run, settings, manager, &mut script).await?;
    }
    script.end()
}

async fn six_steps(
    run: &str,
    manager: &TokenManager,
    script: &mut DemoScript<'_>,
) -> Result<(), Failure> {
    script.step("Creating and storing token", "--------------------------")?;
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
    script.line(format_args!("Token created: {}", issued.token.id))?;

    script.step("Retrieving and validating token", "--------------------------------")?;
    let token = manager.get(issued.token.id).await?;
    let subject = token.subject.as_ref().map_or("none", |subject| subject.as_str());
    script.line(format_args!("Retrieved token for subject: {subject}"))?;
    let chain = ValidationChain::new()
        .allow_issuer("example-service")
        .allow_audience("example-app")
        .require_scope("read")
        .clock_skew(Ttl::from_mins(1));
    manager.validate(&issued.bearer, &chain).await?;
    script.line("Token validation successful")?;

    script.step("Listing tokens with filters", "--------------------------")?;
    let filter = Filter::new()
        .kind(Kind::Access)
        .subject("user123")
        .tag("mobile")
        .label("environment", "production")
        .label("run", run);
    let page = manager.list(&filter, Paging::default()).await?;
    script.line(format_args!("Found {} matching tokens", page.tokens.len()))?;

    script.step("Revoking token", "---------------")?;
    manager.revoke(token.id, RevokeRequest::reason("user logout").by("keyfob demo")).await?;
    script.line("Token revoked successfully")?;

    script.step("Verifying revocation", "---------------------")?;
    if let Some(revocation) = manager.get(token.id).await?.revocation {
        script.line(format_args!("Token revoked at: {}", utc_text(revocation.at)))?;
        let reason = revocation.reason.as_ref().map_or("none", |reason| reason.as_str());
        script.line(format_args!("Revocation reason: {reason}"))?;
    }

    script.step("Demonstrating validation failure", "--------------------------------")?;
    match manager.validate(&issued.bearer, &chain).await {
        Err(Error::Refused(refusal @ Refusal::Revoked(_))) => {
            script.line(format_args!("Expected validation failure: {refusal}"))?;
        }
        Err(error) => return Err(error.into()),
        Ok(token) => {
            let message = format!("{} is still valid after it was revoked", token.id);
            return Err(Failure::BrokenPromise { message });
        }
    }
    Ok(())
}

/// Formats a time as `2025-09-12 10:30:00 +0000 UTC`, the form in which this example has always printed it.
fn utc_text(at: Timestamp) -> String {
    let whole = Timestamp::from_millis(at.as_secs() * 1000).to_string();
    whole.replace('T', " ").replace('Z', " +0000 UTC")
}
