//! `revoke`: one token, or all that an epoch covers. What a filter matches is in `sweep`.

use std::io::{self, IsTerminal, Write};

use keyfob::{
    Error, FamilyId, Filter, Revocation, RevokeOutcome, RevokeRequest, Token, TokenId, TokenState,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::sweep;
use super::walk::walk;
use crate::args::{RevokeArgs, Target};
use crate::context::Context;
use crate::failure::Failure;
use crate::input;
use crate::table::or_never;
use crate::visible::visible;

/// What was done, as JSON tells it.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    pub(super) target: Value,
    pub(super) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revocation: Option<&'a Revocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) examined: Option<u64>,
    /// Where an interrupted sweep goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl Told<'_> {
    pub(super) fn of(target: &Target, outcome: &'static str) -> Self {
        let target = match target {
            Target::Token(id) => json!({ "id": id }),
            Target::Family(family) => json!({ "family": family }),
            Target::Subject(subject) => json!({ "subject": subject }),
            Target::Client(client) => json!({ "client": client }),
            Target::All => json!({ "all": true }),
            Target::Matching(text) => json!({ "where": text }),
        };
        Self { target, outcome, revocation: None, count: None, examined: None, next: None }
    }
}

pub(super) async fn run(args: &RevokeArgs, context: &mut Context) -> Result<(), Failure> {
    let Some(target) = args.target() else {
        let message = "nothing was named to be revoked".into();
        return Err(Failure::Usage { code: "usage", message, details: String::new() });
    };
    let interrupt = context.interrupt.clone();
    match target {
        target if args.dry_run => interrupt.or(count(&target, args.why(), context)).await,
        Target::Matching(text) => sweep::run(&text, args, context).await,
        target => interrupt.or(at_once(&target, args, context)).await,
    }
}

async fn at_once(target: &Target, args: &RevokeArgs, context: &mut Context) -> Result<(), Failure> {
    let manager = &context.manager;
    let why = args.why();
    let done = match target {
        Target::Token(id) => {
            let outcome = manager.revoke(*id, why).await?;
            return tell_one(target, outcome, context).await;
        }
        Target::Family(family) => {
            manager.revoke_family(*family, why).await?;
            format!("revoked the family {family}")
        }
        Target::Subject(subject) => {
            manager.revoke_subject(subject, why).await?;
            format!("revoked everything of the subject {subject}")
        }
        Target::Client(client) => {
            manager.revoke_client(client, why).await?;
            format!("revoked everything of the client {client}")
        }
        Target::All | Target::Matching(_) => {
            confirm("revoke every token of the store", true, args).await?;
            manager.revoke_all(why).await?;
            "revoked every token of the store".to_owned()
        }
    };
    tell(&done, &Told::of(target, "revoked"), context)
}

async fn tell_one(
    target: &Target,
    outcome: RevokeOutcome,
    context: &mut Context,
) -> Result<(), Failure> {
    let Target::Token(id) = target else { return Ok(()) };
    let (outcome, revocation) = match outcome {
        RevokeOutcome::Revoked => ("revoked", context.manager.get(*id).await?.revocation),
        RevokeOutcome::AlreadyRevoked(revocation) => ("already_revoked", Some(*revocation)),
    };
    let told = match &revocation {
        Some(revocation) if outcome == "already_revoked" => {
            let reason = revocation.reason.as_ref().map_or("no reason", |reason| reason.as_str());
            let at = or_never(Some(revocation.at));
            format!("{id} was revoked before, at {at} ({reason}): that stands")
        }
        _ => format!("revoked {id}"),
    };
    let object = Told { revocation: revocation.as_ref(), ..Told::of(target, outcome) };
    tell(&told, &object, context)
}

/// Counts what would be revoked.
async fn count(target: &Target, why: RevokeRequest, context: &mut Context) -> Result<(), Failure> {
    why.check().map_err(Error::from)?;
    let filter = match target {
        Target::Token(id) => return tell_count(line(*id, context).await?, target, context),
        Target::Family(family) => {
            return tell_count(line(family.root(), context).await?, target, context);
        }
        Target::Subject(subject) => Filter::new().subject(subject.clone()),
        Target::Client(client) => Filter::new().client(client.clone()),
        Target::All => Filter::new(),
        Target::Matching(text) => sweep::filter(text, context)?,
    };
    let count = context.manager.sweep(filter, why).dry_run().await?;
    tell_count(count, target, context)
}

fn tell_count(count: u64, target: &Target, context: &mut Context) -> Result<(), Failure> {
    let told = format!("{count} pending or active tokens would be revoked");
    tell(&told, &Told { count: Some(count), ..Told::of(target, "counted") }, context)
}

/// How many would fall with a token: itself and all that descends from it.
async fn line(id: TokenId, context: &Context) -> Result<u64, Failure> {
    let root = match context.manager.get(id).await {
        Ok(token) => Some(token),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let family = root.as_ref().and_then(|token| token.family).unwrap_or(FamilyId::from_root(id));
    let now = context.manager.now();
    let is_due =
        |token: &Token| matches!(token.state(now), TokenState::Active | TokenState::Pending);
    let mut found = u64::from(root.is_some());
    let mut count = u64::from(root.as_ref().is_some_and(&is_due));
    walk(&Filter::new().family(family), context, |token| {
        if token.id != id && token.ancestors.contains(&id) {
            found += 1;
            count += u64::from(is_due(token));
        }
    })
    .await?;
    // What is not there is not found, rather than none.
    if found == 0 { Err(Error::NotFound { id }.into()) } else { Ok(count) }
}

/// Writes what was done, as a line or as an object.
pub(super) fn tell(line: &str, object: &Told<'_>, context: &mut Context) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.object(object);
    }
    context.output.line(visible(line))
}

/// Makes sure that something far-reaching is meant. Where nobody can be asked, it has to have been
/// said if it `must` be.
pub(super) async fn confirm(what: &str, must: bool, args: &RevokeArgs) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if !can_ask() {
        if !must {
            return Ok(());
        }
        let message = format!("to {what} needs --yes where nobody can be asked");
        return Err(Failure::Usage {
            code: "confirmation_needed",
            message,
            details: String::new(),
        });
    }
    let mut terminal = io::stderr();
    let _ = write!(terminal, "This will {}. It cannot be undone. Go on? [y/N] ", visible(what));
    let _ = terminal.flush();
    if input::is_confirmed().await? { Ok(()) } else { Err(Failure::NotConfirmed) }
}

/// Whether there is somebody to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
