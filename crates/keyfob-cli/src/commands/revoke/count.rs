//! `revoke --dry-run`: counts the tokens that would be revoked.

use keyfob::values::FamilyId;
use keyfob::{Error, Filter, Token, TokenId, TokenState};

use super::report::RevokeReport;
use super::sweep;
use crate::args::{RevokeArgs, Target};
use crate::commands::pages::for_each_match;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(
    target: &Target,
    args: &RevokeArgs,
    context: &mut Context,
) -> Result<(), Failure> {
    let request = args.request();
    request.check().map_err(Error::from)?;
    let filter = match target {
        Target::Token(id) => {
            let count = count_descendants(*id, context).await?;
            return report(count, target, context);
        }
        Target::Family(family) => {
            let count = count_descendants(family.root(), context).await?;
            return report(count, target, context);
        }
        Target::Subject(subject) => Filter::new().subject(subject.clone()),
        Target::Client(client) => Filter::new().client(client.clone()),
        Target::All => Filter::new(),
        Target::Matching(text) => sweep::filter(text, args, context.now())?,
    };
    let count = context.manager.sweep(filter, request).dry_run().await?;
    report(count, target, context)
}

fn report(count: u64, target: &Target, context: &mut Context) -> Result<(), Failure> {
    let line = format!("{count} pending or active tokens would be revoked");
    let report = RevokeReport { count: Some(count), ..RevokeReport::new(target, "counted") };
    report.write(&line, context)
}

/// Counts the pending and active tokens that a revocation of `id` would end: the token itself and
/// its descendants.
async fn count_descendants(id: TokenId, context: &Context) -> Result<u64, Failure> {
    let root = match context.manager.get(id).await {
        Ok(token) => Some(token),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let family = root.as_ref().and_then(|token| token.family).unwrap_or(FamilyId::from_root(id));
    let now = context.manager.now();
    let is_revocable =
        |token: &Token| matches!(token.state(now), TokenState::Active | TokenState::Pending);
    let mut found = u64::from(root.is_some());
    let mut count = u64::from(root.as_ref().is_some_and(&is_revocable));
    let missing = for_each_match(&Filter::new().family(family), context, |token| {
        if token.id != id && token.ancestors.contains(&id) {
            found += 1;
            count += u64::from(is_revocable(token));
        }
    })
    .await?;
    missing.check()?;
    // An unknown id is an error, not a count of zero.
    if found == 0 { Err(Error::NotFound { id }.into()) } else { Ok(count) }
}
