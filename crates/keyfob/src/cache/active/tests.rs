//! A cached token reads back as the token that was encoded.

use proptest::prelude::*;

use super::*;
use keyfob_core::text::{ClientId, Scope, Subject};
use keyfob_core::token::sample;
use keyfob_store::Epochs;

fn back(token: &Token) -> Token {
    // The entry ends when the token expires, or at another time.
    let ends = [token.expires_at.unwrap_or(Timestamp::MAX), Timestamp::from_millis(7)];
    let [one, other] = ends.map(|end| {
        let bytes = write(token, end, std::iter::empty(), Other::None);
        let digits = &mut [0; 22];
        ActiveToken::over(IdDigits::write(token.id, digits), end, &bytes).to_token().unwrap()
    });
    assert_eq!(one, other);
    one
}

#[test]
fn every_field_of_a_token_reads_back() {
    let full = sample::token();
    assert_eq!(back(&full), full);
    let mut more = full.clone();
    more.family = Some(FamilyId::from_root(full.id));
    more.ancestors = vec![full.id];
    more.uses_left = Some(3);
    more.generation = Generation::new(9).unwrap();
    more.last_used = Some(Timestamp::from_millis(1_795_000_000_001));
    more.not_before = Some(full.issued_at);
    more.idle_timeout = Some(Ttl::from_mins(5));
    more.absolute_expiry = Some(Timestamp::MAX);
    more.expires_at = None;
    more.rotated_at = Some(full.issued_at);
    more.secret = SecretUsed::Older { until: Timestamp::MAX };
    more.older_secret_until = Some(Timestamp::MAX);
    assert_eq!(back(&more), more);
    // A token of the family of another token.
    more.ancestors = vec![TokenId::from_bytes([9; 16]), full.id];
    more.family = Some(FamilyId::from_root(TokenId::from_bytes([9; 16])));
    assert_eq!(back(&more), more);
}

#[test]
fn in_place_reads_equal_the_token() {
    let token = sample::token();
    let cells: Vec<InvalidationSlot> = [3, 65_535].map(InvalidationSlot::from_number).into();
    let end = Timestamp::from_millis(1_900_000_000_000);
    let bytes = write(&token, end, cells.iter().copied(), Other::None);
    let mut digits = [0; 22];
    let active = ActiveToken::over(IdDigits::write(token.id, &mut digits), end, &bytes);
    assert_eq!(active.cells().collect::<Vec<_>>(), cells);
    assert_eq!(active.subject(), token.subject.as_ref().map(Subject::as_str));
    assert_eq!(active.client(), token.client.as_ref().map(ClientId::as_str));
    assert!(active.scopes().eq(token.scopes.iter().map(Scope::as_str)));
    assert_eq!((active.kind(), active.issued_at()), (token.kind, token.issued_at));
    assert_eq!(active.expires_at(), token.expires_at);
    assert_eq!(active.claims_json(), token.claims.private.as_json());
}

#[test]
fn the_longest_texts_fit() {
    let mut token = sample::token();
    let subject = "s".repeat(Subject::MAX_BYTES);
    token.subject = Some(Subject::new(subject).unwrap());
    let json = format!("{{\"a\":\"{}\"}}", "x".repeat(PrivateClaims::MAX_BYTES - 8));
    token.claims.private = PrivateClaims::from_json(json).unwrap();
    assert_eq!(back(&token), token);
}

#[test]
fn there_is_a_cell_for_each_epoch_that_a_token_can_answer_to() {
    // All ancestors, subject and client.
    const { assert!(1 + Epochs::MAX_ANCESTORS + 2 <= MAX_CELLS) };
}

proptest! {
    #[test]
    fn foreign_bytes_allow_nothing_and_do_no_harm(bytes: Vec<u8>) {
        let mut digits = [0; 22];
        let digits = IdDigits::write(TokenId::from_bytes([1; 16]), &mut digits);
        let active = ActiveToken::over(digits, Timestamp::MAX, &bytes);
        let _read = (active.subject(), active.claims_json(), active.expires_at(), active.kind());
        let _read = (active.scopes().count(), active.audiences().count(), active.cells().count());
        let _read = active.to_token();
    }
}
