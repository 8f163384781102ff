//! `demo`: a token's life in six steps, done for real on the store that is named.

use std::fmt::Display;

use keyfob::{
    Error, Filter, Grant, Kind, LabelValue, Paging, Refusal, Timestamp, Ttl, ValidationChain, Why,
};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;

const TITLE: &str = "Distributed Token Management Example";
const RULE: &str = "==================================";

pub(super) async fn run(context: &mut Context) -> Result<(), Failure> {
    let mut told = Story::begin(&mut context.output)?;
    let manager = &context.manager;

    told.step("Creating and storing token", "--------------------------")?;
    // Tells the token of this run from those of other runs on the same store.
    let run = format!("{}-{}", manager.now().as_millis(), std::process::id());
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
    manager.revoke(token.id, Why::because("user logout").by("keyfob demo")).await?;
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
    told.end()
}

/// `2025-09-12 10:30:00 +0000 UTC`
fn spelled_out(at: Timestamp) -> String {
    let whole = Timestamp::from_millis(at.as_secs() * 1000).to_string();
    whole.replace('T', " ").replace('Z', " +0000 UTC")
}

/// What is told: as text, or with one object for each step.
struct Story<'a> {
    output: &'a mut Output,
    number: u32,
    step: Option<Step>,
}

#[derive(Serialize)]
struct Step {
    step: u32,
    title: &'static str,
    lines: Vec<String>,
}

impl<'a> Story<'a> {
    fn begin(output: &'a mut Output) -> Result<Self, Failure> {
        if !output.is_json() {
            output.line(TITLE)?;
            output.line(RULE)?;
        }
        Ok(Self { output, number: 0, step: None })
    }

    fn step(&mut self, title: &'static str, rule: &str) -> Result<(), Failure> {
        self.end()?;
        self.number += 1;
        if self.output.is_json() {
            self.step = Some(Step { step: self.number, title, lines: Vec::new() });
            return Ok(());
        }
        self.output.line(format_args!("\n{}. {title}\n{rule}", self.number))
    }

    fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        match &mut self.step {
            Some(step) => {
                step.lines.push(line.to_string());
                Ok(())
            }
            None => self.output.line(line),
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        match self.step.take() {
            Some(step) => self.output.object(&step),
            None => self.output.flush(),
        }
    }
}
