//! `derive`: a narrower token from one that is presented.

use keyfob::{Grant, Kind};

use crate::args::{self, DeriveArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::input;

pub(super) async fn run(args: &DeriveArgs, context: &mut Context) -> Result<(), Failure> {
    let bytes = input::bearer(args::source(args.bearer_file.as_ref()), input::MOST_BYTES).await?;
    let bearer = std::str::from_utf8(&bytes).unwrap_or_default();
    let mut grant = Grant::new(args.kind.unwrap_or(Kind::Access));
    grant = args.acting.iter().cloned().fold(grant, Grant::acting);
    grant = args.scope.iter().cloned().fold(grant, Grant::scope);
    grant = args.audience.iter().cloned().fold(grant, Grant::audience);
    grant = args.ttl.into_iter().fold(grant, Grant::ttl);
    grant = args.by.iter().cloned().fold(grant, Grant::by);
    let issued = context.manager.derive(bearer, grant).await?;
    super::issue::show(&issued, context)
}
