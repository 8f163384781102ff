//! Revokes stored tokens whose bearers are lost because the output failed.

use std::io;

use futures_util::{StreamExt, stream};
use keyfob::TokenId;
use keyfob::values::{Actor, Reason};
use keyfob_api::RevokeTarget;

use crate::backend::{Backend, RevokeNote};
use crate::failure::Failure;

/// How many tokens are revoked at the same time.
const CONCURRENT_REVOCATIONS: usize = 32;

/// Revokes the tokens. Returns the failure that names them all.
pub(super) async fn revoke(
    lost: Vec<TokenId>,
    failure: Failure,
    by: Option<&Actor>,
    backend: &Backend,
) -> Failure {
    let error = match failure {
        Failure::Output(error) => error,
        other => io::Error::other(other),
    };
    let reason = Reason::new("the bearer could not be written").ok();
    let note = &RevokeNote { reason, by: by.cloned() };
    let revocations = lost.iter().map(|id| async move {
        let revoked = backend.revoke(&RevokeTarget::Token(*id), note).await;
        revoked.is_err().then_some(*id)
    });
    let unrevoked = stream::iter(revocations).buffered(CONCURRENT_REVOCATIONS);
    let unrevoked = unrevoked.filter_map(|id| async move { id }).collect().await;
    Failure::BearersLost { lost, unrevoked, error }
}
