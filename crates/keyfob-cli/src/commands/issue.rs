//! `issue`: one token from flags. Many from a file are in `issue_many`.

use std::io;

use keyfob::{
    Actor, Confirmation, Grant, InvalidValue, Issued, Kind, NameSet, PrivateClaims, Timestamp,
    TokenView,
};
use serde::Serialize;

use super::issue_many;
use crate::args::{GrantArgs, IssueArgs, Lifetime};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::or_never;

/// A token with its bearer: the one object that ever holds it.
#[derive(Serialize)]
pub(super) struct IssuedView<'a> {
    #[serde(flatten)]
    token: TokenView<'a>,
    bearer: &'a str,
}

impl<'a> IssuedView<'a> {
    pub(super) fn of(issued: &'a Issued, now: Timestamp) -> Self {
        Self { token: issued.token.view(now), bearer: issued.bearer.expose() }
    }
}

pub(super) async fn run(args: &IssueArgs, context: &mut Context) -> Result<(), Failure> {
    if let Some(from) = &args.from {
        return issue_many::run(from, args.by.as_ref(), context).await;
    }
    let grant = grant_of(&args.grant, args.by.as_ref(), context.now())?;
    let interrupt = context.interrupt.clone();
    let manager = &context.manager;
    let issued = interrupt.or(async { Ok(manager.issue(grant).await?) }).await?;
    show(&issued, context)
}

/// Shows a token with its bearer, once.
pub(super) fn show(issued: &Issued, context: &mut Context) -> Result<(), Failure> {
    let now = context.now();
    let output = &mut context.output;
    let written = if output.is_json() {
        write_object(issued, now, output)
    } else {
        output.fields(&[
            ("id", issued.token.id.to_string()),
            ("kind", issued.token.kind.to_string()),
            ("expires", or_never(issued.token.expires_at)),
            ("bearer", issued.bearer.expose().to_owned()),
        ])
    };
    written.and_then(|()| output.flush()).map_err(|failure| lost(failure, issued))?;
    note_once(output, "the bearer is shown only this once: hand it to its owner");
    Ok(())
}

/// Writes a token with its bearer as one object.
pub(super) fn write_object(
    issued: &Issued,
    now: Timestamp,
    output: &mut Output,
) -> Result<(), Failure> {
    output.object(&IssuedView::of(issued, now))
}

/// What it means that a bearer cannot be written, even where nobody reads on.
pub(super) fn lost(failure: Failure, issued: &Issued) -> Failure {
    let error = match failure {
        Failure::Output(error) => error,
        other => io::Error::other(other),
    };
    Failure::BearerLost { id: issued.token.id, error }
}

pub(super) fn note_once(output: &Output, message: &str) {
    output.note("shown_once", message);
}

fn grant_of(args: &GrantArgs, by: Option<&Actor>, now: Timestamp) -> Result<Grant, Failure> {
    let mut grant = Grant::new(args.kind.unwrap_or(Kind::Access));
    grant = args.subject.iter().cloned().fold(grant, Grant::subject);
    grant = args.issuer.iter().cloned().fold(grant, Grant::issuer);
    grant = args.audience.iter().cloned().fold(grant, Grant::audience);
    grant = args.scope.iter().cloned().fold(grant, Grant::scope);
    grant = args.client.iter().cloned().fold(grant, Grant::client);
    grant = args.username.iter().cloned().fold(grant, Grant::username);
    if let Some(at) = args.auth_time {
        let methods = NameSet::from_names(args.amr.iter().cloned())?;
        grant = grant.authenticated(at.from(now), args.acr.clone(), methods);
    }
    let jkt = args.jkt.clone().map(Confirmation::Jkt);
    let certificate = args.certificate.clone().map(Confirmation::CertificateThumbprint);
    grant = jkt.or(certificate).into_iter().fold(grant, Grant::confirmation);
    grant = match args.ttl {
        None => grant,
        Some(Lifetime::For(ttl)) => grant.ttl(ttl),
        Some(Lifetime::Never) => grant.never_expires(),
    };
    grant = args.expires_at.iter().fold(grant, |grant, at| grant.expires_at(at.from(now)));
    grant = args.not_before.iter().fold(grant, |grant, at| grant.not_before(at.from(now)));
    grant = args.idle.into_iter().fold(grant, Grant::idle_timeout);
    grant = args.absolute.into_iter().fold(grant, Grant::absolute_lifetime);
    grant = args.uses.into_iter().fold(grant, Grant::uses);
    grant = args.device_id.iter().cloned().fold(grant, Grant::device_id);
    grant = args.user_agent.iter().cloned().fold(grant, Grant::user_agent);
    grant = args.ip.into_iter().fold(grant, Grant::ip);
    grant = args.platform.iter().cloned().fold(grant, Grant::platform);
    grant = args.device_version.iter().cloned().fold(grant, Grant::device_version);
    grant = args.app.iter().cloned().fold(grant, Grant::app);
    grant = args.app_version.iter().cloned().fold(grant, Grant::app_version);
    grant = args
        .label
        .iter()
        .fold(grant, |grant, label| grant.label(label.key.clone(), label.value.clone()));
    grant = args.tag.iter().cloned().fold(grant, Grant::tag);
    grant = by.cloned().into_iter().fold(grant, Grant::by);
    Ok(grant.private_claims(claims_of(args)?))
}

fn claims_of(args: &GrantArgs) -> Result<PrivateClaims, InvalidValue> {
    let members: Vec<_> = args
        .claim
        .iter()
        .map(|claim| format!("{}:{}", serde_json::json!(claim.name.as_str()), claim.json))
        .collect();
    PrivateClaims::from_json(format!("{{{}}}", members.join(",")))
}
