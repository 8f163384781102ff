//! A presented refresh token, with everything that its exchange is decided from.

use super::record_cache::RefreshRecord;
use super::request::RequestParts;
use crate::error::Error;
use crate::manager::issue::Issued;
use keyfob_core::bearer::BearerToken;
use keyfob_core::bearer::ratchet::Ratchet;
use keyfob_core::field::Field;
use keyfob_core::rotation::{Presenter, RefreshCase, RefreshPolicy, RefreshRefused, Rotation};
use keyfob_core::token::{Confirmation, RecordIntegrity, Token, TokenState};
use keyfob_core::validation::{Presentation, Refusal};

/// What a refresh token was exchanged for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refreshed {
    /// [`RefreshCase::Rotated`], or [`RefreshCase::Replayed`] for a pair that was given before.
    pub case: RefreshCase,
    /// The access token.
    pub access: Issued,
    /// The refresh token, with its next bearer token: the one that was presented is retired.
    pub refresh: Issued,
}

/// One refresh token, as it was presented and as it was read.
pub(super) struct Exchange<'a> {
    pub(super) bearer: &'a BearerToken,
    pub(super) request: &'a RequestParts,
    pub(super) presenter: Presenter,
    pub(super) policy: RefreshPolicy,
    pub(super) ratchet: Ratchet,
    pub(super) rotation: Rotation,
    pub(super) stored: RefreshRecord,
}

/// Returns the fingerprint of the presenter, as far as it is known.
pub(super) fn presenter_of(
    ratchet: &Ratchet,
    presented: &Presentation<'_>,
    request: &RequestParts,
) -> Presenter {
    let client = request.client.as_ref().map(|client| client.as_str().as_bytes());
    let device = presented.device.map(|device| device.as_str().as_bytes());
    let key = proven_key(presented, request).map(|key| key.thumbprint().as_str().as_bytes());
    Presenter(ratchet.fingerprint(&[client, device, key]))
}

/// Returns the key of which possession was proven.
fn proven_key<'a>(
    presented: &Presentation<'a>,
    request: &'a RequestParts,
) -> Option<&'a Confirmation> {
    request.confirmation.as_ref().or(presented.confirmation)
}

/// Checks that the token is not bound to another presenter.
///
/// Possession of a key has to be proven. A client or a device that is not named is not checked.
pub(super) fn check_presenter(
    token: &Token,
    presented: &Presentation<'_>,
    request: &RequestParts,
) -> Result<(), RefreshRefused> {
    let differs = |bound: Option<&str>, named: Option<&str>| {
        bound.zip(named).is_some_and(|(bound, named)| bound != named)
    };
    let client = token.client.as_ref().map(|client| client.as_str());
    let device = token.metadata.device.id.as_ref().map(|device| device.as_str());
    let key = token.claims.registered.confirmation.as_ref();
    let field = if differs(client, request.client.as_ref().map(|client| client.as_str())) {
        Field::Client
    } else if differs(device, presented.device.map(|device| device.as_str())) {
        Field::DeviceId
    } else if key.is_some() && key != proven_key(presented, request) {
        Field::Confirmation
    } else {
        return Ok(());
    };
    Err(RefreshRefused::WrongPresenter { token: token.id, field })
}

/// Returns the error for a family that has ended or has not begun.
pub(super) fn not_active(token: Token, state: TokenState) -> Error {
    match (state, token.not_before) {
        _ if token.integrity == RecordIntegrity::EpochsLost => Refusal::Damaged.into(),
        (TokenState::Pending, Some(from)) => Refusal::NotYetValid { from }.into(),
        _ => {
            let revocation = token.revocation.map(Box::new);
            RefreshRefused::FamilyEnded { token: token.id, state, revocation }.into()
        }
    }
}
