//! What is passed between the steps of a validation.

use crate::cache::ActiveToken;
use crate::manager::settle::Rejection;
use keyfob_core::bearer::Presented;
use keyfob_core::id::TokenId;
use keyfob_core::token::Token;
use keyfob_core::validation::{Presentation, Refusal, ValidationChain};
use keyfob_store::StoreError;

/// One bearer token to validate.
///
/// The presentation is borrowed: to move it costs as much as a cached answer's comparison of a digest.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) bearer: Presented<'a>,
    pub(super) presentation: &'a Presentation<'a>,
    pub(super) chain: &'a ValidationChain,
}

/// Whether the application's rules are still to be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RulePhase {
    Pending,
    Done,
}

/// A token that meets every demand, as it was found.
pub(super) enum ValidToken<'a> {
    Cached(&'a ActiveToken<'a>),
    Loaded(Box<Token>),
}

/// Reads the whole token.
pub(super) fn read_whole(valid: ValidToken<'_>) -> Result<Token, StoreError> {
    match valid {
        ValidToken::Cached(token) => token.to_token(),
        ValidToken::Loaded(token) => Ok(*token),
    }
}

/// What the cache answers. What is rare is boxed, because the answer is moved about.
pub(super) enum Lookup<R, F> {
    /// The token is active and meets every demand; this is what was read of it.
    Accepted(R),
    Rejected(Box<Rejection>),
    /// The token is active, and the application's rules have to be asked.
    AskRules(Box<Result<Token, StoreError>>, F),
    AskStore(F),
}

impl<R, F> Lookup<R, F> {
    pub(super) fn refused(refusal: Refusal, token: Option<TokenId>) -> Self {
        let rejection = match token {
            Some(token) => Rejection::of(token, refusal),
            None => refusal.into(),
        };
        Self::Rejected(Box::new(rejection))
    }
}
