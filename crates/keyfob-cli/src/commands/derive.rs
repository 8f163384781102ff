//! `derive`: issues a narrower token from a presented one.

use keyfob::values::NameSet;
use keyfob_api::DeriveBody;

use crate::args::DeriveArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::input::{self, InputSource};

pub(super) async fn run(args: &DeriveArgs, context: &mut Context) -> Result<(), Failure> {
    let bearer = input::bearer(InputSource::from_flag(args.bearer_file.as_ref())).await?;
    let wanted = DeriveBody {
        token: bearer.secret(),
        acting: args.acting.clone(),
        kind: args.kind,
        scopes: NameSet::from_names(args.scope.iter().cloned())?,
        audience: NameSet::from_names(args.audience.iter().cloned())?,
        ttl: args.ttl,
        cnf: args.proven_key.key(),
        ..DeriveBody::default()
    };
    let issued = context.backend.derive(&wanted, args.by.as_ref()).await;
    let issued = issued.map_err(|failure| bearer.failure(failure, context.backend.prefix()))?;
    super::issue::show_new(&issued, args.by.as_ref(), context).await
}
