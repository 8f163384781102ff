//! `refresh`: exchanges a refresh token for a new pair.

use keyfob::values::NameSet;
use keyfob_api::RefreshBody;

use super::issue;
use crate::args::RefreshArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::input::{self, InputSource};
use crate::token_text::or_never;

pub(super) async fn run(args: &RefreshArgs, context: &mut Context) -> Result<(), Failure> {
    let bearer = input::bearer(InputSource::from_flag(args.bearer_file.as_ref())).await?;
    let wanted = RefreshBody {
        token: bearer.secret(),
        scopes: NameSet::from_names(args.scope.iter().cloned())?,
        audience: NameSet::from_names(args.audience.iter().cloned())?,
        access_ttl: args.access_ttl,
        client: args.client.clone(),
        device_id: args.device_id.clone(),
        cnf: args.proven_key.key(),
    };
    let backend = &context.backend;
    let pair = backend.refresh(&wanted, args.by.as_ref()).await;
    let pair = pair.map_err(|failure| bearer.failure(failure, backend.prefix()))?;
    let output = &mut context.output;
    let written = if output.is_json() {
        output.object(&pair)
    } else {
        output.fields(&[
            ("case", pair.case.as_str().to_owned()),
            ("access", pair.access.token.id.to_string()),
            ("expires", or_never(pair.access.token.expires_at)),
            ("access bearer", pair.access.bearer.expose().to_owned()),
            ("refresh", pair.refresh.token.id.to_string()),
            ("refresh bearer", pair.refresh.bearer.expose().to_owned()),
        ])
    };
    written.and_then(|()| output.flush()).map_err(|failure| {
        let id = pair.refresh.token.id;
        let hint = format!(
            "run it again with the same refresh token: within its grace period it gives the same \
                 bearers. Later, run keyfob revoke {id}"
        );
        issue::output_lost(failure, id, hint)
    })?;
    issue::note_once(output, "both bearers are shown only this once. Give them to their owner");
    Ok(())
}
