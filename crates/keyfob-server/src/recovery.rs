//! Revoking again what a restored store has forgotten: for the route of `/v1` and for the command line.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use keyfob::{Error, Filter, RevokeOutcome, RevokeRequest, TokenId, TokenManager, TokenState, Ttl};
use keyfob_api::revoke::ProgressState;
use keyfob_api::{LoggedRevocation, LoggedTarget, RecoverProgress};

/// How many tokens are revoked at the same time.
const MAX_CONCURRENT: usize = 32;

/// The clocks of nodes differ, and events have whole milliseconds. Revoking too much is safe.
const MARGIN: Ttl = Ttl::from_secs(1);

/// What became of one token.
enum Outcome {
    Revoked,
    AlreadyRevoked,
    NotFound,
}

/// Applies revocations in their order, and calls `on_progress` after each step. Returns the last progress.
///
/// # Errors
/// If the store does not answer. What was revoked stays revoked; `on_progress` had how many are done.
pub async fn apply(
    manager: &TokenManager,
    revocations: &[LoggedRevocation],
    dry_run: bool,
    mut on_progress: impl FnMut(&RecoverProgress),
) -> Result<RecoverProgress, Error> {
    let mut progress = RecoverProgress::start();
    let mut rest = revocations;
    while let Some(first) = rest.first() {
        let tokens = rest.iter().take_while(|one| token_of(one).is_some()).count();
        if tokens == 0 {
            let before = progress.clone();
            let step = |revoked: u64| {
                on_progress(&RecoverProgress { count: before.count + revoked, ..before.clone() });
            };
            sweep(manager, first, dry_run, &mut progress, step).await?;
            progress.applied += 1;
            on_progress(&progress);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (ids, others) = rest.split_at(tokens);
        let runs: Vec<_> = ids
            .iter()
            .filter_map(|one| Some(revoke_token(manager, token_of(one)?, one, dry_run)))
            .collect();
        let outcomes = stream::iter(runs).buffered(MAX_CONCURRENT);
        let mut outcomes = std::pin::pin!(outcomes);
        while let Some(outcome) = outcomes.try_next().await? {
            match outcome {
                Outcome::Revoked => progress.count += 1,
                Outcome::AlreadyRevoked => progress.already_revoked += 1,
                Outcome::NotFound => progress.not_found += 1,
            }
            progress.applied += 1;
            on_progress(&progress);
        }
        rest = others;
    }
    Ok(RecoverProgress { state: ProgressState::Done, ..progress })
}

fn token_of(revocation: &LoggedRevocation) -> Option<TokenId> {
    match revocation.target {
        LoggedTarget::Token(id) => Some(id),
        _ => None,
    }
}

fn request(revocation: &LoggedRevocation) -> RevokeRequest {
    let reason = revocation.reason.clone();
    let request = reason.map_or_else(RevokeRequest::default, RevokeRequest::from);
    revocation.by.clone().into_iter().fold(request, RevokeRequest::by)
}

async fn revoke_token(
    manager: &TokenManager,
    id: TokenId,
    revocation: &LoggedRevocation,
    dry_run: bool,
) -> Result<Outcome, Error> {
    let outcome = match dry_run {
        true => manager.get(id).await.map(|token| match token.state(manager.now()) {
            TokenState::Revoked => Outcome::AlreadyRevoked,
            _ => Outcome::Revoked,
        }),
        false => manager.revoke(id, request(revocation)).await.map(|outcome| match outcome {
            RevokeOutcome::Revoked => Outcome::Revoked,
            RevokeOutcome::AlreadyRevoked(_) => Outcome::AlreadyRevoked,
        }),
    };
    match outcome {
        Err(Error::NotFound { .. }) => Ok(Outcome::NotFound),
        outcome => outcome,
    }
}

/// Revokes the tokens that a revocation of many covered: those that were issued before it.
async fn sweep(
    manager: &TokenManager,
    revocation: &LoggedRevocation,
    dry_run: bool,
    progress: &mut RecoverProgress,
    mut on_page: impl FnMut(u64),
) -> Result<(), Error> {
    let filter = match &revocation.target {
        LoggedTarget::Token(_) => return Ok(()),
        LoggedTarget::Family(family) => Filter::new().family(*family),
        LoggedTarget::Subject(subject) => Filter::new().subject(subject.clone()),
        LoggedTarget::Client(client) => Filter::new().client(client.clone()),
        LoggedTarget::All(_) => Filter::new(),
    };
    let filter = filter.issued_before(revocation.at + MARGIN);
    let mut sweep = manager.sweep(filter, request(revocation));
    if dry_run {
        progress.count += sweep.dry_run().await?;
        return Ok(());
    }
    let done = sweep.run(|done| on_page(done.revoked)).await?;
    progress.count += done.revoked;
    progress.unreadable += done.unreadable;
    Ok(())
}
