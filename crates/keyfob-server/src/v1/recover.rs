//! Revoking again what a restored store has forgotten, and accepting the rest again.

use keyfob::RevokeRequest;
use keyfob_api::revoke::ProgressState;
use keyfob_api::{AcceptBody, AcceptedBody, RecoverBody, RecoverProgress};

use super::input::body;
use super::progress;
use crate::call::Call;
use crate::recovery;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `POST /v1/recover` with a stream of progress.
///
/// Each line says how many revocations are done, so a client whose connection breaks sends the others
/// again.
pub(crate) async fn handle(call: Call) -> Answer {
    let RecoverBody { revocations, dry_run } = body(&call)?;
    Ok(progress::stream(|lines| async move {
        let mut last = RecoverProgress::start();
        let run = recovery::apply(call.manager(), &revocations, dry_run, |done| {
            last.clone_from(done);
            lines.send(done);
        });
        match run.await {
            Ok(done) => done,
            Err(error) => {
                let problem = Failure::from(error).problem(&call.request_id);
                let error = Some(Box::new(problem));
                RecoverProgress { state: ProgressState::Failed, error, ..last }
            }
        }
    }))
}

/// Answers `POST /v1/recover/accept`.
pub(crate) async fn accept(call: Call) -> Answer {
    let AcceptBody { reason } = body(&call)?;
    let request = reason.map_or_else(RevokeRequest::default, RevokeRequest::from);
    let request = request.by(call.caller()?.actor()?);
    let accepted_lanes = call.manager().accept_rollback(request).await?;
    json::ok(&AcceptedBody { accepted_lanes })
}
