//! Bearer tokens that no manager issued.

use keyfob::bearer::Generation;
use keyfob::random::OsRandom;
use keyfob::store::{Lane, Namespace};
use keyfob::{BearerPrefix, BearerToken, Kind, Timestamp, TokenId};

/// Returns what anyone can make up who knows the form of a bearer token: its id is of no namespace.
///
/// # Panics
/// If the system has no randomness.
pub fn made_up(kind: Kind, at: Timestamp) -> BearerToken {
    bearer_for(kind, TokenId::draw(at, Lane::new(0), &OsRandom).expect("randomness"))
}

/// Returns a bearer token whose id was drawn in `namespace`, but whose token does not exist, as if its
/// record had been purged.
///
/// # Panics
/// If the system has no randomness.
pub fn purged(namespace: &Namespace, kind: Kind, at: Timestamp) -> BearerToken {
    bearer_for(kind, namespace.draw_id(at, Lane::new(0), &OsRandom).expect("randomness"))
}

fn bearer_for(kind: Kind, id: TokenId) -> BearerToken {
    let prefix = BearerPrefix::default();
    BearerToken::draw(&prefix, kind, id, Generation::FIRST, &OsRandom).expect("randomness")
}
