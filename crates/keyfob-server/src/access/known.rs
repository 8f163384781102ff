//! The tokens of callers that were seen before.
//!
//! Each request validates its bearer. What the token of a caller allows never changes after it was issued: its
//! kind, client, scopes, audiences and claims. So a request that is valid takes the token from here, and
//! copies nothing. What does change, such as the last use, is read from the manager where it is shown.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use keyfob::{Token, TokenId};

/// The maximum number of tokens. If there are more, all are forgotten, and copied again when they call.
const MAX_TOKENS: usize = 4_096;

/// The tokens of callers that were seen before, by id.
#[derive(Debug, Default)]
pub(crate) struct KnownCallers {
    tokens: RwLock<HashMap<TokenId, Arc<Token>>>,
}

impl KnownCallers {
    /// Returns the token with this id, if it was seen.
    pub(crate) fn get(&self, id: TokenId) -> Option<Arc<Token>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Returns a token of a caller. `copy` makes it when it is seen for the first time.
    pub(crate) fn of<E>(
        &self,
        id: TokenId,
        copy: impl FnOnce() -> Result<Token, E>,
    ) -> Result<Arc<Token>, E> {
        if let Some(token) = self.get(id) {
            return Ok(token);
        }
        let token = Arc::new(copy()?);
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(id, Arc::clone(&token));
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob::{Kind, Timestamp};

    fn token(n: u8) -> Token {
        Token::new(TokenId::from_bytes([n; 16]), Kind::ApiKey, Timestamp::default())
    }

    #[test]
    fn a_token_is_copied_once() {
        let known = KnownCallers::default();
        let one = token(1);
        let first = known.of(one.id, || Ok::<_, ()>(one.clone())).unwrap();
        let second = known.of(one.id, || Err(())).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(known.of(token(2).id, || Err(7)), Err(7));
    }

    #[test]
    fn the_number_is_bounded() {
        let known = KnownCallers::default();
        for n in 0..2 * MAX_TOKENS {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            let token = Token::new(TokenId::from_bytes(bytes), Kind::ApiKey, Timestamp::default());
            known.of(token.id, || Ok::<_, ()>(token.clone())).unwrap();
        }
        assert!(known.tokens.read().unwrap().len() <= MAX_TOKENS);
    }
}
