//! `refresh`: exchanges a refresh token for a new pair.

use keyfob::{Presentation, RefreshRequest};
use keyfob_api::IssuedBody;
use serde::Serialize;

use super::issue;
use crate::args::RefreshArgs;
use crate::backend::issued_body;
use crate::context::Context;
use crate::failure::Failure;
use crate::input::{self, InputSource};
use crate::token_text::or_never;

#[derive(Serialize)]
struct PairView {
    case: &'static str,
    access: IssuedBody,
    refresh: IssuedBody,
}

pub(super) async fn run(args: &RefreshArgs, context: &mut Context) -> Result<(), Failure> {
    let bearer = input::bearer(InputSource::from_flag(args.bearer_file.as_ref())).await?;
    let mut presented = Presentation::new(bearer.as_str());
    if let Some(device) = &args.device_id {
        presented = presented.device(device);
    }
    let mut request = RefreshRequest::new();
    request = args.scope.iter().cloned().fold(request, RefreshRequest::scope);
    request = args.audience.iter().cloned().fold(request, RefreshRequest::audience);
    request = args.access_ttl.into_iter().fold(request, RefreshRequest::access_ttl);
    request = args.client.iter().cloned().fold(request, RefreshRequest::client);
    request = args.by.iter().cloned().fold(request, RefreshRequest::by);
    let manager = context.manager()?;
    let pair = manager.refresh(presented, request).await;
    let pair = pair.map_err(|error| bearer.failure(error.into(), manager.prefix()))?;
    let now = context.now();
    let output = &mut context.output;
    let written = if output.is_json() {
        let access = issued_body(&pair.access, now);
        let refresh = issued_body(&pair.refresh, now);
        output.object(&PairView { case: pair.case.as_str(), access, refresh })
    } else {
        output.fields(&[
            ("case", pair.case.to_string()),
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
