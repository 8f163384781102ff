//! `refresh`: exchanges a refresh token for a new pair.

use keyfob::{Presentation, RefreshRequest};
use serde::Serialize;

use super::issue::{self, IssuedView};
use crate::args::RefreshArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::input::{self, InputSource};
use crate::table::or_never;

#[derive(Serialize)]
struct PairView<'a> {
    case: &'static str,
    access: IssuedView<'a>,
    refresh: IssuedView<'a>,
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
    let pair = context.manager.refresh(presented, request).await;
    let pair = pair.map_err(|error| bearer.failure(error, context.manager.prefix()))?;
    let now = context.now();
    let output = &mut context.output;
    let written = if output.is_json() {
        let view = |issued| IssuedView::of(issued, now);
        let (access, refresh) = (view(&pair.access), view(&pair.refresh));
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
    written
        .and_then(|()| output.flush())
        .map_err(|failure| issue::output_lost(failure, &pair.refresh))?;
    issue::note_once(output, "both bearers are shown only this once. Give them to their owner");
    Ok(())
}
