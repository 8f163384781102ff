//! `derive`: issues a narrower token from a presented one.

use keyfob::{Grant, Kind};

use crate::args::DeriveArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::input::{self, InputSource};

pub(super) async fn run(args: &DeriveArgs, context: &mut Context) -> Result<(), Failure> {
    let bearer = input::bearer(InputSource::from_flag(args.bearer_file.as_ref())).await?;
    let mut grant = Grant::new(args.kind.unwrap_or(Kind::Access));
    grant = args.acting.iter().cloned().fold(grant, Grant::acting);
    grant = args.scope.iter().cloned().fold(grant, Grant::scope);
    grant = args.audience.iter().cloned().fold(grant, Grant::audience);
    grant = args.ttl.into_iter().fold(grant, Grant::ttl);
    grant = args.by.iter().cloned().fold(grant, Grant::by);
    let issued = context.manager.derive(bearer.as_str(), grant).await;
    let issued = issued.map_err(|error| bearer.failure(error, context.manager.prefix()))?;
    super::issue::show_new(&issued, args.by.as_ref(), context).await
}
