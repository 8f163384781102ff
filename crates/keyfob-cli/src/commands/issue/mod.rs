//! `issue`: one token from flags, or many from a file.

mod line;
mod lost;
mod many;
mod show;

pub(super) use show::{note_once, output_lost, revoke_lost, show, show_new};

use keyfob::{Error, Timestamp};
use keyfob_api::GrantSpec;

use crate::args::IssueArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &IssueArgs, context: &mut Context) -> Result<(), Failure> {
    if let Some(from) = &args.from {
        return many::run(from, args.by.as_ref(), context).await;
    }
    let grant = GrantSpec::try_from(args.grant.clone())?;
    // An interrupt does not drop it: the token may be stored by then, and nobody would have its bearer.
    let issued = context.backend.issue(grant, args.by.as_ref()).await?;
    show_new(&issued, args.by.as_ref(), context).await
}

/// Checks the grant that the flags describe. Relative times count from `now`.
pub(super) fn check(args: &IssueArgs, now: Timestamp) -> Result<(), Failure> {
    // Whether there is a server, which signs a JWT, is not known yet.
    let spec = GrantSpec { format: None, ..GrantSpec::try_from(args.grant.clone())? };
    let grant = spec.into_grant(args.by.as_ref(), now)?;
    Ok(grant.check().map_err(Error::from)?)
}
