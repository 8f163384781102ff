//! The life of a token, from its values: which states it had, and when.

use keyfob_api::{HistoryEntryBody, TokenBody};
use keyfob_core::token::earliest_end;
use keyfob_core::{Timestamp, TokenState};

/// A state that a token has or had, and since when, if that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Phase {
    pub(crate) state: TokenState,
    pub(crate) since: Option<Timestamp>,
}

/// Returns when a token becomes valid, if that is not when it was issued.
pub(crate) fn start(token: &TokenBody) -> Option<Timestamp> {
    token.not_before.filter(|start| *start > token.issued_at)
}

/// Returns when a token ends if it is not used any more, or `None` for never.
pub(crate) fn end(token: &TokenBody, history: &[HistoryEntryBody]) -> Option<Timestamp> {
    let rotated =
        history.iter().filter(|entry| entry.what == "rotated").map(|entry| entry.at).max();
    let idle_since =
        token.last_used.max(rotated).max(Some(start(token).unwrap_or(token.issued_at)));
    let ends = [token.expires_at, token.absolute_expiry];
    earliest_end(ends, token.idle_timeout, idle_since.unwrap_or(token.issued_at))
}

/// Returns the states that a token had, and last the one that it has.
pub(crate) fn phases(token: &TokenBody, history: &[HistoryEntryBody]) -> Vec<Phase> {
    let phase = |state, since| Phase { state, since };
    let (state, start) = (token.state, start(token));
    let since = match state {
        TokenState::Pending | TokenState::Active => None,
        TokenState::Expired => end(token, history),
        TokenState::Exhausted => token.last_used,
        TokenState::Revoked => token.revocation.as_ref().map(|revocation| revocation.at),
    };
    let has_started = match start {
        Some(start) if state.is_final() => since.is_none_or(|since| since > start),
        _ => state != TokenState::Pending,
    };
    let mut phases = Vec::with_capacity(3);
    if start.is_some() || state == TokenState::Pending {
        phases.push(phase(TokenState::Pending, Some(token.issued_at)));
    }
    if has_started {
        phases.push(phase(TokenState::Active, Some(start.unwrap_or(token.issued_at))));
    }
    if state.is_final() {
        phases.push(phase(state, since));
    }
    phases
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::token::Revocation;
    use keyfob_core::token::RevocationScope;
    use keyfob_core::{Kind, Token, TokenId, Ttl};

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + minutes * 60_000)
    }

    fn token(change: impl FnOnce(&mut Token)) -> Token {
        let mut token = Token::new(TokenId::from_bytes([1; 16]), Kind::Session, at(0));
        change(&mut token);
        token
    }

    fn revoked(minutes: u64) -> Option<Revocation> {
        let through = RevocationScope::Token;
        Some(Revocation { at: at(minutes), reason: None, by: None, through })
    }

    #[track_caller]
    fn check(token: &Token, now: u64, expected: &[(TokenState, Option<u64>)]) {
        let found = phases(&TokenBody::of(token, at(now)), &[]);
        let expected: Vec<_> = expected
            .iter()
            .map(|(state, since)| Phase { state: *state, since: since.map(at) })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_path_follows_from_the_values() {
        use TokenState::*;
        check(&token(|_| {}), 5, &[(Active, Some(0))]);
        let late = token(|it| it.not_before = Some(at(10)));
        check(&late, 5, &[(Pending, Some(0))]);
        check(&late, 15, &[(Pending, Some(0)), (Active, Some(10))]);
        let used_up = token(|it| it.uses_left = Some(0));
        check(&used_up, 5, &[(Active, Some(0)), (Exhausted, None)]);
        let ended = token(|it| it.expires_at = Some(at(3)));
        check(&ended, 5, &[(Active, Some(0)), (Expired, Some(3))]);
    }

    #[test]
    fn a_token_may_end_before_it_starts() {
        use TokenState::*;
        let early = token(|it| (it.not_before, it.revocation) = (Some(at(10)), revoked(4)));
        check(&early, 20, &[(Pending, Some(0)), (Revoked, Some(4))]);
        let late = token(|it| (it.not_before, it.revocation) = (Some(at(10)), revoked(14)));
        check(&late, 20, &[(Pending, Some(0)), (Active, Some(10)), (Revoked, Some(14))]);
    }

    #[test]
    fn an_unused_token_ends_after_its_last_use() {
        let idle =
            token(|it| (it.idle_timeout, it.last_used) = (Some(Ttl::from_mins(2)), Some(at(7))));
        check(&idle, 20, &[(TokenState::Active, Some(0)), (TokenState::Expired, Some(9))]);
    }
}
